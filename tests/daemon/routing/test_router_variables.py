"""Variables that routes set at once: seen by the next event, kept with the event that set them or not at all."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from jitney.daemon.routing.variables import MOST_NAMES
from tests.daemon.routing.answering import answering
from tests.daemon.routing.doing import running
from tests.waiting import until

COUNT: dict[str, Any] = {"set": "n", "value": "{{ get('n', 0) + 1 }}"}


async def test_of_events_that_come_together_each_is_counted(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": [COUNT]}) as home:
        for _ in range(10):
            assert home.happens() == {"route 1": "fired"}
        assert home.variables() == {"n": 10}
        assert home.waiting() == 0
        assert await home.on_disk() == {"n": 10}
        assert home.counters.total("actions", owner="alice", adapter="set", reason="ok") == 10


async def test_what_was_set_is_there_after_a_restart_and_is_counted_on(tmp_path: Path) -> None:
    for run in range(1, 3):
        async with answering(tmp_path, {"do": [COUNT]}) as home:
            home.happens()
            assert home.variables() == {"n": run}
            await home.stage.store.committed()


async def test_later_routes_see_for_the_same_event_what_earlier_ones_have_set(tmp_path: Path) -> None:
    first = {"do": [COUNT, {"set": "copy", "value": "{{ get('n', 0) }}"}]}
    second = {"when": {"variables.n": 1}, "if": "get('n') == 1", "do": [{"set": "seen", "value": "{{ variables.n }}"}]}
    async with answering(tmp_path, first, second) as home:
        assert home.happens() == {"route 1": "fired", "route 2": "fired"}
        assert home.variables() == {"n": 1, "copy": 0, "seen": 1}


async def test_it_is_forgotten_at_once_too_and_nobody_elses_is_touched(tmp_path: Path) -> None:
    gone = {"when": {"data.away": True}, "do": [{"set": "n", "gone": True}]}
    async with answering(tmp_path, {"when": {"data.away": {"exists": False}}, "do": [COUNT]}, gone) as home:
        home.happens()
        home.happens(owner="bob")
        home.happens({"away": True})
        assert (home.variables(), home.variables("bob")) == ({}, {"n": 1})
        assert (await home.on_disk(), await home.on_disk("bob")) == ({}, {"n": 1})


async def test_it_expires_as_it_says(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": [{**COUNT, "expiry": 60}]}) as home:
        home.happens()
        home.clock.now += 60
        home.happens()
        assert home.variables() == {"n": 1}


async def test_with_a_delay_it_is_set_when_its_time_comes(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": [{**COUNT, "delay": 5}]}) as home:
        home.happens()
        assert home.variables() == {}
        assert home.waiting() == 1


async def test_of_a_route_that_time_makes_fire_it_is_set_with_what_is_remembered(tmp_path: Path) -> None:
    async with answering(tmp_path, {"debounce": 5, "do": [COUNT]}) as home:
        home.happens()
        home.happens()
        home.waits(5)
        assert home.variables() == {"n": 1}
        assert await home.on_disk() == {"n": 1}
        assert home.waiting() == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_events_that_cannot_be_kept_nothing_is_set_in_whichever_order_that_is_told(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    routes = [{"do": [COUNT, {"set": "m", "value": "{{ get('n', 0) }}"}]}, {"do": [{"set": "old", "gone": True}]}]
    old = {"on": "inbox.old", "do": [{"set": "old", "value": 1}, COUNT]}
    async with answering(tmp_path, *routes, old) as home:
        home.happens(type="inbox.old")
        assert home.variables() == {"old": 1, "n": 1}
        begins = [home.plan(home.made()) for _ in range(3)]
        assert home.variables() == {"n": 4, "m": 3}
        for number in order:
            begins[number](False)  # noqa: FBT003
        assert home.variables() == {"old": 1, "n": 1}
        home.happens()
        assert home.variables() == {"n": 2, "m": 1}
        assert await home.on_disk() == home.variables()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_what_a_later_event_has_set_stays_when_an_earlier_one_is_not_kept(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    async with answering(tmp_path, {"do": [{"set": "last", "value": "{{ data.n }}"}]}) as home:
        begins = [home.plan(home.made({"n": number})) for number in (1, 2)]
        for number in order:
            begins[number](number == 1)
        assert home.variables() == {"last": 2}
        assert await home.on_disk() == {"last": 2}


async def test_what_was_set_otherwise_meanwhile_stays_when_an_event_is_not_kept(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": [COUNT]}) as home:
        begin = home.plan(home.made())
        home._variables.set("alice", "n", b"7", now=home.clock.now)
        begin(False)  # noqa: FBT003
        assert home.variables() == {"n": 7}


async def test_a_variable_that_is_refused_is_an_action_that_fails_and_the_rest_is_done(tmp_path: Path) -> None:
    many = [{"set": f"v{number}", "value": 1} for number in range(MOST_NAMES // 2)]
    more = [{"set": f"w{number}", "value": 1} for number in range(MOST_NAMES // 2 + 1)]
    async with answering(tmp_path, {"do": many}, {"do": more}) as home:
        home.happens()
        assert len(home.variables()) == MOST_NAMES
        assert home.waiting() == 1
        async with running(home.stage):
            await until(lambda: home.waiting() == 0)
        assert [one.action.name for one in home.stage.player.done] == [f"w{MOST_NAMES // 2}"]  # type: ignore[union-attr]


async def test_an_owner_who_is_forgotten_has_no_variable_left_to_be_undone(tmp_path: Path) -> None:
    async with answering(tmp_path, {"do": [COUNT]}) as home:
        begin = home.plan(home.made())
        home.router.forget("alice")
        begin(False)  # noqa: FBT003
        assert home.variables() == {}
