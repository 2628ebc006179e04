"""Stops asking an upstream that does not answer: one breaker for each owner and upstream, as one hinders no other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

from jitney.adapters.strava.errors import LimitedError, StravaError, UnavailableError

THRESHOLD: Final = 3
"""Failures one after the other that open a breaker."""

PAUSE: Final = 15.0
LONGEST: Final = 900.0
"""Seconds without an attempt: doubled with each failed trial."""


class Breaker:
    """Closed while all is well; open after some failures; half open when a single trial is due or under way.

    ``upstream`` is named in the error. The clock tells Unix seconds and may jump.
    """

    def __init__(
        self,
        upstream: str,
        *,
        threshold: int = THRESHOLD,
        pause: float = PAUSE,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._upstream = upstream
        self._threshold = threshold
        self._first = pause
        self._longest = longest
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """Whether calls are let through, none, or only one."""
        if self._failures < self._threshold:
            return "closed"
        remaining = self._remaining()  # asked in any case: it takes note of a clock that was put back
        return "half_open" if self._trying or remaining <= 0 else "open"

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let a call through and learn from how it ends; raises UnavailableError when none is let through.

        An answer that refuses is an answer. To be limited or cancelled says nothing of the upstream.
        """
        self.check()
        try:
            yield
        except (UnavailableError, OSError):
            self.failed()
            raise
        except LimitedError:
            self._trying, self._until = False, self._clock()
            raise
        except StravaError:
            self.succeeded()
            raise
        else:
            self.succeeded()

    def check(self) -> None:
        """Raise UnavailableError when no call is let through; else a trial has one pause to end."""
        if self._failures < self._threshold:
            return
        if (remaining := self._remaining()) > 0:
            at = datetime.fromtimestamp(self._clock() + remaining, UTC).strftime("%H:%M:%S UTC")
            raise UnavailableError(f"{self._upstream} failed {self._failures} times in a row: not asked before {at}")
        self._trying = True
        self._until = self._clock() + self._pause()

    def succeeded(self) -> None:
        """Note that the upstream answered."""
        self._failures = 0
        self._trying = False

    def failed(self) -> float:
        """Note that the upstream did not answer; return when to try again, in Unix seconds."""
        self._failures += 1
        self._trying = False
        self._until = self._clock() + self._pause()
        return self._until

    def _pause(self) -> float:
        doubled = min(max(0, self._failures - self._threshold), 30)
        return min(self._first * 2.0**doubled, self._longest)

    def _remaining(self) -> float:
        """Return the seconds until the next trial; a clock that was put back does not make them more."""
        now = self._clock()
        self._until = min(self._until, now + self._pause())
        return self._until - now
