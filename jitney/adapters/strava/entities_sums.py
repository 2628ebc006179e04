"""What Home Assistant is shown of sums: those of this week, and Strava's own statistics."""

from collections.abc import Iterable, Iterator
from typing import Final

from jitney.adapters.entities import AnyEntity, At, Sensor, StateClass
from jitney.adapters.strava.entities_activity import ICONS
from jitney.adapters.strava.quantities import DISTANCE, DISTANCES, HEIGHT, NUMBER, TIMES, sensor
from jitney.adapters.strava.sports import Sport
from jitney.adapters.strava.weeks import ALWAYS

_PERIODS: Final[tuple[tuple[str, str, StateClass], ...]] = (
    ("recent", "in four weeks", "measurement"),
    ("year", "this year", "measurement"),
    ("all", "of all time", "total"),
)
"""Only what never begins anew is a total: an activity can be deleted, so that a smaller sum is no new beginning."""

_FAR: Final = frozenset[Sport]({"ride", "run", "swim", "walk", "snow", "skate", "water"})
_UP: Final = frozenset[Sport]({"ride", "run", "walk", "snow"})


def of_week(groups: Iterable[Sport]) -> Iterator[AnyEntity]:
    """Yield this week's sums, of all sports and of each of these ``groups``."""
    yield from _sums("week", None, At("week", "total"), words="this week")
    for group in groups:
        yield from _sums(f"week_{group}", group, At("week", f"sports.{group}"), words="this week")


def of_statistics() -> Iterator[AnyEntity]:
    """Yield Strava's own statistics with its two records."""
    for period, words, state_class in _PERIODS:
        for group in ALWAYS:
            totals = At("stats", f"{period}.{group}")
            key = f"{period}_{group}"
            yield from _sums(key, group, totals, words=words, state_class=state_class, brief=period != "year")
    ride, climb = "biggest_ride_distance", "biggest_climb_elevation_gain"
    yield sensor(DISTANCE, ride, "Longest ride", At("stats", ride), icon=ICONS["ride"])
    yield sensor(HEIGHT, climb, "Biggest climb", At("stats", climb))


def _sums(
    key: str,
    group: Sport | None,
    totals: At,
    *,
    words: str,
    state_class: StateClass = "measurement",
    brief: bool = False,
) -> Iterator[Sensor]:
    """Yield the sums at ``totals``, of a group of sports or, None, of all; ``brief``: fewer of them are enabled."""
    far, up = group is None or group in _FAR, group is None or group in _UP
    icon = ICONS[group] if group else ""
    for quantity, field, what, enabled in (
        (DISTANCES, "distance", "distance", far),
        (TIMES, "moving_time", "moving time", not brief),
        (NUMBER, "count", "activities", True),
        (HEIGHT, "elevation_gain", "elevation gain", up and not brief),
    ):
        if quantity is HEIGHT and group == "swim":
            continue
        yield sensor(
            quantity,
            f"{key}_{field}",
            f"{group or ''} {what} {words}".strip().capitalize(),
            At(totals.subject, f"{totals.path}.{field}"),
            state_class=state_class,
            icon=icon if quantity is NUMBER else "",
            enabled=enabled,
        )
