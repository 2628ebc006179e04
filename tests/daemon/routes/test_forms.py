import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from jitney.daemon.routes import actions
from jitney.daemon.routes.actions import (
    Action,
    Drop,
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    SecretName,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routes.faults import TemplateError, written
from jitney.daemon.routes.saying import said
from tests.daemon.routes.making import complaints, document, route

DATA = {"distance": 25312.5, "tags": ["a"], "empty": "", "lines": "a\nb", "big": "x" * 15_000}


def done(*do: dict[str, Any], **keys: Any) -> list[Action]:  # noqa: ANN401 - keys of a route
    return route(do=do, **keys).actions(document(DATA))


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


@pytest.mark.parametrize(
    ("form", "action"),
    [
        (
            {"command": "base.send_text", "data": {"text": "{{ owner.name }}: {{ data.distance | round }} m"}},
            SendCommand(adapter="base", command="send_text", data=raw({"text": "Alice: 25312 m"})),
        ),
        ({"command": "home.a.b", "delay": 5}, SendCommand(adapter="home", command="a.b", delay=5.0)),
        (
            {"publish": "ride.long", "data": {"m": "{{ data.distance }}", "tags": ["{{ data.tags }}", 1, True]}},
            PublishEvent(kind="ride.long", data=raw({"m": 25312.5, "tags": [["a"], 1, True]}), source="sample"),
        ),
        (
            {"publish": "x", "subject": "about/{{ subject }}"},
            PublishEvent(kind="x", subject="about/activity/1", source="sample"),
        ),
        (
            {"state": "{{ subject }}/m", "data": {"m": 1}, "expiry": 60},
            PublishState(subject="activity/1/m", data=raw({"m": 1}), expiry=60),
        ),
        ({"state": "x", "gone": True}, PublishState(subject="x")),
        ({"reply": "got {{ data.tags[0] }}"}, Reply(text="got a")),
        ({"reply": {"tags": "{{ data.tags }}"}}, Reply(data=raw({"tags": ["a"]}))),
        (
            {"notify": "home.mobile_app", "message": "{{ data.distance }}", "title": "Ride", "data": {"tag": "x"}},
            Notify(target="home.mobile_app", message="25312.5", title="Ride", data=raw({"tag": "x"})),
        ),
        ({"notify": "base", "message": "hi"}, Notify(target="base", message="hi")),
        (
            {"webhook": "https://hooks.example.org/{{ subject | urlencode }}", "data": ["{{ data.distance }}"]},
            Webhook(method="POST", url="https://hooks.example.org/activity%2F1", body=raw([25312.5])),
        ),
        (
            {
                "webhook": "http://nas:8080/x",
                "method": "GET",
                "headers": {"X-Owner": "{{ owner.id }}", "Authorization": {"vault": "hooks/nas"}},
            },
            Webhook(
                method="GET",
                url="http://nas:8080/x",
                headers={"X-Owner": "alice"},
                secrets={"Authorization": SecretName("vault", "hooks/nas")},
            ),
        ),
        ({"forward": "bob"}, Forward(to="bob")),
        ({"drop": True}, Drop()),
        (
            {"set": "last", "value": "{{ data.distance }}", "expiry": 60},
            SetVariable(name="last", value=raw(25312.5), expiry=60.0),
        ),
        ({"set": "last", "value": {"a": [1]}}, SetVariable(name="last", value=raw({"a": [1]}))),
        ({"set": "last", "gone": True}, SetVariable(name="last")),
    ],
)
def test_a_form_becomes_an_action_that_can_wait_on_disk(form: dict[str, Any], action: Action) -> None:
    (found,) = done(form)
    assert found == action
    assert actions.decode(actions.encode(found)) == action


def test_several_receivers_become_several_actions_and_nobody_is_forwarded_their_own() -> None:
    assert done({"forward": ["bob", "carol"]}) == [Forward(to="bob"), Forward(to="carol")]
    both = route(owner="*", do=({"forward": ["alice", "bob"], "delay": 1},))
    assert both.actions(document(owner="alice")) == [Forward(to="bob", delay=1.0)]
    assert len(both.actions(document(owner="_house"))) == 2


def test_actions_stay_in_their_order() -> None:
    found = done({"set": "a", "value": 1}, {"forward": ["bob", "carol"]}, {"drop": True})
    assert [type(one) for one in found] == [SetVariable, Forward, Forward, Drop]


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({}, "do[0]: an action begins with one of command, publish, state"),
        ({"comand": "base.x"}, 'did you mean "command"?'),
        ({"command": "base.x", "drop": True}, "do[0]: command and drop are several actions"),
        ({"command": "base.x", "dat": {}}, 'do[0].dat: unknown key: did you mean "data"?'),
        ({"command": "base"}, 'do[0].command: expected an adapter and its command, such as "base.send_text"'),
        ({"command": 7}, "do[0].command: expected a text, got 7"),
        ({"command": "{{ adapter }}.x"}, "do[0].command: is no place for a template"),
        ({"command": "bse.x"}, "do[0].command: there is no adapter 'bse': did you mean \"base\"?"),
        ({"command": "roof.x"}, 'roof belongs to bob, and this route is for alice: give this route owner = "bob"'),
        ({"command": "base.x", "data": "x"}, "do[0].data: expected a table, got a text"),
        (
            {"command": "base.x", "data": {"a": ["{{ x }}"]}},
            "do[0].data.a[0]: line 1 of the template: there is no x here",
        ),
        ({"command": "base.x", "data": {"{{ subject }}": 1}}, "templates are for values, not for keys"),
        ({"command": "base.x", "data": {"a": float("nan")}}, "do[0].data.a: JSON has no nan"),
        ({"command": "base.x", "data": {"a": 2**70}}, "do[0].data.a: the number is too large"),
        ({"command": "base.x", "data": {"a": object()}}, "do[0].data.a: JSON has no such value"),
        ({"command": "base.x", "data": {"a": "\ud800"}}, "do[0].data.a: not a text"),
        ({"command": "base.x", "data": {"a": "x" * 70_000}}, "do[0].data: is 70008 bytes long: at most 64000"),
        ({"command": "base.x", "delay": -1}, "do[0].delay: expected 0 to 2592000 seconds, got -1"),
        ({"command": "base.x", "delay": "1"}, 'do[0].delay: expected 0 to 2592000 seconds, got "1"'),
        ({"command": "base.x", "delay": True}, "got true"),
        ({"publish": "Bad Kind"}, 'do[0].publish: expected a kind such as "door.left_open"'),
        ({"publish": "x" * 101}, "do[0].publish: expected at most 100 printable characters"),
        ({"publish": ""}, 'do[0].publish: expected a text, got ""'),
        ({"state": "x"}, "do[0]: expected either data = …, or gone = true"),
        ({"state": "x", "data": {}, "gone": True}, "do[0]: expected either data = …, or gone = true"),
        ({"state": "x", "data": {}, "expiry": float("inf")}, "do[0].expiry: expected 0 to 31536000 seconds"),
        ({"state": 1, "data": {}}, "do[0].state: expected a text, got 1"),
        ({"reply": ""}, 'do[0].reply: expected a text, got ""'),
        ({"reply": 3}, "do[0].reply: expected a text, got 3"),
        ({"notify": "base"}, "do[0].message: missing: notify needs a text here"),
        ({"notify": "office", "message": "x"}, "do[0].notify: there is no adapter 'office'"),
        ({"webhook": "ftp://x/"}, "do[0].webhook: expected a URL whose host stands in the file"),
        ({"webhook": "https://{{ data.host }}/x"}, "expected a URL whose host stands in the file"),
        ({"webhook": "https://example.org{{ data.x }}/x"}, "expected a URL whose host stands in the file"),
        ({"webhook": "https://example.org:{{ data.x }}/x"}, "expected a URL whose host stands in the file"),
        ({"webhook": "https://[x/"}, "expected a URL whose host stands in the file"),
        ({"webhook": "https://me:secret@example.org/"}, "user and password do not belong into the URL"),
        ({"webhook": 3}, "do[0].webhook: expected a text, got 3"),
        (
            {"webhook": "https://x.org/", "method": "FETCH"},
            'do[0].method: expected one of POST, GET, PUT, PATCH, DELETE, got "FETCH"',
        ),
        ({"webhook": "https://x.org/", "headers": []}, "do[0].headers: expected a table, got []"),
        ({"webhook": "https://x.org/", "headers": {"a b": "x"}}, 'do[0].headers."a b": not the name of a header'),
        (
            {"webhook": "https://x.org/", "headers": {"a": {"vualt": "x"}}},
            "do[0].headers.a: expected a text, or where a secret",
        ),
        ({"forward": "bbo"}, "do[0].forward: there is no owner 'bbo': did you mean \"bob\"?"),
        ({"forward": "alice"}, "do[0].forward: alice has these events already"),
        ({"forward": []}, "do[0].forward: there is no owner ''"),
        ({"forward": [1]}, "do[0].forward: expected an id, got 1"),
        ({"drop": False}, "do[0].drop: expected true, got false"),
        ({"drop": True, "delay": 3}, "do[0].delay: an event cannot be dropped later"),
        ({"set": "a b", "value": 1}, 'do[0].set: expected a name of letters, digits and _, got "a b"'),
        ({"set": "a"}, "do[0]: expected either value = …, or gone = true"),
        ({"set": "a", "value": "{{"}, "do[0].value: line 1 of the template"),
    ],
)
def test_what_is_wrong_with_a_form_is_told_with_its_place(form: dict[str, Any], complaint: str) -> None:
    assert complaint in "\n".join(complaints(do=(form,)))


def test_a_route_for_everybody_commands_only_what_belongs_to_the_house() -> None:
    assert complaints(owner="*", do=({"command": "home.x"},)) == []
    (complaint,) = complaints(owner="*", do=({"command": "base.x"},))
    assert "base belongs to alice, and this route is for everybody" in complaint
    (complaint,) = complaints(owner=("alice", "carol"), do=({"notify": "base", "message": "x"},))
    assert "this route is for carol" in complaint


def test_a_route_does_something_and_not_too_much() -> None:
    assert complaints(do=()) == ["do: expected 1 to 50 actions, got 0"]
    assert complaints(do=({"drop": True},) * 51) == ["do: expected 1 to 50 actions, got 51"]
    assert "expected a table such as" in complaints(do=(3,))[0]


def test_data_inside_one_another_is_bounded() -> None:
    data: dict[str, Any] = {}
    for _ in range(40):
        data = {"a": data}
    assert "nested too deeply" in complaints(do=({"command": "base.x", "data": data},))[0]


@pytest.mark.parametrize(
    ("form", "place", "words"),
    [
        ({"command": "base.x", "data": {"a": [{"b": "{{ data.no }}"}]}}, "do[0].data.a[0].b", "no is missing"),
        ({"command": "base.x", "data": {str(n): "{{ data.big }}" for n in range(5)}}, "do[0].data", "at most 64000"),
        ({"reply": "{{ data.empty }}"}, "do[0].reply", "an empty text"),
        ({"state": " {{ data.empty }}", "data": {}}, "do[0].state", "an empty text"),
        ({"notify": "base", "message": "{{ data.no }}"}, "do[0].message", "no is missing"),
        ({"webhook": "https://x.org/{{ data.lines }}"}, "do[0].webhook", "one line of 1 to 2000 characters"),
        ({"webhook": "https://x.org/", "headers": {"X": "{{ data.lines }}"}}, "do[0].headers.X", "one line"),
        ({"set": "a", "value": "{{ data.no }}"}, "do[0].value", "no is missing"),
    ],
)
def test_what_cannot_be_filled_in_is_told_with_its_place(form: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        done(form)
    assert written(caught.value.place) == place
    assert words in caught.value.text
    assert str(caught.value) == f"{place}: {caught.value.text}"


@pytest.mark.parametrize(
    "form",
    [
        {"command": "base.send_text", "data": {"text": "x"}, "delay": 3.0},
        {"publish": "a.b", "data": {"x": 1}, "subject": "s"},
        {"state": "s", "data": {"x": 1}, "expiry": 5},
        {"state": "s", "gone": True},
        {"reply": "text"},
        {"reply": {"x": 1}},
        {"notify": "home.phone", "message": "m", "title": "t", "data": {"x": 1}},
        {"webhook": "https://x.org/", "method": "PUT", "headers": {"A": "b", "C": {"env": "D"}}, "data": [1]},
        {"forward": "bob"},
        {"drop": True},
        {"set": "v", "value": [1], "expiry": 5.0},
        {"set": "v", "gone": True},
    ],
)
def test_an_action_is_said_in_the_words_of_the_file(form: dict[str, Any]) -> None:
    (action,) = done(form)
    assert said(action) == form


def test_a_webhook_never_holds_a_secret() -> None:
    (action,) = done({"webhook": "https://x.org/", "headers": {"Authorization": {"file": "token.txt"}}})
    assert isinstance(action, Webhook)
    assert action.headers == {}
    assert action.body is UNSET
    assert json.loads(actions.encode(action))["secrets"] == {"Authorization": {"source": "file", "name": "token.txt"}}
