"""What the library makes of a packet: its own decoder, fed with real protobufs, and what the tests say of a mesh."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from google.protobuf.message import Message
from meshtastic import mesh_interface
from meshtastic.protobuf import mesh_pb2

from jitney.adapters.base import Owner
from jitney.adapters.meshtastic import packets
from jitney.adapters.meshtastic.addresses import BROADCAST
from jitney.adapters.meshtastic.config import Identity
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.topics import EventData

RADIO: Final = 0x0000BA5E
ALICE: Final = 0xA11CE001
BOB: Final = 0x0B0B0001
CAROL: Final = 0xCA501001

ARRIVED: Final = 1_795_240_800.25
"""When packets arrive unless a test says otherwise: 2026-11-21 in Unix seconds."""

HOUR: Final = 3600.0

_FROM: Final = "from"


class _AtOnce:
    """A publishing thread that is none."""

    def queueWork(self, work: Callable[[], None]) -> None:  # noqa: N802 - the library's name
        work()


class _Ear:
    """Where the library publishes."""

    def __init__(self) -> None:
        self.packets: list[dict[str, Any]] = []

    def sendMessage(self, topic: str, *, packet: dict[str, Any], interface: object) -> None:  # noqa: N802
        assert topic.startswith("meshtastic.receive")
        assert interface is _library()
        self.packets.append(packet)


@cache
def _library() -> mesh_interface.MeshInterface:
    with patch("random.seed"):
        interface = mesh_interface.MeshInterface(noProto=True)
    interface.nodes, interface.nodesByNum = {}, {}
    return interface


def published(packet: mesh_pb2.MeshPacket) -> dict[str, Any] | None:
    """Return the dictionary that the library publishes for a packet, None when it publishes none.

    The packet goes over the wire first. What the decoder raises is caught where the library catches it.
    """
    ear = _Ear()
    over_the_air = mesh_pb2.MeshPacket.FromString(packet.SerializeToString())
    with patch.multiple(mesh_interface, publishingThread=_AtOnce(), pub=ear), patch("builtins.print"):
        try:
            _library()._handlePacketFromRadio(over_the_air)
        except Exception:  # noqa: BLE001 - as the library does
            return None
    return ear.packets[0] if ear.packets else None


def mesh_packet(
    port: int = 0,
    payload: bytes | Message = b"",
    *,
    sender: int = ALICE,
    to: int = BROADCAST,
    request_id: int = 0,
    reply_id: int = 0,
    emoji: int = 0,
    want_response: bool = False,
    **fields: Any,  # noqa: ANN401 - fields of MeshPacket
) -> mesh_pb2.MeshPacket:
    """Return a packet of a direct neighbour, as a radio with a clock hands it over a quarter second later."""
    heard = {"id": 77, "rx_time": int(ARRIVED), "rx_snr": 6.25, "rx_rssi": -92, "hop_start": 3, "hop_limit": 3}
    packet = mesh_pb2.MeshPacket(to=to, **{_FROM: sender, **heard, **fields})
    if "encrypted" not in fields:
        packet.decoded.portnum = port  # type: ignore[assignment] - unknown numbers too
        packet.decoded.payload = payload if isinstance(payload, bytes) else payload.SerializeToString()
        packet.decoded.request_id = request_id
        packet.decoded.reply_id = reply_id
        packet.decoded.emoji = emoji
        packet.decoded.want_response = want_response
    return packet


def read(packet: mesh_pb2.MeshPacket, *, arrived: float = ARRIVED) -> Packet:
    """Return a packet as the adapter reads it."""
    dictionary = published(packet)
    assert dictionary is not None, "the library does not publish this packet"
    found = packets.read(dictionary, arrived)
    assert found is not None, "the packet could not be read"
    return found


def said(port: int, payload: bytes | Message = b"", **fields: Any) -> EventData | Nothing:  # noqa: ANN401
    """Return what the adapter makes of a packet; ``fields`` as in ``mesh_packet``."""
    return data_of(read(mesh_packet(port, payload, **fields)), radio=RADIO)


def household() -> list[Owner]:
    """Return alice and bob, each with a node, and carol, who has none."""
    return [
        Owner("alice", "Alice", Identity(nodes=(f"!{ALICE:08x}",))),
        Owner("bob", "Bob", Identity(nodes=(f"!{BOB:08x}",))),
        Owner("carol", "Carol"),
    ]
