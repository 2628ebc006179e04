"""What routes remember: each condition for itself, and together."""

import pytest

from jitney.daemon.routing.memory import LONGEST_KEY, SETTLE
from jitney.daemon.routing.quiet import Quiet
from jitney.daemon.routing.schedule import Schedule
from jitney.daemon.routing.timing import Timing
from jitney.topics import Event
from tests.daemon.routing.remembering import NOW, House, event, told

DAY = 86_400


def test_without_conditions_every_event_fires_and_nothing_is_remembered() -> None:
    house = House(Timing())
    assert [house.come(event()).fire for _ in range(3)] == [True] * 3
    assert house.disk == {}


def test_debounce_fires_once_with_the_last_event_when_there_is_peace() -> None:
    house = House(Timing(debounce=10))
    for number in range(3):
        admission = house.come(event(f"e{number}"))
        assert (admission.fire, admission.held, admission.later) == (False, "debounce", house.now + 10)
        house.wait(6)
    house.wait(100)
    assert told(house) == [(12 + 10, "e2")]
    assert house.disk == {}


def test_debounce_goes_on_after_a_restart() -> None:
    house = House(Timing(debounce=10))
    house.come(event("e1"))
    house.wait(4)
    house.restart()
    house.wait(100)
    assert told(house) == [(10, "e1")]


def test_what_became_due_while_the_bus_was_down_fires_at_once() -> None:
    house = House(Timing(debounce=10))
    house.come(event("e1"))
    house.now += 3600
    house.restart()
    house.wait(0)
    assert told(house) == [(3600, "e1")]


def test_throttle_lets_the_first_through_and_then_one_in_every_span() -> None:
    house = House(Timing(throttle=10))
    for number in range(25):
        house.come(event(f"e{number}"))
        house.wait(1)
    assert told(house) == [(0, "e0"), (10, "e10"), (20, "e20")]


def test_throttle_says_how_long_ago_it_fired() -> None:
    house = House(Timing(throttle=600))
    house.come(event())
    house.wait(12)
    assert house.come(event()).why == "fired 12 s ago, at most once in 600 s"


def test_throttle_survives_a_restart() -> None:
    house = House(Timing(throttle=10))
    house.come(event())
    house.wait(9)
    house.restart()
    assert house.come(event()).held == "throttle"
    house.wait(1)
    assert house.come(event()).fire


def test_a_clock_that_is_behind_after_a_restart_makes_no_throttle_longer() -> None:
    house = House(Timing(throttle=10))
    house.come(event())
    house.now -= 1e7
    house.restart()
    assert house.come(event()).held == "throttle"
    house.wait(10)
    assert house.come(event()).fire


def test_count_fires_with_the_nth_and_counts_anew() -> None:
    house = House(Timing(n=3, within=60))
    for number in range(7):
        house.come(event(f"e{number}"))
        house.wait(5)
    assert told(house) == [(10, "e2"), (25, "e5")]
    assert house.come(event()).why == "2 of 3 within 60 s"


def test_count_forgets_what_is_older_than_its_span() -> None:
    house = House(Timing(n=3, within=60))
    assert not house.come(event()).fire
    house.wait(30)
    assert not house.come(event()).fire
    house.wait(31)
    assert not house.come(event()).fire
    house.wait(29)
    assert house.come(event()).fire


def test_count_forgets_what_it_counted_while_the_clock_was_ahead() -> None:
    house = House(Timing(n=2, within=60))
    house.come(event())
    house.now -= 1e6
    house.release()
    house.wait(61)
    assert not house.come(event()).fire


def test_count_survives_a_restart() -> None:
    house = House(Timing(n=3, within=60))
    house.come(event())
    house.come(event())
    house.restart()
    assert house.come(event()).fire


def test_for_fires_with_the_event_that_began_it() -> None:
    house = House(Timing(hold=300))
    house.wait(SETTLE)
    first = house.come(event("open"))
    assert (first.held, first.why, first.later) == ("for", "must hold for 300 s", house.now + 300)
    house.wait(100)
    assert house.memory.rows() == []
    assert house.memory.admit("route", event("still open"), now=house.now).later == first.later
    assert house.memory.rows() == [], "nothing has changed"
    house.wait(1000)
    assert told(house) == [(SETTLE + 300, "open")]


def test_for_is_ended_by_an_event_of_the_same_type_and_subject_that_does_not_match() -> None:
    house = House(Timing(hold=300))
    house.come(event("open"))
    assert not house.end(event("other", subject="window"))
    assert not house.end(event("other", type="inbox.locked"))
    assert not house.end(event("other", owner="bob"))
    house.wait(299)
    assert house.end(event("closed"))
    house.wait(1000)
    assert told(house) == []
    assert house.disk == {}


def test_for_ends_by_subject_whatever_the_key_is() -> None:
    house = House(Timing(hold=300, throttle=3600))
    house.come(event("door"), key="ground floor")
    house.come(event("window", subject="window"), key="ground floor")
    house.end(event("closed"))
    house.wait(1000)
    assert told(house) == [(300, "window")]


def test_for_tells_once_until_it_ends_and_then_begins_anew() -> None:
    house = House(Timing(hold=300))
    house.come(event("open"))
    house.wait(300)
    assert house.come(event("still open")).why == "has held for 300 s, told once until it ends"
    house.restart()
    house.wait(1000)
    assert house.come(event("still open")).why == "has held for 300 s, told once until it ends"
    house.end(event("closed"))
    house.come(event("open again"))
    house.wait(300)
    assert told(house) == [(300, "open"), (1600, "open again")]


def test_after_a_restart_the_sources_may_first_say_that_it_ended_meanwhile() -> None:
    house = House({"told": Timing(hold=300), "untold": Timing(hold=300)})
    house.come(event("open"), "told")
    house.come(event("open"), "untold")
    house.now += 3600
    house.restart()
    house.wait(SETTLE - 1)
    house.end(event("closed"), "untold")
    house.wait(1)
    assert house.fired == [(3600 + SETTLE, "told", "open")]


def test_types_and_subjects_are_not_mixed_up() -> None:
    house = House(Timing(hold=10))
    house.come(event("one", type="inbox.a b", subject="c"))
    house.come(event("two", type="inbox.a", subject="b c"))
    house.end(event("end", type="inbox.a", subject="b c"))
    house.wait(10 + SETTLE)
    assert [event_id for _, event_id in told(house)] == ["one"]


@pytest.mark.parametrize(("unit", "seconds"), [("minute", 60), ("hour", 3600), ("day", DAY), ("week", 7 * DAY)])
def test_once_per_fires_once_in_each_period_of_the_calendar(unit: str, seconds: int) -> None:
    house = House(Timing(once_per=unit))  # type: ignore[arg-type]
    assert house.come(event()).fire
    assert house.come(event()).why == f"has fired this {unit} already"
    house.restart()
    assert not house.come(event()).fire
    house.wait(seconds)
    assert house.come(event()).fire


def test_once_per_day_ends_at_the_midnight_of_the_house() -> None:
    house = House(Timing(once_per="day"))
    house.wait(12 * 3600 - 1)
    assert house.come(event()).fire
    house.wait(1)
    assert house.come(event()).fire


def test_in_quiet_hours_nothing_fires_and_nothing_is_used_up() -> None:
    house = House(Timing(quiet=Quiet.parse("12:00-13:00"), once_per="day", throttle=DAY))
    held = house.come(event("early"))
    assert (held.held, held.why) == ("quiet_hours", "quiet hours are 12:00-13:00")
    house.wait(3600)
    assert house.come(event("late")).fire


def test_what_falls_due_in_quiet_hours_is_held_back_and_what_falls_due_after_them_is_not() -> None:
    house = House(Timing(quiet=Quiet.parse("12:30-13:00"), debounce=600))
    house.wait(1500)
    house.come(event("falls within"))
    house.wait(1700)
    house.come(event("falls after"))
    house.wait(3600)
    assert told(house) == [(3800, "falls after")]
    assert ("falls within", "quiet_hours") in house.held


def test_what_the_breaker_stops_uses_nothing_up() -> None:
    why = ["stopped"]
    house = House(Timing(once_per="day"), gate=lambda *_: why[0])
    stopped = house.come(event())
    assert (stopped.fire, stopped.held, stopped.why) == (False, "breaker", "stopped")
    why[0] = ""
    assert house.come(event()).fire


def test_the_breaker_is_asked_only_about_what_would_fire() -> None:
    asked: list[tuple[str, str, float]] = []

    def gate(happened: Event, route: str, now: float) -> str:
        asked.append((happened.id, route, now))
        return ""

    house = House(Timing(throttle=10, debounce=5), gate=gate)
    house.come(event("e1"))
    house.wait(5)
    house.come(event("e2"))
    house.wait(6)
    assert asked == [("e1", "route", NOW + 5)]


def test_owners_keys_and_routes_do_not_mix() -> None:
    house = House({"a": Timing(once_per="day"), "b": Timing(once_per="day")})
    house.come(event("1"), "a")
    house.come(event("2", owner="bob"), "a")
    house.come(event("3", subject="window"), "a")
    house.come(event("4"), "b")
    house.come(event("5", subject="window"), "a", key="door")
    house.come(event("6", subject="window"), "a", key="")
    assert [event_id for _, event_id in told(house)] == ["1", "2", "3", "4", "6"]


def test_long_keys_are_told_apart_and_take_little() -> None:
    house = House(Timing(once_per="day"))
    assert house.come(event(), key="x" * 100_000 + "a").fire
    assert house.come(event(), key="x" * 100_000 + "b").fire
    assert not house.come(event(), key="x" * 100_000 + "a").fire
    assert all(len(key) <= LONGEST_KEY for _, _, key in house.disk)


def test_a_schedule_makes_an_event_which_passes_the_other_conditions() -> None:
    house = House(Timing(schedule=Schedule.parse(at=["12:30", "13:30"]), once_per="day"))
    house.wait(2 * 3600)
    assert [when for when, _ in told(house)] == [1800, 1800]
    assert [held for _, held in house.held] == ["once_per", "once_per"]


def test_a_schedule_fires_for_every_owner_of_the_route() -> None:
    house = House(Timing(schedule=Schedule.parse(at=["12:30"])))
    house.now += 1800
    ticks = house.memory.due(house.now)
    assert [(tick.event.owner, tick.tick, tick.event.subject) for tick in ticks] == [
        ("alice", True, "route"),
        ("bob", True, "route"),
    ]
    assert house.memory.next() == NOW + DAY + 1800


def test_a_schedule_catches_up_after_a_restart_and_does_not_repeat_itself_when_the_clock_is_put_back() -> None:
    house = House(Timing(schedule=Schedule.parse(at=["12:30"], catch_up=True)))
    house.now += 3600
    house.restart()
    house.wait(0)
    assert [when for when, _ in told(house)] == [3600, 3600]
    house.now -= 2400
    house.release()
    assert house.memory.next() == NOW + DAY + 1800


def test_an_interval_goes_on_when_the_clock_is_put_back() -> None:
    house = House(Timing(schedule=Schedule.parse(every=600)))
    house.now -= 86_400
    house.release()
    assert house.memory.next() == house.now + 600
