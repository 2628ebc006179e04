"""The dead letters of actions: what could not be done is kept for a person to look at."""

from collections import Counter
from typing import Final

from jitney.daemon.counters import Counters
from jitney.daemon.routing.failures import Failure
from jitney.daemon.store import actions as rows
from jitney.daemon.store import dead
from jitney.daemon.store.actions import Write
from jitney.daemon.store.store import Store
from jitney.topics import utc_now
from jitney.topics.messages import ROUTE

BURY_EVERY: Final = 100
"""So many letters of an owner later the oldest beyond ``dead.MOST_ACTIONS`` are removed."""


class Letters:
    """Writes dead letters, so that each owner has a limited number of them."""

    def __init__(self, store: Store, counters: Counters) -> None:
        self._store = store
        self._counters = counters
        self._written: Counter[str] = Counter()

    def bury(self, action: str, owner: str, body: bytes, *, failure: Failure) -> None:
        """Make a dead letter of an action that is on disk."""
        self._counters.add("dead", owner=owner, adapter=ROUTE, reason=failure.code)
        for sql, values in self.writes(owner, body, failure.reason):
            self._store.write(sql, values)
        self._store.write(rows.DELETE, [(action,)])

    def writes(self, owner: str, body: bytes, reason: str) -> list[Write]:
        """Return what has to be written for a letter."""
        writes: list[Write] = [(dead.PUT_ACTION, [(owner, ROUTE, body, reason, utc_now())])]
        self._written[owner] += 1
        if self._written[owner] >= BURY_EVERY:
            del self._written[owner]
            writes.append((dead.BURY_ACTIONS, [(owner, dead.MOST_ACTIONS)]))
        return writes
