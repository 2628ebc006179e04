"""What is kept for a time only, cleared when its time is over."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import Store
from jitney.topics import rfc3339

EVERY: Final = 60.0
"""Seconds between two looks at what is retained; dead letters are looked at once in so many of them."""

RARELY: Final = 60

DEAD_DAYS: Final = 7
"""How long a dead letter is kept: no longer than what is retained of the strictest source."""

_DAY: Final = 86_400.0


class Retention:
    """Clears retained topics and dead letters whose time is over."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def run(self) -> None:
        """Look every minute; cancelled to stop it."""
        looks = 0
        while True:
            if looks % RARELY == 0:
                self.bury(time.time())
            self._ledger.expire()
            looks += 1
            await asyncio.sleep(EVERY)

    def bury(self, now: float) -> None:
        """Remove the dead letters that are too old at ``now``, in Unix seconds."""
        oldest = rfc3339(datetime.fromtimestamp(now - DEAD_DAYS * _DAY, UTC))
        self._store.write(rows.BURY_OLD, [(oldest,)])
