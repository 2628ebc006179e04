"""What is left of a window: never more than Strava said, whatever comes of calls, clocks and restarts."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.adapters.strava.errors import LimitedError
from jitney.adapters.strava.meters import DAY, QUARTER
from tests.adapters.strava.queueing import (
    EVENT,
    MIDNIGHT,
    bench,
    limiter_at,
    read,
    turned,
)
from tests.adapters.strava.turning import NOON, TurnedClock, settled


async def test_without_a_word_from_strava_the_limits_are_those_of_a_new_app() -> None:
    async with bench() as at:
        tasks = await at.ask(times=101)
        assert turned(tasks) == 100
        quota = at.limiter.quota
        assert (quota.short_limit, quota.short_used, quota.short_left) == (100, 100, 0)
        assert (quota.day_limit, quota.day_used, quota.day_left) == (1000, 100, 900)
        assert (quota.short_resets_at, quota.day_resets_at) == (NOON + QUARTER, MIDNIGHT)
        assert quota.blocked_until == 0.0


@pytest.mark.parametrize("late", [0, 1, 450, 899])
async def test_a_window_ends_at_the_quarter_whenever_its_calls_were_made(late: int) -> None:
    async with bench(now=NOON + late) as at:
        at.limiter.learn(read("0/2"))
        await at.used(2)
        (task,) = await at.ask()
        await at.clock.forward(QUARTER - late - 1)
        assert not task.done()
        await at.clock.forward(1 + 2)
        assert turned([task]) == 1


async def test_a_used_up_window_opens_a_moment_late_because_clocks_differ() -> None:
    async with bench(jitter=3.0) as at:
        at.limiter.learn(read("0/1"))
        await at.used(1)
        (task,) = await at.ask()
        await at.clock.forward(QUARTER + 2.9)
        assert not task.done()
        await at.clock.forward(0.1)
        assert turned([task]) == 1


async def test_a_window_that_was_not_used_up_makes_nobody_wait_for_the_next() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/2"))
        await at.used(1)
        await at.clock.forward(QUARTER)
        assert turned(await at.ask(times=2)) == 2


async def test_the_day_ends_at_midnight_of_utc() -> None:
    async with bench(now=MIDNIGHT - 600) as at:
        at.limiter.learn(read("0/100", "0/3"))
        await at.used(3)
        (task,) = await at.ask()
        await at.clock.forward(599)
        assert not task.done()
        await at.clock.forward(1 + 2)
        assert turned([task]) == 1


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"X-RateLimit-Limit": "200,2000", "X-RateLimit-Usage": "197,300", **read("90/100")}, 3),
        ({"X-RateLimit-Limit": "200,2000", "X-RateLimit-Usage": "110,300", **read("95/100")}, 5),
        ({"X-RateLimit-Limit": "200,2000", "X-RateLimit-Usage": "196,300"}, 4),
        (read("94/100"), 6),
        ({name.lower(): value for name, value in read("94/100").items()}, 6),
        ({name.upper(): value for name, value in read("94/100").items()}, 6),
        ({"X-ReadRateLimit-Limit": "7,1000"}, 7),
        ({"X-ReadRateLimit-Usage": "93,100"}, 7),
        ({"X-ReadRateLimit-Usage": " 93 , 100 ", "X-ReadRateLimit-Limit": "100 ,1000"}, 7),
        (read("0/100", "992/1000"), 8),
        ({}, 100),
        ({"X-ReadRateLimit-Limit": "0,0", "X-ReadRateLimit-Usage": "some"}, 100),
        ({"X-ReadRateLimit-Limit": "100", "X-ReadRateLimit-Usage": "-1,5"}, 100),
        ({"X-RateLimit-Limit": "300,3000", **read("0/200")}, 200),
    ],
)
async def test_the_tighter_of_both_limits_counts(headers: Mapping[str, str], left: int) -> None:
    async with bench() as at:
        at.limiter.learn(headers)
        assert turned(await at.ask(times=left + 1)) == left


async def test_calls_on_their_way_count_until_they_are_answered() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/3"))
        turns = [await at.limiter.turn(EVENT, "alice") for _ in range(3)]
        (task,) = await at.ask()
        assert not task.done()
        assert at.limiter.quota.short_used == 3
        turns[2].answered(read("1/10"))
        await settled()
        assert turned([task]) == 1
        turns[0].answered(read("2/10"))
        turns[1].answered(read("3/10"))
        assert at.limiter.quota.short_used == 4


async def test_an_answer_never_takes_back_what_was_sent_after_its_call() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/10"))
        first = await at.limiter.turn(EVENT, "alice")
        await at.ask(times=4)
        first.answered(read("1/10"))
        assert at.limiter.quota.short_used == 5


async def test_answers_in_another_order_do_not_lower_what_is_known() -> None:
    async with bench() as at:
        first = await at.limiter.turn(EVENT, "alice")
        second = await at.limiter.turn(EVENT, "alice")
        second.answered(read("40/100"))
        first.answered(read("39/100"))
        assert at.limiter.quota.short_used == 40


async def test_a_call_without_an_answer_counts_until_a_later_one_tells_better() -> None:
    async with bench() as at:
        at.limiter.learn(read("10/100"))
        with pytest.raises(OSError, match="cut"), await at.limiter.turn(EVENT, "alice"):
            raise OSError("cut")
        assert at.limiter.quota.short_used == 11
        for said in ("11/100", "12/100"):
            with await at.limiter.turn(EVENT, "alice") as turn:
                turn.answered(read(said))
            assert at.limiter.quota.short_used == int(said.split("/", maxsplit=1)[0])


async def test_a_call_that_was_lost_counts_when_an_answer_cannot_know_of_it() -> None:
    async with bench() as at:
        first = await at.limiter.turn(EVENT, "alice")
        lost = await at.limiter.turn(EVENT, "alice")
        lost.answered({})
        first.answered(read("41/100"))
        assert at.limiter.quota.short_used == 42


async def test_only_the_first_answer_to_a_call_counts() -> None:
    async with bench() as at:
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("41/100"))
            turn.answered(read("5/100"))
        assert at.limiter.quota.short_used == 41


async def test_what_another_program_used_counts() -> None:
    async with bench() as at:
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("98/100"))
        assert turned(await at.ask(times=5)) == 2


async def test_usage_of_the_window_before_is_not_taken_for_that_of_this_one() -> None:
    async with bench(now=NOON + QUARTER - 1) as at:
        turn = await at.limiter.turn(EVENT, "alice")
        await at.clock.forward(2)
        turn.answered(read("100/100", "300/1000"))
        quota = at.limiter.quota
        assert quota.short_used == 1
        assert quota.day_used == 300


async def test_a_wrong_word_of_the_window_before_is_corrected_by_the_next_answer() -> None:
    async with bench() as at:
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("99/100"))
        with await at.limiter.turn(EVENT, "alice") as turn:
            turn.answered(read("1/100"))
        assert at.limiter.quota.short_used == 2


async def test_a_clock_that_is_put_back_makes_nobody_wait_longer_than_a_window() -> None:
    async with bench(jitter=1.0) as at:
        at.limiter.learn(read("0/2"))
        await at.used(2)
        at.clock.jump(-400 * DAY - 7)
        (task,) = await at.ask()
        await at.clock.forward(QUARTER + 1)
        assert turned([task]) == 1


async def test_a_clock_that_is_put_back_gives_no_calls_back() -> None:
    async with bench(now=NOON + 1) as at:
        at.limiter.learn(read("0/2"))
        await at.used(2)
        at.clock.jump(-5)
        assert turned(await at.ask()) == 0


@pytest.mark.parametrize("back", [30.0, 1000.0, 90_000.0, 1e8])
async def test_a_429_does_not_last_longer_because_the_clock_was_put_back(back: float) -> None:
    async with bench() as at:
        at.limiter.exceeded(None)
        (task,) = await at.ask()
        await at.clock.forward(600)
        at.clock.jump(-back)
        await at.clock.forward(QUARTER - 600 + 60 + 2)
        assert turned([task]) == 1


async def test_a_clock_that_is_put_right_while_somebody_waits_is_noticed() -> None:
    async with bench(now=NOON - 90 * DAY) as at:
        at.limiter.learn(read("0/1"))
        await at.used(1)
        (task,) = await at.ask()
        at.clock.jump(90 * DAY)
        await at.clock.forward(61)
        assert turned([task]) == 1


async def test_what_is_known_outlives_a_restart() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/50", "0/500"))
        await at.used(7)
        await at.ask()
        restarted = limiter_at(at.clock)
        restarted.restore(at.limiter.dump())
        quota = restarted.quota
        assert (quota.short_limit, quota.short_used, quota.day_limit, quota.day_used) == (50, 8, 500, 8)
        await at.clock.forward(QUARTER)
        assert (restarted.quota.short_used, restarted.quota.day_used) == (0, 8)
        await at.clock.forward(DAY)
        assert (restarted.quota.short_limit, restarted.quota.day_used) == (50, 0)


async def test_a_429_outlives_a_restart() -> None:
    async with bench() as at:
        until = at.limiter.exceeded(None)
        restarted = limiter_at(at.clock)
        restarted.restore(at.limiter.dump())
        assert restarted.quota.blocked_until == until
        with pytest.raises(LimitedError):
            await restarted.turn(EVENT, "alice", patience=0.0)


async def test_what_is_kept_stays_the_same_while_nothing_happens() -> None:
    async with bench() as at:
        at.limiter.exceeded(None)
        blocked = at.limiter.dump()
        await at.clock.forward(QUARTER / 2)
        assert at.limiter.dump() == blocked
        await at.clock.forward(QUARTER)
        idle = at.limiter.dump()
        await at.clock.forward(3 * DAY)
        assert at.limiter.dump() == idle != blocked


async def test_usage_that_was_kept_by_a_clock_ahead_of_this_one_ends_with_this_window() -> None:
    async with bench() as at:
        at.limiter.learn(read("0/2", "0/2"))
        await at.used(2)
        behind = TurnedClock(NOON - 30 * DAY)
        restarted = limiter_at(behind)
        restarted.restore(at.limiter.dump())
        assert restarted.quota.day_left == 0
        behind.now += DAY / 2
        assert restarted.quota.day_left == 2


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"\xff", b'{"meters":{},"blocked_until":"soon"}', b'{"meters":{"read/900":{}}}']
)
async def test_what_cannot_be_read_of_before_is_forgotten(raw: bytes) -> None:
    async with bench() as at:
        at.limiter.restore(raw)
        assert turned(await at.ask(times=101)) == 100


@settings(deadline=None)
@given(
    st.tuples(st.integers(), st.integers(), st.integers()),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1e9),
)
def test_nothing_that_was_kept_stops_an_app_for_more_than_a_day(
    counted: tuple[int, int, int], until: float, span: float
) -> None:
    limit, window, used = counted

    async def run() -> None:
        async with bench() as at:
            meter = f'{{"limit":{limit},"window":{window},"used":{used}}}'
            names = ",".join(f'"{name}/{length}":{meter}' for name in ("read", "overall") for length in (900, 86400))
            at.limiter.restore(f'{{"meters":{{{names}}},"blocked_until":{until!r},"blocked_span":{span!r}}}'.encode())
            (task,) = await at.ask(patience=2 * DAY)
            await at.clock.forward(DAY + 5)
            assert turned([task]) == 1

    asyncio.run(run())
