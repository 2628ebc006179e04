"""How long to wait before an adapter is tried again, by the class of its error."""

import random
from collections import deque
from typing import Final

from jitney.adapters.base import Clock
from jitney.adapters.errors import DisconnectedError, UnauthorisedError
from jitney.daemon.config.schema import RetrySettings

STABLE: Final = 60.0
"""An adapter that was online so many seconds starts its delays anew."""

CRASHES: Final = 5
CRASH_WINDOW: Final = 600.0
"""So many crashes within so many seconds, and the adapter is not run again until the daemon is restarted."""


class Backoff:
    """Full jitter under a limit that doubles; rare attempts where a person must act."""

    def __init__(self, settings: RetrySettings, *, clock: Clock) -> None:
        self.attempts = 0
        self._settings = settings
        self._clock = clock
        self._limit = settings.first
        self._crashes: deque[float] = deque(maxlen=CRASHES)

    def succeeded(self, seconds: float) -> None:
        """Learn that an attempt was online for so long."""
        if seconds >= STABLE:
            self._limit = self._settings.first
            self.attempts = 0

    def delay(self, error: Exception) -> float:
        """Return the seconds to wait after an error."""
        self.attempts += 1
        if isinstance(error, UnauthorisedError):
            return self._settings.unauthorised
        limit, self._limit = self._limit, min(self._limit * 2, self._settings.longest)
        delay = random.uniform(limit / 4, limit)  # noqa: S311 - spreads attempts, guards nothing
        return max(min(delay, error.within), error.after) if isinstance(error, DisconnectedError) else delay

    def exhausted(self) -> bool:
        """Tell whether the configured number of attempts has been made."""
        return 0 < self._settings.attempts <= self.attempts

    def crashed(self) -> bool:
        """Learn of a crash; tells whether there were too many of them."""
        now = self._clock()
        self._crashes.append(now)
        return len(self._crashes) == CRASHES and now - self._crashes[0] < CRASH_WINDOW
