from datetime import datetime
from typing import Any

import pytest

from jitney.daemon.routes.settings import TestSettings
from jitney.daemon.routes.trials import event_of, try_route
from tests.daemon.routes.making import RIDE, route

EVENT = {"type": RIDE, "data": {"distance": 25312.5}}
DO = (
    {"command": "base.send_text", "data": {"text": "{{ owner.name }} rode {{ (data.distance / 1000) | round(1) }} km"}},
)
TOLD = {"command": "base.send_text", "data": {"text": "Alice rode 25.3 km"}}


def problem(expect: Any, *, event: dict[str, Any] = EVENT, **keys: Any) -> str:  # noqa: ANN401 - what a file may say
    test = TestSettings(event=event, expect=expect, **keys)
    one = route(when={"data.distance": {"gt": 20000}}, do=DO, tests=(test,))
    (trial,) = try_route(one, names={"alice": "Alice"})
    assert trial.name == "test 1"
    return trial.problem


def test_a_test_that_is_as_expected() -> None:
    assert problem((TOLD,)) == ""
    assert problem(({"command": "base.send_text"},)) == ""
    assert problem("nothing", event={"type": RIDE, "data": {"distance": 12000}}) == ""
    assert problem("nothing", event=EVENT | {"owner": "bob"}) == ""


@pytest.mark.parametrize(
    ("expect", "event", "words"),
    [
        ("nothing", EVENT, "expected nothing, got 1 action: {"),
        ((TOLD, TOLD), EVENT, "expected 2 actions, got 1 action"),
        (
            (TOLD,),
            {"type": RIDE, "data": {"distance": 1}},
            "expected 1 action, got nothing: data.distance is 1, not more than 20000",
        ),
        (
            ({"command": "base.send_text", "data": {"text": "x"}},),
            EVENT,
            'action 1: expected data to be {"text": "x"}, got {"text": "Alice rode 25.3 km"}',
        ),
        (({"command": "base.send_text", "data": {"text": ["x"]}},), EVENT, "expected data to be"),
        (({"reply": "x"},), EVENT, 'action 1: expected reply to be "x", got null'),
        ("something", EVENT, 'expect: expected actions, or "nothing", got "something"'),
        ("nothing", {"data": {}}, "event: give its type"),
        ("nothing", {"type": RIDE, "dta": 1}, "event: unknown key 'dta': did you mean \"data\"?"),
        ("nothing", {"type": 1}, "event.type: expected a text, got 1"),
        ("nothing", {"type": RIDE, "data": 1}, "event.data: expected a table, got 1"),
        ("nothing", {"type": RIDE, "data": {"x": object()}}, "event.data: "),
    ],
)
def test_a_test_that_is_not_says_why(expect: Any, event: dict[str, Any], words: str) -> None:  # noqa: ANN401
    assert words in problem(expect, event=event)


def test_what_cannot_be_filled_in_is_a_problem() -> None:
    test = TestSettings(name="no text", event={"type": RIDE}, expect=({"reply": "x"},))
    one = route(do=({"reply": "{{ data.text }}"},), tests=(test, test))
    assert [(trial.name, trial.problem) for trial in try_route(one, names={})] == [
        ("no text", "do[0].reply: text is missing: add | default(…), or test it first")
    ] * 2


def test_a_test_has_its_own_variables_and_its_own_time() -> None:
    test = TestSettings(
        event={"type": RIDE},
        expect=({"reply": "7 at 22:05"},),
        variables={"n": 7},
        now=datetime(2026, 1, 2, 22, 5),  # noqa: DTZ001
    )
    one = route(do=({"reply": "{{ get('n') }} at {{ now().strftime('%H:%M') }}"},), tests=(test,))
    assert [trial.problem for trial in try_route(one, names={})] == [""]


def test_an_event_of_nobody_is_one_of_the_route() -> None:
    assert event_of(route(owner=("bob", "alice")), EVENT).owner == "alice"
    assert event_of(route(owner="*"), EVENT).owner == "_house"
    assert event_of(route(), EVENT | {"adapter": "base", "subject": "s"}).adapter == "base"


def test_lists_are_compared_whole_and_tables_by_what_is_wanted() -> None:
    do = ({"reply": {"list": [1, {"a": 1, "b": 2}], "more": True}},)
    for expected, fits in (([1, {"a": 1}], True), ([1], False), ([1, {"a": 2}], False), ([True, {"a": 1}], False)):
        test = TestSettings(event={"type": RIDE}, expect=({"reply": {"list": expected}},))
        (trial,) = try_route(route(do=do, tests=(test,)), names={})
        assert (trial.problem == "") is fits
