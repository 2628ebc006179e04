"""The pace of an owner's actions: a few at once, then one after the other, so that those of others come in between."""

from typing import Final

AT_ONCE: Final = 10
"""Actions that begin without a pause after a rest."""

EVERY: Final = 0.004
"""Seconds between two beginnings from then on: an owner with a thousand actions is done in four seconds."""


class Pace:
    """When actions may begin. ``now`` is in seconds and only goes forward."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return how long an action has to wait until it may begin, which it then does; those after it wait longer."""
        self._next = max(self._next + EVERY, now - (AT_ONCE - 1) * EVERY)
        return max(0.0, self._next - now)
