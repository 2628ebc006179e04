"""The week: Monday to Sunday where the athlete is, of every sport."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava import normalise, sports
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import ActivityData, Totals
from jitney.adapters.strava.models import Activity
from jitney.adapters.strava.weeks import today, week
from tests.adapters.strava.oddities import any_of

SATURDAY = date(2026, 11, 21)


def done(local: str, sport_type: str = "Ride", **fields: Any) -> ActivityData:  # noqa: ANN401 - any field
    sums: dict[str, Any] = {"distance": 1000.5, "moving_time": 60, "elapsed_time": 70, "elevation_gain": 10.2, **fields}
    return ActivityData(id=1, sport_type=sport_type, sport=sports.group(sport_type), start_local=local, url="", **sums)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_week_lasts_from_monday_to_sunday() -> None:
    found = week(
        [
            done("2026-11-15T23:59:59"),
            done("2026-11-16T00:00:00"),
            done("2026-11-22T23:59:59"),
            done("2026-11-23T00:00:00"),
        ],
        today=SATURDAY,
    )
    assert (found.first, found.last) == ("2026-11-16", "2026-11-22")
    assert found.total == Totals(count=2, distance=2001.0, moving_time=120, elapsed_time=140, elevation_gain=20.4)


def test_every_sport_has_its_sums_and_the_usual_ones_also_when_there_was_none() -> None:
    found = week(
        [
            done("2026-11-16T08:00:00", "GravelRide"),
            done("2026-11-17T08:00:00", "MountainBikeRide"),
            done("2026-11-18T08:00:00", "NordicSki"),
            done("2026-11-19T08:00:00", "UnderwaterChess", distance=None, moving_time=None, elevation_gain=None),
        ],
        today=SATURDAY,
    )
    assert {sport: totals.count for sport, totals in found.sports.items()} == {
        "ride": 2,
        "run": 0,
        "swim": 0,
        "other": 1,
        "snow": 1,
    }
    assert found.sports["other"] == Totals(count=1, elapsed_time=70)
    assert found.total.count == 4


@pytest.mark.parametrize("day", ["2026-11-16", "2026-11-22"])
def test_monday_and_sunday_are_in_the_same_week(day: str) -> None:
    assert week([], today=date.fromisoformat(day)).first == "2026-11-16"


def test_what_began_nobody_knows_when_is_in_no_week() -> None:
    unknown = ActivityData(id=1, sport_type="Ride", sport="ride", url="")
    assert week([unknown], today=SATURDAY).total == Totals()


@given(st.lists(any_of(Activity), max_size=3), st.dates(date(2, 1, 1), date(9998, 1, 1)))
def test_the_sports_make_up_the_total(models: list[Activity], day: date) -> None:
    found = week([normalise.activity(model, privacy=Privacy()) for model in models], today=day)
    for field in ("count", "moving_time", "elapsed_time"):
        assert sum(getattr(totals, field) for totals in found.sports.values()) == getattr(found.total, field)
    assert sum(totals.distance for totals in found.sports.values()) == pytest.approx(found.total.distance, abs=1)


def at(start: str, **fields: Any) -> ActivityData:  # noqa: ANN401 - any field
    return ActivityData(id=1, sport_type="Run", sport="run", url="", start=start, **fields)


@pytest.mark.parametrize(
    ("fields", "day"),
    [
        ({"timezone": "Pacific/Auckland"}, "2026-11-23"),
        ({"timezone": "America/Los_Angeles", "utc_offset": 46_800}, "2026-11-22"),
        ({"timezone": "Nowhere/Land", "utc_offset": 46_800}, "2026-11-23"),
        ({"timezone": "../../etc/passwd", "utc_offset": 46_800}, "2026-11-23"),
        ({"timezone": "Europe", "utc_offset": -3600}, "2026-11-22"),
        ({"utc_offset": 46_800}, "2026-11-23"),
        ({}, "2026-11-22"),
    ],
)
def test_today_is_where_the_athlete_was_active_last(fields: dict[str, object], day: str) -> None:
    activities = [
        at("2026-11-20T08:00:00.000Z", **fields),
        at("2026-11-19T08:00:00.000Z", timezone="Pacific/Kiritimati"),
        ActivityData(id=2, sport_type="Run", sport="run", url="", timezone="Pacific/Kiritimati"),
    ]
    assert today(activities, now=unix("2026-11-22T12:00:00")).isoformat() == day


def test_today_is_that_of_utc_when_nothing_is_known() -> None:
    assert today([], now=unix("2026-11-22T23:59:59")).isoformat() == "2026-11-22"


@given(st.lists(any_of(Activity), max_size=3))
def test_today_is_never_more_than_a_day_off(models: list[Activity]) -> None:
    activities = [normalise.activity(model, privacy=Privacy()) for model in models]
    assert abs((today(activities, now=unix("2026-11-22T12:00:00")) - date(2026, 11, 22)).days) <= 1
