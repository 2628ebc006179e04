"""Noticing a radio that has gone silent: a connection over which nothing comes looks like one with nothing to say."""

import asyncio
from collections.abc import Awaitable, Callable

from jitney.adapters.errors import DisconnectedError


class Watchdog:
    """Asks for a sign of life every ``interval`` seconds; ``heard`` counts everything that came.

    Firmware answers every heartbeat. A radio that stalls right after an answer is noticed two intervals later.
    """

    def __init__(
        self,
        *,
        beat: Callable[[], Awaitable[None]],
        heard: Callable[[], int],
        interval: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._beat = beat
        self._heard = heard
        self._interval = interval
        self._sleep = sleep

    async def run(self) -> None:
        """Watch until nothing has come since a heartbeat, which raises DisconnectedError."""
        while True:
            before = self._heard()
            await self._beat()
            await self._sleep(self._interval)
            if self._heard() == before:
                raise DisconnectedError(
                    f"the radio has given no sign of life for {self._interval:g} s: it hangs, or the way to it is cut"
                )
