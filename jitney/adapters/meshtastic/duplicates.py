"""The same packet twice: by radio and by MQTT, through two radios of one owner, or after a reconnect.

The id of a packet is unique only for its sender and for a while. So pairs of both are remembered for some minutes, per
owner and over all radios of the process; what comes after that is told apart by the ids of events, see
``Packet.event_id``.
"""

import time
from typing import Final

from jitney.adapters.base import Clock
from jitney.adapters.meshtastic.packets import Packet

TTL: Final = 600.0
"""Seconds in which a packet is the same one."""

MOST: Final = 10_000
"""Packets remembered of an owner: what all radios of a household hear in that time, many times over."""


class Duplicates:
    """Remembers what each owner has had. A packet that could be read counts anew after its encrypted copy."""

    def __init__(self, *, clock: Clock = time.monotonic, ttl: float = TTL, most: int = MOST) -> None:
        self._clock = clock
        self._ttl = ttl
        self._most = most
        self._seen: dict[str, dict[int, float]] = {}

    def is_first(self, owner: str, packet: Packet) -> bool:
        """Tell whether an owner has not had a packet, and remember it; a packet without an id is always new."""
        if not packet.id:
            return True
        readable = packet.sender << 33 | packet.id << 1
        now = self._clock()
        seen = self._seen.setdefault(owner, {})
        self._forget(seen, now)
        if readable in seen or (packet.encrypted and readable | 1 in seen):
            return False
        seen[readable | packet.encrypted] = now + self._ttl
        if len(seen) > self._most:
            del seen[next(iter(seen))]
        return True

    def _forget(self, seen: dict[int, float], now: float) -> None:
        """Drop what is too old: the oldest stand first, since all are kept for the same time."""
        while seen:
            oldest = next(iter(seen))
            if seen[oldest] > now:
                break
            del seen[oldest]


EVERYWHERE: Final = Duplicates()
"""What the radios of this process share."""
