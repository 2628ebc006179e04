"""What routes have planned for people who are disabled: it waits until they are enabled, or its time is over."""

from collections.abc import Callable, Collection
from typing import Final

from jitney.daemon.config.resting import DISABLED, why
from jitney.daemon.routing.executor import Doer
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.planned import Planned

LOOK_AGAIN: Final = 60.0
"""Seconds after which it is looked whether they are enabled."""


class RestingDoer:
    """Lets a doer do everything but what is planned for those who are disabled."""

    def __init__(self, doer: Doer, resting: Callable[[], Collection[str]]) -> None:
        self._doer = doer
        self._resting = resting

    async def do(self, planned: Planned) -> None:
        """Do it, once; raises FailedError for somebody who is disabled, and what the doer raises."""
        if planned.owner in self._resting():
            raise FailedError(DISABLED, why(planned.owner), after=LOOK_AGAIN)
        await self._doer.do(planned)

    async def close(self) -> None:
        """Let go of whatever is open."""
        await self._doer.close()
