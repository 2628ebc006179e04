"""What Home Assistant is told by the whole daemon, at a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.entities import At, Button, Device, Sensor
from jitney.daemon.config.schema import Config, DiscoverySettings, OwnerDiscoverySettings
from jitney.daemon.discovery import announcer
from jitney.topics import State
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, retained, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

NODE = "homeassistant/device/jitney-main"
PLAYED = f"{NODE}/alice--played/config"
PUMP = f"{NODE}/alice--played--pump/config"

LEVEL = Sensor(key="level", name="Level", value=At("tank", "level"), unit="%", state_class="measurement")
PRESSURE = Sensor(key="pressure", name="Pressure", value=At("tank", "pressure"), unit="hPa")
RUN = Button(key="run", name="Run", command="run", data={"seconds": 5})
TANK = Device(name="Tank", entities=(LEVEL, PRESSURE))
THE_PUMP = Device(key="pump", name="Pump", entities=(RUN,))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "GATHER", 0.01)
    monkeypatch.setattr(announcer, "BIRTH", (0.01, 0.02))


def settings(broker: Broker, *, adapters: dict[str, str] | None = None, **discovery: Any) -> Config:  # noqa: ANN401
    adapters = {"played": "alice"} if adapters is None else adapters
    return config(broker.url, adapters=adapters, discovery=DiscoverySettings(**discovery))


def saying(found: Config, owner: str, **discovery: Any) -> Config:  # noqa: ANN401
    said = replace(found.owners[owner], discovery=OwnerDiscoverySettings(**discovery))
    return replace(found, owners={**found.owners, owner: said})


@asynccontextmanager
async def declared(found: Config, state: Path, *devices: Device, owner: str = "alice") -> AsyncIterator[Daemon]:
    """Run a daemon whose adapter declares devices and comes online, until the broker knows everything."""

    async def act(_: Played, ctx: Context) -> None:
        if ctx.name == "played":
            ctx.announce(owner, devices)
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    try:
        async with running(found, state) as daemon:
            await daemon.connected()
            await settled(daemon)
            yield daemon
    finally:
        Played.act = None


async def settled(daemon: Daemon) -> None:
    """Wait until everything that was declared is confirmed by the broker."""
    await until(lambda: daemon.app.parts.discovery.settled_down)
    await daemon.drained()


def told(values: dict[str, bytes], topic: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(values[topic])
    return found


def announced(values: dict[str, bytes]) -> set[str]:
    return {topic for topic in values if topic.endswith("/config")}


async def held(broker: Broker) -> dict[str, bytes]:
    return await retained(broker.port, "#")


async def test_a_device_is_announced_with_its_entities_and_what_every_adapter_has(
    broker: Broker, tmp_path: Path
) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP):
        values = await held(broker)
        assert announced(values) == {f"{NODE}/bus/config", PLAYED, PUMP}
        tank = told(values, PLAYED)
        assert tank["components"].keys() == {"level", "pressure", "connection", "status"}
        assert tank["components"]["level"]["unit_of_measurement"] == "%"
        assert told(values, PUMP)["device"]["via_device"] in tank["device"]["identifiers"]


async def test_what_is_not_declared_any_more_is_taken_back(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP) as daemon:
        daemon.context().announce("alice", [Device(name="Tank", entities=(LEVEL,))])
        await settled(daemon)
        values = await held(broker)
        assert PUMP not in values
        assert told(values, PLAYED)["components"]["pressure"] == {"platform": "sensor"}
        assert "unit_of_measurement" in told(values, PLAYED)["components"]["level"]


async def test_after_a_restart_only_what_has_changed_is_told(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP):
        pass
    async with observing(broker.port, "homeassistant/#") as observer:
        smaller = Device(key="pump", name="Small pump", entities=(RUN,))
        async with declared(settings(broker), tmp_path, TANK, smaller):
            assert {str(message.topic) for message in observer.messages if not message.retain} == {PUMP}


async def test_an_adapter_that_is_not_online_yet_keeps_what_it_declared_in_an_earlier_run(
    broker: Broker, tmp_path: Path
) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP):
        before = await held(broker)

    async def silent(_: Played, ctx: Context) -> None:
        await ctx.load("nothing")
        await asyncio.Event().wait()

    Played.act = silent
    try:
        async with running(settings(broker), tmp_path) as daemon:
            await daemon.connected()
            await settled(daemon)
            assert announced(await held(broker)) == announced(before)
            daemon.context().online()
            daemon.context().announce("alice", ())
            await settled(daemon)
            assert announced(await held(broker)) == {f"{NODE}/bus/config", PLAYED}
    finally:
        Played.act = None


async def test_a_broker_that_has_lost_everything_is_told_again(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP) as daemon:
        before = await held(broker)
        connects = daemon.app.parts.connection.health.connects
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.wipe)
        await asyncio.to_thread(broker.start)
        async with observing(broker.port, "homeassistant/#") as observer:
            await observer.until(lambda: announced({str(m.topic): payload(m) for m in observer.messages}))
            await observer.until(lambda: daemon.app.parts.connection.health.connects > connects)
        await daemon.drained()
        after = await held(broker)
        assert {topic: after.get(topic) for topic in announced(before)} == {t: before[t] for t in announced(before)}


async def test_removing_an_owner_or_an_adapter_removes_exactly_their_devices(broker: Broker, tmp_path: Path) -> None:
    both = settings(broker, adapters={"played": "alice", "other": "bob"})
    async with declared(both, tmp_path, TANK, THE_PUMP):
        other = f"{NODE}/bob--other/config"
        assert announced(await held(broker)) == {f"{NODE}/bus/config", PLAYED, PUMP, other}
    alone = settings(broker, adapters={"played": "alice"})
    async with declared(alone, tmp_path, TANK, THE_PUMP):
        assert announced(await held(broker)) == {f"{NODE}/bus/config", PLAYED, PUMP}
    bob = replace(settings(broker, adapters={"played": "bob"}), owners={"bob": alone.owners["bob"]})
    async with declared(bob, tmp_path, TANK, owner="bob"):
        assert announced(await held(broker)) == {f"{NODE}/bus/config", f"{NODE}/bob--played/config"}


async def test_without_the_section_everything_is_taken_back(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK):
        assert announced(await held(broker))
    async with declared(settings(broker, enabled=False), tmp_path, TANK):
        assert not announced(await held(broker))


async def test_what_is_private_is_shown_only_when_its_owner_has_said_so(broker: Broker, tmp_path: Path) -> None:
    private = replace(THE_PUMP, private=True)
    found = settings(broker)
    async with declared(found, tmp_path, TANK, private):
        assert PUMP not in await held(broker)
    async with declared(saying(found, "alice", private=("played",)), tmp_path, TANK, private):
        assert PUMP in await held(broker)
    async with declared(found, tmp_path, TANK, private):
        assert PUMP not in await held(broker)


async def test_an_owner_with_a_home_assistant_of_their_own_is_announced_only_there(
    broker: Broker, tmp_path: Path
) -> None:
    found = settings(broker)
    async with declared(found, tmp_path, TANK):
        assert PLAYED in await held(broker)
    async with declared(saying(found, "alice", prefix="ha-alice"), tmp_path, TANK):
        hers = PLAYED.replace("homeassistant", "ha-alice")
        assert announced(await held(broker)) == {f"{NODE}/bus/config", hers}
    async with declared(saying(found, "alice", enabled=False), tmp_path, TANK):
        assert announced(await held(broker)) == {f"{NODE}/bus/config"}


async def test_for_old_versions_every_entity_is_announced_by_itself(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK):
        pass
    async with declared(settings(broker, per_component=True), tmp_path, TANK, THE_PUMP):
        found = announced(await held(broker))
        assert not [topic for topic in found if topic.startswith(NODE)]
        assert f"{NODE.replace('device', 'sensor')}/alice--played--level/config" in found or [
            topic for topic in found if topic.startswith("homeassistant/sensor/jitney-main/alice")
        ]
    async with declared(settings(broker, per_component=True), tmp_path, Device(name="Tank", entities=(LEVEL,))):
        found = announced(await held(broker))
        assert not [topic for topic in found if "pressure" in topic or "/button/" in topic]


async def test_a_home_assistant_that_has_started_is_told_again(broker: Broker, tmp_path: Path) -> None:
    async with (
        declared(settings(broker), tmp_path, TANK),
        observing(broker.port, "homeassistant/#") as observer,
    ):
        await observer.until(lambda: retained_ones(observer) >= {PLAYED, f"{NODE}/bus/config"})
        await observer.publish("homeassistant/status", b"online")
        await observer.until(lambda: {str(m.topic) for m in observer.messages if not m.retain} >= {PLAYED})


async def test_another_instance_on_the_same_broker_is_left_alone(broker: Broker, tmp_path: Path) -> None:
    theirs = "homeassistant/device/jitney-attic/bus/config"
    orphan = f"{NODE}/carol--gone/config"
    async with observing(broker.port, "homeassistant/#") as observer:
        await observer.publish(theirs, b"{}", retain=True)
        await observer.publish(orphan, b"{}", retain=True)
        await observer.until(lambda: observer.on(orphan))
    async with declared(settings(broker), tmp_path, TANK):
        values = await held(broker)
        assert theirs in values
        assert orphan not in values


def retained_ones(observer: Observer) -> set[str]:
    return {str(message.topic) for message in observer.messages if message.retain}


async def test_what_was_taken_back_is_told_once_more_to_a_home_assistant_that_was_away(
    broker: Broker, tmp_path: Path
) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP):
        pass
    async with declared(settings(broker), tmp_path, Device(name="Tank", entities=(LEVEL,))):
        pass
    async with (
        declared(settings(broker), tmp_path, Device(name="Tank", entities=(LEVEL,))),
        observing(broker.port, "homeassistant/device/#") as observer,
    ):
        await observer.publish("homeassistant/status", b"online")
        pump = await observer.until(lambda: len(found := news(observer, PUMP)) == 2 and found)
        assert "run" in msgspec.json.decode(pump[0])["components"]
        assert pump[1] == b""
        tank = await observer.until(lambda: len(found := news(observer, PLAYED)) == 2 and found)
        assert msgspec.json.decode(tank[0])["components"].keys() == {"pressure"}
        assert msgspec.json.decode(tank[1])["components"]["pressure"] == {"platform": "sensor"}
        observer.forget()
        await observer.publish("homeassistant/status", b"online")
        await observer.until(lambda: news(observer, PLAYED))
        assert not news(observer, PUMP)


async def test_what_a_home_assistant_has_cleared_is_announced_again(broker: Broker, tmp_path: Path) -> None:
    async with (
        declared(settings(broker), tmp_path, TANK),
        observing(broker.port, "homeassistant/device/#") as observer,
    ):
        await observer.publish(PLAYED, b"", retain=True)
        await observer.until(lambda: len(news(observer, PLAYED)) == 2)
        assert PLAYED in await held(broker)


async def test_values_are_published_again_after_their_unit_has_changed(broker: Broker, tmp_path: Path) -> None:
    async with declared(settings(broker), tmp_path, TANK) as daemon:
        daemon.context().set_state(State("alice", "tank", msgspec.Raw(b'{"level":7}')))
        await daemon.drained()
        async with observing(broker.port, "jitney/alice/state/#") as observer:
            in_litres = replace(LEVEL, unit="L")
            daemon.context().announce("alice", [Device(name="Tank", entities=(in_litres, PRESSURE))])
            await observer.until(lambda: news(observer, "jitney/alice/state/played/tank"))


async def test_an_owner_who_is_erased_leaves_nothing_that_could_be_announced_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with declared(settings(broker), tmp_path, TANK, THE_PUMP) as daemon:
        daemon.context().announce("alice", [TANK])
        await settled(daemon)
        await daemon.app.parts.erasure.erase("alice")
        await settled(daemon)
        assert PLAYED in await held(broker)
        async with observing(broker.port, "homeassistant/device/#") as observer:
            await observer.publish("homeassistant/status", b"online")
            await observer.until(lambda: news(observer, f"{NODE}/bus/config"))
            assert not news(observer, PUMP)


def news(observer: Observer, topic: str) -> list[bytes]:
    """Return what has come on a topic since the observer is there."""
    return [payload(message) for message in observer.on(topic) if not message.retain]
