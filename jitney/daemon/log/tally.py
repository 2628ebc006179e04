"""What happens too often is told once, and then counted."""

import asyncio
import time
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.log.logger import Logger

INTERVAL: Final = 60.0
"""Seconds between two lines about the same kind."""

MOST_KINDS: Final = 256
"""Kinds that are told apart; what is beyond counts as one kind."""


class Tally:
    """Writes the first of each kind as a warning, then once per interval how many more there were.

    A kind that did not come for a whole interval is new again. The summary of an interval comes with the next
    thing that is added or, in a running event loop, by itself.
    """

    def __init__(self, log: Logger, *, clock: Clock = time.monotonic, interval: float = INTERVAL) -> None:
        self._log = log
        self._clock = clock
        self._interval = interval
        self._kinds: dict[str, _Kind] = {}
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, event: str, *, key: str, **fields: object) -> None:
        """Write or count one thing of the kind ``key``."""
        if self._kinds and self._clock() >= self._due:
            self.summarise()
        kind = self._kinds.get(key)
        if kind is None and len(self._kinds) >= MOST_KINDS:
            kind = self._kinds.get("")
            key = ""
        if kind is not None:
            kind.event, kind.fields = event, fields
            kind.more += 1
            return
        if not self._kinds:
            self._begin()
        self._kinds[key] = _Kind(event, fields)
        self._log.warning(event, **fields)

    def summarise(self) -> None:
        """Write now how many more there were of each kind, each with the fields of its last one."""
        self._begin()
        for key, kind in list(self._kinds.items()):
            if kind.more:
                self._log.warning(kind.event, **kind.fields, more_like_this=kind.more)
                kind.more = 0
            else:
                del self._kinds[key]
        if not self._kinds:
            self.close()

    def close(self) -> None:
        """Stop the timer of the next summary."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self.close()
        self._due = self._clock() + self._interval
        try:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self.summarise)
        except RuntimeError:  # no loop is running: the next thing added looks at the clock
            self._timer = None


class _Kind:
    __slots__ = ("event", "fields", "more")

    def __init__(self, event: str, fields: dict[str, object]) -> None:
        self.event = event
        self.fields = fields
        self.more = 0
