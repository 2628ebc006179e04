"""The pace of an owner's actions: a few at once, then one after the other, so that those of others come in between."""

import asyncio
from typing import Final

AT_ONCE: Final = 10
"""Actions that begin without a pause after a rest."""

EVERY: Final = 0.004
"""Seconds between two beginnings from then on: an owner with a thousand actions is done in four seconds."""


class Pace:
    """When the next action may begin."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until an action may begin, in the order in which it is asked."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - AT_ONCE * EVERY) + EVERY
        if self._next > now:
            await asyncio.sleep(self._next - now)
