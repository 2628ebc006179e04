"""One owner's part of Strava: takes what Strava tells, asks Strava what is true, and tells the owner."""

from collections.abc import Callable
from typing import Final

import aiohttp
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.strava.activities import Activities
from jitney.adapters.strava.agenda import Agenda
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.config import Config
from jitney.adapters.strava.deliveries import Deliveries
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    LimitedError,
    ScopeMissingError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.gallery import Gallery
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.hints import NOT_YET, Hint, coalesced
from jitney.adapters.strava.ids import EventIds
from jitney.adapters.strava.library import DAY, KEEP, Library
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.memory import Remembered
from jitney.adapters.strava.photos import PhotoFiles
from jitney.adapters.strava.profile import Profile
from jitney.adapters.strava.reconcile import Comparison, Reconciliation
from jitney.adapters.strava.timing import Timing

AGAIN: Final = 900.0
"""After so long an activity that changed is read once more: photos and descriptions come later, and nobody tells."""

BURST: Final = 20
"""When more activities than this are told of at once, a list says which of them are worth a call each."""

QUIET: Final = 300.0
"""Seconds after the last change after which statistics and gear are fetched."""

RARELY: Final = DAY
"""How often the profile and the statistics are fetched when nothing has changed."""

FRESH: Final = 5 * DAY
"""What is shown is fetched again when it is older, so that it need not be forgotten."""

_ENDS_ROUND: Final = (UnavailableError, LimitedError, GrantGoneError, InactiveError)
"""Errors that every further call would meet too; the others are only about what was asked for."""


class Athlete:
    """What is done for one owner: ``load`` comes first, then ``round`` again and again.

    ``slots`` are how many of the newest activities are shown.
    """

    def __init__(
        self,
        ctx: Context,
        grant: Grant,
        *,
        config: Config,
        slots: int,
        api: Api,
        deliveries: Deliveries,
        polls: Callable[[], bool],
        files: PhotoFiles,
        http: aiohttp.ClientSession,
        timing: Timing,
    ) -> None:
        self.grant = grant
        self.slots = slots
        self.library = Library(ctx, grant.owner)
        self.remembered = Remembered(ctx, grant.owner)
        self._ctx = ctx
        self._config = config
        self._api = api
        self._deliveries = deliveries
        self.polls = polls
        self._files = files
        self._http = http
        self._timing = timing
        self._agenda = Agenda()
        self._later: dict[int, float] = {}
        self._listed: dict[int, str] = {}
        self._profile_due = 0.0
        self._wanted = True

    async def load(self) -> None:
        """Read what is kept; raises RefusedError when a new owner cannot be remembered."""
        await self.library.load()
        await self.remembered.load(self._timing.now())
        memory = self.remembered.value
        self._profile_due = min(memory.stats_fetched, memory.athlete_fetched) + RARELY
        self.ids = ids = EventIds(self.grant.athlete, f"{memory.since:.3f}")
        timing = self._timing
        self.activities = Activities(
            self._ctx,
            self._api,
            self.grant,
            library=self.library,
            ids=ids,
            gear=lambda: memory.gear,
            since=memory.since,
            privacy=self._config.privacy,
            timing=timing,
        )
        self._lists = Reconciliation(
            self._ctx, self._api, self.grant, library=self.library, activities=self.activities, timing=timing
        )
        self.gallery = Gallery(
            self._ctx,
            self.activities,
            self.library,
            files=self._files,
            wanted=self._config.privacy.photo_files,
            http=self._http,
            timing=timing,
        )
        await self.gallery.load()
        self._profile = Profile(self._ctx, self._api, self.grant, remembered=self.remembered, ids=ids, timing=timing)

    def want(self) -> None:
        """Compare everything in the next round, whenever that was done last."""
        self._wanted = True

    async def round(self) -> float:
        """Do everything that is due; returns when there is more to do, in Unix seconds.

        Raises StravaError and RefusedError; what was not done then is done by the next call.
        """
        await self._verify()
        await self._take_hints()
        await self._look(least=Priority.EVENT)
        await self._compare()
        await self._look(least=Priority.PHOTOS)
        await self.gallery.round()
        await self._look_at_profile()
        await self._forget()
        return self._next()

    def _next(self) -> float:
        memory = self.remembered.value
        told = [hint.due for hint in self._hints("athlete")]
        told += [max(hint.due, self._later.get(hint.id, 0.0)) for hint in self._hints("activity")]
        return min(
            self._agenda.next(),
            memory.listed + (self._config.poll if self.polls() else self._config.reconcile),
            memory.reconciled + self._config.reconcile,
            self._profile_due,
            self.gallery.next(),
            *told,
        )

    def _hints(self, about: str) -> list[Hint]:
        return coalesced(self._deliveries.waiting(self.grant.owner), about)

    async def _verify(self) -> None:
        """Ask who the athlete is where Strava told of that; raises GrantGoneError when they have ended it."""
        for hint in self._hints("athlete"):
            if hint.due <= self._timing.now():
                await self._profile.look_at_athlete()
                await self._deliveries.done(hint.deliveries)

    async def _take_hints(self) -> None:
        """Put what Strava told of on the agenda."""
        now = self._timing.now()
        hints = self._hints("activity")
        memory = self.remembered.value
        memory.last_event = max((hint.last for hint in hints), default=memory.last_event)
        due = [hint for hint in hints if max(hint.due, self._later.get(hint.id, 0.0)) <= now]
        if len(due) <= BURST:
            for hint in due:
                self._agenda.add(hint.id, due=now, priority=Priority.EVENT)
            return
        compared = await self._compared_with_all()
        for hint in due:
            if hint.id in compared.same:
                await self._deliveries.done(hint.deliveries)
            else:
                self._agenda.add(hint.id, due=now, priority=Priority.RECONCILE)

    async def _compare(self) -> None:
        """Compare with Strava's lists when it is time to."""
        now = self._timing.now()
        memory = self.remembered.value
        if not memory.reconciled:
            await self._begin()
        elif self._wanted or memory.reconciled + self._config.reconcile <= now:
            await self._compared_with_all()
        elif self.polls() and memory.listed + self._config.poll <= now:
            self._plan(await self._lists.newest())
            memory.listed = now
            await self.remembered.keep()

    async def _begin(self) -> None:
        """Get to know what there was before the sign-in, of which nothing is told."""
        now = self._timing.now()
        await self._lists.get_to_know()
        for known in self.library.present()[: self.slots]:
            if not known.content:
                await self._read(known.id, Priority.RECONCILE, quietly=True)
        await self._compared(now)

    async def _compared_with_all(self) -> Comparison:
        now = self._timing.now()
        comparison = await self._lists.everything()
        self._plan(comparison)
        stale = [known for known in self.library.in_use(self.slots) if known.fetched <= now - FRESH]
        for known in stale:
            self._agenda.add(known.id, due=now, priority=Priority.RECONCILE)
        await self._compared(now)
        return comparison

    async def _compared(self, now: float) -> None:
        self._wanted = False
        memory = self.remembered.value
        memory.reconciled = memory.listed = now
        await self.remembered.keep()

    def _plan(self, comparison: Comparison) -> None:
        for activity, summary in comparison.look.items():
            self._listed[activity] = summary
            self._agenda.add(activity, due=self._timing.now(), priority=Priority.RECONCILE)

    async def _look(self, *, least: Priority) -> None:
        """Look at the activities that are due and at least so important."""
        for activity, priority in self._agenda.due(self._timing.now()):
            if priority <= least:
                await self._read(activity, priority)

    async def _read(self, activity: int, priority: Priority, *, quietly: bool = False) -> None:
        """Look at one activity, and at what else follows from that it changed."""
        hint = next((hint for hint in self._hints("activity") if hint.id == activity), None)
        before = self.library.get(activity)
        now = self._timing.now()
        try:
            known = await self.activities.look(activity, priority=priority, quietly=quietly)
        except _ENDS_ROUND:
            raise
        except StravaError as error:
            self._ctx.count("not_fetched")
            self._ctx.log.debug("an activity cannot be fetched", reason=str(error))
            known = before
        if known is None and before is None and hint is not None and hint.awaits(now):
            self._later[activity] = now + NOT_YET
            self._agenda.done(activity)
            return
        listed = self._listed.pop(activity, "")
        if known is not None and listed and known.summary != listed:  # the list will go on to say it in its own way
            await self.library.keep(replace(known, summary=listed))
        if hint is not None:
            await self._deliveries.done(hint.deliveries)
        self._later.pop(activity, None)
        self._agenda.done(activity)
        if known is not None and self._config.privacy.photos and known.has_other_photos:
            self.gallery.add(known.id, quietly=quietly)
        if known is None or before is None or known.content != before.content:
            self._profile_due = min(max(self._profile_due, now), now + QUIET)
            if known is not None and not quietly:
                self._agenda.add(known.id, due=now + AGAIN, priority=Priority.RECONCILE)

    async def _look_at_profile(self) -> None:
        now = self._timing.now()
        if self._profile_due > now:
            return
        try:
            await self._profile.look_at_athlete()
            await self._profile.look_at_stats()
        except ScopeMissingError as error:
            self._ctx.log.debug("the profile is not allowed", reason=str(error))
        self._profile_due = now + RARELY

    async def erase(self) -> None:
        """Forget all that was kept of the owner but since when they are connected; raises RefusedError."""
        await self.library.erase()
        await self.gallery.erase()

    async def _forget(self) -> None:
        """Drop what may not be kept any longer."""
        now = self._timing.now()
        await self.library.forget_old(now)
        memory = self.remembered.value
        if memory.stats is not None and memory.stats_fetched + KEEP <= now:
            memory.stats = None
        if memory.athlete is not None and memory.athlete_fetched + KEEP <= now:
            memory.athlete, memory.gear = None, ()
