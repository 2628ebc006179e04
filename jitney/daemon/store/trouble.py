"""Telling that the disk takes nothing: once when it begins, and once when it is over."""

import asyncio
from typing import Final

from jitney.daemon.log import Decay, Logger

STEADY: Final = 30.0
"""Seconds in which every commit has to succeed before an outage is over: on a disk that is full to the brim some do."""


class Trouble:
    """The outages of the state file, as the log tells them."""

    def __init__(self, log: Logger) -> None:
        self._decay = Decay(log)
        self._lasting = False
        self._timer: asyncio.TimerHandle | None = None

    def failed(self, reason: str) -> None:
        """Learn that a commit failed."""
        self._lasting = True
        self.close()
        self._decay.failed("the state cannot be written: durable events are refused until it can", reason=reason)

    def worked(self, *, given_up: int) -> None:
        """Learn that a commit succeeded; so many rows were given up since the start."""
        if self._lasting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(STEADY, self._over, given_up)

    def close(self) -> None:
        """Forget what may be over soon."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self, given_up: int) -> None:
        self._lasting = False
        self._timer = None
        self._decay.recovered("the state is written again", given_up=given_up or None)
