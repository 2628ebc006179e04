"""What of a route's settings looks back or ahead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.faults import Faults
from jitney.daemon.routes.settings import CountSettings, RouteSettings, ScheduleSettings
from jitney.daemon.routes.timing import DAYS, check_times
from jitney.daemon.routing.quiet import Quiet
from jitney.daemon.routing.records import Record
from jitney.daemon.routing.schedule import Schedule
from jitney.daemon.routing.timing import Timing


def test_the_words_of_the_file_become_conditions() -> None:
    settings = RouteSettings(
        name="r",
        do=(),
        for_=300,
        debounce=5,
        throttle=60,
        count=CountSettings(n=3, within=120),
        once_per="day {{ subject }}",
        quiet_hours="22:00-07:00",
        schedule=ScheduleSettings(at="07:30", days="mon", catch_up=True),
    )
    assert Timing.of(settings) == Timing(
        hold=300,
        debounce=5,
        n=3,
        within=120,
        quiet=Quiet(22 * 60, 7 * 60),
        throttle=60,
        once_per="day",
        schedule=Schedule(at=(450,), days=(0,), catch_up=True),
    )
    assert Timing.of(RouteSettings(name="r", do=())) == Timing()


@pytest.mark.parametrize(
    ("text", "unit"), [("", None), ("hour", "hour"), (" week  {{ a }} {{ b }} ", "week"), ("minute", "minute")]
)
def test_once_per_begins_with_its_unit(text: str, unit: str | None) -> None:
    assert Timing.of(RouteSettings(name="r", do=(), once_per=text)).once_per == unit


_digits = st.text("0123456789: -", max_size=6)
_times = st.from_regex(r"[ ]?[0-9]{1,2}:[0-9]{2}[ ]?", fullmatch=True) | _digits


@given(
    st.tuples(_times, _times).map("-".join),
    st.builds(
        ScheduleSettings,
        at=_times | st.lists(_times, max_size=3).map(tuple),
        every=st.sampled_from([0, 0.5, 1, 3600, 86_400, 86_401, 604_800, 604_801]),
        days=st.sampled_from(DAYS) | st.lists(st.sampled_from(DAYS), max_size=3).map(tuple),
    ),
)
def test_whatever_is_accepted_in_the_file_is_understood(quiet_hours: str, schedule: ScheduleSettings) -> None:
    for settings in (
        RouteSettings(name="r", do=(), quiet_hours=quiet_hours),
        RouteSettings(name="r", do=(), schedule=schedule),
    ):
        faults = Faults()
        check_times(settings, faults)
        if not faults.found:
            timing = Timing.of(settings)
            assert timing.quiet is None or 0 <= timing.quiet.start != timing.quiet.end <= 1440
            assert timing.schedule is None or all(0 <= minute < 1440 for minute in timing.schedule.at)
            assert timing.schedule is None or timing.schedule.at or timing.schedule.every


def test_a_record_means_nothing_any_more_when_nothing_asks_for_it() -> None:
    timing = Timing(n=3, within=60, throttle=10)
    assert timing.until(Record()) == 0
    assert timing.until(Record(times=(1.0, 5.0))) == 65
    assert timing.until(Record(times=(1.0,), fired=100.0)) == 110
    assert Timing(once_per="week").until(Record(fired=0.0)) > 7 * 86_400
