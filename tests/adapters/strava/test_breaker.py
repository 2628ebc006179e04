"""The breaker: open after failures, one trial at a time, and never for ever."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava.breaker import Breaker
from jitney.adapters.strava.errors import GrantGoneError, LimitedError, NotFoundError, StravaError, UnavailableError
from tests.adapters.strava.turning import NOON, TurnedClock


def breaker_at(clock: TurnedClock) -> Breaker:
    return Breaker("Strava for alice", threshold=3, pause=10.0, longest=60.0, clock=clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(UnavailableError, match="down"), breaker.attempt():
            raise UnavailableError("down")


def test_a_few_failures_stop_nothing() -> None:
    breaker = breaker_at(TurnedClock())
    fail(breaker, 2)
    assert breaker.state == "closed"
    with breaker.attempt():
        pass
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_failures_in_a_row_open_it_until_a_trial_succeeds() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    fail(breaker, 3)
    assert breaker.state == "open"
    with pytest.raises(UnavailableError, match=r"Strava for alice failed 3 times .* 12:00:10 UTC"), breaker.attempt():
        pass
    clock.now += 10
    assert breaker.state == "half_open"
    with breaker.attempt():
        assert breaker.state == "half_open"
    assert breaker.state == "closed"


def test_only_one_trial_is_let_through_at_a_time() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    fail(breaker, 3)
    clock.now += 10
    with breaker.attempt(), pytest.raises(UnavailableError):
        breaker.check()


def test_a_trial_that_never_ends_gives_way_to_another_one() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    fail(breaker, 3)
    clock.now += 10
    breaker.check()
    clock.now += 10
    breaker.check()
    with pytest.raises(UnavailableError):
        breaker.check()


def test_each_failed_trial_doubles_the_pause_up_to_a_limit() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    pauses = []
    for _ in range(8):
        clock.now = breaker.failed()
        pauses.append(clock.now)
    waits = [later - earlier for earlier, later in zip([NOON, *pauses], pauses, strict=False)]
    assert waits == [10, 10, 10, 20, 40, 60, 60, 60]
    breaker.succeeded()
    assert breaker.failed() - clock.now == 10


@pytest.mark.parametrize("error", [NotFoundError("gone"), GrantGoneError("gone"), StravaError("no")])
def test_an_answer_that_refuses_is_an_answer(error: StravaError) -> None:
    breaker = breaker_at(TurnedClock())
    fail(breaker, 2)
    with pytest.raises(type(error)), breaker.attempt():
        raise error
    fail(breaker, 2)
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [LimitedError("later", until=5.0), asyncio.CancelledError()])
def test_what_says_nothing_of_the_upstream_changes_nothing(error: BaseException) -> None:
    breaker = breaker_at(TurnedClock())
    fail(breaker, 2)
    with pytest.raises(type(error)), breaker.attempt():
        raise error
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_a_trial_that_was_limited_may_be_repeated() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    fail(breaker, 3)
    clock.now += 10
    with pytest.raises(LimitedError), breaker.attempt():
        raise LimitedError("later", until=5.0)
    with breaker.attempt():
        pass
    assert breaker.state == "closed"


def test_time_outs_and_connection_errors_are_failures() -> None:
    breaker = breaker_at(TurnedClock())
    for error in (TimeoutError(), ConnectionResetError(), OSError()):
        with pytest.raises(type(error)), breaker.attempt():
            raise error
    assert breaker.state == "open"


def test_a_clock_that_is_put_back_keeps_it_open_no_longer_than_a_pause() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    fail(breaker, 3)
    clock.now -= 1e6
    assert breaker.state == "open"
    clock.now += 10
    breaker.check()


@given(st.lists(st.sampled_from(["fail", "succeed", "wait", "back", "ask"])))
def test_it_is_never_shut_for_longer_than_the_longest_pause(doing: list[str]) -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    for one in doing:
        match one:
            case "fail":
                assert 0 < breaker.failed() - clock.now <= 60
            case "succeed":
                breaker.succeeded()
                assert breaker.state == "closed"
            case "wait":
                clock.now += 15
            case "back":
                clock.now -= 1000
            case "ask" if breaker.state != "open":
                breaker.check()
    assert breaker.state in {"closed", "open", "half_open"}
    clock.now += 61
    breaker.check()


def test_a_clock_that_is_put_back_while_one_call_is_tried_shuts_it_for_no_longer_than_a_pause() -> None:
    clock = TurnedClock()
    breaker = breaker_at(clock)
    for _ in range(3):
        breaker.failed()
    clock.now += 60
    breaker.check()
    clock.now -= 1000
    assert breaker.state == "half_open"
    clock.now += 61
    breaker.check()
