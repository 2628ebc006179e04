"""What each owner is shown: states, devices, and in the status what hinders Strava's news from coming."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.strava import entities, showing, states
from jitney.adapters.strava.apps import Apps
from jitney.adapters.strava.athlete import Athlete
from jitney.adapters.strava.board import Board, Shown
from jitney.adapters.strava.config import identity
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
    """Shows to the owners what is known of them: with ``places`` where activities began, with ``photos`` those too."""

    def __init__(self, ctx: Context, apps: Apps, *, places: bool, photos: bool, timing: Timing) -> None:
        self._ctx = ctx
        self._apps = apps
        self._places = places
        self._timing = timing
        self._board = Board(ctx)
        self._scenes: dict[str, entities.Scene] = {}
        shows = {owner: identity(known).show for owner, known in ctx.owners.items()}
        self._shows = {owner: show if photos else replace(show, photos=False) for owner, show in shows.items()}
        self._turns = sorted({show.photo_seconds for show in self._shows.values() if show.photos})

    def begin(self) -> None:
        """Take away what an earlier run has shown, when all who are connected have been shown theirs."""
        self._board.begin()

    async def run(self, workers: Mapping[str, Worker]) -> None:
        """Show everybody theirs every minute, and photos in turn; cancelled to stop it."""
        never = asyncio.Event()
        now = shown = self._timing.now()
        while True:
            turns = ((now // seconds + 1) * seconds for seconds in self._turns)
            await self._timing.wait(never, min([shown + SHOW_EVERY, *turns]))
            now = self._timing.now()
            if shown <= now < shown + SHOW_EVERY:
                self._next_photos(workers.values())
                continue
            shown = now
            for worker in workers.values():
                self.show(worker)

    def show(self, worker: Worker) -> None:
        """Show an owner their states and status."""
        athlete = worker.athlete
        owner, now = athlete.grant.owner, self._timing.now()
        memory, library = athlete.remembered.value, athlete.library
        shown = [
            *showing.activities(library, slots=athlete.slots, now=now),
            *self._photos(athlete, now=now),
            *showing.profile(memory, athlete.grant),
            Shown(*states.quota(self._apps.limiters[athlete.grant.app].quota)),
            self._news(worker),
        ]
        self._board.show(owner, shown, now=now)
        self._announce(owner, entities.scene(shown, self._shows[owner], athlete=athlete.grant.athlete))
        self._tell(worker)

    def clear(self, owner: str) -> None:
        """Show an owner nothing but that they are not connected."""
        self._board.clear(owner)
        self._announce(owner, entities.NOBODY)
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

    def _announce(self, owner: str, scene: entities.Scene) -> None:
        """Declare the devices of an owner, when what is known has changed them; only configured people have any."""
        if owner not in self._shows or self._scenes.get(owner) == scene:
            return
        self._scenes[owner] = scene
        adapter = self._ctx.name.replace("_", " ").replace("-", " ")
        name = f"{adapter[:1].upper()}{adapter[1:]} {self._ctx.owners[owner].name}"
        self._ctx.announce(owner, entities.devices(scene, self._shows[owner], name=name, places=self._places))

    def _photos(self, athlete: Athlete, *, now: float) -> Iterator[Shown]:
        show = self._shows[athlete.grant.owner]
        turn = int(now // show.photo_seconds) if show.photos else None
        return showing.photos(athlete.library, athlete.gallery.names, turn=turn)

    def _next_photos(self, workers: Iterable[Worker]) -> None:
        """Show the photos whose turn it is to those who want them."""
        now = self._timing.now()
        for worker in workers:
            owner = worker.athlete.grant.owner
            if self._shows[owner].photos:
                self._board.add(owner, self._photos(worker.athlete, now=now), now=now)

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
