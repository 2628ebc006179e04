"""What is kept for a time only, cleared when its time is over."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.log import get
from jitney.daemon.pulse import Pulse
from jitney.daemon.store import outbox as rows
from jitney.daemon.store import space
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import rfc3339

EVERY: Final = 60.0
"""Seconds between two looks at what is retained; dead letters are looked at once in so many of them."""

RARELY: Final = 60

DEAD_DAYS: Final = 7
"""How long a dead letter is kept: no longer than what is retained of the strictest source."""

_DAY: Final = 86_400.0

_log = get("retention")


class Retention:
    """Clears retained topics and dead letters whose time is over, and what they took on disk."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self.pulse = Pulse("retention", waiting=lambda: True, patience=3 * EVERY)
        self._ledger = ledger
        self._store = store

    async def run(self) -> None:
        """Look every minute; cancelled to stop it."""
        looks = 0
        while True:
            with self.pulse:
                self._ledger.expire()
                if looks % RARELY == 0:
                    self.bury(time.time())
                    await self.tidy()
            looks += 1
            await asyncio.sleep(EVERY)

    def bury(self, now: float) -> None:
        """Remove the dead letters that are too old at ``now``, in Unix seconds."""
        oldest = rfc3339(datetime.fromtimestamp(now - DEAD_DAYS * _DAY, UTC))
        self._store.write(rows.BURY_OLD, [(oldest,)])
        self._store.write(rows.BURY_LARGE, [(rows.MOST_DEAD_BYTES,)])

    async def tidy(self) -> None:
        """Give back room on disk that is not used any more, and sweep what was erased where that was put off."""
        try:
            while await self._store.read(space.give_back):
                pass
            await self._store.committed()
            if await self._store.read(space.is_due):
                await self._store.read(space.sweep)
        except StoreError as error:
            _log.debug("the state file could not be tidied", reason=str(error))
