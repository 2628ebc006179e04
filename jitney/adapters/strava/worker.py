"""Lets one owner's part of Strava go round and notes what hinders it; one owner's trouble is nobody else's."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.athlete import Athlete
from jitney.adapters.strava.breaker import Breaker
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    LimitedError,
    ScopeMissingError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.timing import Timing

GAP: Final = 0.25
"""Seconds between two rounds: a burst of news is one."""

RETRY: Final = 30.0
"""Seconds until what could not be kept here is tried again."""

RARELY: Final = 3600.0
"""Seconds until what a person has to mend is tried again."""


class Refreshed(Struct, frozen=True):
    """What is known after everything was compared."""

    activities: int


class Worker:
    """Runs the rounds of one owner; ``changed`` is called after each, whatever came of it.

    ``hindrance`` is what ended the last round early, None when nothing did.
    """

    def __init__(
        self,
        ctx: Context,
        athlete: Athlete,
        *,
        news: asyncio.Event,
        breaker: Breaker,
        changed: Callable[[], None],
        timing: Timing,
    ) -> None:
        self.athlete = athlete
        self.hindrance: StravaError | RefusedError | None = None
        self._ctx = ctx
        self._news = news
        self._breaker = breaker
        self._changed = changed
        self._timing = timing
        self._askers: list[asyncio.Future[None]] = []
        self._retry_at = 0.0

    async def run(self) -> None:
        """Go round until cancelled; raises GrantGoneError when the athlete has taken the permission back."""
        askers: list[asyncio.Future[None]] = []
        never = asyncio.Event()
        try:
            while True:
                self._news.clear()
                askers, self._askers = self._askers, []
                until = await self._round()
                self._answer(askers)
                self._changed()
                await self._timing.wait(self._news, until)
                await self._timing.wait(never, self._timing.now() + GAP)
        finally:
            for asker in (*askers, *self._askers):
                if not asker.done():
                    asker.set_exception(RefusedError("not_connected", "the sign-in at Strava ended meanwhile"))

    async def refresh(self) -> Refreshed:
        """Compare everything now; raises the StravaError or RefusedError that hinders it."""
        asker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self.athlete.want()
        self._news.set()
        await asker
        return Refreshed(len(self.athlete.library.present()))

    def show(self) -> None:
        """Let what is known now be shown, outside of a round."""
        self._changed()

    async def _round(self) -> float:
        """Go round once; returns when to come again, in Unix seconds. Raises GrantGoneError."""
        now = self._timing.now()
        if self._breaker.state == "open":
            return self._retry_at
        self.hindrance = None
        try:
            until = await self.athlete.round()
        except GrantGoneError:
            raise
        except (StravaError, RefusedError) as error:
            self.hindrance = error
            self._ctx.count("hindered")
            self._ctx.log.debug("a round was not finished", owner=self.athlete.grant.owner, reason=str(error))
            return self._again(error, now)
        self._breaker.succeeded()
        return until

    def _again(self, error: StravaError | RefusedError, now: float) -> float:
        """Return when to try again after an error."""
        match error:
            case LimitedError():
                return error.until
            case UnavailableError():
                self._retry_at = self._breaker.failed()
                return self._retry_at
            case InactiveError() | ScopeMissingError():
                return now + RARELY
        return now + RETRY

    def _answer(self, askers: list[asyncio.Future[None]]) -> None:
        for asker in askers:
            if asker.done():
                continue
            if self.hindrance is None:
                asker.set_result(None)
            else:
                asker.set_exception(self.hindrance)
