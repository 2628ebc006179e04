"""A limiter with a clock that is turned, and those who wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jitney.adapters.strava.errors import LimitedError
from jitney.adapters.strava.limiter import Limiter, Priority, Turn
from jitney.adapters.strava.meters import DAY
from tests.adapters.strava.turning import NOON, TurnedClock, outcome, settled

EVENT, RECONCILE, STATS, PHOTOS = Priority
MIDNIGHT = NOON + DAY / 2


def limiter_at(clock: TurnedClock, *, reserve: float = 0.0, most: int = 300, jitter: float = 2.0) -> Limiter:
    return Limiter(reserve=reserve, clock=clock, most=most, pause=clock.pause, jitter=lambda: jitter)


def read(short: str, day: str = "0/1000") -> dict[str, str]:
    """Return headers that say "used/limit" of a quarter and of a day."""
    (short_used, short_limit), (day_used, day_limit) = short.split("/"), day.split("/")
    return {
        "X-ReadRateLimit-Limit": f"{short_limit},{day_limit}",
        "X-ReadRateLimit-Usage": f"{short_used},{day_used}",
    }


class Bench:
    """A limiter with a clock that is turned, and all that wait for it."""

    def __init__(self, clock: TurnedClock, limiter: Limiter) -> None:
        self.clock = clock
        self.limiter = limiter
        self.tasks: list[asyncio.Task[object]] = []
        self.order: list[str] = []

    async def ask(
        self, owner: str = "alice", priority: Priority = EVENT, *, times: int = 1, patience: float | None = None
    ) -> list[asyncio.Task[object]]:
        """Wait for turns and note in ``order`` whose they were; the calls stay on their way."""
        made = [
            asyncio.create_task(outcome(self._turn(owner, priority, patience)), name=f"{owner} {number}")
            for number in range(times)
        ]
        self.tasks += made
        await settled()
        return made

    async def used(self, number: int) -> None:
        """Make calls that are answered without a word."""
        for _ in range(number):
            with await self.limiter.turn(EVENT, "carol"):
                pass

    async def _turn(self, owner: str, priority: Priority, patience: float | None) -> Turn:
        turn = await self.limiter.turn(priority, owner, patience=patience)
        self.order.append(owner)
        return turn


@asynccontextmanager
async def bench(
    *, reserve: float = 0.0, most: int = 300, jitter: float = 2.0, now: float = NOON
) -> AsyncIterator[Bench]:
    clock = TurnedClock(now)
    made = Bench(clock, limiter_at(clock, reserve=reserve, most=most, jitter=jitter))
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        assert not clock.sleepers


def turned(tasks: list[asyncio.Task[object]]) -> int:
    return sum(task.done() and isinstance(task.result(), Turn) for task in tasks)


def refused(task: asyncio.Task[object]) -> LimitedError:
    assert task.done()
    error = task.result()
    assert isinstance(error, LimitedError)
    return error
