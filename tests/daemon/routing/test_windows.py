"""The periods of the calendar, and the last so many seconds."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.timing import UNITS, Unit
from jitney.daemon.routing.windows import LASTS, not_later, period, recent

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("unit", "first", "last", "next_one"),
    [
        ("minute", "2026-11-21T07:30:00", "2026-11-21T07:30:59", "2026-11-21T07:31:00"),
        ("hour", "2026-11-21T07:00:00", "2026-11-21T07:59:59", "2026-11-21T08:00:00"),
        ("day", "2026-11-21T00:00:00", "2026-11-21T23:59:59", "2026-11-22T00:00:00"),
        ("day", "2026-03-29T00:00:00", "2026-03-29T23:59:59", "2026-03-30T00:00:00"),
        ("week", "2026-11-16T00:00:00", "2026-11-22T23:59:59", "2026-11-23T00:00:00"),
        ("week", "2026-12-28T00:00:00", "2027-01-03T23:59:59", "2027-01-04T00:00:00"),
    ],
)
def test_a_period_begins_and_ends_with_the_calendar(unit: Unit, first: str, last: str, next_one: str) -> None:
    assert period(unit, at(first)) == period(unit, at(last))
    assert period(unit, at(last)) != period(unit, at(next_one))


def test_an_hour_that_is_shown_twice_is_two_hours_of_one_day() -> None:
    first, second = at("2026-10-25T02:30"), at("2026-10-25T02:30", fold=1)
    assert period("hour", first) != period("hour", second)
    assert period("minute", first) != period("minute", second)
    assert period("day", first) == period("day", second)


@given(st.sampled_from(UNITS), st.floats(0, 4e9), st.floats(0, 1e6))
def test_a_period_is_over_when_it_is_over_for_certain(unit: Unit, start: float, more: float) -> None:
    now = datetime.fromtimestamp(start, BERLIN)
    later = datetime.fromtimestamp(start + LASTS[unit] + more, BERLIN)
    assert period(unit, now) != period(unit, later)


@given(st.lists(st.floats(0, 100), max_size=8).map(sorted), st.floats(0, 10), st.floats(0, 50))
def test_recent_are_those_within_the_span_and_now(times: list[float], more: float, within: float) -> None:
    now = max([*times, 0.0]) + more
    assert recent(tuple(times), now=now, within=within) == (*[time for time in times if now - time <= within], now)


@given(st.lists(st.floats(0, 100), max_size=8).map(sorted), st.floats(0, 100))
def test_what_seems_to_lie_ahead_was_just_now(times: list[float], now: float) -> None:
    put_back = not_later(tuple(times), now)
    assert all(time <= now for time in put_back)
    assert list(put_back) == sorted(put_back)
    assert len(put_back) == len(times)
    assert [time for time in put_back if time < now] == [time for time in times if time < now]
