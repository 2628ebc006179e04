"""Retained topics that are kept for a time only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.store.store import Store

WEEK = 7 * 86_400


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(path: Path, clock: Clock) -> AsyncIterator[tuple[Ledger, Turns]]:
    async with Store(path / "jitney.db") as store:
        turns = Turns(lambda: None)
        ledger = Ledger(store, marked=turns.ready, clock=clock)
        await ledger.load()
        yield ledger, turns


def put(ledger: Ledger, payload: bytes, *, durable: bool = True, expiry: int = WEEK) -> None:
    ledger.put("ride", payload, owner="alice", adapter="strava", durable=durable, expiry=expiry)


def published(turns: Turns) -> list[tuple[bytes, int]]:
    messages = turns.take(100)
    assert all(message.retain for message in messages)
    return [(message.payload, message.expiry) for message in messages]


async def test_the_broker_is_told_how_long_a_value_may_be_kept(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as (ledger, turns):
        put(ledger, b"1")
        clock.now += 3600
        assert published(turns) == [(b"1", WEEK - 3600)]


async def test_a_value_is_cleared_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as (ledger, turns):
        put(ledger, b"1")
        published(turns)
        clock.now += WEEK - 1
        ledger.expire()
        assert published(turns) == []
        clock.now += 1
        ledger.expire()
        assert published(turns) == [(b"", 0)]


async def test_a_value_is_cleared_at_the_next_start_when_its_time_was_over_in_between(tmp_path: Path) -> None:
    for durable in (True, False):
        clock = Clock()
        async with opened(tmp_path, clock) as (ledger, turns):
            put(ledger, b"1", durable=durable)
            published(turns)
        clock.now += WEEK
        async with opened(tmp_path, clock) as (ledger, turns):
            assert published(turns) == [(b"", 0)]
            ledger.published("ride", b"")


async def test_the_same_value_again_is_published_again_only_when_half_of_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as (ledger, turns):
        put(ledger, b"1")
        published(turns)
        clock.now += WEEK * 0.4
        put(ledger, b"1")
        assert published(turns) == []
        clock.now += WEEK * 0.2
        put(ledger, b"1")
        assert published(turns) == [(b"1", WEEK)]
        clock.now += WEEK * 0.9
        ledger.expire()
        assert published(turns) == []


async def test_a_value_for_a_time_can_become_one_for_good(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as (ledger, turns):
        put(ledger, b"1")
        put(ledger, b"1", expiry=0)
        clock.now += 2 * WEEK
        ledger.expire()
        assert published(turns) == [(b"1", 0)]


async def test_an_owner_who_is_erased_has_no_state_left_but_the_others_have(tmp_path: Path) -> None:
    async with opened(tmp_path, Clock()) as (ledger, turns):
        put(ledger, b"1")
        ledger.put("status", b"online", owner="alice", adapter="")
        ledger.put("light", b"2", owner="bob", adapter="home")
        published(turns)
        assert ledger.erase("alice") == 1
        assert published(turns) == [(b"", 0)]
        assert ledger.lines["status"].payload == b"online"
