"""Who the athlete is, their gear, and Strava's statistics: looked at rarely, and after an activity changed."""

from typing import Final

from msgspec.structs import asdict

from jitney.adapters.base import Context
from jitney.adapters.strava import edits, normalise
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.errors import NotFoundError
from jitney.adapters.strava.grants import PROFILE, Grant
from jitney.adapters.strava.ids import EventIds
from jitney.adapters.strava.kinds import AthleteUpdated, GearState, StatsUpdated
from jitney.adapters.strava.library import DAY
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.memory import Remembered
from jitney.adapters.strava.models import AthleteInfo, Gear, Stats, one
from jitney.adapters.strava.timing import Timing
from jitney.topics import EventData, event

GEAR_AGAIN: Final = 5 * DAY
"""After so long the maker and model of a gear are asked for again."""


class Profile:
    """The profile of one athlete.

    Each look raises StravaError when nothing can be fetched, and RefusedError when what is new cannot be kept.
    """

    def __init__(
        self, ctx: Context, api: Api, grant: Grant, *, remembered: Remembered, ids: EventIds, timing: Timing
    ) -> None:
        self._ctx = ctx
        self._api = api
        self._grant = grant
        self._remembered = remembered
        self._ids = ids
        self._timing = timing
        self._began = timing.now()
        self._gear_fetched: dict[str, float] = {}

    async def look_at_stats(self) -> None:
        """Fetch the statistics and tell when they are new."""
        path = f"athletes/{self._grant.athlete}/stats"
        stats = normalise.stats(one(await self._api.get(self._grant, path, priority=Priority.STATS), Stats))
        memory = self._remembered.value
        if memory.stats is not None and stats != memory.stats:
            event_id = self._ids.stats_updated(revision=memory.stats_revision, content=edits.fingerprint(stats))
            await self._emit(StatsUpdated(**asdict(stats)), "stats", event_id)
            memory.stats_revision += 1
        memory.stats = stats
        memory.stats_fetched = self._timing.now()
        await self._remembered.keep()

    async def look_at_athlete(self) -> None:
        """Fetch the profile with the gear and tell when the profile is new."""
        model = one(await self._api.get(self._grant, "athlete", priority=Priority.STATS), AthleteInfo)
        athlete = normalise.athlete(model)
        memory = self._remembered.value
        before = memory.athlete
        changed = edits.changed(before, athlete) if before is not None else ()
        if changed:
            event_id = self._ids.athlete_updated(revision=memory.athlete_revision, content=edits.fingerprint(athlete))
            news = AthleteUpdated(**asdict(athlete), changed=changed)
            await self._emit(news, f"athlete/{self._grant.athlete}", event_id)
            memory.athlete_revision += 1
        memory.athlete = athlete
        memory.athlete_fetched = self._timing.now()
        if self._grant.allows(PROFILE):
            memory.gear = await self._gear(model)
        await self._remembered.keep()

    async def _gear(self, model: AthleteInfo) -> tuple[GearState, ...]:
        """Return what the athlete has, with maker and model, which only the gear itself tells."""
        now = self._timing.now()
        known = {gear.id: gear for gear in self._remembered.value.gear}
        found = []
        for summary in (*(model.bikes or ()), *(model.shoes or ())):
            before = known.get(summary.id)
            if before is None or self._gear_fetched.get(summary.id, self._began) + GEAR_AGAIN <= now:
                try:
                    raw = await self._api.get(self._grant, f"gear/{summary.id}", priority=Priority.STATS)
                except NotFoundError:
                    found.append(normalise.gear(summary))
                    continue
                self._gear_fetched[summary.id] = now
                found.append(normalise.gear(one(raw, Gear)))
            else:
                found.append(normalise.gear(summary, before))
        return tuple(found)

    async def _emit(self, news: EventData, subject: str, event_id: str) -> None:
        await self._ctx.emit(event(news, adapter=self._ctx.name, owner=self._grant.owner, id=event_id, subject=subject))
