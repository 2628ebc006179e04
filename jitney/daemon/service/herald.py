"""Keeps systemd informed while the daemon starts, runs and stops."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.log import get
from jitney.daemon.service.notify import Notifier
from jitney.daemon.service.signs import Signs
from jitney.daemon.service.watch import Watch

EVERY: Final = 1.0
"""Seconds between two looks, and at least between two statuses."""

MORE: Final = 30.0
ASK_EVERY: Final = 10.0
LONGEST_START: Final = 900.0
"""While it starts it asks every ``ASK_EVERY`` seconds for more: a large state file takes its time. But not for ever."""

_log = get("service")


class Herald:
    """Tells what the signs say: the words when they have changed, and that it lives while everything turns."""

    def __init__(self, notifier: Notifier, *, clock: Clock = time.monotonic) -> None:
        self._notifier = notifier
        self._clock = clock
        self._stuck: list[str] = []
        self._since = 0.0

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """Ask for patience until ``telling``, where a start takes long."""
        loop = asyncio.get_running_loop()
        self._notifier.status("starting")
        begun = self._clock()

        def ask() -> None:
            if not self._notifier.ready_told and self._clock() - begun < LONGEST_START:
                self._notifier.extend(MORE)
                self._timer = loop.call_later(ASK_EVERY, ask)

        self._timer = loop.call_later(ASK_EVERY, ask)
        try:
            yield
        finally:
            self._timer.cancel()

    @asynccontextmanager
    async def telling(self, signs: Signs) -> AsyncIterator[None]:
        """Tell that events can be accepted, and until it is left how it stands."""
        self._notifier.ready(signs.words())
        if not self._notifier.wanted:
            yield
            return
        tasks = [
            asyncio.create_task(self._tell(signs), name="service"),
            asyncio.create_task(signs.store.run(), name="sign of life of the store"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    async def _tell(self, signs: Signs) -> None:
        """Look, and tell what has changed, for ever."""
        watch = Watch(signs.lives, clock=self._clock)
        period = self._notifier.watchdog
        every = min(EVERY, period / 4) if period else EVERY
        lived = worded = self._clock()
        while True:
            now = self._clock()
            stuck = watch.overdue()
            self._complain(stuck)
            if period and not stuck and now - lived >= period / 3:
                self._notifier.alive()
                lived = now
            if now - worded >= EVERY:
                words = signs.words()
                self._notifier.status(f"stuck: {', '.join(stuck)}; {words}" if stuck else words)
                worded = now
            await asyncio.sleep(every)

    def _complain(self, stuck: list[str]) -> None:
        if bool(stuck) != bool(self._stuck):
            if stuck:
                self._since = self._clock()
                _log.error("parts of the bus are stuck: the service manager will start it again", stuck=stuck)
            else:
                _log.info("everything turns again", after_seconds=round(self._clock() - self._since, 1))
        self._stuck = stuck
