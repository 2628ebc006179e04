"""How long an adapter waits: by the class of its error, at random, capped, and anew after a good time."""

from jitney.adapters.errors import DisconnectedError, UnauthorisedError
from jitney.daemon.config.schema import RetrySettings
from jitney.daemon.supervision.backoff import CRASH_WINDOW, CRASHES, STABLE, Backoff


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def backoff(clock: Clock | None = None, **settings: float) -> Backoff:
    return Backoff(RetrySettings(**settings), clock=clock or Clock())  # type: ignore[arg-type]


def test_delays_double_up_to_the_longest_and_are_never_the_whole_thing_at_once() -> None:
    it = backoff(first=1.0, longest=8.0)
    for limit in (1, 2, 4, 8, 8, 8):
        assert limit / 4 <= it.delay(DisconnectedError("gone")) <= limit


def test_an_error_can_ask_for_a_longer_wait() -> None:
    assert backoff(first=1.0).delay(DisconnectedError("busy", after=300.0)) == 300.0


def test_an_error_can_ask_for_a_shorter_wait_so_that_a_restart_is_noticed_soon() -> None:
    it = backoff(first=60.0, longest=60.0)
    assert it.delay(DisconnectedError("restarting", within=4.0)) == 4.0


def test_who_is_not_authorised_waits_long_and_always_the_same() -> None:
    it = backoff(unauthorised=600.0)
    assert [it.delay(UnauthorisedError("no", remedy="sign in")) for _ in range(3)] == [600.0] * 3


def test_after_a_stable_time_the_delays_start_anew() -> None:
    it = backoff(first=1.0, longest=60.0, attempts=5)
    for _ in range(4):
        it.delay(DisconnectedError("gone"))
    it.succeeded(STABLE - 1)
    assert it.delay(DisconnectedError("gone")) > 3
    it.succeeded(STABLE)
    assert it.delay(DisconnectedError("gone")) <= 1
    assert not it.exhausted()


def test_attempts_are_counted_only_where_they_are_limited() -> None:
    limited, unlimited = backoff(attempts=2), backoff()
    for it in (limited, unlimited):
        it.delay(DisconnectedError("gone"))
        assert not it.exhausted()
        it.delay(DisconnectedError("gone"))
    assert limited.exhausted()
    assert not unlimited.exhausted()


def test_crashes_close_together_are_too_many_and_far_apart_are_not() -> None:
    clock = Clock()
    it = backoff(clock)
    for _ in range(3 * CRASHES):
        clock.now += CRASH_WINDOW / (CRASHES - 2)
        assert not it.crashed()
    assert [it.crashed() for _ in range(CRASHES)][-1]
