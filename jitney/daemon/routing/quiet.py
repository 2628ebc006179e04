"""Quiet hours: a daily span of the house's wall clock in which a route does nothing."""

from datetime import datetime
from typing import Self

from msgspec import Struct


def minute(text: str) -> int:
    """Return the minute of the day that ``07:30`` names; ``24:00`` is the 1440th."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


class Quiet(Struct, frozen=True):
    """From minute ``start`` of the day to just before minute ``end``, over midnight when that is earlier.

    It is what the wall clock shows that counts: where the clock repeats an hour, it is quiet in both or in neither.
    """

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the span that ``22:00-07:00`` names."""
        start, _, end = text.partition("-")
        return cls(minute(start), minute(end))

    def covers(self, local: datetime) -> bool:
        """Whether a moment of the house's wall clock is within."""
        now = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{_text(self.start)}-{_text(self.end)}"


def _text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
