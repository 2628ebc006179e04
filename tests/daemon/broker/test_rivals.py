"""Recognising that somebody else is at the broker with our client id."""

import pytest

from jitney.daemon.broker.rivals import TIMES, WITHIN, Rivals
from jitney.daemon.broker.session import BrokerRefusedError, BrokerUnreachableError, ClosedError, TakenOverError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_broker_that_says_so_is_believed_at_once() -> None:
    assert "somebody else with the same client id" in Rivals().ended(TakenOverError("said"))


def test_sessions_that_end_without_a_reason_again_and_again_are_a_rival() -> None:
    rivals = Rivals(clock=Clock())
    told = [rivals.ended(ClosedError("closed")) for _ in range(2 * TIMES)]
    assert [bool(one) for one in told] == [number % TIMES == 0 for number in range(1, 2 * TIMES + 1)]


@pytest.mark.parametrize("between", [BrokerUnreachableError, BrokerRefusedError])
def test_a_broker_that_was_not_there_in_between_was_started_anew(between: type[Exception]) -> None:
    rivals = Rivals(clock=Clock())
    assert not any(rivals.ended(kind("x")) for _ in range(2 * TIMES) for kind in (ClosedError, between))


def test_sessions_that_end_rarely_are_no_rival() -> None:
    clock = Clock()
    rivals = Rivals(clock=clock)
    for _ in range(3 * TIMES):
        assert not rivals.ended(ClosedError("closed"))
        clock.now += WITHIN / 2
