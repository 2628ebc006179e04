"""The rate limits of one app: two windows, each with a limit for everything and one for reading."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SHORT_SECONDS: Final = 900
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Limits:
    """Calls that an app may make: in a quarter of an hour and in a day, of every kind and those that read."""

    short: int = 200
    day: int = 2000
    read_short: int = 100
    read_day: int = 1000


@dataclass
class _Window:
    seconds: int
    start: float = 0.0
    used: int = 0
    read: int = 0

    def roll(self, now: float) -> None:
        start = now - now % self.seconds
        if start != self.start:
            self.start, self.used, self.read = start, 0, 0


@dataclass
class Quota:
    """What an app has used; windows begin at :00, :15, :30 and :45, and at 00:00 UTC."""

    clock: Callable[[], float]
    limits: Limits = field(default_factory=Limits)
    _short: _Window = field(default_factory=lambda: _Window(SHORT_SECONDS))
    _day: _Window = field(default_factory=lambda: _Window(DAY_SECONDS))

    def use(self, calls: int = 1, *, read: bool = True) -> None:
        """Count calls, refused ones too; ``read`` False for those that upload, which only the overall limits count."""
        for window in self._rolled():
            window.used += calls
            window.read += calls if read else 0

    @property
    def exceeded(self) -> str:
        """The name of the limit that the calls so far have exceeded, empty when none."""
        short, day = self._rolled()
        if short.read > self.limits.read_short or day.read > self.limits.read_day:
            return "read rate limit"
        if short.used > self.limits.short or day.used > self.limits.day:
            return "overall rate limit"
        return ""

    @property
    def resets_at(self) -> float:
        """When calls are answered again: the next quarter, or the next day when the day's are used up."""
        short, day = self._rolled()
        exhausted = day.read >= self.limits.read_day or day.used >= self.limits.day
        window = day if exhausted else short
        return window.start + window.seconds

    @property
    def usage(self) -> tuple[int, int, int, int]:
        """Calls counted: of the quarter and the day, then those of them that read."""
        short, day = self._rolled()
        return short.used, day.used, short.read, day.read

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client about it."""
        short, day, read_short, read_day = self.usage
        return {
            "X-RateLimit-Limit": f"{self.limits.short},{self.limits.day}",
            "X-RateLimit-Usage": f"{short},{day}",
            "X-ReadRateLimit-Limit": f"{self.limits.read_short},{self.limits.read_day}",
            "X-ReadRateLimit-Usage": f"{read_short},{read_day}",
        }

    def _rolled(self) -> tuple[_Window, _Window]:
        now = self.clock()
        self._short.roll(now)
        self._day.roll(now)
        return self._short, self._day
