"""From the content of a packet to the data of its event, port by port."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.meshtastic import kinds, places, routes, telemetry
from jitney.adapters.meshtastic.addresses import BROADCAST
from jitney.adapters.meshtastic.heading import ReadableHead, head, instant, readable_head, word
from jitney.adapters.meshtastic.packets import ERRORS, U32, Packet, key_text, moment
from jitney.adapters.meshtastic.plain import decoded, plain_name
from jitney.adapters.meshtastic.ports import NO_PORT, Port
from jitney.topics import EventData

_MOST_PAYLOAD: Final = 512
_NO_ERROR: Final = "NONE"
_SECRET: Final = frozenset({Port.ADMIN_APP, Port.KEY_VERIFICATION_APP, Port.REMOTE_SHELL_APP, NO_PORT})


class Nothing(Struct, frozen=True):
    """There is nothing to tell, and ``why``: a short word."""

    why: str


_ASKS: Final = Nothing("requests")
_NO_FIX: Final = Nothing("no_fix")
_ADMIN: Final = Nothing("admin")
_EMPTY: Final = Nothing("empty")


def data_of(packet: Packet, *, radio: int) -> EventData | Nothing:
    """Return what a packet says, as the radio of that number heard it; raises nothing.

    What cannot be understood is ``kinds.Unknown``. The content of administration is never returned in any form.
    """
    if packet.encrypted:
        return kinds.Encrypted(**head(packet, radio=radio), channel_hash=packet.channel, size=len(packet.payload))
    readable = readable_head(packet, radio=radio)
    reader = _READERS.get(packet.port)
    found = None
    if reader is not None:
        try:
            found = reader(packet, readable)
        except ERRORS:
            found = None
    return found or _unknown(packet, readable)


class _User(Struct, frozen=True, rename="camel", gc=False):
    long_name: str = ""
    short_name: str = ""
    hw_model: str | int = ""
    role: str | int = "CLIENT"
    is_licensed: bool = False
    is_unmessagable: bool = False
    public_key: bytes = b""


class _Routing(Struct, frozen=True, rename="camel", gc=False):
    error_reason: str | int = _NO_ERROR
    route_request: object = None
    route_reply: object = None


class _StoreForward(Struct, frozen=True, rename="camel", gc=False):
    rr: str | int = "UNSET"
    stats: dict[str, object] = {}
    history: dict[str, object] = {}
    heartbeat: dict[str, object] = {}
    text: bytes = b""


class _Paxcounter(Struct, frozen=True, gc=False):
    wifi: U32 = 0
    ble: U32 = 0
    uptime: U32 = 0


def _message(packet: Packet, head: ReadableHead) -> EventData:
    text = decoded(packet.payload)
    return kinds.Message(**head, text=text, reply_id=packet.reply_id, reaction=packet.emoji)


def _alert(packet: Packet, head: ReadableHead) -> EventData:
    return kinds.Alert(**head, text=decoded(packet.payload))


def _detection(packet: Packet, head: ReadableHead) -> EventData:
    return kinds.Detection(**head, text=decoded(packet.payload))


def _range_test(packet: Packet, head: ReadableHead) -> EventData:
    return kinds.RangeTest(**head, text=decoded(packet.payload))


def _position(packet: Packet, head: ReadableHead) -> EventData | Nothing:
    return places.position(packet, head) or (_ASKS if packet.want_response else _NO_FIX)


def _node(packet: Packet, head: ReadableHead) -> EventData:
    user = msgspec.convert(packet.content, _User)
    return kinds.NodeInfo(
        **head,
        long_name=plain_name(user.long_name),
        short_name=plain_name(user.short_name),
        hardware=word(user.hw_model),
        role=word(user.role),
        licensed=user.is_licensed,
        unmessagable=user.is_unmessagable,
        public_key=key_text(user.public_key),
    )


def _telemetry(packet: Packet, head: ReadableHead) -> EventData | Nothing | None:
    content = packet.content
    found = telemetry.measured(content) if isinstance(content, Mapping) else None
    if found is None or not isinstance(content, Mapping):
        return None
    if not found.values:
        return _ASKS if packet.want_response else _EMPTY
    sent = content.get("time")
    measured = moment(sent) if isinstance(sent, int) and sent <= BROADCAST else None
    return kinds.Telemetry(
        **head, kind=found.kind, values=found.values, measured=instant(measured), powered=found.powered
    )


def _ack(packet: Packet, head: ReadableHead) -> EventData | None:
    routing = msgspec.convert(packet.content, _Routing)
    if not packet.request_id or routing.route_request is not None or routing.route_reply is not None:
        return None
    error = word(routing.error_reason)
    return kinds.Ack(**head, acknowledged=error == _NO_ERROR, error="" if error == _NO_ERROR else error)


def _traceroute(packet: Packet, head: ReadableHead) -> EventData | Nothing | None:
    found = routes.traced(packet)
    if found is None:
        return None if packet.request_id else _ASKS
    return kinds.Traceroute(**head, origin=found.origin, target=found.target, towards=found.towards, back=found.back)


def _neighbours(packet: Packet, head: ReadableHead) -> EventData:
    found = routes.neighbourhood(packet)
    return kinds.Neighbours(**head, of=found.of, neighbours=found.neighbours, interval=found.interval)


def _store_forward(packet: Packet, head: ReadableHead) -> EventData:
    found = msgspec.convert(packet.content, _StoreForward)
    values = telemetry.numbers(found.stats) | telemetry.numbers(found.history) | telemetry.numbers(found.heartbeat)
    return kinds.StoreForward(**head, message=word(found.rr), text=decoded(found.text), values=values)


def _paxcounter(packet: Packet, head: ReadableHead) -> EventData:
    found = msgspec.convert(packet.content, _Paxcounter)
    return kinds.Paxcounter(**head, wifi=found.wifi, ble=found.ble, uptime=found.uptime)


def _administration(_packet: Packet, _head: ReadableHead) -> Nothing:
    return _ADMIN


def _unknown(packet: Packet, head: ReadableHead) -> EventData:
    payload = b"" if packet.port in _SECRET else packet.payload[:_MOST_PAYLOAD]
    return kinds.Unknown(
        **head,
        port=None if packet.port == NO_PORT else packet.port,
        port_name=plain_name(packet.port_name),
        size=len(packet.payload),
        payload=b64encode(payload).decode(),
    )


_READERS: Final[dict[int, Callable[[Packet, ReadableHead], EventData | Nothing | None]]] = {
    Port.TEXT_MESSAGE_APP: _message,
    Port.POSITION_APP: _position,
    Port.NODEINFO_APP: _node,
    Port.ROUTING_APP: _ack,
    Port.ADMIN_APP: _administration,
    Port.WAYPOINT_APP: places.waypoint,
    Port.DETECTION_SENSOR_APP: _detection,
    Port.ALERT_APP: _alert,
    Port.PAXCOUNTER_APP: _paxcounter,
    Port.STORE_FORWARD_APP: _store_forward,
    Port.RANGE_TEST_APP: _range_test,
    Port.TELEMETRY_APP: _telemetry,
    Port.TRACEROUTE_APP: _traceroute,
    Port.NEIGHBORINFO_APP: _neighbours,
    Port.MAP_REPORT_APP: places.map_report,
}
