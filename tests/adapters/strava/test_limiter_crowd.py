"""Any number of callers in any order: Strava, which counts by the same clock, never counts one call too many."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.adapters.strava.limiter import Priority, Turn
from jitney.adapters.strava.meters import DAY, QUARTER
from tests.adapters.strava.queueing import (
    EVENT,
    Bench,
    bench,
)
from tests.adapters.strava.turning import NOON, TurnedClock, outcome, settled


class Strava:
    """Counts calls as Strava does, by the same clock."""

    def __init__(self, clock: TurnedClock, limits: tuple[tuple[int, int], tuple[int, int]]) -> None:
        self.clock = clock
        self.limits = dict(zip(("X-ReadRateLimit", "X-RateLimit"), limits, strict=True))
        self.counted: Counter[int] = Counter()

    def handle(self) -> dict[str, str]:
        """Count a call, which must not be one too many; return the headers."""
        for length in (QUARTER, DAY):
            self.counted[self._window(length)] += 1
        used = [self.counted[self._window(length)] for length in (QUARTER, DAY)]
        for limits in self.limits.values():
            assert used[0] <= limits[0]
            assert used[1] <= limits[1]
        return self.headers()

    def headers(self) -> dict[str, str]:
        """Return what an answer tells now."""
        used = [self.counted[self._window(length)] for length in (QUARTER, DAY)]
        return {
            **{f"{name}-Limit": f"{short},{day}" for name, (short, day) in self.limits.items()},
            **{f"{name}-Usage": f"{used[0]},{used[1]}" for name in self.limits},
        }

    def _window(self, length: int) -> int:
        return int(self.clock.now // length) * length + length % 7


INDEX = st.integers(0, 9)
DO = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(["alice", "bob"]), st.sampled_from(Priority)),
    st.tuples(st.just("handle"), INDEX, st.none()),
    st.tuples(st.just("answer"), INDEX, st.sampled_from(["both", "both", "read", "overall", ""])),
    st.tuples(st.just("lose"), INDEX, st.none()),
    st.tuples(st.just("forward"), st.sampled_from([0.5, 10, 300, 899, 900, 4000, DAY]), st.none()),
    st.tuples(st.just("cancel"), INDEX, st.booleans()),
)
LIMITS = st.tuples(st.integers(1, 5), st.integers(1, 12))


class Crowd:
    """Callers whose calls are handled, answered and lost in any order."""

    def __init__(self, at: Bench, strava: Strava) -> None:
        self.at = at
        self.strava = strava
        self.on_the_way: list[tuple[Turn, list[dict[str, str]]]] = []
        self.made: Counter[tuple[int, int, bool]] = Counter()
        self.tasks: list[asyncio.Task[object]] = []

    async def call(self, owner: str, priority: Priority) -> None:
        turn = await self.at.limiter.turn(priority, owner)
        for length in (QUARTER, DAY):
            self.made[length, int(self.at.clock.now // length), priority is EVENT] += 1
        self.on_the_way.append((turn, []))

    def handle(self, index: int) -> dict[str, str]:
        _, handled = self.on_the_way[index % len(self.on_the_way)]
        if not handled:
            handled.append(self.strava.handle())
        return handled[0]

    def answer(self, index: int, told: str) -> None:
        headers = self.handle(index)
        turn, _ = self.on_the_way.pop(index % len(self.on_the_way))
        wanted = {"both": ("X-Read", "X-Rate"), "read": ("X-Read",), "overall": ("X-Rate",), "": ()}[told]
        turn.answered({name: value for name, value in headers.items() if name.startswith(wanted)})

    async def do(self, what: str, which: str | float, how: object) -> None:
        if what == "ask":
            assert isinstance(how, Priority)
            self.tasks.append(asyncio.create_task(outcome(self.call(str(which), how)), name="caller"))
        elif what == "forward":
            await self.at.clock.forward(float(which))
        elif what == "cancel" and self.tasks:
            if how and self.on_the_way:
                self.answer(0, "both")
            self.tasks[int(which) % len(self.tasks)].cancel()
        elif self.on_the_way and what in {"handle", "answer"}:
            self.answer(int(which), str(how)) if what == "answer" else self.handle(int(which))
        elif self.on_the_way and what == "lose":
            turn, _ = self.on_the_way.pop(int(which) % len(self.on_the_way))
            turn.answered({})
        await settled()


@settings(deadline=None)
@given(LIMITS, LIMITS, st.sampled_from([0.0, 0.2, 0.5]), st.lists(DO, max_size=60))
def test_in_no_window_more_calls_are_let_through_than_allowed(
    reading: tuple[int, int],
    overall: tuple[int, int],
    reserve: float,
    doing: list[tuple[str, str | float, object]],
) -> None:
    async def run() -> None:
        async with bench(reserve=reserve, now=NOON + 1) as at:
            strava = Strava(at.clock, (reading, overall))
            at.limiter.learn(strava.headers())
            crowd = Crowd(at, strava)
            at.tasks = crowd.tasks
            for one in doing:
                await crowd.do(*one)
            for index, length in enumerate((QUARTER, DAY)):
                limit = min(reading[index], overall[index])
                for _, window, _ in {key for key in crowd.made if key[0] == length}:
                    others = crowd.made[length, window, False]
                    assert others + crowd.made[length, window, True] <= limit
                    assert others <= min(one - int(one * reserve) for one in (reading[index], overall[index]))
            await at.clock.forward(1201)
            assert all(task.done() for task in crowd.tasks)

    asyncio.run(run())
