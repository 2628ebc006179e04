"""The sums of a week, of every sport: Strava itself has none."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from jitney.adapters.strava.clean import shifted
from jitney.adapters.strava.kinds import ActivityData, Totals, WeekState
from jitney.adapters.strava.sports import Sport

ALWAYS: tuple[Sport, ...] = ("ride", "run", "swim")
"""The groups that a week has also when there was none."""


def week(activities: Iterable[ActivityData], *, today: date) -> WeekState:
    """Return the sums of the week, Monday to Sunday, that ``today`` is in, by the local start of each activity."""
    monday = today - timedelta(days=today.weekday())
    first, last = monday.isoformat(), (monday + timedelta(days=6)).isoformat()
    found = [one for one in activities if one.start_local and first <= one.start_local[:10] <= last]
    groups = dict.fromkeys((*ALWAYS, *sorted({one.sport for one in found})))
    return WeekState(
        first=first,
        last=last,
        total=_sum(found),
        sports={sport: _sum(one for one in found if one.sport == sport) for sport in groups},
    )


def today(activities: Iterable[ActivityData], *, now: float) -> date:
    """Return the date at Unix time ``now`` where the athlete was active last; in UTC when nobody knows where."""
    moment = datetime.fromtimestamp(now, UTC)
    newest = max((one for one in activities if one.start), key=lambda one: one.start or "", default=None)
    if newest is None:
        return moment.date()
    if newest.timezone:
        try:
            return moment.astimezone(ZoneInfo(newest.timezone)).date()
        except (LookupError, ValueError, OSError):
            pass
    return (shifted(moment, newest.utc_offset) or moment).date()


def _sum(activities: Iterable[ActivityData]) -> Totals:
    found = list(activities)
    return Totals(
        count=len(found),
        distance=round(sum(one.distance or 0.0 for one in found), 1),
        moving_time=sum(one.moving_time or 0 for one in found),
        elapsed_time=sum(one.elapsed_time or 0 for one in found),
        elevation_gain=round(sum(one.elevation_gain or 0.0 for one in found), 1),
    )
