"""What comes back for a packet that a client sent: acks, naks, silence, and the responses of nodes."""

from typing import TYPE_CHECKING, Final

from google.protobuf.message import Message
from meshtastic.protobuf import mesh_pb2, portnums_pb2, telemetry_pb2
from msgspec import Struct

from tests.fakes.meshtastic.nodes import BROADCAST, Node

if TYPE_CHECKING:
    from tests.fakes.meshtastic.radio import Radio

PORTS: Final = portnums_pb2.PortNum
UNKNOWN_SNR: Final = -128


class Answer(Struct, frozen=True):
    """A routing packet: ``reason`` is a name of ``Routing.Error``; ``own``: from the radio itself."""

    reason: str = "NONE"
    own: bool = False


DELIVERED: Final = Answer()
"""The destination has it."""

RELAYED: Final = Answer(own=True)
"""Some node was heard passing it on: the implicit ack."""

UNHEARD: Final = Answer("MAX_RETRANSMIT", own=True)
"""No node was heard passing it on, after three tries."""


class Answers:
    """Answers packets as the mesh around a radio does; ``script`` says otherwise for the next packet that asks."""

    def __init__(self, radio: "Radio") -> None:
        self._radio = radio
        self._scripts: list[tuple[Answer, ...]] = []

    def script(self, *answers: Answer) -> None:
        """Answer the next packet that wants an ack or a response with these, in this order; none of them: silence."""
        self._scripts.append(answers)

    def to(self, packet: mesh_pb2.MeshPacket) -> list[mesh_pb2.MeshPacket]:
        """Return what the radio hears because of an accepted packet, in order."""
        if not (packet.want_ack or packet.decoded.want_response):
            return []
        scripted = self._scripts.pop(0) if self._scripts else None
        node = self._radio.nodes.get(packet.to)
        answers = self._usual(packet, node) if scripted is None else scripted
        packets = [self.routing(packet, answer) for answer in answers]
        responds = node is not None and node.reachable and (scripted is None or DELIVERED in scripted)
        if packet.decoded.want_response and node is not None and responds:
            packets += self._response(packet, node)
        return packets

    def routing(self, packet: mesh_pb2.MeshPacket, answer: Answer) -> mesh_pb2.MeshPacket:
        """Return the routing packet of an answer."""
        sender = self._radio.own if answer.own else self._radio.nodes.get(packet.to, self._radio.own)
        routing = mesh_pb2.Routing(error_reason=mesh_pb2.Routing.Error.Value(answer.reason))
        return sender.packet(PORTS.ROUTING_APP, routing, to=self._radio.own.number, request_id=packet.id)

    def _usual(self, packet: mesh_pb2.MeshPacket, node: Node | None) -> tuple[Answer, ...]:
        if packet.decoded.portnum == PORTS.TRACEROUTE_APP and node is not None and node.reachable:
            return (RELAYED,)
        if not packet.want_ack:
            return ()
        if packet.to == BROADCAST:
            others = [other for other in self._radio.nodes.values() if other.reachable and other.hops == 0]
            return (RELAYED,) if others else (UNHEARD,)
        if node is None or not node.reachable:
            return (UNHEARD,)
        return (RELAYED, DELIVERED) if node.hops else (DELIVERED,)

    def _response(self, packet: mesh_pb2.MeshPacket, node: Node) -> list[mesh_pb2.MeshPacket]:
        content = response(packet.decoded.portnum, node)
        if content is None:
            return []
        own = self._radio.own.number
        return [node.packet(packet.decoded.portnum, content, to=own, request_id=packet.id, channel=packet.channel)]


def response(port: int, node: Node) -> Message | None:
    """Return what a node says when it is asked for the content of a port; None when it says nothing."""
    if port == PORTS.TRACEROUTE_APP:
        back = list(reversed(node.route))
        strengths = [24] * (len(node.route) + 1)
        return mesh_pb2.RouteDiscovery(
            route=node.route, snr_towards=strengths, route_back=back, snr_back=[UNKNOWN_SNR, *strengths[1:]]
        )
    if port == PORTS.POSITION_APP:
        return node.position()
    if port == PORTS.NODEINFO_APP:
        return node.user()
    if port == PORTS.TELEMETRY_APP:
        return telemetry_pb2.Telemetry(device_metrics=node.metrics())
    return None
