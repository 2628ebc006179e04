"""What the library publishes for a packet: from its dictionary to a typed struct, whatever is in it.

Defaults of the protocol are absent there, numbers that are none are words, and ids are claims of the sender: only node
numbers count (library: ``MeshInterface._handlePacketFromRadio``).
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final
from zlib import crc32

import msgspec
from msgspec import Meta, Struct, field

from jitney.adapters.meshtastic.addresses import BROADCAST
from jitney.adapters.meshtastic.ports import ENCRYPTED, NO_PORT, Port, port_name, port_number

U32 = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
I32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]

ERRORS: Final = (ValueError, OverflowError, RecursionError)
"""What reading a dictionary raises that is not what it should be; msgspec's errors are ValueErrors."""

SANE: Final = 1_577_836_800
"""The year 2020 in Unix seconds: a clock that says less is not set."""

MOST_HOPS: Final = 7

_DAY: Final = 86_400.0
_OVER_MQTT: Final = "TRANSPORT_MQTT"
_MOST_PORT: Final = 64
_KEY_BYTES: Final = 32
_LOUDEST: Final = 1000.0

_CONTENTS: Final[dict[int, str]] = {
    Port.POSITION_APP: "position",
    Port.NODEINFO_APP: "user",
    Port.ROUTING_APP: "routing",
    Port.TELEMETRY_APP: "telemetry",
    Port.TRACEROUTE_APP: "traceroute",
    Port.NEIGHBORINFO_APP: "neighborinfo",
    Port.WAYPOINT_APP: "waypoint",
    Port.PAXCOUNTER_APP: "paxcounter",
    Port.STORE_FORWARD_APP: "storeforward",
    Port.MAP_REPORT_APP: "mapreport",
}
"""Where the library puts what it decoded of a payload. Administration is missing on purpose: it is never looked at."""


class Packet(Struct, frozen=True, kw_only=True, gc=False):
    """A packet that a radio handed over.

    ``time`` is when the radio heard it, else when it ``arrived`` here, both in Unix seconds; ``stamp`` is the radio's
    own clock, 0 without one. ``channel`` is an index, of an encrypted packet a hash. ``snr`` (dB) and ``rssi`` (dBm)
    describe the last hop; ``hops`` is None where the sender does not tell. ``port`` is ``NO_PORT`` for an encrypted
    packet, whose ``payload`` is what could not be read. ``via_mqtt``: somewhere on its way it went over MQTT;
    ``over_mqtt``: that is how it came to this radio. ``pki``: only who has the sender's key can have written it.
    ``content`` is what the library made of the payload, still unchecked.
    """

    sender: int
    to: int
    id: int
    channel: int
    port: int
    port_name: str
    payload: bytes
    time: float
    arrived: float
    stamp: int = 0
    hops: int | None = None
    snr: float | None = None
    rssi: int | None = None
    via_mqtt: bool = False
    over_mqtt: bool = False
    pki: bool = False
    public_key: str = ""
    encrypted: bool = False
    want_response: bool = False
    request_id: int = 0
    reply_id: int = 0
    emoji: bool = False
    content: object = None

    @property
    def first_hand(self) -> bool:
        """Whether the radio heard the sender itself, so that SNR and RSSI are the sender's."""
        return self.hops == 0 and not self.via_mqtt

    @property
    def event_id(self) -> str:
        """An id that is the same however often the radio delivers the packet.

        A packet id comes again some day, so the radio's time of reception, which a redelivery keeps, and a checksum of
        the content are part of it: no buckets of time with edges. A radio without a clock leaves the checksum alone.
        """
        stamp = self.stamp if self.id else int(self.arrived * 1000)
        return f"{self.sender:08x}-{self.id:08x}-{stamp:x}-{crc32(self.payload, self.port & 0xFFFF):08x}"


class _Wire(Struct, frozen=True, rename="camel", gc=False):
    sender: Annotated[int, Meta(gt=0, lt=BROADCAST)] = field(name="from")
    to: U32 = 0
    id: U32 = 0
    channel: U32 = 0
    rx_time: U32 = 0
    rx_snr: float | str | None = None
    rx_rssi: I32 = 0
    hop_limit: U32 = 0
    hop_start: U32 = 0
    via_mqtt: bool = False
    pki_encrypted: bool = False
    public_key: bytes = b""
    transport_mechanism: str | int = ""
    encrypted: bytes | None = None
    decoded: Any = None


class _Data(Struct, frozen=True, rename="camel", gc=False):
    portnum: str | Annotated[int, Meta(ge=-(2**31), le=0xFFFFFFFF)] = 0
    payload: bytes = b""
    want_response: bool = False
    request_id: U32 = 0
    reply_id: U32 = 0
    emoji: U32 = 0


_NO_DATA: Final = _Data()


def read(packet: Mapping[str, Any], arrived: float) -> Packet | None:
    """Return the packet of the library's dictionary, None when it cannot be one; raises nothing."""
    try:
        wire = msgspec.convert(packet, _Wire)
        inside = wire.decoded
        data = _NO_DATA if inside is None else msgspec.convert(inside, _Data)
    except ERRORS:
        return None
    secret = wire.encrypted if inside is None else None
    port, name = _port(data.portnum) if secret is None else (NO_PORT, ENCRYPTED)
    content = _CONTENTS.get(port)
    return Packet(
        sender=wire.sender,
        to=wire.to,
        id=wire.id,
        channel=wire.channel,
        port=port,
        port_name=name,
        payload=data.payload if secret is None else secret,
        time=_time(wire.rx_time, arrived),
        arrived=arrived,
        stamp=wire.rx_time,
        hops=_hops(wire),
        snr=_snr(wire),
        rssi=wire.rx_rssi or None,
        via_mqtt=wire.via_mqtt,
        over_mqtt=wire.transport_mechanism == _OVER_MQTT,
        pki=wire.pki_encrypted,
        public_key=key_text(wire.public_key),
        encrypted=secret is not None,
        want_response=data.want_response,
        request_id=data.request_id,
        reply_id=data.reply_id,
        emoji=data.emoji != 0,
        content=inside.get(content) if inside and content else None,
    )


def key_text(raw: bytes) -> str:
    """Return a public key (Curve25519) in base64, empty for what cannot be one."""
    return b64encode(raw).decode() if len(raw) == _KEY_BYTES else ""


def moment(seconds: int) -> float | None:
    """Return a time that a node sent, None for a clock that was not set."""
    return float(seconds) if seconds >= SANE else None


def _port(named: str | int) -> tuple[int, str]:
    if isinstance(named, int):
        return max(named, NO_PORT), port_name(named)
    return port_number(named), named[:_MOST_PORT]


def _time(stamp: int, arrived: float) -> float:
    """Return when a packet was heard; a radio's clock counts that is less than a day behind and not ahead."""
    return float(stamp) if stamp >= SANE and arrived - _DAY < stamp < arrived else arrived


def _hops(wire: _Wire) -> int | None:
    hops = wire.hop_start - wire.hop_limit
    return hops if wire.hop_start and 0 <= hops <= MOST_HOPS else None


def _snr(wire: _Wire) -> float | None:
    """Return the SNR: absent it is zero where the packet was heard at all, and a word is no number."""
    if wire.rx_snr is None:
        return 0.0 if wire.rx_rssi else None
    snr = wire.rx_snr
    return snr if isinstance(snr, float) and abs(snr) < _LOUDEST else None
