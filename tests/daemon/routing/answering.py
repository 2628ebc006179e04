"""A router on a real store, with a clock: events come as through the bus, and are kept or not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon.counters import Counters
from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routes.zones import MACHINE
from jitney.daemon.routing.router import Router
from jitney.daemon.routing.variables import Variables
from jitney.topics import Event
from tests.daemon.routing.doing import Clock, Stage, event, prepared

Begin = Callable[[bool], None]

ADAPTERS = {"base": "alice"}


class House:
    """A router and what it has planned; an event that is kept is on disk when ``happens`` returns."""

    def __init__(self, stage: Stage, router: Router, variables: Variables, clock: Clock) -> None:
        self.stage = stage
        self.router = router
        self.clock = clock
        self._variables = variables
        self._number = 0

    @property
    def counters(self) -> Counters:
        return self.stage.counters

    def made(
        self,
        data: object = None,
        *,
        type: str = "inbox.turn",  # noqa: A002
        owner: str = "alice",
        subject: str = "",
    ) -> Event:
        """Return a new event, about nothing unless it has a subject."""
        self._number += 1
        encoded = Raw(msgspec.json.encode({} if data is None else data))
        return event(self._number, owner=owner, type=type, data=encoded, subject=subject or UNSET)

    def plan(self, happened: Event) -> Begin:
        """Let an event come and return what begins what follows from it, once it is kept or not."""
        plan = self.router.plan(happened)
        if plan is None:
            return lambda _: None

        def begin(kept: bool) -> None:  # noqa: FBT001 - as the contract of the bus has it
            if kept:
                for sql, rows in plan.writes:
                    self.stage.store.write(sql, rows)
            plan.begin(kept)

        return begin

    def happens(self, data: object = None, **fields: Any) -> dict[str, str]:  # noqa: ANN401
        """Let an event come that is kept; returns what came of it by route."""
        happened = self.made(data, **fields)
        self.plan(happened)(True)  # noqa: FBT003 - as the contract of the bus has it
        return self.outcomes(happened.id, happened.owner)

    def outcomes(self, event_id: str, owner: str = "alice") -> dict[str, str]:
        entry = self.router.journal.find(event_id, owner)
        return {} if entry is None else {verdict.route: verdict.outcome for verdict in entry.verdicts}

    def waits(self, seconds: float) -> None:
        """Let time pass, and do what is due then."""
        self.clock.now += seconds
        self.router._pass_time()

    def variables(self, owner: str = "alice") -> dict[str, Any]:
        return dict(self._variables.of(owner, self.clock.now))

    def waiting(self, owner: str = "alice") -> int:
        """Return how many actions wait to be done."""
        return self.stage.executor.waiting(owner)

    async def on_disk(self, owner: str = "alice") -> dict[str, Any]:
        """Return the variables that another run would find."""
        store = self.stage.store
        await store.committed()
        query = "SELECT key, value FROM route_memory WHERE owner = ? AND route = ''"
        found = await store.read(lambda db: db.execute(query, (owner,)).fetchall())
        return {key: msgspec.json.decode(value)["value"] for key, value in found}


@asynccontextmanager
async def answering(folder: Path, *routes: dict[str, Any], clock: Clock | None = None) -> AsyncIterator[House]:
    """Follow routes, whose actions wait to be done."""
    clock = clock or Clock()
    given = [{"name": f"route {number}", **one} for number, one in enumerate(routes, 1)]
    settings = [
        msgspec.convert(one if "schedule" in one else {"on": "inbox.turn", **one}, RouteSettings) for one in given
    ]
    found, faults = compile_routes(settings, owners=["alice", "bob"], adapters=ADAPTERS)
    assert not faults
    async with prepared(folder, clock=clock) as stage:
        variables = Variables(stage.counters)
        router = Router(
            stage.store,
            stage.executor,
            routes=found,
            names={"alice": "Alice", "bob": "Bob"},
            variables=variables,
            alerts=lambda _: None,
            zone=MACHINE,
            counters=stage.counters,
            clock=clock,
        )
        await router.load()
        yield House(stage, router, variables, clock)
