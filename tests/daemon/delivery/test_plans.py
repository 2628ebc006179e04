"""What routes want to do goes to disk with the event that they want it about, or not at all."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.plans import Plan
from jitney.topics import Event
from tests.daemon.running import Daemon, config, observing, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

SAVE = "INSERT INTO kept (adapter, key, value) VALUES ('route', ?, ?)"


class Planner:
    """Plans one row for each event, and drops those with a number in ``dropping``."""

    def __init__(self, *dropping: int) -> None:
        self.begun: list[tuple[str, bool]] = []
        self._dropping = {f"played-alice-{number}" for number in dropping}

    def plan(self, event: Event) -> Plan:
        return Plan(
            writes=[(SAVE, [(event.id, bytes(event.data))])], begin=self._begin(event), drop=event.id in self._dropping
        )

    def _begin(self, event: Event) -> Callable[[bool], None]:
        return lambda kept: self.begun.append((event.id, kept))


async def planned(daemon: Daemon) -> list[str]:
    await daemon.app.parts.store.committed()
    rows = await daemon.app.parts.store.read(
        lambda db: db.execute("SELECT key FROM kept WHERE adapter = 'route' ORDER BY key").fetchall()
    )
    return [key for (key,) in rows]


@pytest.mark.parametrize("durable", [True, False])
async def test_what_follows_from_an_event_is_written_and_begun(
    broker: Broker, tmp_path: Path, *, durable: bool
) -> None:
    planner = Planner()
    async with running(config(broker.url, durable=durable), tmp_path) as daemon:
        daemon.app.parts.bus.plans = planner
        await daemon.context().emit(tick(1), tick(2), tick(1))
        assert planner.begun == [("played-alice-1", True), ("played-alice-2", True)]
        assert await planned(daemon) == ["played-alice-1", "played-alice-2"]


async def test_of_an_event_that_cannot_be_kept_nothing_follows(broker: Broker, tmp_path: Path) -> None:
    planner = Planner()
    async with running(config(broker.url, durable=True), tmp_path) as daemon:
        daemon.app.parts.bus.plans = planner
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError, match="read-only"):
            await daemon.context().emit(tick(1), tick(2))
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        assert planner.begun == [("played-alice-2", False), ("played-alice-1", False)]
        assert await planned(daemon) == []
        await daemon.context().emit(tick(1))
        assert planner.begun[2:] == [("played-alice-1", True)]
        assert await planned(daemon) == ["played-alice-1"]


class Leaving(Planner):
    """Lets whoever emits an event leave before it is on disk."""

    def plan(self, event: Event) -> Plan:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return super().plan(event)


async def test_what_follows_begins_even_where_nobody_waits_for_the_disk_any_more(
    broker: Broker, tmp_path: Path
) -> None:
    planner = Leaving()
    async with observing(broker.port) as observer, running(config(broker.url, durable=True), tmp_path) as daemon:
        daemon.app.parts.bus.plans = planner
        await asyncio.wait([asyncio.create_task(daemon.context().emit(tick(1)), name="emit")])
        await observer.message("jitney/alice/event/played/ticked")
        assert planner.begun == [("played-alice-1", True)]


async def test_what_nobody_waits_for_and_cannot_be_kept_was_not_seen(broker: Broker, tmp_path: Path) -> None:
    planner = Leaving()
    async with observing(broker.port) as observer, running(config(broker.url, durable=True), tmp_path) as daemon:
        daemon.app.parts.bus.plans = planner
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        await asyncio.wait([asyncio.create_task(daemon.context().emit(tick(1)), name="emit")])
        await until(lambda: planner.begun == [("played-alice-1", False)])
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        daemon.app.parts.bus.plans = Planner()
        await daemon.context().emit(tick(1))
        await observer.message("jitney/alice/event/played/ticked")


@pytest.mark.parametrize("durable", [True, False])
async def test_an_event_that_a_route_drops_is_not_published_and_leaves_no_gap(
    broker: Broker, tmp_path: Path, *, durable: bool
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url, durable=durable), tmp_path) as daemon:
        daemon.app.parts.bus.plans = Planner(2)
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2))
        await daemon.context().emit(tick(2), tick(3))
        topic = "jitney/alice/event/played/ticked"
        events = await observer.until(lambda: len(found := observer.events(topic)) >= 2 and found)
        assert [(event.id, event.seq) for event in events] == [("played-alice-1", 1), ("played-alice-3", 2)]
        assert daemon.app.parts.bus._counters.total("dropped", reason="route") == 1
