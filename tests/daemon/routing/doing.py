"""An executor on a real store, and somebody who does what the test says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Raw

from jitney.daemon.counters import Counters
from jitney.daemon.routes.actions import Action, PublishState, SendCommand
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.planned import Planned, plan
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.topics import Event
from tests.waiting import until

START = 1_800_000_000.0
TTL = 3600.0


class Clock:
    """A wall clock that the test puts."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Player:
    """Does every action as the test plays it: an error for each time it is asked, and then well."""

    def __init__(self) -> None:
        self.done: list[Planned] = []
        self.asked: list[Planned] = []
        self.errors: dict[str, list[Exception]] = defaultdict(list)
        self.before: Callable[[Planned], Awaitable[None]] | None = None
        self.closed = False

    async def do(self, planned: Planned) -> None:
        self.asked.append(planned)
        if self.before is not None:
            await self.before(planned)
        errors = self.errors[name(planned)]
        if errors:
            raise errors.pop(0)
        self.done.append(planned)

    async def close(self) -> None:
        self.closed = True

    def names(self) -> list[str]:
        return [name(one) for one in self.done]


class Stage:
    """What a test of the executor needs."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.store = store
        self.counters = Counters()
        self.player = Player()
        self.executor = Executor(store, self.player, counters=self.counters, clock=clock)

    async def accept(self, planned: Sequence[Planned]) -> None:
        """Do what the bus does with an event: write, wait for the disk, begin."""
        self.write(planned)
        await self.store.committed()
        self.executor.begin(planned)

    def write(self, planned: Sequence[Planned]) -> None:
        for sql, rows in self.executor.rows(planned):
            self.store.write(sql, rows)

    async def rows(self, table: str = "action") -> list[tuple[Any, ...]]:
        query = f"SELECT * FROM {table} ORDER BY rowid"  # noqa: S608 - a name of the test's
        await self.store.committed()
        return await self.store.read(lambda db: db.execute(query).fetchall())

    async def reasons(self) -> list[str]:
        """Return the reasons of all dead letters, oldest first."""
        return [row[5] for row in await self.rows("dead")]

    async def did(self, *names: str) -> None:
        """Wait until these have been done, in this order and nothing else."""
        await until(lambda: len(self.player.done) >= len(names))
        assert self.player.names() == list(names)

    async def died(self, number: int) -> list[str]:
        async def enough() -> bool:
            return len(await self.reasons()) >= number

        await until(enough)
        return await self.reasons()


@asynccontextmanager
async def prepared(folder: Path, *, clock: Callable[[], float] | None = None) -> AsyncIterator[Stage]:
    """Open the store in a folder, with an executor that does not run yet."""
    async with Store(folder / DATABASE) as store:
        yield Stage(store, clock or Clock())


@asynccontextmanager
async def performing(folder: Path, *, clock: Callable[[], float] | None = None) -> AsyncIterator[Stage]:
    """Open the store in a folder and run an executor on it."""
    async with prepared(folder, clock=clock) as one, running(one):
        yield one


@asynccontextmanager
async def running(one: Stage) -> AsyncIterator[None]:
    """Run the executor of a stage."""
    task = asyncio.create_task(one.executor.run(), name="executor")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def event(number: int = 1, *, owner: str = "alice", type: str = "played.ticked", **fields: Any) -> Event:  # noqa: A002, ANN401
    """Return an event as a bus has accepted it."""
    return Event(
        id=f"event-{number}",
        source=fields.pop("source", "/played"),
        type=type,
        time="2026-11-21T05:41:00.120Z",
        owner=owner,
        data=fields.pop("data", Raw(b'{"number":%d}' % number)),
        **fields,
    )


def command(text: str, *, adapter: str = "base", delay: float = 0.0) -> SendCommand:
    return SendCommand(adapter=adapter, command=text, delay=delay)


def planned(
    *actions: Action, route: str = "r", owner: str = "alice", now: float = START, ttl: float = TTL
) -> list[Planned]:
    """Return what a route wants done about an event."""
    return plan(event(owner=owner), actions, route=route, now=now, ttl=ttl)


def name(one: Planned) -> str:
    match one.action:
        case SendCommand(command=text):
            return text
        case PublishState(subject=text):
            return text
    return type(one.action).__name__
