"""The time: what o'clock it is, and waiting; one object, so that a test can turn both."""

import asyncio
import time
from typing import Any


class Timing:
    """The real time."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time()

    async def wait(self, news: asyncio.Event, until: float) -> None:
        """Return when ``news`` is set or it is ``until``, in Unix seconds, whatever comes first."""
        try:
            async with asyncio.timeout(max(0.0, until - self.now())):
                await news.wait()
        except TimeoutError:
            return

    async def pause(self, future: "asyncio.Future[Any]", seconds: float) -> None:
        """Return when a future is done or after so many seconds, whatever comes first."""
        await asyncio.wait((future,), timeout=seconds)
