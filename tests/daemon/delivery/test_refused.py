"""A durable event that could not be kept is none: its source comes again, and is heard."""

import asyncio
from pathlib import Path

import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.store import outbox as rows
from tests.daemon.running import config, observing, running, tick
from tests.fakes.mosquitto import Broker


async def test_an_event_that_was_refused_is_taken_when_it_comes_again_after_a_restart(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, durable=True)
    async with running(settings, tmp_path) as daemon:
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError, match="read-only"):
            await daemon.context().emit(tick(1))
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await daemon.context().save("anything", b"takes what waits to disk")
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.context().emit(tick(1))
        events = await observer.until(lambda: observer.events("jitney/alice/event/played/ticked"))
        assert [event.id for event in events] == ["played-alice-1"]


async def test_the_numbers_of_events_that_were_refused_are_given_to_those_after_them(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url, durable=True), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2))
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        results = await asyncio.gather(
            daemon.context().emit(tick(3), tick(4), tick(1, owner="bob")),
            daemon.context().emit(tick(5)),
            daemon.context().emit(tick(6), tick(4)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [RefusedError] * 3
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await daemon.context().emit(tick(5), tick(1, owner="bob"))
        await daemon.context().emit(tick(3), tick(4))
        found = await observer.until(
            lambda: (events := observer.events("jitney/alice/event/played/ticked")) and len(events) == 5 and events
        )
        assert [(event.id[-1], event.seq) for event in found] == [("1", 1), ("2", 2), ("5", 3), ("3", 4), ("4", 5)]
        assert [event.seq for event in observer.events("jitney/bob/event/played/ticked")] == [1]


async def test_what_was_seen_is_forgotten_in_time_also_by_a_bus_that_is_started_often(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "FORGET_EVERY", 50)
    monkeypatch.setattr(rows, "SEEN_ON_DISK", 10)
    for start in range(0, 120, 20):
        async with running(config(broker.url, durable=True), tmp_path) as daemon:
            await daemon.context().emit(*map(tick, range(start, start + 20)))
            await daemon.app.parts.store.committed()
            number = await daemon.app.parts.store.read(lambda db: db.execute("SELECT count(*) FROM seen").fetchone()[0])
            assert number < 50 + 20
