"""The clocks, and waiting by them: what a test turns by hand."""

import asyncio
import time
from contextlib import suppress
from math import isinf


class Timing:
    """Real time."""

    def now(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def unix(self) -> float:
        """Return Unix seconds, which may jump when the clock is set."""
        return time.time()

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Wait until ``wake`` is set, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if isinf(seconds) else seconds):
                await wake.wait()
