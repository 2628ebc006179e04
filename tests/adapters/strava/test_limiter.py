"""Turns: the important first, owners in turn, nobody for ever, and nothing after a 429."""

import pytest

from jitney.adapters.strava.meters import DAY, QUARTER
from tests.adapters.strava.queueing import EVENT, MIDNIGHT, PHOTOS, RECONCILE, STATS, bench, read, refused, turned
from tests.adapters.strava.turning import NOON, settled


async def test_who_would_have_to_wait_too_long_can_go_on_with_something_else() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/100", "1000/1000"))
        (task,) = await at.ask()
        error = refused(task)
        assert error.until == MIDNIGHT
        assert "00:00:00 UTC" in str(error)


async def test_a_call_without_patience_is_told_at_once() -> None:
    async with bench() as at:
        at.limiter.learn(read("100/100"))
        (task,) = await at.ask(patience=0.0)
        assert refused(task).until == NOON + QUARTER
        assert turned(await at.ask("bob", patience=0.0)) == 0


async def test_patience_ends_as_soon_as_the_others_who_are_first_make_it_too_long() -> None:
    async with bench() as at:
        at.limiter.learn(read("1/1"))
        (late,) = await at.ask("bob", RECONCILE)
        await at.ask("alice", EVENT, times=3)
        await at.clock.forward(QUARTER + 1)
        assert not late.done()
        await at.clock.forward(1)
        assert refused(late).until == NOON + 2 * QUARTER


async def test_the_reserve_of_each_window_is_kept_for_events() -> None:
    async with bench(reserve=0.2) as at:
        at.limiter.learn(read("0/10"))
        others = await at.ask("bob", RECONCILE, times=9)
        assert turned(others) == 8
        assert turned(await at.ask("alice", EVENT, times=3)) == 2


async def test_the_reserve_of_the_day_is_kept_for_events() -> None:
    async with bench(reserve=0.2) as at:
        at.limiter.learn(read("0/100", "800/1000"))
        (photo,) = await at.ask("bob", PHOTOS)
        assert refused(photo).until == MIDNIGHT
        assert turned(await at.ask("alice", EVENT)) == 1


@pytest.mark.parametrize("limit", range(1, 12))
@pytest.mark.parametrize("reserve", [0.0, 0.2, 0.5, 0.9])
async def test_no_reserve_shuts_the_others_out(limit: int, reserve: float) -> None:
    async with bench(reserve=reserve) as at:
        at.limiter.learn(read(f"0/{limit}"))
        assert turned(await at.ask("bob", PHOTOS, times=12)) == limit - int(limit * reserve) >= 1
        assert turned(await at.ask("alice", EVENT, times=12)) == int(limit * reserve)


async def test_the_more_important_go_first() -> None:
    async with bench() as at:
        at.limiter.learn(read("1/1"))
        for owner, priority in (("photo", PHOTOS), ("stats", STATS), ("event", EVENT), ("list", RECONCILE)):
            await at.ask(owner, priority)
        at.limiter.learn({"X-ReadRateLimit-Limit": "5,1000"})
        await settled()
        assert at.order == ["event", "list", "stats", "photo"]


async def test_owners_take_turns_however_many_one_of_them_has_waiting() -> None:
    async with bench() as at:
        at.limiter.learn(read("1/1"))
        await at.ask("alice", times=6)
        await at.ask("bob", times=2)
        await at.ask("carol", times=1)
        at.limiter.learn({"X-ReadRateLimit-Limit": "7,1000"})
        await settled()
        assert at.order == ["alice", "bob", "carol", "alice", "bob", "alice"]


async def test_a_429_stops_everything_until_the_next_quarter() -> None:
    async with bench(jitter=4.0, now=NOON + 100) as at:
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("101/100"))
        assert at.limiter.exceeded(None) == NOON + QUARTER + 4
        assert at.limiter.quota.blocked_until == NOON + QUARTER + 4
        (task,) = await at.ask()
        await at.clock.forward(QUARTER - 100 + 3.9)
        assert not task.done()
        await at.clock.forward(0.1)
        assert turned([task]) == 1
        assert at.limiter.quota.blocked_until == 0.0


async def test_a_429_of_the_day_stops_everything_until_midnight() -> None:
    async with bench() as at:
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("5/100", "1001/1000"))
        (waiting,) = await at.ask("bob", patience=2 * DAY)
        assert at.limiter.exceeded(None) == MIDNIGHT + 2
        (task,) = await at.ask()
        assert refused(task).until == MIDNIGHT + 2
        await at.clock.forward(DAY / 2 + 2)
        assert turned([waiting]) == 1


@pytest.mark.parametrize(("asked", "until"), [(30.0, QUARTER), (1800.0, 1800), (1e9, DAY), (-5.0, QUARTER)])
async def test_what_strava_asks_for_is_honoured_for_a_day_at_most(asked: float, until: float) -> None:
    async with bench() as at:
        assert at.limiter.exceeded(asked) == NOON + until + 2


async def test_a_second_429_does_not_shorten_the_first() -> None:
    async with bench() as at:
        first = at.limiter.exceeded(3000.0)
        await at.clock.forward(60)
        assert at.limiter.exceeded(None) == first


async def test_those_who_wait_are_told_when_a_429_makes_it_too_long() -> None:
    async with bench() as at:
        at.limiter.learn(read("100/100"))
        (task,) = await at.ask()
        until = at.limiter.exceeded(7200.0)
        await settled()
        assert refused(task).until == until


async def test_a_turn_that_was_given_a_moment_before_a_429_is_not_used() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/1"))
        turn = await at.limiter.turn(EVENT, "alice")
        (task,) = await at.ask("bob")
        turn.answered(read("1/5"))
        at.limiter.exceeded(None)
        await settled()
        assert not task.done()
        await at.clock.forward(QUARTER + 2)
        assert turned([task]) == 1
        assert at.limiter.quota.short_used == 1


async def test_too_many_waiting_turns_the_least_important_away() -> None:
    async with bench(most=3) as at:
        at.limiter.learn(read("1/1"))
        (bob,) = await at.ask("bob", PHOTOS)
        alice = await at.ask("alice", PHOTOS, times=3)
        assert [task.done() for task in alice] == [False, False, True]
        assert "wait for Strava already" in str(refused(alice[2]))
        (event,) = await at.ask("carol", EVENT)
        assert [task.done() for task in alice] == [False, True, True]
        assert not event.done()
        assert not bob.done()


async def test_who_is_cancelled_while_waiting_takes_nobody_s_turn() -> None:
    async with bench() as at:
        at.limiter.learn(read("1/1"))
        first, second = [*await at.ask("alice"), *await at.ask("bob")]
        first.cancel()
        await settled()
        await at.clock.forward(QUARTER + 2)
        assert turned([second]) == 1
        assert at.limiter.quota.short_used == 1


async def test_a_turn_whose_owner_was_cancelled_in_that_moment_goes_to_the_next() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/1"))
        turn = await at.limiter.turn(EVENT, "alice")
        first, second = [*await at.ask("alice"), *await at.ask("bob")]
        turn.answered(read("1/2"))
        first.cancel()
        await settled()
        assert first.cancelled()
        assert turned([second]) == 1
        assert at.limiter.quota.short_used == 2
