"""Spans of time that conditions look back on: the periods of the calendar, and the last so many seconds."""

from datetime import datetime
from typing import Final

from jitney.daemon.routes.timing import Unit

LASTS: Final[dict[Unit, float]] = {"minute": 120.0, "hour": 7200.0, "day": 2 * 86_400.0, "week": 8 * 86_400.0}
"""Seconds after which a period of the calendar is over for certain, whatever the clocks did."""


def period(unit: Unit, local: datetime) -> int:
    """Return a number that two moments share just when they are in the same minute, hour, day or week of their zone.

    Weeks begin on Monday. An hour that the clocks show twice is two hours.
    """
    if unit == "day":
        return local.toordinal()
    if unit == "week":
        return local.toordinal() - local.weekday()
    start = local.replace(second=0, microsecond=0)
    return int((start if unit == "minute" else start.replace(minute=0)).timestamp())


def recent(times: tuple[float, ...], *, now: float, within: float) -> tuple[float, ...]:
    """Return those of the ascending ``times`` that are at most ``within`` seconds ago, and ``now``."""
    first = next((place for place, time in enumerate(times) if now - time <= within), len(times))
    return (*times[first:], now)


def not_later(times: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Return ``times`` as they are after the clock was put back to ``now``: what seems to lie ahead was just now."""
    return tuple(min(time, now) for time in times)
