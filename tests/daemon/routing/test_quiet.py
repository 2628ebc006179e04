"""Quiet hours: from when to when a route keeps still."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routing.quiet import Quiet

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("span", "quiet", "loud"),
    [
        ("22:00-07:00", ["22:00", "23:59", "00:00", "06:59"], ["21:59", "07:00", "12:00"]),
        ("13:00-15:30", ["13:00", "15:29"], ["12:59", "15:30", "00:00"]),
        ("00:00-06:00", ["00:00", "05:59"], ["06:00", "23:59"]),
        ("20:00-24:00", ["20:00", "23:59"], ["00:00", "19:59"]),
        ("9:00 - 9:01", ["09:00"], ["08:59", "09:01"]),
    ],
)
def test_it_is_quiet_from_the_first_minute_to_before_the_last(span: str, quiet: list[str], loud: list[str]) -> None:
    hours = Quiet.parse(span)
    assert all(hours.covers(at(f"2026-11-21T{shown}")) for shown in quiet)
    assert not any(hours.covers(at(f"2026-11-21T{shown}")) for shown in loud)


def test_the_wall_clock_counts_when_it_leaps() -> None:
    hours = Quiet.parse("01:30-02:30")
    start = at("2026-03-29T01:30").timestamp()
    quiet = [hours.covers(datetime.fromtimestamp(start + 60 * step, BERLIN)) for step in range(-1, 31)]
    assert quiet == [False] + [True] * 30 + [False], "02:00 to 03:00 does not exist that night"


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    hours = Quiet.parse("22:00-02:30")
    first = at("2026-10-25T02:15")
    assert hours.covers(first)
    assert hours.covers(first.replace(fold=1))
    assert not hours.covers(at("2026-10-25T02:45"))


_times = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))


@given(_times, _times, st.dates(date(1990, 1, 1), date(2090, 1, 1)), _times)
def test_walking_from_its_start_one_meets_the_moment_before_its_end(
    start: time, end: time, day: date, now: time
) -> None:
    if start == end:
        return
    hours = Quiet.parse(f"{start:%H:%M}-{end:%H:%M}")
    walk = datetime.combine(day, start)
    seen = set()
    while walk.time() != end:
        seen.add(walk.time())
        walk += timedelta(minutes=1)
    assert hours.covers(datetime.combine(day, now)) == (now in seen)


@given(st.integers(0, 1439), st.integers(0, 1440))
def test_a_span_is_written_as_it_is_read(start: int, end: int) -> None:
    if start != end:
        assert Quiet.parse(str(Quiet(start, end))) == Quiet(start, end)
