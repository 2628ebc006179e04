"""Radios in Home Assistant, with the whole daemon: what it is told, what it reads, and what it can do with it."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from meshtastic.protobuf import mesh_pb2, telemetry_pb2
from msgspec.structs import replace

from jitney.adapters.meshtastic import nodes, showing
from jitney.adapters.meshtastic.limits import Limits
from jitney.daemon.config.schema import Config, DiscoverySettings, OwnerDiscoverySettings
from jitney.daemon.discovery import announcer, rules
from tests.at_meshtastic import FIRST, House, at_home, household, on_air
from tests.daemon.discovery.announcing import commanded, rendered
from tests.daemon.running import observing, payload
from tests.fakes.meshtastic import Node, Radio
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker

GARDEN: Final = 0xA11CE001
BOBS: Final = 0xB0B00001
CAROL: Final = 0xCA401001

NODE: Final = "homeassistant/device/jitney-main"
BASE: Final = f"{NODE}/alice--base/config"
ITS_GARDEN: Final = f"{NODE}/alice--base--node_a11ce001/config"

AT_ONCE: Final = Limits(text_every=0.01, traceroute_every=0.01, other_every=0.01)
"""As no configuration can have them; the radio of these tests has no limits either."""

Told = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "GATHER", 0.01)
    monkeypatch.setattr(showing, "EVERY", 0.0)
    monkeypatch.setattr(nodes, "STATE_EVERY", 0.1)


class Home:
    """Home Assistant as far as it is needed: it reads what is announced, and uses it as a person would."""

    def __init__(self, house: House) -> None:
        self.house = house

    def told(self) -> Told:
        """Return what is announced at present, by topic; fails when Home Assistant would refuse any of it."""
        found: dict[str, bytes] = {}
        for message in self.house.observer.messages:
            if str(message.topic).endswith("/config"):
                found[str(message.topic)] = payload(message)
        told = {topic: msgspec.json.decode(body) for topic, body in found.items() if body}
        assert [rules.faults(one) for one in told.values() if rules.faults(one)] == []
        return told

    def components(self, topic: str) -> Told:
        """Return the entities of a device, none while it is not announced."""
        found = self.told().get(topic, {}).get("components", {})
        return {key: one for key, one in found.items() if "unique_id" in one}

    def state(self, topic: str, key: str) -> str:
        """Return the state of an entity as its retained topic says it now."""
        one = self.components(topic)[key]
        return rendered(one["value_template"], self.house.value(one["state_topic"]))

    async def until(self, topic: str, key: str, state: str) -> None:
        await self.house.until(lambda: key in self.components(topic) and self.state(topic, key) == state)

    async def shows(self, *topics: str) -> None:
        """Wait until exactly these devices besides the bus are announced."""
        await self.house.until(lambda: self.told().keys() - {f"{NODE}/bus/config"} == set(topics))

    async def press(self, topic: str, key: str) -> None:
        one = self.components(topic)[key]
        assert one["platform"] == "button"
        await self.house.observer.publish(one["command_topic"], one["payload_press"].encode())

    async def write(self, topic: str, key: str, text: str) -> None:
        one = self.components(topic)[key]
        assert one["platform"] in {"notify", "text"}
        body = json.dumps(commanded(one["command_template"], text)).encode()
        await self.house.observer.publish(one["command_topic"], body)


@asynccontextmanager
async def home(config: Config, radios: dict[str, Radio], broker: Broker, state: Path) -> AsyncIterator[Home]:
    """Run a daemon until its radios are connected, seen from the start by who also hears what is announced."""
    async with (
        observing(broker.port, "jitney/#", "homeassistant/#") as observer,
        at_home(config, radios, broker, state),
    ):
        yield Home(House(observer))


@asynccontextmanager
async def tireless(**fields: Any) -> AsyncIterator[Radio]:  # noqa: ANN401
    """Run a radio whose firmware has no limits, since a minute passes whenever it looks at its clock."""
    minutes = count()
    async with Radio(FIRST, clock=lambda: next(minutes) * 60.0, **fields) as radio:
        yield radio


def settings(broker: Broker, radios: dict[str, Radio], **more: Any) -> Config:  # noqa: ANN401
    owner = more.pop("owner", "alice")
    private = more.pop("private", ())
    named = {"alice": ("!a11ce001",), "bob": ("!b0b00001",)}
    found = household(broker, radios, {"base": owner}, nodes=named, **more)
    discovery = OwnerDiscoverySettings(private=private)
    owners = {name: replace(one, discovery=discovery) for name, one in found.owners.items()}
    return replace(found, discovery=DiscoverySettings(), owners=owners)


def garden(radio: Radio) -> Node:
    return radio.node(GARDEN, long_name="Garden")


def weather(node: Node, **values: float) -> None:
    metrics = telemetry_pb2.EnvironmentMetrics(**values)
    node.send(PORTS.TELEMETRY_APP, telemetry_pb2.Telemetry(time=int(time.time()), environment_metrics=metrics))


async def test_a_radio_and_the_nodes_of_its_owner_are_announced_with_their_values(
    broker: Broker, tmp_path: Path
) -> None:
    async with on_air("base") as radios:
        node = garden(radios["base"])
        radios["base"].node(CAROL)
        async with home(settings(broker, radios), radios, broker, tmp_path) as it:
            await it.shows(BASE, ITS_GARDEN)
            told = it.told()
            assert told[ITS_GARDEN]["device"]["via_device"] == told[BASE]["device"]["identifiers"][0]
            assert (told[BASE]["device"]["name"], told[ITS_GARDEN]["device"]["name"]) == ("Base", "Garden")
            assert {"connection", "status", "say", "packets", "message"} <= told[BASE]["components"].keys()
            await it.until(ITS_GARDEN, "battery_level", "87")
            await it.until(BASE, "nodes", "3")
            await it.until(BASE, "mqtt_enabled", "ON")
            await it.until(BASE, "mqtt_traffic", "OFF")
            await it.until(BASE, "waiting", "0")
            await it.until(ITS_GARDEN, "silent", "OFF")
            weather(node, temperature=20.5)
            node.locate(47.37, 8.54, 410)
            await it.house.until(lambda: "position" in it.components(ITS_GARDEN))
            await it.until(ITS_GARDEN, "environment_temperature", "20.5")
            tracker = it.components(ITS_GARDEN)["position"]
            place = rendered(tracker["json_attributes_template"], it.house.value(tracker["json_attributes_topic"]))
            assert json.loads(place) == {"latitude": 47.37, "longitude": 8.54, "gps_accuracy": 0}


async def test_what_is_written_is_an_event_with_its_sender_and_the_last_message(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        node = garden(radios["base"])
        async with home(settings(broker, radios, private=("base",)), radios, broker, tmp_path) as it:
            private = f"{NODE}/alice--base--private/config"
            await it.shows(BASE, ITS_GARDEN, private)
            node.text("Soup is ready")
            node.text("psst", to=FIRST)
            await it.until(BASE, "last_message", "Soup is ready")
            await it.until(private, "last_message", "psst")
            await it.house.until(lambda: len(it.house.told("alice", "base", "message")) == 2)
            channel, direct = (
                json.loads(msgspec.json.encode({"type": event.type, "data": msgspec.json.decode(event.data)}))
                for event in it.house.events("alice", "base", "message")
            )
            for topic, seen in ((BASE, (True, False)), (private, (False, True)), (ITS_GARDEN, (True, True))):
                template = it.components(topic)["message"]["value_template"]
                assert tuple(bool(rendered(template, event)) for event in (channel, direct)) == seen
            shown = json.loads(rendered(it.components(BASE)["message"]["value_template"], channel))
            assert {key: shown[key] for key in ("event_type", "text", "node", "name")} == {
                "event_type": "message",
                "text": "Soup is ready",
                "node": "!a11ce001",
                "name": "Garden",
            }


async def test_what_one_person_alone_should_see_is_shown_only_when_they_want_it(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        node = garden(radios["base"])
        async with home(settings(broker, radios), radios, broker, tmp_path) as it:
            metrics = telemetry_pb2.HealthMetrics(heart_bpm=61)
            node.send(PORTS.TELEMETRY_APP, telemetry_pb2.Telemetry(time=int(time.time()), health_metrics=metrics))
            weather(node, temperature=20.5)
            await it.house.until(lambda: "environment_temperature" in it.components(ITS_GARDEN))
            await it.shows(BASE, ITS_GARDEN)
            assert "heart" not in repr(it.told())
        async with home(settings(broker, radios, private=("base",)), radios, broker, tmp_path) as it:
            health = ITS_GARDEN.replace("/config", "_health/config")
            await it.shows(BASE, ITS_GARDEN, f"{NODE}/alice--base--private/config", health)
            await it.until(health, "health_heart_bpm", "61")


async def test_everything_that_can_be_pressed_or_written_reaches_the_radio(broker: Broker, tmp_path: Path) -> None:
    async with tireless(name="Base") as radio:
        weather_node = garden(radio)
        radios = {"base": radio}
        config = settings(broker, radios, allow={"alice": ("reboot", "set_owner")}, limits=AT_ONCE)
        async with home(config, radios, broker, tmp_path) as it:
            weather(weather_node, temperature=20.5)
            await it.house.until(lambda: "request_environment" in it.components(ITS_GARDEN))
            used = set()

            async def sends(topic: str, key: str, port: int, *, to: int, text: str = "") -> mesh_pb2.MeshPacket:
                used.add((topic, key))
                before = sum(packet.decoded.portnum == port for packet in radio.sent)
                await (it.write(topic, key, text) if text else it.press(topic, key))
                packet = await radio.received(port, before + 1)
                assert packet.to == to
                if text:
                    assert packet.decoded.payload.decode() == text
                return packet

            everybody = 0xFFFFFFFF
            text = PORTS.TEXT_MESSAGE_APP
            assert (await sends(BASE, "say", text, to=everybody, text='It\'s "19:30" {{ 1 }} 🏔')).channel == 0
            assert (await sends(BASE, "say_1", text, to=everybody, text="family")).channel == 1
            await sends(BASE, "alarm", PORTS.ALERT_APP, to=everybody, text="water")
            assert (await sends(ITS_GARDEN, "write", text, to=GARDEN, text="hello")).want_ack
            for key, port in (
                ("traceroute", PORTS.TRACEROUTE_APP),
                ("request_position", PORTS.POSITION_APP),
                ("request_telemetry", PORTS.TELEMETRY_APP),
                ("request_environment", PORTS.TELEMETRY_APP),
            ):
                packet = await sends(ITS_GARDEN, key, port, to=GARDEN)
                assert packet.decoded.want_response
                if port == PORTS.TELEMETRY_APP:
                    asked = telemetry_pb2.Telemetry.FromString(packet.decoded.payload).WhichOneof("variant")
                    assert (asked == "environment_metrics") is (key == "request_environment")
            await sends(BASE, "sweep", PORTS.TRACEROUTE_APP, to=GARDEN)
            used.add((BASE, "sweep_stop"))
            await it.press(BASE, "sweep_stop")
            await it.house.until(
                lambda: (
                    "stopped" in [data["step"] for data in it.house.told("alice", "base", "sweep")]
                    or it.house.told("alice", "base", "sweep")[-1]["step"] == "finished"
                )
            )
            used |= {(BASE, "long_name"), (BASE, "short_name"), (BASE, "reboot")}
            await it.write(BASE, "short_name", "ROOF")
            await it.write(BASE, "long_name", "Roof of Alice")
            await it.press(BASE, "reboot")
            await radio.until(lambda: radio.administration.done("reboot_seconds"))
            names = [message.set_owner for message in radio.administration.done("set_owner")]
            assert {(name.long_name, name.short_name) for name in names} >= {("", "ROOF"), ("Roof of Alice", "")}
            offered = {
                (topic, key)
                for topic in (BASE, ITS_GARDEN)
                for key, one in it.components(topic).items()
                if "command_topic" in one
            }
            assert offered == used
            assert radio.violations == []


async def test_of_a_shared_radio_everybody_is_shown_their_own(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        radio = radios["base"]
        garden(radio)
        radio.node(BOBS, long_name="Bob's")
        config = settings(broker, radios, owner="_house", allow={"bob": ("reboot",)}, show=("own", "!ca401001"))
        radio.node(CAROL, long_name="Carol's")
        async with home(config, radios, broker, tmp_path) as it:
            house, alices, bobs = (f"{NODE}/{owner}--base" for owner in ("_house", "alice", "bob"))
            await it.shows(
                f"{house}/config",
                f"{house}--private/config",
                f"{house}--node_ca401001/config",
                f"{alices}/config",
                ITS_GARDEN,
                f"{bobs}/config",
                f"{bobs}--node_b0b00001/config",
            )
            assert it.components(f"{alices}/config").keys() == {"connection", "status"}
            assert it.components(f"{bobs}/config").keys() == {"connection", "status", "reboot"}
            for topic, told in it.told().items():
                owner = topic.removeprefix(f"{NODE}/").partition("--")[0]
                others = {"alice", "bob", "_house"} - {owner}
                assert not [one for one in others if f"jitney/{one}/" in json.dumps(told)]
            await it.until(f"{bobs}--node_b0b00001/config", "battery_level", "87")
            await it.write(f"{bobs}--node_b0b00001/config", "write", "hello")
            assert (await radio.received(PORTS.TEXT_MESSAGE_APP)).to == BOBS
            await it.press(f"{bobs}/config", "reboot")
            await radio.until(lambda: radio.administration.done("reboot_seconds"))
            await it.write(f"{house}/config", "say", "from the house")
            assert (await radio.received(PORTS.TEXT_MESSAGE_APP, 2)).decoded.payload == b"from the house"


async def test_a_node_that_is_no_longer_chosen_is_taken_back_and_so_is_everything_without_discovery(
    broker: Broker, tmp_path: Path
) -> None:
    async with on_air("base") as radios:
        garden(radios["base"])
        carol = f"{NODE}/alice--base--node_ca401001/config"
        radios["base"].node(CAROL, long_name="Carol's")
        async with home(settings(broker, radios, show=("own", "!ca401001")), radios, broker, tmp_path) as it:
            await it.shows(BASE, ITS_GARDEN, carol)
        async with home(settings(broker, radios), radios, broker, tmp_path) as it:
            await it.shows(BASE, ITS_GARDEN)
        async with home(settings(broker, radios, show=()), radios, broker, tmp_path) as it:
            await it.shows(BASE)
            assert it.house.value("jitney/alice/state/base/node_a11ce001")["long_name"] == "Garden"


async def test_a_radio_that_is_away_keeps_its_devices(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        garden(radios["base"])
        async with home(settings(broker, radios), radios, broker, tmp_path) as it:
            await it.shows(BASE, ITS_GARDEN)
            before = it.told()
            await radios["base"].refuse()
            await it.house.until(lambda: it.house.status("alice", "base") == "offline")
            bus, status = it.told()[ITS_GARDEN]["availability"]
            assert rendered(bus["value_template"], it.house.value(bus["topic"])) == "online"
            assert rendered(status["value_template"], it.house.value(status["topic"])) == "offline"
            await radios["base"].accept()
            await it.house.until(lambda: it.house.status("alice", "base") == "online")
            assert it.told() == before


async def test_of_many_packets_only_what_changes_how_a_node_looks_is_announced(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        node = garden(radios["base"])
        async with home(settings(broker, radios), radios, broker, tmp_path) as it:
            node.report()
            await it.house.until(lambda: "uptime" in it.components(ITS_GARDEN))
            announced = len(it.house.observer.on(ITS_GARDEN))
            for number in range(50):
                node.text(str(number))
                node.report()
            await it.until(BASE, "last_message", "49")
            node.long_name = "Garden shed"
            node.announce()
            await it.house.until(lambda: it.told()[ITS_GARDEN]["device"]["name"] == "Garden shed")
            assert len(it.house.observer.on(ITS_GARDEN)) == announced + 1
