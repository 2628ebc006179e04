"""Health that can say no: to whom, after how long, and in how much detail."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError
from jitney.daemon.web.reports import Plain
from jitney.daemon.web.verdict import GRACE
from jitney.topics import MAX_HOPS
from tests.daemon.running import Daemon, Played, config, observing, payload, running, tick
from tests.daemon.web.looking import free_address, get, online
from tests.fakes.mosquitto import Broker
from tests.waiting import until

HEALTH = "jitney/_bus/main/health"


@pytest.fixture
def free() -> str:
    return free_address()


class Radio:
    """What the adapter speaks with; it goes off once."""

    def __init__(self) -> None:
        self.off = asyncio.Event()

    async def act(self, _: Played, ctx: Context) -> None:
        if not self.off.is_set():
            ctx.online()
            await self.off.wait()
        raise DisconnectedError("the radio is off")


@pytest.fixture
def radio() -> Iterator[Radio]:
    radio = Radio()
    Played.act = radio.act
    yield radio
    Played.act = None


class Later:
    """A clock that is put."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def clock_of(daemon: Daemon) -> Later:
    clock = Later()
    daemon.app.parts.health.verdict._clock = clock
    daemon.app.parts.health.verdict._away = None
    return clock


async def test_a_radio_that_is_off_for_ages_is_told_but_is_no_reason_to_start_the_bus_again(
    broker: Broker, tmp_path: Path, free: str, radio: Radio
) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        clock = clock_of(daemon)
        radio.off.set()
        await until(lambda: daemon.app.parts.runners["played"].board.status.state == "offline")
        clock.now += 100 * GRACE
        status, plain = await get(free, "/health")
        assert (status, plain["status"]) == (200, "degraded")
        assert plain["text"] == "1 of 1 adapters not online"
        status, detailed = await get(free, "/health/detailed")
        assert (status, detailed["adapters"]["played"]["reason"]) == (200, "the radio is off")
        assert detailed["adapters"]["played"]["retries"]["disconnected"] >= 1


async def test_a_broker_that_is_away_for_long_is_a_no_and_for_a_moment_it_is_not(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        clock = clock_of(daemon)
        await asyncio.to_thread(broker.kill)
        await until(lambda: daemon.app.parts.connection.health.state == "offline")
        assert (await get(free, "/health"))[0] == 200
        clock.now += GRACE + 1
        status, plain = await get(free, "/health")
        assert (status, plain["text"]) == (503, "the broker is offline")
        assert (await get(free, "/health/detailed"))[0] == 503
        assert (await get(free, "/ready"))[0] == 200
        await asyncio.to_thread(broker.start)
        await until(lambda: daemon.app.parts.connection.health.state == "online")
        assert (await get(free, "/health"))[0] == 200


async def test_loops_that_do_not_turn_are_a_no_at_once(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        daemon.app.parts.health.verdict.stuck = lambda: ["outbox for 61 s"]
        status, detailed = await get(free, "/health/detailed")
        assert (status, detailed["stuck"], detailed["text"]) == (503, ["outbox for 61 s"], "1 parts are stuck")


async def test_the_details_tell_each_owner_what_came_and_what_was_dropped(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        late = replace(tick(1), time="2026-11-21T05:41:00.000Z", observed="2026-11-21T05:41:12.500Z")
        looping = replace(tick(2), hops=MAX_HOPS + 1)
        await daemon.context().emit(late, looping, tick(3, owner="bob"))
        daemon.context().owner_status("bob", "reauth", "sign in")
        _, detailed = await get(free, "/health/detailed")
        played = detailed["adapters"]["played"]
        alice, bob = played["owners"]["alice"], played["owners"]["bob"]
        assert (alice["events"], alice["last_event"], alice["lag"]) == (1, "2026-11-21T05:41:00.000Z", 12.5)
        assert alice["dropped"] == {"loop": 1}
        assert (bob["state"], bob["reason"], alice["state"]) == ("reauth", "sign in", "online")
        assert (bob["events"], bob["dropped"], played["dropped"]) == (1, {}, {"loop": 1})
        assert played["owners"]["_house"]["last_event"] == ""
        assert played["owners"]["_house"]["lag"] is None


async def test_what_waits_is_told_of_each_lane(broker: Broker, tmp_path: Path, free: str) -> None:
    await asyncio.to_thread(broker.kill)
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await daemon.context().emit(tick(1), tick(2), tick(3, owner="bob"))
        _, detailed = await get(free, "/health/detailed")
        owners = detailed["adapters"]["played"]["owners"]
        assert (owners["alice"]["in_memory"], owners["bob"]["in_memory"]) == (2, 1)
        assert detailed["adapters"]["played"]["in_memory"] == 3


async def test_a_source_that_is_no_adapter_is_told_beside_them(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        async with observing(broker.port) as observer:
            await observer.publish("jitney/alice/inbox/nodered/pressed", b"{}")
            await observer.message("jitney/alice/event/nodered/pressed")
        _, detailed = await get(free, "/health/detailed")
        assert detailed["sources"]["nodered"]["alice"]["events"] == 1
        assert set(detailed["adapters"]) == {"played"}


async def test_a_change_is_published_at_once_and_names_nobody(broker: Broker, tmp_path: Path, radio: Radio) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await online(daemon)
        await observer.until(lambda: [word for word in said(observer.on(HEALTH)) if word.status == "ok"])
        radio.off.set()
        await observer.until(lambda: said(observer.on(HEALTH))[-1].status == "degraded")
        last = observer.on(HEALTH)[-1]
        assert "played" not in payload(last).decode()
        assert len(payload(last)) < 400


def said(messages: list[aiomqtt.Message]) -> list[Plain]:
    return [msgspec.json.decode(payload(message), type=Plain) for message in messages]


async def test_a_reload_that_was_refused_is_in_the_details(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        daemon.app.tell_configuration(refused=["config.toml:3: bus.instnce: unknown key"])
        _, detailed = await get(free, "/health/detailed")
        assert detailed["refused"] == ["config.toml:3: bus.instnce: unknown key"]
