"""A payload for every port that a packet can have, and names as nobody would choose them who means well."""

import time
from typing import Final

from meshtastic.protobuf import (
    admin_pb2,
    mesh_pb2,
    mqtt_pb2,
    paxcount_pb2,
    portnums_pb2,
    powermon_pb2,
    remote_hardware_pb2,
    storeforward_pb2,
    telemetry_pb2,
)

PORTS: Final = portnums_pb2.PortNum
_NOW: Final = int(time.time())
ALL_PORTS: Final = tuple(PORTS.values())
UNNAMED_PORTS: Final = (300, 511 - 1, 70_000)
"""Numbers that have no name in this version of the protobufs."""

NAMES: Final = (
    "a/+/#",
    "../../etc/passwd",
    "line\nbreak\x00and\x1b[31mcolour",
    "\u202egnp.exe",
    "$SYS/broker",
    "{{ owner.name }}",
    "'; DROP TABLE nodes; --",
    "\U0001f9d1\u200d\U0001f680\U0001f3fd",
    " ",
    "%2f%00",
    "x" * 39,
)
"""Names of nodes that must harm nothing."""

UNDECODABLE: Final = b"\x0a\xff\xff\xff\xff\x0f"
"""Bytes that are no protobuf: a length of 4 GB, and then nothing."""


def sample(port: int) -> bytes:
    """Return what a well-behaved node sends on a port."""
    made = _messages().get(port)
    return b"content" if made is None else made if isinstance(made, bytes) else made.SerializeToString()


def _messages() -> dict[int, object]:
    now = _NOW
    return {
        PORTS.TEXT_MESSAGE_APP: "Grüße".encode(),
        PORTS.REMOTE_HARDWARE_APP: remote_hardware_pb2.HardwareMessage(gpio_mask=1 << 40),
        PORTS.POSITION_APP: mesh_pb2.Position(latitude_i=525_000_000, longitude_i=134_000_000, time=now),
        PORTS.NODEINFO_APP: mesh_pb2.User(id="!b0b00001", long_name="Bob", short_name="BOB"),
        PORTS.ROUTING_APP: mesh_pb2.Routing(error_reason=mesh_pb2.Routing.NO_ROUTE),
        PORTS.ADMIN_APP: admin_pb2.AdminMessage(get_owner_request=True, session_passkey=b"canary-p"),
        PORTS.WAYPOINT_APP: mesh_pb2.Waypoint(id=7, latitude_i=1, longitude_i=2, name="Camp", expire=now + 3600),
        PORTS.DETECTION_SENSOR_APP: b"Door open",
        PORTS.ALERT_APP: b"Alert!",
        PORTS.REPLY_APP: b"reply",
        PORTS.PAXCOUNTER_APP: paxcount_pb2.Paxcount(wifi=3, ble=4, uptime=100),
        PORTS.STORE_FORWARD_APP: storeforward_pb2.StoreAndForward(
            rr=storeforward_pb2.StoreAndForward.ROUTER_TEXT_BROADCAST, text=b"earlier"
        ),
        PORTS.RANGE_TEST_APP: b"seq 12",
        PORTS.TELEMETRY_APP: telemetry_pb2.Telemetry(
            time=now, environment_metrics=telemetry_pb2.EnvironmentMetrics(temperature=21.5, relative_humidity=40.0)
        ),
        PORTS.SIMULATOR_APP: mesh_pb2.Compressed(portnum=PORTS.PRIVATE_APP, data=b"x"),
        PORTS.TRACEROUTE_APP: mesh_pb2.RouteDiscovery(route=[0xC0000001], snr_towards=[24, -128]),
        PORTS.NEIGHBORINFO_APP: mesh_pb2.NeighborInfo(
            node_id=0xB0B00001,
            last_sent_by_id=0xB0B00001,
            node_broadcast_interval_secs=900,
            neighbors=[mesh_pb2.Neighbor(node_id=0xC0000001, snr=5.5)],
        ),
        PORTS.MAP_REPORT_APP: mqtt_pb2.MapReport(long_name="Bob", short_name="BOB", firmware_version="2.7.26"),
        PORTS.POWERSTRESS_APP: powermon_pb2.PowerStressMessage(),
    }
