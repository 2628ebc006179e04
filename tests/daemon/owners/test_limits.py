"""Token buckets, and what each owner may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.schema import Config, OwnerSettings
from jitney.daemon.owners.limits import PATIENCE, Bucket, Limits
from jitney.topics import HOUSE, UNCLAIMED

RATES = st.sampled_from([0.5, 1, 3, 20, 500])
BURSTS = st.sampled_from([1, 2, 10, 100])
PAUSES = st.lists(st.floats(0, 3) | st.just(0.0), min_size=1, max_size=200)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(RATES, BURSTS, PAUSES, st.sampled_from([1.0, 2.5]))
def test_in_no_stretch_of_time_more_passes_than_the_burst_and_the_rate(
    rate: float, burst: int, pauses: list[float], size: float
) -> None:
    bucket, now, passed = Bucket(rate, burst), 50.0, list[float]()
    for pause in pauses:
        now += pause
        if bucket.take(now, size):
            passed.append(now)
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            most = burst + rate * (passed[last] - begin) + size + 1e-6
            assert (last - first + 1) * size <= most


@given(RATES, BURSTS, PAUSES)
def test_whoever_keeps_to_the_rate_is_never_refused(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now = Bucket(rate, burst), 0.0
    for pause in pauses:
        now += pause + 1.0001 / rate
        assert bucket.take(now)


@given(RATES, BURSTS, PAUSES)
def test_after_long_enough_it_is_as_if_it_had_never_been_used(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now = Bucket(rate, burst), 0.0
    for pause in pauses:
        now += pause
        bucket.take(now)
        assert 0 <= bucket.used(now) <= burst + 1
    now += (burst + 1) / rate + 1e-6
    assert bucket.idle(now)
    assert bucket.used(now) == 0
    assert sum(bucket.take(now) for _ in range(burst + 5)) == burst


@given(RATES, BURSTS, st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000)), max_size=50))
def test_a_source_that_waits_as_it_is_told_never_waits_longer_than_patience(
    rate: float, burst: int, batches: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(rate, burst), 0.0
    for pause, number in batches:
        now += pause
        seconds = bucket.owe(now, number)
        assert 0 <= seconds <= PATIENCE + 1e-6
        now += seconds


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket = Bucket(0, 1)
    assert all(bucket.take(0.0) for _ in range(1000))
    assert bucket.owe(0.0, 1_000_000) == 0
    assert bucket.used(0.0) == 0
    assert bucket.idle(0.0)


def limits(clock: Clock, settings: LimitSettings, **own: OwnLimits) -> Limits:
    return Limits(config(settings, **own), clock=clock)


def config(settings: LimitSettings, **own: OwnLimits) -> Config:
    owners = {owner: OwnerSettings(id=owner, limits=own.get(owner, OwnLimits())) for owner in ("alice", "bob")}
    return Config(limits=settings, owners=owners)


def test_one_owner_who_is_over_the_limit_leaves_the_others_theirs() -> None:
    it = limits(Clock(), LimitSettings(events_per_second=1, event_burst=3))
    assert [it.admits("alice", 100) for _ in range(5)] == [True, True, True, False, False]
    assert it.admits("bob", 100)
    assert it.admits(UNCLAIMED, 100)
    assert (it.used("alice"), it.used("bob"), it.used("carol")) == (3, 1, 0)


def test_the_house_has_no_limit_of_events_unless_it_is_given_one() -> None:
    few = LimitSettings(events_per_second=1, event_burst=1)
    unlimited = limits(Clock(), few)
    assert all(unlimited.admits(HOUSE, 100) for _ in range(100))
    limited = limits(Clock(), LimitSettings(event_burst=1, house=OwnLimits(events_per_second=1)))
    assert sum(limited.admits(HOUSE, 100) for _ in range(100)) == 1


def test_what_an_owner_has_instead_is_one_key_and_the_others_stay() -> None:
    it = limits(Clock(), LimitSettings(inbox_per_second=7, states=300), alice=OwnLimits(inbox_per_second=0))
    assert (it.of("alice").inbox_per_second, it.of("alice").states) == (0, 300)
    assert it.of("bob").inbox_per_second == 7


@pytest.mark.parametrize(("changed", "goes_on"), [("alice", False), ("bob", True)])
def test_who_has_other_limits_begins_anew_and_for_everybody_else_what_was_taken_counts(
    changed: str, *, goes_on: bool
) -> None:
    clock = Clock()
    settings = LimitSettings(events_per_second=1, event_burst=3)
    it = limits(clock, settings)
    for _ in range(3):
        it.admits("alice", 100)
    it.use(config(settings, **{changed: OwnLimits(event_burst=4)}))
    assert it.used("alice") == (3 if goes_on else 0)
    assert it.admits("alice", 100) is not goes_on


def test_large_events_are_too_much_however_few_they_are() -> None:
    clock = Clock()
    it = limits(clock, LimitSettings(event_kb_per_second=10, event_burst=100))
    assert [it.admits("alice", 50_000) for _ in range(3)] == [True, True, False]
    assert it.used("alice") == 100
    assert it.wait("bob", 2, 90_000) == 0
    assert 0.9 < it.wait("bob", 2, 20_000) < 1.1
    clock.now += 100
    assert it.used("bob") == 0


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = Clock()
    it = limits(clock, LimitSettings(events_per_second=1, event_burst=3))
    for number in range(100):
        it.admits(f"owner{number}", 100)
    clock.now += 100
    it.admits("alice", 100)
    assert list(it._events) == ["alice"]
