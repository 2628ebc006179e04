"""Nodes of a simulated mesh: what they send, and what they are in a radio's node database."""

import time
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message
from meshtastic.protobuf import config_pb2, mesh_pb2, portnums_pb2, telemetry_pb2

if TYPE_CHECKING:
    from tests.fakes.meshtastic.radio import Radio

BROADCAST: Final = 0xFFFFFFFF
HOP_START: Final = 3
SCALE: Final = 10_000_000
"""Parts of a degree in which positions travel."""

_FROM: Final = "from"  # a keyword in Python, a field in the protobuf


class Node:
    """A node of the mesh, ``hops`` away from the radio (None: the radio itself, whose packets carry no rx fields).

    ``reachable`` False: it hears nothing. ``route``: the numbers on the way to it, for traceroutes.
    """

    def __init__(
        self,
        radio: "Radio",
        number: int,
        *,
        long_name: str = "",
        short_name: str = "",
        hops: int | None = 0,
        public_key: bytes = b"",
        role: str = "CLIENT",
        hardware: str = "TBEAM",
    ) -> None:
        self.number = number
        self.long_name = long_name or f"Node {number & 0xFFFF:04x}"
        self.short_name = short_name or f"{number & 0xFFFF:04x}"
        self.hops = hops
        self.public_key = public_key
        self.role = role
        self.hardware = hardware
        self.user_id = f"!{number:08x}"
        self.snr = 6.25
        self.rssi = -92
        self.battery: int | None = 87
        self.place: tuple[float, float, int] | None = None
        self.route: list[int] = []
        self.reachable = True
        self.last_heard: int | None = None
        self.favourite = False
        self.via_mqtt = False
        self._radio = radio

    @property
    def id(self) -> str:
        """The number as people write it."""
        return f"!{self.number:08x}"

    def user(self) -> mesh_pb2.User:
        """Return its names as it announces them."""
        return mesh_pb2.User(
            id=self.user_id,
            long_name=self.long_name,
            short_name=self.short_name,
            macaddr=self.number.to_bytes(6, "big"),
            hw_model=mesh_pb2.HardwareModel.Value(self.hardware),
            role=config_pb2.Config.DeviceConfig.Role.Value(self.role),
            public_key=self.public_key,
        )

    def info(self) -> mesh_pb2.NodeInfo:
        """Return its record in the radio's node database."""
        info = mesh_pb2.NodeInfo(
            num=self.number,
            user=self.user(),
            last_heard=int(time.time()) if self.last_heard is None else self.last_heard,
            is_favorite=self.favourite,
            via_mqtt=self.via_mqtt,
        )
        if self.hops is not None:
            info.hops_away = self.hops
            info.snr = self.snr
        if self.battery is not None:
            info.device_metrics.CopyFrom(self.metrics())
        if self.place is not None:
            info.position.CopyFrom(self.position())
        return info

    def position(self) -> mesh_pb2.Position:
        """Return its position; empty when it has none."""
        if self.place is None:
            return mesh_pb2.Position()
        latitude, longitude, altitude = self.place
        return mesh_pb2.Position(
            latitude_i=round(latitude * SCALE),
            longitude_i=round(longitude * SCALE),
            altitude=altitude,
            time=int(time.time()),
            precision_bits=32,
        )

    def metrics(self) -> telemetry_pb2.DeviceMetrics:
        """Return its device metrics."""
        metrics = telemetry_pb2.DeviceMetrics(
            voltage=3.9, channel_utilization=4.5, air_util_tx=1.25, uptime_seconds=3600
        )
        if self.battery is not None:
            metrics.battery_level = self.battery
        return metrics

    def packet(
        self,
        port: int,
        payload: bytes | Message = b"",
        *,
        to: int = BROADCAST,
        request_id: int = 0,
        reply_id: int = 0,
        emoji: int = 0,
        want_response: bool = False,
        **fields: Any,  # noqa: ANN401 - fields of MeshPacket
    ) -> mesh_pb2.MeshPacket:
        """Return a packet of this node as the radio would hear it; ``fields`` are further fields of MeshPacket."""
        data = payload if isinstance(payload, bytes) else payload.SerializeToString()
        packet = self.bare(to=to, **fields)
        packet.decoded.portnum = port  # type: ignore[assignment] - unknown numbers too
        packet.decoded.payload = data
        packet.decoded.request_id = request_id
        packet.decoded.reply_id = reply_id
        packet.decoded.emoji = emoji
        packet.decoded.want_response = want_response
        return packet

    def bare(self, *, to: int = BROADCAST, **fields: Any) -> mesh_pb2.MeshPacket:  # noqa: ANN401 - as in `packet`
        """Return a packet with neither decoded nor encrypted content."""
        fields = {"id": self._radio.next_id(), **fields}
        packet = mesh_pb2.MeshPacket(to=to, **{_FROM: self.number}, **fields)
        if self.hops is not None:
            packet.rx_snr = packet.rx_snr or self.snr
            packet.rx_rssi = packet.rx_rssi or self.rssi
            packet.hop_start = packet.hop_start or HOP_START
            packet.hop_limit = packet.hop_limit or max(packet.hop_start - self.hops, 0)
        return packet

    def send(self, port: int, payload: bytes | Message = b"", **fields: Any) -> int:  # noqa: ANN401 - as in `packet`
        """Send a packet, which the radio hears at once; returns its id."""
        packet = self.packet(port, payload, **fields)
        self._radio.hear(packet)
        return packet.id

    def encrypted(self, content: bytes, *, channel_hash: int = 0x1F) -> int:
        """Send what the radio has no key for; returns the packet's id."""
        packet = self.bare(channel=channel_hash, encrypted=content)
        self._radio.hear(packet)
        return packet.id

    def text(self, text: str, **fields: Any) -> int:  # noqa: ANN401 - as in `packet`
        """Send a text; returns the packet's id."""
        return self.send(portnums_pb2.PortNum.TEXT_MESSAGE_APP, text.encode(), **fields)

    def announce(self, **fields: Any) -> int:  # noqa: ANN401 - as in `packet`
        """Send its names; returns the packet's id."""
        return self.send(portnums_pb2.PortNum.NODEINFO_APP, self.user(), **fields)

    def locate(self, latitude: float, longitude: float, altitude: int = 0, **fields: Any) -> int:  # noqa: ANN401
        """Move there and send the position; returns the packet's id."""
        self.place = (latitude, longitude, altitude)
        return self.send(portnums_pb2.PortNum.POSITION_APP, self.position(), **fields)

    def report(self, **metrics: float) -> int:
        """Send device metrics, its own where none are given; returns the packet's id."""
        device = telemetry_pb2.DeviceMetrics(**metrics) if metrics else self.metrics()  # type: ignore[arg-type]
        report = telemetry_pb2.Telemetry(time=int(time.time()), device_metrics=device)
        return self.send(portnums_pb2.PortNum.TELEMETRY_APP, report)
