"""What each owner is shown: states, and in the status what hinders Strava's news from coming."""

import asyncio
from collections.abc import Mapping
from typing import Final

from jitney.adapters.base import Context
from jitney.adapters.strava import showing, states
from jitney.adapters.strava.apps import Apps
from jitney.adapters.strava.board import Board, Shown
from jitney.adapters.strava.errors import InactiveError, ScopeMissingError
from jitney.adapters.strava.standing import Standing
from jitney.adapters.strava.timing import Timing
from jitney.adapters.strava.worker import Worker

SIGN_IN: Final = "sign_in"
"""The alert that an owner has to sign in again."""

APP: Final = "app"
"""The alert that something is wrong with the app or its webhooks, which a person has to mend."""

SHOW_EVERY: Final = 60.0
"""Seconds between two looks at what changes with time: the week, the calls that are left."""

APP_PAGE: Final = "https://www.strava.com/settings/api"

_TROUBLE: Final = frozenset({"foreign", "failed"})


class Porch:
    """Shows to the owners what is known of them."""

    def __init__(self, ctx: Context, apps: Apps, *, slots: int, timing: Timing) -> None:
        self._ctx = ctx
        self._apps = apps
        self._slots = slots
        self._timing = timing
        self._board = Board(ctx)

    def begin(self) -> None:
        """Take away what an earlier run has shown, when all who are connected have been shown theirs."""
        self._board.begin()

    async def run(self, workers: Mapping[str, Worker]) -> None:
        """Show everybody theirs every minute; cancelled to stop it."""
        never = asyncio.Event()
        while True:
            await self._timing.wait(never, self._timing.now() + SHOW_EVERY)
            for worker in workers.values():
                self.show(worker)

    def show(self, worker: Worker) -> None:
        """Show an owner their states and status."""
        athlete = worker.athlete
        owner, now = athlete.grant.owner, self._timing.now()
        memory, library = athlete.remembered.value, athlete.library
        shown = [
            *showing.activities(library, slots=self._slots, now=now),
            *showing.photos(library, athlete.gallery.names),
            *showing.profile(memory, athlete.grant),
            Shown(*states.quota(self._apps.limiters[athlete.grant.app].quota)),
            self._news(worker),
        ]
        self._board.show(owner, shown, now=now)
        self._tell(worker)

    def clear(self, owner: str) -> None:
        """Show an owner nothing any more."""
        self._board.clear(owner)
        self._ctx.resolve(owner, APP)

    def standing(self, worker: Worker, *, waiting: int, signed_in: float) -> Standing:
        """Return how it stands with an owner who ``signed_in`` then, and for whom so many deliveries wait."""
        athlete = worker.athlete
        grant, memory = athlete.grant, athlete.remembered.value
        quota = self._apps.limiters[grant.app].quota
        subscription = self._apps.subscriptions[grant.app]
        return Standing(
            owner=grant.owner,
            connected=True,
            reason=self._trouble(worker),
            app=grant.app,
            athlete=grant.athlete,
            scopes=grant.scopes,
            since=memory.since,
            signed_in=signed_in,
            mode="poll" if athlete.polls() else "webhook",
            subscription=subscription.state,
            last_event=memory.last_event,
            activities=len(athlete.library.present()),
            waiting=waiting,
            calls_left_quarter=quota.short_left,
            calls_left_day=quota.day_left,
        )

    def _news(self, worker: Worker) -> Shown:
        athlete = worker.athlete
        subscription = self._apps.subscriptions[athlete.grant.app]
        return showing.news(
            athlete.remembered.value,
            mode="poll" if athlete.polls() else "webhook",
            state=subscription.state,
            reason=subscription.reason,
        )

    def _tell(self, worker: Worker) -> None:
        owner = worker.athlete.grant.owner
        trouble = self._trouble(worker)
        self._ctx.owner_status(owner, "degraded" if trouble else "online", trouble)
        subscription = self._apps.subscriptions[worker.athlete.grant.app]
        if isinstance(worker.hindrance, InactiveError | ScopeMissingError):
            self._ctx.alert(owner, APP, message=str(worker.hindrance), link=APP_PAGE)
        elif subscription.state in _TROUBLE:
            self._ctx.alert(owner, APP, message=subscription.reason, link=APP_PAGE)
        else:
            self._ctx.resolve(owner, APP)

    def _trouble(self, worker: Worker) -> str:
        """Return what is wrong for an owner, empty for nothing."""
        if worker.hindrance is not None:
            return str(worker.hindrance)
        subscription = self._apps.subscriptions[worker.athlete.grant.app]
        return f"no webhooks, so it is polled: {subscription.reason}" if subscription.state in _TROUBLE else ""
