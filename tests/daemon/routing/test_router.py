"""The router: what is used up by a firing, and what is remembered of the clock."""

from pathlib import Path
from typing import Any

import pytest

from jitney.daemon.routing.router import Router
from tests.daemon.routing.answering import answering

BROKEN = [{"publish": "said", "data": {"text": "{{ data.text }}"}}]
GOOD = {"text": "hello"}


@pytest.mark.parametrize("condition", [{"throttle": 60}, {"once_per": "day"}, {"throttle": 60, "once_per": "week all"}])
async def test_a_template_that_cannot_be_filled_in_uses_up_nothing(tmp_path: Path, condition: dict[str, Any]) -> None:
    async with answering(tmp_path, {"do": BROKEN, **condition}) as home:
        assert home.happens() == {"route 1": "failed"}
        assert home.happens(GOOD) == {"route 1": "fired"}
        assert home.happens(GOOD) == {"route 1": "held"}
    async with answering(tmp_path, {"do": BROKEN, **condition}) as home:
        assert home.happens(GOOD) == {"route 1": "held"}


async def test_an_event_about_which_nothing_can_be_done_is_not_counted(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": BROKEN, "count": {"n": 2, "within": 60}}) as home:
        assert home.happens(GOOD) == {"route 1": "held"}
        assert home.happens() == {"route 1": "failed"}
        assert home.happens(GOOD) == {"route 1": "fired"}
        assert home.happens(GOOD) == {"route 1": "held"}


@pytest.mark.parametrize("waiting", [{"debounce": 5}, {"for": 5}])
async def test_one_that_fails_when_its_time_has_come_is_not_tried_again(
    tmp_path: Path, waiting: dict[str, Any]
) -> None:
    async with answering(tmp_path, {"do": BROKEN, "throttle": 600, **waiting}) as home:
        home.clock.now += 60
        broken = home.made()
        home.plan(broken)(True)  # noqa: FBT003
        home.waits(5)
        assert home.outcomes(broken.id)["route 1"] == "failed"
        home.waits(5)
        assert home.counters.total("failed", owner="alice", reason="template") == 1
        assert home.router._memory.next() > home.clock.now


async def test_after_one_that_failed_when_its_time_had_come_the_next_one_fires(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": BROKEN, "throttle": 600, "debounce": 5}) as home:
        home.happens()
        home.waits(5)
        good = home.made(GOOD)
        home.plan(good)(True)  # noqa: FBT003
        home.waits(5)
        assert home.outcomes(good.id) == {"route 1": "fired"}


EVERY = {"owner": "alice", "schedule": {"every": 3600}, "do": [{"publish": "struck"}]}


def told(router: Router) -> list[tuple[str, dict[str, str]]]:
    """Return what is told about the events of alice, the oldest first: their subjects, and what came of them."""
    entries = router.journal.recent("alice")
    found = [router.journal.explain(entry.event.id, router.look, "alice") for entry in reversed(entries)]
    return [(str(entry.event.subject), {one.route: one.outcome for one in told}) for entry, told in filter(None, found)]


async def test_what_a_schedule_fires_on_is_remembered_and_explained(tmp_path: Path) -> None:
    never = {**EVERY, "name": "never", "if": "get('there', false)"}
    rarely = {**EVERY, "name": "rarely", "throttle": 100_000}
    everything = {"name": "everything", "on": "*", "do": BROKEN}
    async with answering(tmp_path, {**EVERY, "name": "strike"}, never, rarely, everything) as home:
        for _ in range(2):
            home.waits(3600)
        assert sorted(told(home.router), key=lambda one: one[0]) == [
            ("never", {"never": "not_matched"}),
            ("never", {"never": "not_matched"}),
            ("rarely", {"rarely": "fired"}),
            ("rarely", {"rarely": "held"}),
            ("strike", {"strike": "fired"}),
            ("strike", {"strike": "fired"}),
        ]
        assert {entry.event.type for entry in home.router.journal.recent("alice")} == {"route.scheduled"}
        assert home.router.journal.recent("bob") == []


SAY = [{"publish": "said"}]


@pytest.mark.parametrize(
    ("key", "came"),
    [
        ({}, ["fired", "fired", "held"]),
        ({"key": "all"}, ["fired", "held", "held"]),
        ({"key": "{{ data.node }}"}, ["fired", "held", "fired"]),
    ],
)
async def test_what_is_throttled_is_kept_apart_by_the_subject_or_the_key(
    tmp_path: Path, key: dict[str, str], came: list[str]
) -> None:
    async with answering(tmp_path, {"do": SAY, "throttle": 60, **key}) as home:
        events = [("one", "a"), ("two", "a"), ("one", "b")]
        assert [home.happens({"node": node}, subject=subject)["route 1"] for subject, node in events] == came


async def test_events_of_several_subjects_are_counted_and_awaited_together(tmp_path: Path) -> None:
    routes = [{"do": SAY, "count": {"n": 2, "within": 60}}, {"do": SAY, "debounce": 5}]
    async with answering(tmp_path, *({**one, "key": "all"} for one in routes)) as home:
        first, second = (home.made(subject=subject) for subject in ("one", "two"))
        for happened in (first, second):
            home.plan(happened)(True)  # noqa: FBT003
        home.waits(5)
        assert home.outcomes(first.id) == {"route 1": "held", "route 2": "held"}
        assert home.outcomes(second.id) == {"route 1": "fired", "route 2": "fired"}
