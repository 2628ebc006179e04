"""Schedules: at which instants a route fires by itself."""

from datetime import datetime, timedelta
from itertools import pairwise
from math import inf
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.daemon.routes.timing import DAY, DAYS
from jitney.daemon.routing.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def instants(schedule: Schedule, start: str, number: int, zone: ZoneInfo = BERLIN) -> list[str]:
    found, now = [], at(start, zone)
    for _ in range(number):
        now = schedule.next(now, zone)
        found.append(datetime.fromtimestamp(now, zone).isoformat(timespec="minutes"))
    return found


def test_times_of_day_come_day_after_day() -> None:
    schedule = Schedule.parse(at=["19:00", "07:30"])
    assert instants(schedule, "2026-11-20T07:30", 3) == [
        "2026-11-20T19:00+01:00",
        "2026-11-21T07:30+01:00",
        "2026-11-21T19:00+01:00",
    ]


def test_only_the_days_that_are_named() -> None:
    schedule = Schedule.parse(at=["07:30"], days=["mon", "fri"])
    assert instants(schedule, "2026-11-20T07:29", 3) == [
        "2026-11-20T07:30+01:00",
        "2026-11-23T07:30+01:00",
        "2026-11-27T07:30+01:00",
    ]


def test_a_single_day_comes_again_in_a_week() -> None:
    schedule = Schedule.parse(at=["07:30"], days=["fri"])
    assert instants(schedule, "2026-11-20T07:30", 1) == ["2026-11-27T07:30+01:00"]
    assert schedule.last(at("2026-11-27T07:29"), BERLIN) == at("2026-11-20T07:30")


def test_a_time_that_does_not_exist_comes_at_the_next_minute_that_does() -> None:
    schedule = Schedule.parse(at=["02:30"])
    assert instants(schedule, "2026-03-28T02:30", 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_several_times_that_do_not_exist_come_together_once() -> None:
    schedule = Schedule.parse(at=["02:00", "02:15", "02:59", "03:00", "03:01"])
    assert instants(schedule, "2026-03-28T12:00", 3) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:01+02:00",
        "2026-03-30T02:00+02:00",
    ]


def test_a_time_that_exists_twice_comes_once() -> None:
    schedule = Schedule.parse(at=["02:30"])
    assert instants(schedule, "2026-10-24T12:00", 2) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]


def test_half_an_hour_that_is_leapt_over_counts_like_an_hour() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    schedule = Schedule.parse(at=["02:15"])
    assert instants(schedule, "2026-10-03T12:00", 1, lord_howe) == ["2026-10-04T02:30+11:00"]


def test_a_midnight_that_does_not_exist_comes_an_hour_later() -> None:
    havana = ZoneInfo("America/Havana")
    assert instants(Schedule.parse(at=["00:00"]), "2026-03-07T12:00", 1, havana) == ["2026-03-08T01:00-04:00"]


def test_a_whole_day_that_is_left_out_comes_at_the_next_midnight() -> None:
    apia = ZoneInfo("Pacific/Apia")
    schedule = Schedule.parse(at=["07:30"], days=["fri"])
    assert instants(schedule, "2011-12-29T12:00", 2, apia) == ["2011-12-31T00:00+14:00", "2012-01-06T07:30+14:00"]


def test_an_interval_does_not_depend_on_when_the_bus_was_started() -> None:
    schedule = Schedule.parse(every=600)
    assert instants(schedule, "2026-11-20T07:31", 2) == ["2026-11-20T07:40+01:00", "2026-11-20T07:50+01:00"]
    assert instants(schedule, "2026-11-20T07:39", 1) == ["2026-11-20T07:40+01:00"]


def test_an_interval_is_kept_while_the_clocks_change() -> None:
    schedule = Schedule.parse(every=1800)
    start = at("2026-10-25T01:59")
    found = [start := schedule.next(start, BERLIN) for _ in range(6)]
    assert {later - earlier for earlier, later in pairwise(found)} == {1800}


def test_an_interval_keeps_to_its_days() -> None:
    schedule = Schedule.parse(every=3600, days=["sat"])
    assert instants(schedule, "2026-11-19T12:00", 25)[0] == "2026-11-21T00:00+01:00"
    assert instants(schedule, "2026-11-19T12:00", 25)[23:] == ["2026-11-21T23:00+01:00", "2026-11-28T00:00+01:00"]


def test_times_and_an_interval_come_as_they_fall() -> None:
    schedule = Schedule.parse(at=["07:30"], every=3600)
    assert instants(schedule, "2026-11-20T07:00", 3) == [
        "2026-11-20T07:30+01:00",
        "2026-11-20T08:00+01:00",
        "2026-11-20T09:00+01:00",
    ]


def test_no_schedule_never_comes() -> None:
    assert Schedule().next(0.0, BERLIN) == inf
    assert Schedule().last(0.0, BERLIN) == -inf


def test_every_day_is_the_same_as_no_day() -> None:
    assert Schedule.parse(at=["07:30"], days=DAYS) == Schedule.parse(at=["07:30"])


def minute_by_minute(schedule: Schedule, start: float, zone: ZoneInfo, minutes: int) -> list[float]:
    """What fires, for who looks at the wall clock every minute and strikes off what it shows or has leapt over."""
    found = []
    shown = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    for step in range(1, minutes + 1):
        instant = start + 60 * step
        wall = datetime.fromtimestamp(instant, zone).replace(tzinfo=None)
        passed = shown + timedelta(minutes=1)
        while passed <= wall:
            if passed.weekday() in schedule.days and passed.hour * 60 + passed.minute in schedule.at:
                found.append(instant)
            passed += timedelta(minutes=1)
        shown = max(shown, wall)
    return sorted(set(found))


_minutes = st.integers(0, 30 * 1440).map(lambda minutes: 60.0 * minutes)
_starts = st.one_of(
    _minutes.map(lambda seconds: at("2026-03-07T00:00") + seconds),
    _minutes.map(lambda seconds: at("2026-10-03T00:00") + seconds),
)
"""Before and after the clocks are changed, which some zones do on other days than others."""

_schedules = st.builds(
    Schedule,
    at=st.lists(st.integers(0, 240) | st.integers(0, 1439), min_size=1, max_size=3, unique=True).map(
        lambda minutes: tuple(sorted(minutes))
    ),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)


@settings(max_examples=40, deadline=None)
@given(_schedules, _starts, st.sampled_from(ZONES))
def test_times_of_day_agree_with_who_looks_at_the_clock_every_minute(
    schedule: Schedule, start: float, zone: ZoneInfo
) -> None:
    # Who begins within an hour that is shown again cannot know what it showed before.
    start = datetime.fromtimestamp(start, zone).replace(hour=12, minute=0, fold=0).timestamp()
    expected = minute_by_minute(schedule, start, zone, 2 * 1440)
    found, now = [], start
    while (now := schedule.next(now, zone)) <= start + 2 * DAY:
        found.append(now)
    assert found == expected


_moments = st.tuples(_starts, st.floats(0, 604_800)).map(sum)


@given(st.integers(1, 200_000), st.sets(st.integers(0, 6)), _moments, st.sampled_from(ZONES))
def test_the_next_instant_is_the_last_one_from_then_on(every: int, days: set[int], now: float, zone: ZoneInfo) -> None:
    if every > DAY or not days:
        days = set(range(7))
    schedule = Schedule(at=(150,), every=every, days=tuple(sorted(days)))
    following = schedule.next(now, zone)
    assert following > now
    assert schedule.last(following, zone) == following
    assert schedule.last(now, zone) <= now
    assert schedule.next(schedule.last(now, zone), zone) == following


@given(st.floats(1, 604_800), st.floats(0, 4e9))
def test_an_interval_of_any_length_goes_on(every: float, now: float) -> None:
    schedule = Schedule.parse(every=every)
    following = schedule.next(now, BERLIN)
    assert now < following <= now + every * 1.000001
    assert schedule.next(following, BERLIN) > following
