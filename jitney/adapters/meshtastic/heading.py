"""The fields that every event of a packet has."""

from datetime import UTC, datetime
from typing import TypedDict

from jitney.adapters.meshtastic.addresses import address, node_id
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.plain import plain_name
from jitney.topics import rfc3339


class Head(TypedDict):
    """The fields of ``kinds.Heard``."""

    node: str
    to: str
    packet_id: int
    own: bool
    direct: bool
    hops: int | None
    snr: float | None
    rssi: int | None
    first_hand: bool
    via_mqtt: bool


class ReadableHead(Head):
    """The fields of ``kinds.Readable``."""

    channel: int
    pki: bool
    request_id: int


def head(packet: Packet, *, radio: int) -> Head:
    """Return what every packet says, as the radio of that number heard it."""
    return Head(
        node=node_id(packet.sender),
        to=address(packet.to),
        packet_id=packet.id,
        own=packet.sender == radio,
        direct=packet.to == radio,
        hops=packet.hops,
        snr=packet.snr,
        rssi=packet.rssi,
        first_hand=packet.first_hand,
        via_mqtt=packet.via_mqtt,
    )


def readable_head(packet: Packet, *, radio: int) -> ReadableHead:
    """Return what every packet says whose content could be read."""
    heard = head(packet, radio=radio)
    return ReadableHead(**heard, channel=packet.channel, pki=packet.pki, request_id=packet.request_id)


def instant(seconds: float | None) -> str:
    """Return Unix seconds as RFC 3339, empty for None."""
    return "" if seconds is None else rfc3339(datetime.fromtimestamp(seconds, UTC))


def word(value: str | int) -> str:
    """Return the name of an enumeration's value; a value without a name is its number."""
    return plain_name(value) if isinstance(value, str) else str(value)
