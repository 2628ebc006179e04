"""What the firmware lets a client send: at most one packet of a port in so many seconds, and how many wait."""

from enum import Enum
from typing import Final

from meshtastic.protobuf import portnums_pb2
from msgspec import Struct

from jitney.adapters.base import Clock

SECONDS: Final = {
    portnums_pb2.PortNum.TEXT_MESSAGE_APP: 2.0,
    portnums_pb2.PortNum.TRACEROUTE_APP: 30.0,
    portnums_pb2.PortNum.POSITION_APP: 10.0,
    portnums_pb2.PortNum.WAYPOINT_APP: 10.0,
    portnums_pb2.PortNum.ALERT_APP: 10.0,
    portnums_pb2.PortNum.TELEMETRY_APP: 10.0,
}
"""The time between two packets of a port that come from the same connection."""

SLOTS: Final = 16
NO_ROOM: Final = 32
"""``QueueStatus.res`` of a packet that found no room."""

LONGEST_DATA: Final = 239
"""Bytes of an encoded ``Data`` that fit into a packet on the air."""

PKI_OVERHEAD: Final = 12
BITFIELD: Final = 2
"""Bytes that the firmware adds to every ``Data``."""


class Violation(Struct, frozen=True):
    """A packet that came ``early`` seconds before the limit of its port allowed it."""

    port: int
    packet_id: int
    early: float


class Fate(Enum):
    """What the firmware does with a packet that comes too early."""

    ACCEPTED = "sent on the air"
    ERROR = "dropped, answered with RATE_LIMIT_EXCEEDED"
    WARNED = "dropped, with a notification only"
    SILENT = "dropped, and the queue status says that all is well"


class Limits:
    """The limits of one connection; what breaks them is added to ``violations``."""

    def __init__(self, clock: Clock, violations: list[Violation]) -> None:
        self._clock = clock
        self._violations = violations
        self._last: dict[int, float] = {}

    def judge(self, port: int, packet_id: int) -> Fate:
        """Tell what becomes of a packet that comes now; one that is dropped does not count against the next."""
        now = self._clock()
        wait = SECONDS.get(port, 0.0)  # type: ignore[call-overload] - a number is a port too
        early = self._last.get(port, now - wait) + wait - now
        if early <= 0:
            self._last[port] = now
            return Fate.ACCEPTED
        self._violations.append(Violation(port, packet_id, early))
        if port == portnums_pb2.PortNum.TEXT_MESSAGE_APP:
            return Fate.ERROR
        return Fate.WARNED if port == portnums_pb2.PortNum.TRACEROUTE_APP else Fate.SILENT


def too_large(data_length: int, *, pki: bool) -> bool:
    """Tell whether an encoded ``Data`` does not fit into one packet."""
    return data_length + BITFIELD + (PKI_OVERHEAD if pki else 0) > LONGEST_DATA
