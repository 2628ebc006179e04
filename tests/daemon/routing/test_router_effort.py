"""Routes that compute long: found out, stopped, and nobody else's concern."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routes.zones import MACHINE
from jitney.daemon.routing.breaker import PAUSE, Alert
from jitney.daemon.routing.effort import BUDGET
from jitney.daemon.routing.router import Router
from jitney.daemon.routing.variables import Variables
from jitney.topics import Event
from tests.daemon.routing.doing import Clock, event, prepared

SEARCHING = "data.text | regex_search('a+a+b')"
"""Takes some milliseconds on a text of two hundred a's, as long as it may."""

FIRE = ({"set": "n", "value": 1},)
ENOUGH = 2000


class House:
    """A router and what it says; it tells of an event again and again until something has come of it."""

    def __init__(self, router: Router, clock: Clock, alerts: list[Alert]) -> None:
        self.router = router
        self.clock = clock
        self.alerts = alerts
        self._number = 0

    def happens(self, owner: str = "alice") -> Mapping[str, str]:
        """Let an event happen; returns what came of it by route."""
        self._number += 1
        happened = told(self._number, owner)
        self.router.plan(happened)
        entry = self.router.journal.find(happened.id, owner)
        assert entry is not None
        return {verdict.route: verdict.outcome for verdict in entry.verdicts}

    def stopped(self) -> set[str]:
        return {stop.route for stop in self.router.breakers.stops(self.clock.now)}


def told(number: int, owner: str) -> Event:
    data = Raw(msgspec.json.encode({"text": "a" * 200}))
    return event(number, owner=owner, type="inbox.text", data=data)


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(*routes: Mapping[str, Any]) -> AsyncIterator[House]:
        clock = Clock()
        alerts: list[Alert] = []
        settings = [msgspec.convert({"on": "inbox.text", "do": FIRE, **one}, RouteSettings) for one in routes]
        found, faults = compile_routes(settings, owners=["alice", "bob"], adapters={})
        assert not faults
        async with prepared(tmp_path, clock=clock) as stage:
            router = Router(
                stage.store,
                stage.executor,
                routes=found,
                names={"alice": "Alice", "bob": "Bob"},
                variables=Variables(stage.counters),
                alerts=alerts.append,
                zone=MACHINE,
                counters=stage.counters,
                clock=clock,
            )
            await router.load()
            yield House(router, clock, alerts)

    return opened


async def test_a_route_that_searches_too_long_is_stopped_and_the_others_of_its_owner_and_of_others_go_on(
    house: Callable[..., Any],
) -> None:
    slow = {"name": "slow", "owner": ["alice", "bob"], "if": SEARCHING}
    async with house(slow, {"name": "quick", "throttle": 2}) as home:
        for _ in range(ENOUGH):
            home.clock.now += 0.02
            if home.stopped():
                break
            assert home.happens() in ({"quick": "fired"}, {"quick": "held"})
        assert home.stopped() == {"slow"}
        assert home.happens() == {"slow": "stopped", "quick": "held"}
        home.clock.now += 2
        assert home.happens() == {"slow": "stopped", "quick": "fired"}
        assert home.happens("bob") == {"quick": "fired"}
        (stop,) = home.router.breakers.stops(home.clock.now)
        assert "of computing within a minute" in stop.why


async def test_after_its_pause_it_is_asked_again(house: Callable[..., Any]) -> None:
    async with house({"name": "slow", "if": SEARCHING}) as home:
        home.router.breakers.spent("alice", "slow", 2 * BUDGET, home.clock.now)
        assert home.happens() == {"slow": "stopped"}
        home.clock.now += PAUSE
        assert home.happens() == {}
        home.router._pass_time()
        assert home.router.breakers.tired == {}


async def test_a_route_that_remembers_is_stopped_and_goes_on_like_any_other(house: Callable[..., Any]) -> None:
    async with house({"name": "slow", "if": f"not ({SEARCHING})", "count": {"n": 2, "within": 60}}) as home:
        assert home.happens() == {"slow": "held"}
        assert home.happens() == {"slow": "fired"}
        home.router.breakers.spent("alice", "slow", 2 * BUDGET, home.clock.now)
        assert home.happens() == {"slow": "stopped"}
        home.clock.now += PAUSE
        assert home.happens() == {"slow": "held"}
        assert home.happens() == {"slow": "fired"}
