"""How what is known of a node is published: its retained state."""

from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.node_record import Node, Values

NEW_KEY: Final = 7 * 86_400.0
"""Seconds for which a changed key is a new one."""


class NodeState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained value of a node: times are RFC 3339, units those of the events; what is not known is left out.

    ``new_key``: in the last week it has shown another ``public_key`` than any before.
    """

    node: str
    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    role: str = ""
    licensed: bool = False
    unmessagable: bool = False
    own: bool = False
    favourite: bool = False
    silent: bool
    first_heard: str = ""
    last_heard: str = ""
    hops: int | None = None
    snr: float | None = None
    rssi: int | None = None
    via_mqtt: bool = False
    latitude: float | None = None
    longitude: float | None = None
    altitude: int | None = None
    accuracy: float | None = None
    precision_bits: int = 0
    fixed: str = ""
    battery_level: int | None = None
    powered: bool | None = None
    voltage: float | None = None
    channel_utilization: float | None = None
    air_util_tx: float | None = None
    uptime: int | None = None
    environment: Values = {}
    air_quality: Values = {}
    power: Values = {}
    health: Values = {}
    host: Values = {}
    public_key: str = ""
    key_changed: str = ""
    new_key: bool | None = None


def subject(number: int) -> str:
    """Return the subject of the state of a node."""
    return f"node_{number:08x}"


def state_of(node: Node, *, own: bool, now: float) -> NodeState:
    """Return what is published of a node at ``now`` in Unix seconds."""
    return NodeState(
        node=node.id,
        long_name=node.long_name,
        short_name=node.short_name,
        hardware=node.hardware,
        role=node.role,
        licensed=node.licensed,
        unmessagable=node.unmessagable,
        own=own,
        favourite=node.favourite,
        silent=node.silent,
        first_heard=instant(node.first_heard or None),
        last_heard=instant(node.last_heard or None),
        hops=node.hops,
        snr=node.snr,
        rssi=node.rssi,
        via_mqtt=node.via_mqtt,
        **({} if node.place is None else asdict(node.place)),
        battery_level=node.battery_level,
        powered=None if node.battery_level is None else node.powered,
        voltage=node.voltage,
        channel_utilization=node.channel_utilization,
        air_util_tx=node.air_util_tx,
        uptime=node.uptime,
        environment=node.metrics.get("environment", {}),
        air_quality=node.metrics.get("air_quality", {}),
        power=node.metrics.get("power", {}),
        health=node.metrics.get("health", {}),
        host=node.metrics.get("host", {}),
        public_key=node.public_key,
        key_changed=instant(node.key_changed or None),
        new_key=now < node.key_changed + NEW_KEY if node.public_key else None,
    )
