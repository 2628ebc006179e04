"""Tells owners how far their packets have come, and keeps it: in order, without holding up the sending."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NoReturn

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.book import Book
from jitney.adapters.meshtastic.kinds_sending import Progress
from jitney.adapters.meshtastic.outgoing import Outgoing, sending
from jitney.adapters.meshtastic.timing import Timing

MOST: Final = 1000
"""News that wait for the bus; with so many of them nothing more is sent."""

_WAY: Final[dict[Progress, int]] = {"queued": 0, "sent": 1, "relayed": 2, "delivered": 3}


class News:
    """The changes that are not yet told."""

    def __init__(self, ctx: Context, book: Book, timing: Timing) -> None:
        self._ctx = ctx
        self._book = book
        self._timing = timing
        self._untold: deque[Outgoing] = deque()
        self._ready = asyncio.Event()
        self._watchers: set[asyncio.Event] = set()

    @property
    def is_full(self) -> bool:
        """Whether the bus takes no more news, so that nothing should happen that makes some."""
        return len(self._untold) >= MOST

    def put(self, item: Outgoing) -> None:
        """Learn of a packet in its new state."""
        self._book.put(item, self._timing.unix())
        if item.persistent:
            self._untold.append(item)
            self._ready.set()
        self.wake()

    async def run(self) -> NoReturn:
        """Tell and keep whatever is put; cancelled to stop it."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            await self.flush()

    async def flush(self) -> None:
        """Tell and keep everything that was put; what is begun and cancelled is told again, the same event."""
        while self._untold:
            batch = list(self._untold)
            await self.tell(batch)
            try:
                await self._book.write({item.id: item for item in batch if item in self._book}.values())
            except RefusedError:
                self._ctx.count("outgoing_not_kept", len(batch))
            for _ in batch:
                self._untold.popleft()

    async def tell(self, items: Iterable[Outgoing]) -> None:
        """Give the events of packets to the bus; those of an owner whose events it cannot keep are counted."""
        by_owner: dict[str, list[Outgoing]] = {}
        for item in items:
            if item.persistent:
                by_owner.setdefault(item.owner, []).append(item)
        for own in by_owner.values():
            try:
                await self._ctx.emit(*(sending(item, adapter=self._ctx.name) for item in own))
            except RefusedError:
                self._ctx.count("sending_not_told", len(own))

    async def reach(
        self, items: Sequence[Outgoing], wanted: Progress, *, seconds: float, going: Callable[[], bool]
    ) -> tuple[Outgoing, ...]:
        """Wait until all of some packets have come as far as ``wanted`` or have ended; return their newest states.

        At most so many seconds, and only while ``going`` says that anything can still happen.
        """
        end = self._timing.now() + seconds
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            while True:
                watcher.clear()
                newest = tuple(self._book.newest(item) for item in items)
                left = end - self._timing.now()
                if left <= 0 or not going() or all(_has_come(item, wanted) for item in newest):
                    return newest
                await self._timing.wait(watcher, left)
        finally:
            self._watchers.discard(watcher)

    def wake(self) -> None:
        """Let those who wait look again."""
        for watcher in self._watchers:
            watcher.set()


def _has_come(item: Outgoing, wanted: Progress) -> bool:
    return item.is_final or _WAY[item.state] >= _WAY[wanted]
