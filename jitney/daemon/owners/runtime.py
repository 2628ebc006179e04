"""What is built for an owner when it is needed first and can be built again: never shared, dropped when it is idle."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from jitney.adapters.base import Clock

IDLE: Final = 1800.0
"""Seconds without use after which all that was built for an owner is closed."""

SWEEP: Final = 60.0
"""Seconds between two looks at who is idle."""


class Part(Protocol):
    """Something that is built for one owner; nothing is lost when it is closed and built anew."""

    async def close(self) -> None:
        """Let go of what is open; what is under way may be cut off."""


P = TypeVar("P", bound=Part)


class Runtime:
    """What was built for one owner, by type."""

    def __init__(self) -> None:
        self.parts: dict[type[Part], Part] = {}
        self.used = 0.0


class Runtimes:
    """The runtimes of all owners. ``clock`` gives seconds that only go forward; a part is used for minutes at most."""

    def __init__(self, *, idle: float = IDLE, clock: Clock = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._of: dict[str, Runtime] = {}

    @property
    def owners(self) -> frozenset[str]:
        """For whom something is built just now."""
        return frozenset(self._of)

    def part(self, owner: str, kind: type[P], build: Callable[[], P]) -> P:
        """Return an owner's part of a type, which is built where there is none."""
        runtime = self._of.get(owner)
        if runtime is None:
            runtime = self._of[owner] = Runtime()
        runtime.used = self._clock()
        found = runtime.parts.get(kind)
        if not isinstance(found, kind):
            found = runtime.parts[kind] = build()
        return found

    async def run(self) -> None:
        """Look from time to time who is idle; cancelled to stop it, which closes everything."""
        try:
            while True:
                await asyncio.sleep(SWEEP)
                await self.sweep()
        finally:
            await self.close()

    async def sweep(self) -> None:
        """Close what was built for whoever is idle."""
        now = self._clock()
        for owner in [owner for owner, one in self._of.items() if now - one.used >= self._idle]:
            await self.drop(owner)

    async def drop(self, owner: str) -> None:
        """Close what was built for an owner, if anything was."""
        runtime = self._of.pop(owner, None)
        for part in runtime.parts.values() if runtime is not None else ():
            await part.close()

    async def close(self) -> None:
        """Close what was built for anybody."""
        for owner in list(self._of):
            await self.drop(owner)
