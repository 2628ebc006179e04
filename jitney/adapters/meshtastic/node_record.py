"""What is known of one node, and how packets add to it."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.meshtastic import kinds
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.packets import Packet, moment
from jitney.adapters.meshtastic.places import blur
from jitney.adapters.meshtastic.plain import plain_name
from jitney.adapters.meshtastic.radio import KnownNode
from jitney.adapters.meshtastic.telemetry import BATTERY, MAINS
from jitney.topics import EventData

RECOVERED: Final = 5
"""Percent above the limit at which a battery has recovered."""

_MOST_KEYS: Final = 4

Values = dict[str, int | float]


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a node is: degrees, altitude and accuracy in metres, ``fixed`` the time of the fix as RFC 3339."""

    latitude: float
    longitude: float
    altitude: int | None = None
    accuracy: float | None = None
    precision_bits: int = 0
    fixed: str = ""


class Node(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node as one radio knows it; this is also how it is kept on disk.

    ``first_heard`` and ``last_heard`` are Unix seconds by the radio's clock where it has one, ``seen`` by ours. ``snr``
    (dB) and ``rssi`` (dBm) are of the last packet that the radio heard from the node itself. ``metrics`` are its last
    values of each kind of telemetry besides device and local_stats. ``former_keys`` are public keys that it showed
    before. ``silent`` and ``low``: that has been told.
    """

    number: int
    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    role: str = ""
    licensed: bool = False
    unmessagable: bool = False
    first_heard: float = 0.0
    last_heard: float = 0.0
    seen: float = 0.0
    hops: int | None = None
    snr: float | None = None
    rssi: int | None = None
    via_mqtt: bool = False
    place: Place | None = None
    battery_level: int | None = None
    powered: bool = False
    voltage: float | None = None
    channel_utilization: float | None = None
    air_util_tx: float | None = None
    uptime: int | None = None
    metrics: dict[str, Values] = {}
    public_key: str = ""
    former_keys: tuple[str, ...] = ()
    key_changed: float = 0.0
    favourite: bool = False
    silent: bool = False
    low: bool = False

    @property
    def id(self) -> str:
        """The number as people write it."""
        return node_id(self.number)

    @property
    def label(self) -> str:
        """How a list names it: its id with its names."""
        names = " / ".join(name for name in (self.short_name, self.long_name) if name)
        return f"{self.id} ({names})" if names else self.id


def heard(node: Node, packet: Packet) -> Node:
    """Return a node after a packet of it was heard, whatever it says."""
    first_hand = packet.first_hand
    return replace(
        node,
        first_heard=node.first_heard or packet.time,
        last_heard=max(node.last_heard, packet.time),
        seen=packet.arrived,
        hops=node.hops if packet.hops is None else packet.hops,
        snr=packet.snr if first_hand else node.snr,
        rssi=packet.rssi if first_hand else node.rssi,
        via_mqtt=packet.via_mqtt,
        silent=False,
    )


def met(node: Node, known: KnownNode, *, now: float) -> Node:
    """Return a node after the radio has said what its own database knows of it; what was heard since is newer."""
    heard_at = min(moment(known.last_heard) or 0.0, now)
    place, position = node.place, known.position
    if place is None and position is not None:
        place = Place(
            latitude=position.latitude,
            longitude=position.longitude,
            altitude=position.altitude,
            accuracy=blur(position.precision_bits),
            precision_bits=position.precision_bits,
            fixed=instant(moment(position.time)),
        )
    first_hand = known.hops == 0 and not known.via_mqtt
    return replace(
        node,
        long_name=plain_name(known.long_name) or node.long_name,
        short_name=plain_name(known.short_name) or node.short_name,
        hardware=plain_name(known.hardware) or node.hardware,
        role=plain_name(known.role) or node.role,
        licensed=known.licensed,
        unmessagable=known.unmessagable,
        first_heard=node.first_heard or heard_at,
        last_heard=max(node.last_heard, heard_at),
        seen=max(node.seen, heard_at),
        hops=node.hops if known.hops is None else known.hops,
        snr=known.snr if first_hand and known.snr is not None else node.snr,
        via_mqtt=known.via_mqtt,
        place=place,
        battery_level=node.battery_level if known.battery is None else min(known.battery, MAINS),
        powered=node.powered if known.battery is None else known.battery > MAINS,
        voltage=node.voltage if known.voltage is None else known.voltage,
        favourite=known.favourite,
    )


def told(node: Node, data: EventData) -> Node:
    """Return a node after it said something about itself."""
    if isinstance(data, kinds.NodeInfo):
        return replace(
            node,
            long_name=data.long_name or node.long_name,
            short_name=data.short_name or node.short_name,
            hardware=data.hardware or node.hardware,
            role=data.role,
            licensed=data.licensed,
            unmessagable=data.unmessagable,
        )
    if isinstance(data, kinds.Position):
        place = Place(
            latitude=data.latitude,
            longitude=data.longitude,
            altitude=data.altitude,
            accuracy=data.accuracy,
            precision_bits=data.precision_bits,
            fixed=data.fixed,
        )
        return replace(node, place=place)
    if isinstance(data, kinds.Telemetry):
        return _measured(node, data)
    return node


def keyed(node: Node, key: str, *, at: float) -> tuple[Node, bool]:
    """Return a node after it showed a public key, and whether that is another than any it showed before."""
    if not key or key == node.public_key:
        return node, False
    if not node.public_key:
        return replace(node, public_key=key), False
    former = tuple(old for old in (node.public_key, *node.former_keys) if old != key)[:_MOST_KEYS]
    if key in node.former_keys:
        return replace(node, public_key=key, former_keys=former), False
    return replace(node, public_key=key, former_keys=former, key_changed=at), True


def drained(node: Node, *, limit: int) -> tuple[Node, bool]:
    """Return a node after its battery was measured, and whether it has just become low (``limit`` %, 0: never)."""
    level = node.battery_level
    if level is None:
        return node, False
    if node.powered or level >= limit + RECOVERED:
        return (replace(node, low=False) if node.low else node), False
    if level <= limit and limit and not node.low:
        return replace(node, low=True), True
    return node, False


def _measured(node: Node, data: kinds.Telemetry) -> Node:
    values = data.values
    if data.kind not in ("device", "local_stats"):
        merged = node.metrics.get(data.kind, {}) | values
        return replace(node, metrics=node.metrics | {data.kind: merged})
    channel, air = values.get("channel_utilization"), values.get("air_util_tx")
    uptime = values.get("uptime_seconds")
    node = replace(
        node,
        channel_utilization=node.channel_utilization if channel is None else channel,
        air_util_tx=node.air_util_tx if air is None else air,
        uptime=node.uptime if uptime is None else int(uptime),
    )
    if data.kind == "local_stats":
        return node
    battery, voltage = values.get(BATTERY), values.get("voltage")
    return replace(
        node,
        battery_level=node.battery_level if battery is None else int(battery),
        powered=node.powered if battery is None else data.powered,
        voltage=node.voltage if voltage is None else voltage,
    )
