"""A durable event that could not be kept is none: its source comes again, and is heard."""

from pathlib import Path

import pytest

from jitney.adapters.errors import RefusedError
from tests.daemon.running import config, observing, running, tick
from tests.fakes.mosquitto import Broker


async def test_an_event_that_was_refused_is_taken_when_it_comes_again_after_a_restart(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, durable=True)
    async with running(settings, tmp_path) as daemon:
        store = daemon.app._store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError, match="read-only"):
            await daemon.context().emit(tick(1))
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await daemon.context().save("anything", b"takes what waits to disk")
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.context().emit(tick(1))
        events = await observer.until(lambda: observer.events("jitney/alice/event/played/ticked"))
        assert [event.id for event in events] == ["played-alice-1"]
