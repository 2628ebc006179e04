"""The breaker of a route that fires too often or makes itself fire."""

from collections import deque
from math import inf
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from jitney.daemon.counters import Counters
from jitney.daemon.routing.breaker import LIMIT, LONGEST, MOST_TRACED, PAUSE, ROUNDS, Breakers
from jitney.topics import Event

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_795_000_000.0


def event(
    id: str = "e",  # noqa: A002
    *,
    owner: str = "alice",
    source: str = "base",
    actor: str = "",
    cause: str = "",
    correlation: str = "",
) -> Event:
    return Event(
        id=id,
        source=f"/{source}",
        type="inbox.x",
        actor=actor or UNSET,
        time="2026-11-21T05:41:00.120Z",
        owner=owner,
        causationid=cause or UNSET,
        correlationid=correlation or UNSET,
    )


def breakers(limit: int = LIMIT) -> Breakers:
    return Breakers(BERLIN, counters=Counters(), limit=limit)


def tripped(made: Breakers, now: float = NOW, *, owner: str = "alice", route: str = "ping") -> str:
    """Let a route fire until it is stopped."""
    for _ in range(1000):
        if why := made.admit(event(owner=owner), route, now):
            return why
    raise AssertionError("it was never stopped")


def test_a_route_may_fire_as_often_as_the_limit_says() -> None:
    made = breakers()
    assert [made.admit(event(), "ping", NOW) for _ in range(LIMIT)] == [""] * LIMIT
    assert "more than 60 times in a minute" in made.admit(event(), "ping", NOW + 59.9)


def test_a_steady_pace_within_the_limit_goes_on_for_ever() -> None:
    made = breakers()
    assert not any(made.admit(event(), "ping", NOW + second) for second in range(3600))


def test_a_stopped_route_hinders_neither_another_route_nor_another_owner() -> None:
    made = breakers()
    tripped(made)
    assert made.admit(event(), "pong", NOW) == ""
    assert made.admit(event(owner="bob"), "ping", NOW) == ""


def test_it_goes_on_after_the_pause() -> None:
    made = breakers()
    tripped(made)
    assert made.next() == NOW + PAUSE
    assert made.admit(event(), "ping", NOW + PAUSE - 0.1) != ""
    assert [made.admit(event(), "ping", NOW + PAUSE) for _ in range(LIMIT)] == [""] * LIMIT


def test_the_pause_grows_up_to_the_longest() -> None:
    made = breakers()
    now, pauses = NOW, []
    for _ in range(9):
        tripped(made, now)
        pauses.append(made.next() - now)
        now = made.next()
    assert pauses == [60, 120, 240, 480, 960, 1920, LONGEST, LONGEST, LONGEST]


def test_who_has_been_well_for_long_begins_with_a_short_pause_again() -> None:
    made = breakers()
    tripped(made)
    tripped(made, NOW + PAUSE)
    assert made.next() == NOW + PAUSE + 2 * PAUSE
    later = made.next() + LONGEST
    tripped(made, later)
    assert made.next() == later + PAUSE


def test_the_owner_is_told_what_to_do_and_when_it_is_over() -> None:
    made = breakers()
    assert made.changes(NOW) == []
    tripped(made)
    made.admit(event(), "ping", NOW + 1)
    [alert] = made.changes(NOW + 1)
    assert (alert.owner, alert.route) == ("alice", "ping")
    assert alert.message == (
        "the route 'ping' is stopped until 12:07:40: it fired more than 60 times in a minute; "
        "add throttle, debounce or once_per to it, or narrow its `on` and `when`"
    )
    assert made.changes(NOW + 2) == []
    [over] = made.changes(NOW + PAUSE)
    assert (over.owner, over.route, over.message) == ("alice", "ping", "")
    assert made.changes(NOW + PAUSE) == []
    assert made.next() == inf


def test_what_was_held_is_counted() -> None:
    counters = Counters()
    made = Breakers(BERLIN, counters=counters)
    for _ in range(LIMIT + 5):
        made.admit(event(), "ping", NOW)
    assert counters.total("stopped", owner="alice", reason="breaker") == 5
    [stop] = made.stops(NOW)
    assert (stop.owner, stop.route, stop.until, stop.times, stop.held) == ("alice", "ping", NOW + PAUSE, 1, 5)
    assert made.stops(NOW + PAUSE) == []


def fire_on_its_own_event(made: Breakers, number: int, route: str, *, now: float) -> str:
    happened = published(number, route)
    made.saw(happened)
    return made.admit(happened, route, now)


def published(number: int, route: str) -> Event:
    """Return the event that a route has published about the one before; the first comes from outside."""
    return event(f"e{number}", source="route", actor=route, cause=f"e{number - 1}") if number else event("e0")


def test_a_route_that_makes_itself_fire_is_stopped_after_three_rounds() -> None:
    made = breakers()
    verdicts = [fire_on_its_own_event(made, number, "loop", now=NOW) for number in range(ROUNDS + 2)]
    assert verdicts[:-1] == [""] * (ROUNDS + 1)
    assert "its own events made it fire 4 times in a row" in verdicts[-1]
    assert "leave out what it brings about itself" in made.changes(NOW)[0].message


def test_a_loop_over_another_route_and_an_outside_tool_is_a_loop() -> None:
    made = breakers()
    stopped = []
    cause = ""
    for number in range(30):
        source, actor = (
            (("route", "one"), ("nodered", ""), ("route", "two"))[(number - 1) % 3] if number else ("base", "")
        )
        happened = event(f"e{number}", source=source, actor=actor, cause=cause)
        cause = happened.id
        made.saw(happened)
        if number % 3 == 0:
            stopped.append(bool(made.admit(happened, "one", NOW)))
            made.does(happened, [("one", ["an action"])])
    assert stopped.index(True) == ROUNDS + 1


def test_who_only_looks_on_at_a_loop_is_not_stopped_for_it() -> None:
    made = breakers()
    for number in range(20):
        assert fire_on_its_own_event(made, number, "loop", now=NOW + number) == "" or number > ROUNDS
        assert made.admit(published(number, "loop"), "log everything", NOW + number) == ""


def test_a_loop_over_the_commands_of_an_adapter_is_a_loop() -> None:
    made = breakers()
    verdicts = []
    for number in range(ROUNDS + 2):
        happened = event(f"e{number}", source="home", cause=f"e{number - 1}" if number else "")
        made.saw(happened)
        verdicts.append(made.admit(happened, "switch", NOW + number))
        made.does(happened, [("switch", ["a command"])])
    assert verdicts[:-1] == [""] * (ROUNDS + 1)
    assert "its own events" in verdicts[-1]


def looped(made: Breakers, number: int, *, commands: dict[str, list[str]], follows: str = "") -> dict[str, str]:
    """Let routes that command an adapter fire on an event that follows from the one before; returns who may not."""
    happened = event(f"e{number}", source="home", cause=f"e{number - 1}" if number else "", correlation=follows)
    made.saw(happened)
    verdicts = {route: made.admit(happened, route, NOW + number) for route in commands}
    fired = [route for route, why in verdicts.items() if not why]
    made.does(happened, [(route, [f"{one} {number}" for one in commands[route]]) for route in fired])
    return {route: why for route, why in verdicts.items() if why}


def test_of_several_routes_that_command_an_adapter_the_one_whose_command_it_was_is_stopped() -> None:
    made = breakers()
    commands = {"toggle": ["a", "b"], "tell": ["c"], "look on": []}
    found = [looped(made, number, commands=commands, follows=f"b {number - 1}") for number in range(ROUNDS + 2)]
    assert found[:-1] == [{}] * (ROUNDS + 1)
    assert list(found[-1]) == ["toggle"]


def test_where_nobody_tells_whose_command_it_was_all_are_stopped_that_gave_one() -> None:
    made = breakers()
    commands = {"toggle": ["a"], "tell": ["c"], "look on": []}
    found = [looped(made, number, commands=commands) for number in range(ROUNDS + 2)]
    assert found[:-1] == [{}] * (ROUNDS + 1)
    assert list(found[-1]) == ["toggle", "tell"]


def test_many_answers_to_one_event_are_no_loop() -> None:
    made = breakers()
    made.saw(event("e0"))
    for number in range(50):
        happened = event(f"a{number}", source="route", actor="ping", cause="e0")
        made.saw(happened)
        assert made.admit(happened, "ping", NOW) == ""


def test_the_chains_of_an_owner_are_bounded_and_their_own() -> None:
    made = breakers()
    for number in range(3 * MOST_TRACED):
        made.saw(event(f"e{number}", cause="x"))
        made.saw(event("e", source="route", actor="r", cause="e", owner="bob"))
        made.admit(event("e", owner="carol"), f"r{number}", NOW)
        made.does(event("e", owner="carol"), [(f"r{number}", ["c"] * 100)])
    assert len(made._traces["alice"]) == MOST_TRACED
    assert len(made._traces["bob"]["e"].makers) == 64
    assert len(made._traces["carol"]["e"].fired) == 16
    assert len(made._traces["carol"]["e"].commands) == 16


def test_a_route_that_computes_too_long_rests_and_the_owner_is_told() -> None:
    made = breakers()
    assert not made.spent("alice", "search", 0.2, NOW)
    assert made.tired == {}
    assert made.spent("alice", "search", 0.2, NOW)
    assert made.tired == {"alice": {"search"}}
    [alert] = made.changes(NOW)
    assert "it took 0.40 s of computing within a minute; make its regular expressions" in alert.message
    assert made.rests("alice", "search", NOW + 1).startswith("stopped until")
    assert made.admit(event(), "search", NOW + 1).startswith("stopped until")
    assert made.admit(event(), "other", NOW + 1) == ""
    [stop] = made.stops(NOW + 1)
    assert (stop.route, stop.held) == ("search", 3)
    assert made.rests("alice", "search", NOW + PAUSE) == ""
    assert [alert.message for alert in made.changes(NOW + PAUSE)] == [""]
    assert made.tired == {}


def test_a_person_can_let_a_tired_route_go_on() -> None:
    made = breakers()
    assert made.spent("alice", "search", 1.0, NOW)
    assert made.resume("alice", "search")
    assert made.tired == {}
    assert made.rests("alice", "search", NOW) == ""


def test_a_person_can_let_it_go_on_at_once() -> None:
    made = breakers()
    tripped(made)
    made.changes(NOW)
    assert made.resume("alice", "ping")
    assert made.admit(event(), "ping", NOW) == ""
    assert [alert.message for alert in made.changes(NOW)] == [""]
    assert not made.resume("alice", "ping")


def test_a_route_that_is_gone_takes_its_alert_with_it() -> None:
    made = breakers()
    for owner in ("alice", "bob"):
        tripped(made, owner=owner)
        tripped(made, owner=owner, route="pong")
    made.changes(NOW)
    made.keep({"ping": ["alice"]})
    assert {(alert.owner, alert.route) for alert in made.changes(NOW)} == {
        ("alice", "pong"),
        ("bob", "ping"),
        ("bob", "pong"),
    }
    assert [(stop.owner, stop.route) for stop in made.stops(NOW)] == [("alice", "ping")]


def test_nothing_of_a_forgotten_owner_stays() -> None:
    made = breakers()
    tripped(made)
    for number in range(ROUNDS + 2):
        fire_on_its_own_event(made, number, "loop", now=NOW)
    made.forget("alice")
    assert made.stops(NOW) == []
    assert fire_on_its_own_event(made, ROUNDS + 1, "loop", now=NOW) == ""
    assert made.admit(event(), "ping", NOW) == ""


def test_a_clock_that_is_put_back_makes_no_pause_longer() -> None:
    made = breakers()
    tripped(made, NOW + 1e8)
    assert made.admit(event(), "ping", NOW) != ""
    assert made.admit(event(), "ping", NOW + PAUSE) == ""


def test_a_pause_that_is_over_does_not_come_back_with_the_clock() -> None:
    made = breakers()
    tripped(made)
    assert made.admit(event(), "ping", NOW + PAUSE) == ""
    assert made.admit(event(), "ping", NOW + 1) == ""


def test_firings_under_a_clock_that_was_ahead_count_for_a_minute() -> None:
    made = breakers(limit=2)
    assert made.admit(event(), "ping", NOW + 1e8) == ""
    assert made.admit(event(), "ping", NOW + 1e8) == ""
    assert made.admit(event(), "ping", NOW) != ""
    assert made.admit(event(), "ping", NOW + PAUSE) == ""


def test_and_for_no_longer() -> None:
    made = breakers(limit=2)
    assert made.admit(event(), "ping", NOW + 1e8) == ""
    assert made.admit(event(), "ping", NOW) == ""
    assert made.admit(event(), "ping", NOW + 60) == ""


@given(st.lists(st.floats(0, 90), max_size=60))
def test_it_agrees_with_a_simple_breaker(gaps: list[float]) -> None:
    made = breakers(limit=3)
    fired: deque[float] = deque()
    now, until, ended, times = NOW, -inf, -inf, 0
    for gap in gaps:
        now += gap
        if now < until:
            expected = False
        else:
            expected = sum(now - time < 60 for time in fired) < 3
            if expected:
                fired.append(now)
            else:
                times = 1 if now - ended >= LONGEST else times + 1
                until = ended = now + min(PAUSE * 2 ** (times - 1), LONGEST)
                fired.clear()
        assert (made.admit(event(), "ping", now) == "") == expected


@given(st.lists(st.tuples(st.floats(-200, 200), st.integers(1, 5)), max_size=40))
def test_whatever_the_clock_does_a_pause_of_true_time_ends(steps: list[tuple[float, int]]) -> None:
    made = breakers(limit=2)
    now = NOW
    for step, number in steps:
        now += step
        for _ in range(number):
            made.admit(event(), "ping", now)
    assert made.admit(event(), "ping", now + LONGEST) == ""
