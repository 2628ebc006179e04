"""Waiting for what tells nobody: the one place of the tests that looks again and again."""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE = 30.0


async def until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = DEADLINE) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not in time."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            moment = loop.create_future()
            loop.call_later(0.01, moment.set_result, None)
            await moment
