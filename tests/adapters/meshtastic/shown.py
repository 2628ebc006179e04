"""A radio and a node with everything that can be shown of them, and how a Home Assistant reads what they announce."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from jitney.adapters.entities import AnyEntity, Device
from jitney.adapters.meshtastic.entities import RadioView, View, devices
from jitney.adapters.meshtastic.measurements import SENSORS
from jitney.adapters.meshtastic.node_record import Node, Place, Values
from jitney.adapters.meshtastic.node_state import state_of
from jitney.adapters.meshtastic.outline import Outline, outline
from jitney.adapters.meshtastic.radio import Channel, MqttModule, RadioInfo
from jitney.daemon.discovery.payload import Place as Stand
from tests.adapters.meshtastic.hearing import ARRIVED
from tests.daemon.discovery.announcing import announced, place, rendered

OWN: Final = 0xA1B2C3D4
GARDEN: Final = 0xB0B00001
NODE: Final = f"node_{GARDEN:08x}"
ALLOWED: Final = frozenset({"reboot", "set_owner"})

INFO: Final = RadioInfo(
    number=OWN,
    node_id="!a1b2c3d4",
    long_name="Roof of Alice",
    hardware="HELTEC_V3",
    firmware="2.7.26.54e0d8d",
    channels=(Channel(0, "LongFast", "PRIMARY", True, False), Channel(2, "Family", "SECONDARY", False, True)),  # noqa: FBT003
    mqtt=MqttModule(enabled=True),
)


def metrics() -> dict[str, Values]:
    """Return a value for everything that a node can measure besides its own state."""
    found: dict[str, Values] = {}
    for number, path in enumerate(SENSORS, 1):
        kind, _, name = path.rpartition(".")
        if kind:
            found.setdefault(kind, {})[name] = number + 0.5
    return found


def node(number: int = GARDEN, **fields: Any) -> Node:  # noqa: ANN401 - the fields of Node
    """Return a node that has told as much of itself as any does; fields change that."""
    known: dict[str, Any] = {
        "long_name": "Garden",
        "short_name": "GRDN",
        "hardware": "TBEAM",
        "role": "SENSOR",
        "last_heard": ARRIVED,
        "hops": 0,
        "snr": 6.25,
        "rssi": -92,
        "place": Place(latitude=47.37, longitude=8.54, altitude=410, accuracy=11.4),
        "battery_level": 87,
        "voltage": 3.94,
        "channel_utilization": 4.5,
        "air_util_tx": 1.25,
        "uptime": 180_000,
        "metrics": metrics(),
        "public_key": "a2V5",
    }
    return Node(number=number, **{**known, **fields})


def bare(number: int = GARDEN) -> Outline:
    """Return how a node is shown of which nothing is known but that it is there."""
    return outline(Node(number=number))


def view(**fields: Any) -> View:  # noqa: ANN401 - the fields of View
    """Return what alice is shown of her radio without any node; fields change that."""
    name = fields.pop("name", INFO.long_name)
    radio = RadioView(own=outline(Node(number=OWN, battery_level=100, powered=True, voltage=4.2)), is_shared=False)
    return replace(View(info=INFO, name=name, radio=radio), **fields)


def by_key(view: View) -> dict[str, Device]:
    """Return the devices of a view by their keys."""
    found = devices(view)
    assert len({device.key for device in found}) == len(found)
    return {device.key: device for device in found}


def entities(device: Device) -> dict[str, AnyEntity]:
    """Return the entities of a device by their keys."""
    return {entity.key: entity for entity in device.entities}


def everything() -> dict[str, Device]:
    """Return all devices that there can be of one owner: with everything allowed and everything measured."""
    radio = RadioView(own=outline(node(OWN, long_name="Roof of Alice")), is_shared=False)
    return by_key(view(radio=radio, nodes=(outline(node()),), allowed=ALLOWED))


def components(device: Device, where: Stand | None = None) -> dict[str, dict[str, Any]]:
    """Return what Home Assistant is told of the entities of a device, once it is certain that it takes all of it."""
    found: dict[str, dict[str, Any]] = announced(device, where or place("alice", "base")).payload["components"]
    assert found.keys() == entities(device).keys()
    return found


def encoded(one: Node, *, now: float = ARRIVED) -> Any:  # noqa: ANN401 - JSON
    """Return the retained state of a node as it is published."""
    return msgspec.json.decode(msgspec.json.encode(state_of(one, own=one.number == OWN, now=now)))


def read(component: Mapping[str, Any], state: object) -> str:
    """Return the state of an entity in Home Assistant when the retained value of its subject is this one."""
    return rendered(component["value_template"], state)
