"""A clock that only a test turns, and what waits by it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

SETTLING = 20
"""Rounds of the loop in which everything that can go on has gone on."""

NOON = 1_795_262_400.0
"""A quarter of the hour and a noon of UTC: 2026-11-21 12:00:00."""


class TurnedClock:
    """Unix seconds that stand still until a test turns them; ``pause`` waits by them."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.sleepers: dict[asyncio.Future[None], float] = {}

    def __call__(self) -> float:
        return self.now

    async def pause(self, future: asyncio.Future[Any], seconds: float) -> None:
        """Wait until ``future`` is done or the clock was turned so far."""
        assert seconds >= 0
        wake = asyncio.get_running_loop().create_future()
        self.sleepers[wake] = self.now + seconds

        def rouse(_: object) -> None:
            if not wake.done():
                wake.set_result(None)

        future.add_done_callback(rouse)
        try:
            await wake
        finally:
            del self.sleepers[wake]
            future.remove_done_callback(rouse)

    async def forward(self, seconds: float) -> None:
        """Turn the clock and wake who waits, each in time."""
        until = self.now + seconds
        await settled()
        while due := [(at, wake) for wake, at in self.sleepers.items() if at <= until and not wake.done()]:
            at, wake = min(due, key=lambda one: one[0])
            self.now = max(self.now, at)
            wake.set_result(None)
            await settled()
        self.now = until
        await settled()

    def jump(self, seconds: float) -> None:
        """Put the clock forward or back without anybody being woken: sleeping is not by the clock on the wall."""
        self.now += seconds
        self.sleepers = {wake: at + seconds for wake, at in self.sleepers.items()}


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(SETTLING):
        await asyncio.sleep(0)


async def outcome(work: Awaitable[object]) -> object:
    """Return what comes of something, be it an error."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return error


def sequence(*values: float) -> Callable[[], float]:
    """Return a source that gives the values, and the last one for ever."""
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]
