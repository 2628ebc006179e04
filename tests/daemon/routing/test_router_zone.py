"""A router in a house whose clocks are not the machine's, on the days when they change."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from jitney.daemon.routes.actions import PublishState
from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routing.planned import decode
from jitney.daemon.routing.router import Router
from jitney.daemon.routing.variables import Variables
from jitney.daemon.store import actions as rows
from tests.daemon.routing.doing import Clock, Stage, event, prepared

SAY = [{"state": "said", "data": {"at": "{{ now().strftime('%d %H:%M %z') }}"}}]


@pytest.fixture(autouse=True)
def machine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class House:
    """A router of one route in Berlin, and what it says."""

    def __init__(self, stage: Stage, clock: Clock, **keys: Any) -> None:  # noqa: ANN401
        self._clock = clock
        self._number = 0
        settings = msgspec.convert({"name": "say", "on": "played.ticked", "do": SAY, **keys}, RouteSettings)
        found, faults = compile_routes([settings], owners=["alice"], adapters={})
        assert not faults
        self.router = Router(
            stage.store,
            stage.executor,
            routes=found,
            names={"alice": "Alice"},
            variables=Variables(stage.counters),
            alerts=lambda _: None,
            zone=ZoneInfo("Europe/Berlin"),
            counters=stage.counters,
            clock=clock,
        )

    def says(self, instant: str) -> Sequence[object]:
        """Return what it says about an event at an instant."""
        self._clock.now = datetime.fromisoformat(instant).timestamp()
        self._number += 1
        plan = self.router.plan(event(self._number))
        writes = [] if plan is None else [row for sql, found in plan.writes if sql == rows.PUT for row in found]
        said = [decode(bytes(row[-1])).action for row in writes]  # type: ignore[call-overload]  # rows of anything
        return [msgspec.json.decode(one.data)["at"] for one in said if isinstance(one, PublishState) and one.data]


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(**keys: Any) -> AsyncIterator[House]:  # noqa: ANN401
        clock = Clock()
        async with prepared(tmp_path, clock=clock) as stage:
            made = House(stage, clock, **keys)
            await made.router.load()
            yield made

    return opened


async def test_once_a_day_is_a_day_of_the_house_however_long_that_is(house: Callable[..., Any]) -> None:
    async with house(once_per="day") as berlin:
        assert berlin.says("2026-10-24T21:30:00Z") == ["24 23:30 +0200"]
        assert berlin.says("2026-10-24T22:30:00Z") == ["25 00:30 +0200"]
        assert berlin.says("2026-10-25T22:59:00Z") == []
        assert berlin.says("2026-10-25T23:00:00Z") == ["26 00:00 +0100"]
        assert berlin.says("2027-03-27T22:59:00Z") == ["27 23:59 +0100"]
        assert berlin.says("2027-03-27T23:01:00Z") == ["28 00:01 +0100"]
        assert berlin.says("2027-03-28T21:59:00Z") == []
        assert berlin.says("2027-03-28T22:00:00Z") == ["29 00:00 +0200"]


async def test_quiet_hours_are_hours_of_the_house(house: Callable[..., Any]) -> None:
    async with house(quiet_hours="22:00-07:00") as berlin:
        assert berlin.says("2026-10-24T19:59:00Z") == ["24 21:59 +0200"]
        assert berlin.says("2026-10-24T20:00:00Z") == []
        assert berlin.says("2026-10-25T05:59:00Z") == []
        assert berlin.says("2026-10-25T06:00:00Z") == ["25 07:00 +0100"]
        assert berlin.says("2026-10-25T20:59:00Z") == ["25 21:59 +0100"]
        assert berlin.says("2026-10-25T21:00:00Z") == []


async def test_a_breaker_says_until_when_in_the_time_of_the_house(house: Callable[..., Any]) -> None:
    async with house() as berlin:
        for _ in range(70):
            berlin.says("2026-10-25T00:59:30Z")
        (stop,) = berlin.router.breakers.stops(berlin._clock.now)
        assert "stopped until 02:00:30" in stop.why
