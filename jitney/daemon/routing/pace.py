"""The pace of an owner's actions: a few at once, then a few more, so that what others want comes in between."""

from typing import Final

AT_ONCE: Final = 5
"""Actions that begin together: so they share a commit."""

EVERY: Final = 0.02
"""Seconds until as many more begin: an owner with a thousand actions is done in four seconds."""


class Pace:
    """When actions may begin. ``now`` is in seconds and only goes forward."""

    __slots__ = ("_begins", "_left")

    def __init__(self) -> None:
        self._begins = 0.0
        self._left = 0

    def wait(self, now: float) -> float:
        """Return how long an action has to wait until it may begin, which it then does; those after it wait longer."""
        if now >= self._begins + EVERY:
            self._begins, self._left = now, AT_ONCE
        elif not self._left:
            self._begins, self._left = self._begins + EVERY, AT_ONCE
        self._left -= 1
        return max(0.0, self._begins - now)
