"""The bounded queue between the threads of the library and the loop."""

import asyncio
from collections import deque
from contextlib import suppress
from threading import Lock

from jitney.adapters.meshtastic.heard import Heard


class Inbox:
    """At most ``most`` things that were heard; the oldest go first and are counted in ``dropped``.

    ``put`` and ``end`` may be called in any thread, everything else only in the loop that made it.
    """

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self.dropped = 0
        self._loop = loop
        self._items: deque[Heard] = deque()
        self._most = most
        self._lock = Lock()
        self._awake = False
        self._wake = asyncio.Event()
        self._ended = False

    def put(self, item: Heard) -> None:
        """Add what was heard; the loop is told once, however much arrives before it looks."""
        with self._lock:
            if len(self._items) >= self._most:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
        self._tell()

    def end(self) -> None:
        """Say that nothing more will come."""
        with self._lock:
            self._ended = True
        self._tell()

    async def take(self) -> list[Heard]:
        """Return everything that waits, in order; nothing when nothing more will come."""
        while True:
            self._wake.clear()
            with self._lock:
                self._awake = False
                items, self._items = self._items, deque()
            if items or self._ended:
                return list(items)
            await self._wake.wait()

    def _tell(self) -> None:
        with self._lock:
            told, self._awake = self._awake, True
        if not told:
            with suppress(RuntimeError):  # the loop is closed: nobody takes it any more
                self._loop.call_soon_threadsafe(self._wake.set)
