"""What the firmware can take: at most one packet of a port in so many seconds, and as many as its queue has room for.

It drops what comes faster, some of it without a word (firmware: PhoneAPI::handleToRadioPacket).
"""

from collections.abc import Iterable
from math import inf
from typing import Final

from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.ports import Port

RESERVED: Final = 3
"""Places in the radio's queue that are left for alerts and for what the radio itself has to send."""

FORGOTTEN: Final = 30.0
"""Seconds after which the radio is taken to have sent most of what it last said was waiting."""

_TICK: Final = 1e-6
"""Less is not worth waiting for, and may be no more than the rounding of a sum."""


class Pacing:
    """When a packet of a port may go to the radio. Times are seconds of one monotonic clock.

    Lives as long as the adapter: a radio on a serial port counts on over a reconnect.
    """

    def __init__(self, limits: Limits) -> None:
        self._gaps: dict[int, float] = {
            Port.TEXT_MESSAGE_APP: limits.text_every,
            Port.TRACEROUTE_APP: limits.traceroute_every,
            Port.POSITION_APP: limits.other_every,
            Port.WAYPOINT_APP: limits.other_every,
            Port.ALERT_APP: limits.other_every,
            Port.TELEMETRY_APP: limits.other_every,
        }
        self._ready: dict[int, float] = {}

    def wait(self, port: int, now: float) -> float:
        """Return the seconds until a packet of a port may be sent, 0 when it may be sent now."""
        wait = self._ready.get(port, -inf) - now
        return wait if wait > _TICK else 0.0

    def sent(self, port: int, now: float) -> None:
        """Learn that a packet of a port was given to the radio."""
        gap = self._gaps.get(port, 0.0)
        self._ready[port] = max(self._ready.get(port, -inf), now + gap)

    def remember(self, items: Iterable[Outgoing], *, unix: float, now: float) -> None:
        """Learn what was given to the radio before a restart; a clock that was turned back makes it wait longer.

        What was just being given to it may have got there at the last moment.
        """
        for item in items:
            if item.handing:
                self.sent(item.packet.port, now)
            elif item.handed:
                self.sent(item.packet.port, now - max(0.0, unix - item.handed))


class Slots:
    """The places in the radio's own queue, as it tells them after every packet and heartbeat of one connection."""

    def __init__(self) -> None:
        self._free = inf
        self._heard = -inf

    def heard(self, free: int, now: float) -> None:
        """Learn how many places are free."""
        self._free = free
        self._heard = now

    def taken(self) -> None:
        """Learn that a packet was given to the radio."""
        self._free = max(0, self._free - 1)

    def has_room(self, priority: Priority, now: float) -> bool:
        """Tell whether a packet can be given to the radio without filling it up; never while it is full.

        A radio that was full says when it no longer is; one that was nearly so says nothing, and is given time.
        """
        if self._free < 1:
            return False
        return priority is Priority.ALERT or self._free > RESERVED or now - self._heard >= FORGOTTEN
