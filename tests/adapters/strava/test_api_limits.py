"""The API keeps to the limits that Strava tells, and tells them to those who ask."""

import asyncio

import pytest

from jitney.adapters.strava.errors import (
    LimitedError,
    UnavailableError,
)
from jitney.adapters.strava.limiter import Priority
from tests.adapters.strava.speaking import answering, asked, fault, said, side
from tests.adapters.strava.turning import NOON, settled
from tests.fakes.strava import Limits, trouble

EVENT, RECONCILE, *_ = Priority
QUARTER = 900
INVALID_TOKEN = fault(401, "Athlete", "access_token", "invalid", message="Authorization Error")


async def test_the_limits_that_answers_tell_are_kept_to() -> None:
    async with side() as at:
        at.app.quota.limits = Limits(read_short=3, read_day=50)
        _, grant = await at.join("alice", 5)
        await at.api.get(grant, "athlete", priority=EVENT)
        calls = [asyncio.create_task(at.api.get(grant, "athlete", priority=EVENT), name="call") for _ in range(5)]
        await at.fake.until(lambda: at.fake.count("GET", "/athlete") == 3)
        await asyncio.gather(*(call for call in calls[:2]))
        await settled()
        assert at.fake.count("GET", "/athlete") == 3
        at.clock.now += QUARTER + 2
        await at.ours.forward(QUARTER + 2)
        await asyncio.gather(*calls)
        assert at.limiter.quota.short_used == 3


async def test_after_a_429_no_call_is_made_until_the_next_quarter() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        _, other = await at.join("bob", 6)
        at.fake.play(trouble.limited(old=True), "/athlete")
        with pytest.raises(LimitedError) as caught:
            await at.api.get(grant, "athlete", priority=EVENT)
        assert caught.value.until == NOON + QUARTER + 2
        waiting = asyncio.create_task(at.api.get(other, "athlete", priority=EVENT), name="waiting")
        with pytest.raises(LimitedError):
            await at.api.get(grant, "athlete", priority=RECONCILE, patience=0.0)
        assert at.fake.count("GET", "/athlete") == 1
        at.clock.now += QUARTER + 2
        await at.ours.forward(QUARTER + 2)
        await waiting
        assert [call.athlete for call in at.fake.find("GET", "/athlete")] == [5, 6]


@pytest.mark.parametrize(
    ("retry_after", "until"),
    [("3000", NOON + 3002), ("10", NOON + QUARTER + 2), ("soon", NOON + QUARTER + 2), ("9" * 400, NOON + 86_402)],
)
async def test_a_429_says_when_to_come_again(retry_after: str, until: float) -> None:
    async with answering(said(429, "<html>slow down</html>", Retry_After=retry_after)) as server, side() as at:
        _, found = await asked(at, server)
        assert isinstance(found, LimitedError)
        assert found.until == until


async def test_a_date_to_come_again_is_understood() -> None:
    later = "Wed, 21 Oct 2099 07:28:00 GMT"
    async with answering(said(429, "", Retry_After=later)) as server, side() as at:
        _, found = await asked(at, server)
        assert isinstance(found, LimitedError)
        assert found.until == NOON + 86_400 + 2


async def test_a_call_that_had_no_answer_is_counted() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.fake.play(trouble.html(503), "/athlete")
        at.fake.play(trouble.bare(), "/athlete")
        with pytest.raises(UnavailableError):
            await at.api.get(grant, "athlete", priority=EVENT)
        await at.api.get(grant, "athlete", priority=EVENT)
        assert at.limiter.quota.short_used == 2


async def test_what_is_on_its_way_when_it_is_cancelled_is_counted_and_nobody_hangs() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        hanging = at.fake.play(trouble.hang(), "/athlete")
        call = asyncio.create_task(at.api.get(grant, "athlete", priority=EVENT), name="call")
        await at.fake.until(lambda: hanging.waiting == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert at.limiter.quota.short_used == 1
        await at.api.get(grant, "athlete", priority=EVENT)
