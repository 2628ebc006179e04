"""Which schedule is due when, what was missed, and what a restart or a wrong clock does to it."""

from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.counters import Counters
from jitney.daemon.routes.timing import DAY
from jitney.daemon.routing.records import Row
from jitney.daemon.routing.schedule import Schedule
from jitney.daemon.routing.timetable import KEY, LATE, Tick, Timetable, scheduled

BERLIN = ZoneInfo("Europe/Berlin")
WHOSE = "alice", "wake up"
HALF_PAST_SEVEN = Schedule.parse(at=["07:30"])
CATCHING_UP = Schedule.parse(at=["07:30"], catch_up=True)


def at(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=BERLIN).timestamp()


NIGHT = at("20T03:00")
MORNING = at("20T07:30")


class Clock:
    """A timetable, its disk and the time."""

    def __init__(self, schedule: Schedule, now: float = NIGHT) -> None:
        self.schedule = schedule
        self.counters = Counters()
        self.disk: list[Row] = []
        self.start(now)

    def start(self, now: float) -> None:
        """Start the bus."""
        self.table = Timetable(BERLIN, self.counters)
        self.table.load(self.disk)
        self.table.use({WHOSE: self.schedule}, now)
        self.write()

    def look(self, now: float) -> list[float]:
        """Return what is due."""
        ticks = self.table.due(now, most=10)
        self.write()
        return [tick.at for tick in ticks]

    def write(self) -> None:
        """Write what has to be kept."""
        self.disk = [row for row in self.table.rows() or self.disk if row.value is not None]


def test_it_is_due_at_its_time_and_once() -> None:
    clock = Clock(HALF_PAST_SEVEN)
    assert clock.table.next() == MORNING
    assert clock.look(MORNING - 0.1) == []
    assert clock.look(MORNING + 0.1) == [MORNING]
    assert clock.look(MORNING + 0.2) == []
    assert clock.table.next() == MORNING + DAY


def test_without_a_schedule_nothing_is_ever_due() -> None:
    assert Timetable(BERLIN, Counters()).next() == inf


def test_who_comes_a_little_late_still_fires() -> None:
    assert Clock(HALF_PAST_SEVEN).look(MORNING + LATE) == [MORNING]


def test_what_the_clock_leapt_over_is_missed_and_counted() -> None:
    clock = Clock(HALF_PAST_SEVEN)
    assert clock.look(MORNING + LATE + 1) == []
    assert clock.counters.total("missed", owner="alice", reason="schedule") == 1
    assert clock.table.next() == MORNING + DAY


def test_what_was_missed_while_the_bus_was_down_is_not_made_up() -> None:
    clock = Clock(HALF_PAST_SEVEN)
    clock.start(MORNING + 1)
    assert clock.look(MORNING + 1) == []
    assert clock.table.next() == MORNING + DAY
    assert clock.disk == []


def test_nor_when_it_wanted_to_catch_up_before() -> None:
    clock = Clock(CATCHING_UP)
    clock.schedule = HALF_PAST_SEVEN
    clock.start(MORNING + 1)
    assert clock.look(MORNING + 1) == []
    assert clock.disk == []


def test_who_wants_to_catch_up_fires_once_however_often_it_was_missed() -> None:
    clock = Clock(CATCHING_UP)
    assert clock.look(MORNING) == [MORNING]
    clock.start(MORNING + 3 * DAY + 3600)
    assert clock.look(MORNING + 3 * DAY + 3600) == [MORNING + 3 * DAY]
    clock.start(MORNING + 3 * DAY + 7200)
    assert clock.look(MORNING + 3 * DAY + 7200) == []


def test_what_was_missed_before_it_had_ever_fired_is_made_up_too() -> None:
    clock = Clock(CATCHING_UP)
    clock.start(MORNING + 3600)
    assert clock.look(MORNING + 3600) == [MORNING]


def test_a_new_schedule_has_missed_nothing() -> None:
    assert Clock(CATCHING_UP, MORNING + 3600).look(MORNING + 3600) == []


def test_a_changed_schedule_has_missed_nothing() -> None:
    clock = Clock(CATCHING_UP)
    clock.table.use({WHOSE: Schedule.parse(at=["06:00"], catch_up=True)}, MORNING - 60)
    assert clock.look(MORNING - 60) == []
    assert clock.table.next() == at("21T06:00")


def test_a_reload_just_when_it_is_due_changes_nothing() -> None:
    clock = Clock(HALF_PAST_SEVEN)
    clock.table.use({WHOSE: HALF_PAST_SEVEN, ("bob", "other"): HALF_PAST_SEVEN}, MORNING + 1)
    assert clock.look(MORNING + 1) == [MORNING]


def test_a_route_that_is_gone_leaves_nothing_on_disk() -> None:
    clock = Clock(CATCHING_UP)
    assert [row[:3] for row in clock.disk] == [(*WHOSE, KEY)]
    clock.table.use({}, NIGHT)
    assert clock.table.rows() == [Row(*WHOSE, KEY, None)]
    assert clock.table.next() == inf


def test_a_row_of_a_route_that_is_gone_is_cleared_away() -> None:
    table = Timetable(BERLIN, Counters())
    table.load([Row(*WHOSE, KEY, b"1")])
    table.use({}, NIGHT)
    assert table.rows() == [Row(*WHOSE, KEY, None)]


def test_a_route_that_comes_back_has_missed_nothing() -> None:
    clock = Clock(CATCHING_UP)
    table = Timetable(BERLIN, Counters())
    table.load(clock.disk)
    table.use({}, NIGHT)
    table.use({WHOSE: CATCHING_UP}, MORNING + 3600)
    assert table.due(MORNING + 3600, most=1) == []


def test_a_row_that_cannot_be_read_is_cleared_away() -> None:
    counters = Counters()
    table = Timetable(BERLIN, counters)
    table.load([Row(*WHOSE, KEY, b"yesterday")])
    table.use({WHOSE: HALF_PAST_SEVEN}, NIGHT)
    assert counters.total("unreadable", owner="alice", reason="memory") == 1
    assert table.rows() == [Row(*WHOSE, KEY, None)]
    assert table.next() == MORNING


def test_a_time_of_day_does_not_fire_twice_when_the_clock_is_put_back() -> None:
    clock = Clock(HALF_PAST_SEVEN)
    assert clock.look(MORNING) == [MORNING]
    clock.table.put_back(MORNING - 600)
    assert clock.table.next() == MORNING + DAY


def test_nor_after_a_restart_when_it_catches_up() -> None:
    clock = Clock(CATCHING_UP)
    assert clock.look(MORNING) == [MORNING]
    clock.start(MORNING - 600)
    assert clock.table.next() == MORNING + DAY


def test_who_fired_in_a_wrong_year_fires_again_in_the_right_one() -> None:
    for schedule in (HALF_PAST_SEVEN, CATCHING_UP):
        clock = Clock(schedule, NIGHT + 3650 * DAY)
        assert clock.look(clock.table.next())
        clock.table.put_back(NIGHT)
        assert clock.table.next() == MORNING
        clock.start(NIGHT)
        assert clock.table.next() == MORNING


def test_an_interval_goes_on_at_once_when_the_clock_is_put_back() -> None:
    clock = Clock(Schedule.parse(every=600), MORNING - 1)
    assert clock.look(MORNING) == [MORNING]
    clock.table.put_back(MORNING - 3000)
    assert clock.table.next() == MORNING - 2400


def test_who_sleeps_through_several_intervals_fires_once() -> None:
    clock = Clock(Schedule.parse(every=10), MORNING - 1)
    assert clock.look(MORNING + 35) == [MORNING + 30]
    assert clock.table.next() == MORNING + 40


def test_the_owners_take_turns_in_portions() -> None:
    table = Timetable(BERLIN, Counters())
    table.use({(owner, "r"): HALF_PAST_SEVEN for owner in ("alice", "bob", "carol")}, NIGHT)
    assert table.due(MORNING, most=2) == [Tick("alice", "r", MORNING), Tick("bob", "r", MORNING)]
    assert table.next() == MORNING
    assert table.due(MORNING, most=2) == [Tick("carol", "r", MORNING)]


def test_nothing_of_a_forgotten_owner_stays() -> None:
    clock = Clock(CATCHING_UP)
    clock.look(MORNING)
    clock.table.due(MORNING + DAY, most=1)
    clock.table.forget("alice")
    assert clock.table.rows() == []
    assert clock.table.next() == inf


def test_the_event_of_a_tick_says_which_and_when_and_is_the_same_for_the_same() -> None:
    tick = Tick("alice", "wake up", MORNING)
    event = scheduled(tick, BERLIN)
    assert (event.owner, event.type, event.subject, event.adapter) == ("alice", "route.scheduled", "wake up", "route")
    assert event.time == "2026-11-20T06:30:00.000Z"
    assert bytes(event.data) == b'{"route":"wake up","at":"2026-11-20T07:30:00+01:00"}'
    assert scheduled(tick, BERLIN).id == event.id
    assert scheduled(tick._replace(at=MORNING + DAY), BERLIN).id != event.id
    assert scheduled(tick._replace(owner="bob"), BERLIN).id != event.id


_steps = st.lists(
    st.tuples(st.sampled_from(["look", "look", "restart", "reload"]), st.integers(0, 20_000)), max_size=30
)


@given(_steps, st.sampled_from([HALF_PAST_SEVEN, Schedule.parse(at=["07:30", "19:00"], days=["sat", "sun"])]))
def test_catching_up_fires_once_for_whatever_lies_between_two_looks(
    steps: list[tuple[str, int]], base: Schedule
) -> None:
    schedule = Schedule(at=base.at, days=base.days, catch_up=True)
    clock = Clock(schedule)
    now = looked = NIGHT
    for what, gap in steps:
        now += gap
        if what == "restart":
            clock.start(now)
        elif what == "reload":
            clock.table.use({WHOSE: schedule}, now)
        else:
            last = schedule.last(now, BERLIN)
            assert clock.look(now) == ([last] if last > looked else [])
            looked = now
