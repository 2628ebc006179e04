"""A failure that goes on is told once."""

import re
import time
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.log.logger import Logger

MOST_REASONS: Final = 8
"""Different reasons told aloud within one outage."""

_NUMBER: Final = re.compile(r"\d+")


class Decay:
    """Writes the first failure as a warning, the same one again only for debugging, and the recovery with its time.

    A failure is another one when its event or its reason says something else, numbers aside.
    """

    def __init__(self, log: Logger, *, clock: Clock = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._since: float | None = None
        self._failures = 0
        self._told: set[tuple[str, str]] = set()

    def failed(self, event: str, *, reason: str, **fields: object) -> None:
        """Write that it does not work."""
        if self._since is None:
            self._since = self._clock()
        self._failures += 1
        kind = event, _NUMBER.sub("0", reason)
        if kind in self._told or len(self._told) >= MOST_REASONS:
            self._log.debug(event, reason=reason, failures=self._failures, **fields)
        else:
            self._told.add(kind)
            self._log.warning(event, reason=reason, **fields)

    def recovered(self, event: str, **fields: object) -> None:
        """Write that it works, after how many seconds and failures."""
        if self._since is not None:
            fields |= {"after_seconds": round(self._clock() - self._since, 1), "failures": self._failures}
        self._since, self._failures = None, 0
        self._told.clear()
        self._log.info(event, **fields)
