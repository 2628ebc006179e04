"""What each owner uses of what there is, and an alert to whoever has used up a quota."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.doorkeeper import Doorkeeper, Standing
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.owners.limits import Limits

EVERY: Final = 10.0
"""Seconds between two looks at what was refused."""

CALM: Final = 600.0
"""An alert is taken back when nothing was refused for so many seconds."""

_QUOTAS: Final = {"over_quota": "events", "too_many_states": "states", "outbox_full": "outbox", "files_full": "files"}
"""The reasons for which something is given up or refused, and what it is too much of."""

_KEYS: Final = {
    "events": "events of adapters come than events_per_second in [limits] allows: what is over it is dropped",
    "states": "retained messages are there than states in [limits] allows: new ones are dropped",
    "outbox": "waits for the broker than there is room for: new events are refused or the oldest dropped; is the "
    "broker running? Else raise disk_mb in [outbox] or outbox_mb in [limits]",
    "files": "files are downloaded than files_mb in [limits] allows: the oldest give way",
}


class Usage:
    """Looks at the parts when asked, and by itself for alerts: ``notice`` is told (owner, quota, message)."""

    def __init__(
        self,
        limits: Limits,
        doorkeeper: Doorkeeper,
        *,
        ledger: Ledger,
        outbox: Outbox,
        counters: Counters,
        notice: Callable[[str, str, str], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._limits = limits
        self._doorkeeper = doorkeeper
        self._ledger = ledger
        self._outbox = outbox
        self._counters = counters
        self._notice = notice
        self._clock = clock
        self._known: Counter[tuple[str, str]] = Counter()
        self._over: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Look again and again; cancelled to stop it."""
        while True:
            self.look()
            await asyncio.sleep(EVERY)

    def look(self) -> None:
        """Alert whoever has used up a quota since the last look, and take back what is over."""
        now, refused = self._clock(), self._refused()
        for (owner, quota), number in refused.items():
            if number > self._known[owner, quota]:
                self._over[owner, quota] = now
                self._notice(owner, quota, f"more {_KEYS[quota]}")
        self._known = refused
        for (owner, quota), since in list(self._over.items()):
            if now - since >= CALM:
                del self._over[owner, quota]
                self._notice(owner, quota, "")

    @property
    def limited(self) -> int:
        """How many doors are closed and quotas used up."""
        return self._doorkeeper.closed + len(self._over)

    def standings(self) -> Mapping[str, Mapping[str, Standing]]:
        """Return how much of each limit is used, by owner and by what is limited."""
        refused = self._refused()
        found: dict[str, dict[str, Standing]] = {}
        for owner, doors in self._doorkeeper.standings().items():
            settings = self._limits.of(owner)
            found[owner] = {
                **doors,
                "events": Standing(
                    limit=settings.events_per_second,
                    burst=settings.event_burst,
                    used=ceil(self._limits.used(owner)),
                    refused=refused[owner, "events"],
                ),
                "states": Standing(
                    limit=settings.states, used=self._ledger.number(owner), refused=refused[owner, "states"]
                ),
                "outbox": Standing(
                    limit=settings.outbox_mb * 1_000_000,
                    used=sum(quota.share(owner).disk for quota in self._outbox.quotas),
                    refused=refused[owner, "outbox"],
                ),
            }
        return found

    def _refused(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for name, owner, _, reason, value in self._counters.items():
            quota = _QUOTAS.get(name if name == "files_full" else reason)
            if quota is not None and name in {"dropped", "refused", "files_full"}:
                found[owner, quota] += value
        return found
