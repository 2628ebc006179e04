"""A schedule: the instants at which a route fires by itself."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import inf
from typing import Final, Self

from msgspec import Struct

from jitney.daemon.routes.timing import DAYS
from jitney.daemon.routing.quiet import minute

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_WEEK_AND_MORE: Final = 9
"""Days to look at before it is sure that every weekday was among them, the days that the clocks cut short too."""


class Schedule(Struct, frozen=True):
    """Minutes ``at`` of the day, and every so many seconds, each on ``days`` (0 is Monday) of the house's calendar.

    A time of day that the clocks leap over fires at the next minute that there is; one that they show twice fires at
    the first. ``every`` counts from the Unix epoch, so that a restart changes nothing; 0 is never. With ``catch_up``
    what was missed while the bus was down fires once, late.
    """

    at: tuple[int, ...] = ()
    every: float = 0.0
    days: tuple[int, ...] = tuple(range(7))
    catch_up: bool = False

    @classmethod
    def parse(
        cls, *, at: Sequence[str] = (), every: float = 0.0, days: Sequence[str] = (), catch_up: bool = False
    ) -> Self:
        """Return the schedule of times like ``07:30`` and days like ``mon``, none meaning all."""
        return cls(
            at=tuple(sorted({minute(time) for time in at})),
            every=every,
            days=tuple(sorted({DAYS.index(day) for day in days or DAYS})),
            catch_up=catch_up,
        )

    def next(self, after: float, zone: tzinfo) -> float:
        """Return the first instant later than ``after``, both in Unix seconds; infinity when there is none."""
        today = datetime.fromtimestamp(after, zone).date()
        times = (self._times(today + _DAY * offset, zone) for offset in range(_WEEK_AND_MORE))
        at = next((instant for day in times for instant in day if instant > after), inf)
        return min(at, self._every_after(after, zone))

    def last(self, until: float, zone: tzinfo) -> float:
        """Return the latest instant that is not later than ``until``; minus infinity when there is none."""
        today = datetime.fromtimestamp(until, zone).date()
        times = (self._times(today - _DAY * offset, zone) for offset in range(_WEEK_AND_MORE))
        at = next((instant for day in times for instant in reversed(day) if instant <= until), -inf)
        return max(at, self._every_until(until, zone))

    def _times(self, day: date, zone: tzinfo) -> list[float]:
        """Return the instants of the times of a day, ascending."""
        if day.weekday() not in self.days:
            return []
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock has no zone
        return [_instant(midnight + _MINUTE * minutes, zone) for minutes in self.at]

    def _every_after(self, after: float, zone: tzinfo) -> float:
        if not self.every:
            return inf
        number = after // self.every + 1
        if number * self.every <= after:  # rounded down to it
            number += 1
        for _ in range(_WEEK_AND_MORE):
            local = datetime.fromtimestamp(number * self.every, zone)
            if local.weekday() in self.days:
                return number * self.every
            tomorrow = _midnight(local.date() + _DAY, zone)
            number = max(number + 1, -(-tomorrow // self.every))
        return inf

    def _every_until(self, until: float, zone: tzinfo) -> float:
        if not self.every:
            return -inf
        number = until // self.every
        for _ in range(_WEEK_AND_MORE):
            local = datetime.fromtimestamp(number * self.every, zone)
            if local.weekday() in self.days:
                return number * self.every
            today = _midnight(local.date(), zone)
            number = min(number - 1, -(-today // self.every) - 1)
        return -inf


def _midnight(day: date, zone: tzinfo) -> float:
    return _instant(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 - a wall clock has no zone


def _instant(wall: datetime, zone: tzinfo) -> float:
    """Return when a wall clock first shows this minute, or else the next one that it does show."""
    while True:
        utc = wall.replace(tzinfo=zone).astimezone(UTC)
        if utc.astimezone(zone).replace(tzinfo=None) == wall:
            return utc.timestamp()
        wall += _MINUTE
