"""Keep-alive of a connection: ask in time, and notice when nobody answers."""

import asyncio
from collections.abc import Callable
from typing import Final

SILENCE: Final = 1.5
"""A peer that says nothing for so many keep-alive intervals is gone."""


class KeepAlive:
    """Calls ``ping`` twice in every interval of ``seconds``, and ``dead`` once when nothing is heard.

    While paused nothing can be heard, so only ``ping`` is called.
    """

    def __init__(self, seconds: float, *, ping: Callable[[], None], dead: Callable[[], None]) -> None:
        self.seconds = seconds
        self._ping = ping
        self._dead = dead
        self._loop = asyncio.get_running_loop()
        self._heard = 0.0
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count."""
        self.heard()
        self._timer = self._loop.call_later(self.seconds / 2, self._tick)

    def stop(self) -> None:
        """Call nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def heard(self) -> None:
        """Learn that the peer has said something."""
        self._heard = self._loop.time()

    def pause(self) -> None:
        """Expect nothing, because nobody reads."""
        self._paused = True

    def resume(self) -> None:
        """Expect answers from now on."""
        self._paused = False
        self.heard()

    def _tick(self) -> None:
        left = self._heard + self.seconds * SILENCE - self._loop.time()
        if left <= 0 and not self._paused:
            self._dead()
            return
        pause = self.seconds / 2 if self._paused else min(self.seconds / 2, left)
        self._timer = self._loop.call_later(pause, self._tick)
        self._ping()
