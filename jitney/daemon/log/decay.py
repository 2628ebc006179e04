"""A failure that goes on is told once."""

import re
import sys
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
        if self._is_news(event, reason):
            self._log.warning(event, reason=reason, **fields)
        else:
            self._log.debug(event, reason=reason, failures=self._failures, **fields)

    def crashed(self, event: str, **fields: object) -> None:
        """Write about the exception that is being handled: the first of its type as an error with its traceback."""
        kind = type(sys.exception()).__name__
        if self._is_news(event, kind):
            self._log.exception(event, **fields)
        else:
            self._log.debug(event, kind=kind, failures=self._failures, **fields)

    def recovered(self, event: str, **fields: object) -> None:
        """Write that it works, after how many seconds and failures."""
        if self._since is not None:
            fields |= {"after_seconds": round(self._clock() - self._since, 1), "failures": self._failures}
        self._since, self._failures = None, 0
        self._told.clear()
        self._log.info(event, **fields)

    def over(self, event: str, **fields: object) -> None:
        """Write the same if there was a failure since it worked last, else nothing."""
        if self._since is not None:
            self.recovered(event, **fields)

    def _is_news(self, event: str, reason: str) -> bool:
        """Count a failure; tells whether one like it was not told yet."""
        if self._since is None:
            self._since = self._clock()
        self._failures += 1
        kind = event, _NUMBER.sub("0", reason)
        if kind in self._told or len(self._told) >= MOST_REASONS:
            return False
        self._told.add(kind)
        return True
