"""A full disk and one that the kernel has turned read-only: sources are refused, nothing accepted is lost."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon import log
from jitney.daemon.store import store as stores
from jitney.daemon.store.tables import DATABASE
from tests.at_strava import Process, household
from tests.daemon.running import Daemon, config, observing, running, tick
from tests.fakes.disks import in_memory, on_a_card
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.fakes.strava import FakeStrava
from tests.waiting import until

EVENTS: Final = "jitney/alice/event/played/ticked"
INBOX: Final = "jitney/alice/inbox/desk/note"
NOTES: Final = "jitney/alice/event/desk/note"
CONFIG: Final = """
version = 1
[bus]
state_dir = "{state}"
log_format = "json"
[mqtt]
url = "{broker}"
[http]
listen = "127.0.0.1:{port}"
[outbox]
synchronous = "full"
[owners.alice]
"""
"""Full, because a card that fails loses what the operating system has not written yet, like a power cut."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(stores, "REFUSE_SECONDS", 0.02)


async def until_refused(daemon: Daemon, number: int) -> tuple[int, RefusedError]:
    """Emit until the bus refuses; returns the number of the event that it did not take, and why."""
    while True:
        try:
            await daemon.context().emit(tick(number))
        except RefusedError as refusal:
            return number, refusal
        number += 1


async def test_a_full_disk_refuses_sources_keeps_the_state_and_recovers_by_itself(
    broker: Broker, tmp_path: Path
) -> None:
    stream = io.StringIO()
    log.configure("json", "info", stream=stream)
    with in_memory(tmp_path / "state", megabytes=4) as disk:
        async with observing(broker.port) as observer, running(config(broker.url, durable=True), disk.path) as daemon:
            await daemon.connected()
            await daemon.context().emit(*map(tick, range(50)))
            await daemon.context().save("cursor", b"50")
            disk.fill()
            refused, why = await until_refused(daemon, 50)
            assert (why.code, "the disk is full: free some space" in str(why)) == ("not_kept", True)
            for _ in range(40):
                assert (await until_refused(daemon, refused))[0] == refused
            with pytest.raises(RefusedError):
                await daemon.context().save("cursor", b"x" * 100_000)
            assert daemon.app.parts.health.plain().status == "degraded"
            assert not daemon.app.parts.health.ready()
            assert daemon.app.signs.words().startswith("cannot write: state file ")
            assert "the disk is full" in daemon.app.parts.health.detailed().queues.store_failure
            await observer.publish(INBOX, b'{"specversion":"1.0","id":"n","source":"/d","type":"note","data":{}}')
            disk.free()
            await until(daemon.app.parts.health.ready)
            assert daemon.app.parts.health.plain().status == "ok"
            await daemon.context().emit(*map(tick, range(refused, refused + 50)))
            await observer.until(lambda: len({one.id for one in observer.events(EVENTS)}) == refused + 50)
            await observer.until(lambda: observer.events(NOTES))
            numbers = {one.id: one.seq for one in observer.events(EVENTS)}
            assert list(numbers.values()) == list(range(1, refused + 51))
            assert await daemon.context().load("cursor") == b"50"
        log.reset()
        async with running(config(broker.url, durable=True), disk.path) as daemon:
            assert await daemon.context().load("cursor") == b"50"
            assert daemon.app.parts.outbox.lanes["alice", "played"].seq == refused + 50
    aloud = [json.loads(line) for line in stream.getvalue().splitlines()]
    about_the_disk = [line for line in aloud if line.get("part") == "store"]
    assert len(about_the_disk) == 1
    assert len([line for line in aloud if line["level"] != "info"]) < 6


async def test_a_webhook_on_a_full_disk_is_answered_503_and_taken_when_it_comes_again(
    broker: Broker, tmp_path: Path
) -> None:
    with in_memory(tmp_path / "state", megabytes=4) as disk:
        async with (
            FakeStrava(automatic=False) as strava,
            household(strava, broker.port, tmp_path, people={"alice": "one"}) as (house, daemon),
        ):
            athlete = await house.connect("alice", 4001)
            await house.digested("alice")
            disk.fill()
            refused = []
            while len(refused) < 5:
                athlete.add_activity()
                deliveries = [one for one in strava.pending_deliveries if not one.attempts]
                made = [await strava.redeliver(one) for one in deliveries]
                refused += [one for one, attempt in zip(deliveries, made, strict=True) if attempt.status == 503]
                assert {attempt.status for attempt in made} <= {200, 503}
            disk.free()
            await until(daemon.app.parts.health.ready)
            assert {(await strava.redeliver(one)).status for one in refused} == {200}
            await house.digested("alice")
            there = {f"activity/{one.id}" for one in athlete.activities}
            await until(lambda: house.created("alice").keys() == there)
            assert {len(set(ids)) for ids in house.created("alice").values()} == {1}


def note(number: int) -> bytes:
    body = {"specversion": "1.0", "id": f"n{number}", "source": "/d", "type": "note", "data": {}}
    return json.dumps(body).encode()


async def health(port: int) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/health/detailed") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_a_card_that_turned_read_only_takes_nothing_and_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "config.toml"
    place = tmp_path / "card"
    path.write_text(CONFIG.format(state=place / "state", broker=broker.url, port=port))
    image = tmp_path / "card.img"
    async with observing(broker.port) as observer, process(path, port) as daemon:
        with on_a_card(image, place, megabytes=32) as card:
            await daemon.start()
            await observer.message("jitney/_bus/main/state")
            for number in range(20):
                await observer.publish(INBOX, note(number))
            await observer.until(lambda: len(observer.events(NOTES)) == 20)
            card.fail()
            for number in range(20, 30):
                await observer.publish(INBOX, note(number))
            await until(lambda: failing(port))
            assert (await health(port))["status"] == "degraded"
            assert len(observer.events(NOTES)) == 20
            assert await daemon.stop() == 0
        with on_a_card(image, place, megabytes=32):
            await daemon.start()
            await observer.until(lambda: len({one.id for one in observer.events(NOTES)}) == 30)
            assert await daemon.stop() == 0
    written = [json.loads(line) for line in daemon.log.read_text().splitlines() if line.startswith("{")]
    assert len([line for line in written if line["level"] in ("warning", "error")]) < 10


@asynccontextmanager
async def process(path: Path, port: int) -> AsyncIterator[Process]:
    """Give a daemon that is started by hand, and gone at the end."""
    daemon = Process(path, port=port)
    try:
        yield daemon
    finally:
        daemon.kill()
        await daemon.ended()


async def failing(port: int) -> bool:
    return bool((await health(port))["queues"]["store_failure"])


async def test_a_start_on_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    with in_memory(tmp_path / "state", megabytes=1) as disk:
        disk.fill()
        with pytest.raises(stores.StoreError, match=r"the disk is full: free some space|the state folder .* No space"):
            async with stores.Store(disk.path / DATABASE):
                pass
        disk.free()
        async with stores.Store(disk.path / DATABASE):
            await asyncio.sleep(0)
