"""The events about a node that no packet says: it is new, silent, runs out of battery, or shows another key."""

from jitney.adapters.meshtastic import kinds_nodes as kinds
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.node_record import Node
from jitney.topics import EventData


def new(node: Node) -> EventData:
    """Return that a node was heard for the first time."""
    return kinds.NodeNew(
        node=node.id,
        long_name=node.long_name,
        short_name=node.short_name,
        hops=node.hops,
        snr=node.snr,
        via_mqtt=node.via_mqtt,
    )


def silent(node: Node, *, hours: float) -> EventData:
    """Return that a node has not been heard for so long."""
    return kinds.NodeSilent(
        node=node.id,
        hours=hours,
        last_heard=instant(node.last_heard),
        long_name=node.long_name,
        short_name=node.short_name,
    )


def battery_low(node: Node, *, limit: int) -> EventData:
    """Return that a node's battery is at or below the limit."""
    return kinds.BatteryLow(
        node=node.id,
        battery_level=node.battery_level or 0,
        limit=limit,
        voltage=node.voltage,
        long_name=node.long_name,
        short_name=node.short_name,
    )


def key_changed(node: Node, *, proved: bool) -> EventData:
    """Return that a node shows another key than before."""
    return kinds.KeyChanged(
        node=node.id,
        public_key=node.public_key,
        before=node.former_keys[0],
        proved=proved,
        long_name=node.long_name,
        short_name=node.short_name,
    )
