"""Whether all is well, and what is not, in words that name nobody."""

import time
from typing import TYPE_CHECKING, Final

from jitney.adapters.base import Clock
from jitney.daemon.web.parts import Parts
from jitney.daemon.web.reports import Plain, Word
from jitney.topics import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GRACE: Final = 120.0
"""Seconds for which the broker or the disk may be away until that is more than a blip."""

_RUNNING: Final = frozenset({"online", "degraded"})


class Verdict:
    """Looks at the parts when asked. ``stuck`` returns the loops that do not turn any more, in words.

    An adapter that is not online, and whatever has just begun, makes the status ``degraded``. What ``failing`` tells is
    graver: without a broker or a disk for longer than ``GRACE`` seconds the bus does not do what it is for.
    """

    def __init__(self, parts: Parts, *, clock: Clock = time.monotonic) -> None:
        self.stuck: Callable[[], Sequence[str]] = tuple
        self._parts = parts
        self._clock = clock
        self._status: Word = "ok"
        self._since = utc_now()
        self._away: float | None = None

    def plain(self) -> Plain:
        """Return what anybody may know."""
        parts = self._parts
        broker, failure = parts.connection.health.state, parts.store.failure
        online = sum(runner.board.status.state in _RUNNING for runner in parts.runners.values())
        stuck = len(self.stuck())
        words = [
            *([f"the broker is {broker}"] if broker != "online" else ()),
            *(["the state cannot be written"] if failure else ()),
            *([f"{len(parts.runners) - online} of {len(parts.runners)} adapters not online"]
              if online < len(parts.runners) else ()),
            *([f"{stuck} parts are stuck"] if stuck else ()),
        ]  # fmt: skip
        self._mark("degraded" if words else "ok", away=broker != "online" or bool(failure))
        return Plain(
            status=self._status,
            since=self._since,
            text="; ".join(words) or "all is well",
            broker=broker,
            store="degraded" if failure else "ok",
            adapters_online=online,
            adapters=len(parts.runners),
            waiting=sum(parts.outbox.waiting()),
            actions=sum(parts.actions().values()),
            limited=parts.usage.limited,
        )

    def failing(self) -> bool:
        """Tell whether the bus has not done what it is for, for longer than a blip."""
        self.plain()
        return bool(self.stuck()) or (self._away is not None and self._clock() - self._away > GRACE)

    def _mark(self, status: Word, *, away: bool) -> None:
        if status != self._status:
            self._status, self._since = status, utc_now()
        if not away:
            self._away = None
        elif self._away is None:
            self._away = self._clock()
