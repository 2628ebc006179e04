"""Noticing another client: a radio takes one at a time, and closes the connection of the one before."""

from collections import deque
from typing import Final

from jitney.adapters.base import Clock

SHORT: Final = 20.0
"""Seconds: a connection that a radio closes so soon after it began was closed for somebody else."""

SUSPICIOUS: Final = 3
"""So many short connections in a row are no accident."""

WINDOW: Final = 1800.0
"""Seconds after which a short connection is forgotten, longer than the longest pause."""

FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 600.0


class Rivals:
    """How the last connections to one radio ended, kept over attempts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._short: deque[float] = deque()

    def closed(self, *, after: float) -> float:
        """Note that the radio closed a connection ``after`` so many seconds; returns how long to leave it to the other.

        0: nothing speaks for another client.
        """
        now = self._clock()
        if after >= SHORT:
            self._short.clear()
            return 0.0
        while self._short and now - self._short[0] > WINDOW:
            self._short.popleft()
        self._short.append(now)
        times = len(self._short) - SUSPICIOUS
        return 0.0 if times < 0 else min(FIRST_PAUSE * 2**times, LONGEST_PAUSE)
