"""Whoever asks too often for what is not there waits, and nobody else."""

from ipaddress import ip_address

import pytest

from jitney.daemon.web import guesses
from jitney.daemon.web.addresses import Address
from jitney.daemon.web.guesses import BURST, PER_SECOND, Guesses


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def at(text: str) -> Address:
    return ip_address(text)


def test_after_so_many_guesses_an_address_has_to_wait_and_another_has_not() -> None:
    clock = Clock()
    known = Guesses(clock=clock)
    assert [known.take(at("203.0.113.7")) for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert known.take(at("203.0.113.7")) == pytest.approx(1 / PER_SECOND)
    assert known.wait(at("203.0.113.7")) == pytest.approx(1 / PER_SECOND)
    assert known.wait(at("203.0.113.8")) == known.take(at("203.0.113.8")) == 0.0


def test_time_gives_back_what_was_taken() -> None:
    clock = Clock()
    known = Guesses(clock=clock)
    while not known.take(at("::1")):
        pass
    clock.now += 1 / PER_SECOND
    assert known.wait(at("::1")) == 0.0
    assert known.take(at("::1")) == 0.0
    assert known.take(at("::1")) > 0.0
    clock.now += 1e9
    assert [known.take(at("::1")) for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert known.take(at("::1")) > 0.0


def test_looking_whether_one_has_to_wait_costs_nothing() -> None:
    known = Guesses(clock=Clock())
    assert [known.wait(at("203.0.113.7")) for _ in range(1000)] == [0.0] * 1000


def test_a_crowd_of_addresses_is_forgotten_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST_KNOWN", 10)
    known = Guesses(clock=Clock())
    for number in range(1000):
        known.take(at(f"10.0.{number // 250}.{number % 250}"))
    assert len(known._buckets) == 10


def test_one_person_with_many_ipv6_addresses_is_one() -> None:
    known = Guesses(clock=Clock())
    taken = [known.take(at(f"2001:db8::{number:x}")) for number in range(1, int(BURST) + 2)]
    assert [seconds > 0 for seconds in taken] == [False] * int(BURST) + [True]
