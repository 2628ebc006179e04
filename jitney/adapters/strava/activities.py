"""Brings what is known of one activity up to date, and tells what is new: Strava's answer is true, a hint is not."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import asdict, replace

from jitney.adapters.base import Context
from jitney.adapters.strava import edits, normalise
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.errors import NotFoundError
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.ids import EventIds
from jitney.adapters.strava.kinds import (
    ActivityCreated,
    ActivityData,
    ActivityDeleted,
    ActivityUpdated,
    GearState,
    PhotoAdded,
    PhotoData,
)
from jitney.adapters.strava.library import DAY, REMEMBER, Known, Library
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.models import Activity, Photo, each, one
from jitney.adapters.strava.timing import Timing
from jitney.topics import Event, EventData, event

NEW: Final = 30 * DAY
"""An activity that was not known and began longer ago has appeared (an import, say) and not happened."""

BEFORE: Final = 2 * DAY
"""How long before the sign-in an activity may have begun and still be news."""

MOST_REVISIONS: Final = 1_000_000
"""Events of one activity within the time for which it is remembered."""

PHOTO_SIZE: Final = 2048
"""Pixels of the longer side of the photos that are linked."""


class Activities:
    """Looks at single activities of one owner."""

    def __init__(
        self,
        ctx: Context,
        api: Api,
        grant: Grant,
        *,
        library: Library,
        ids: EventIds,
        gear: Callable[[], Iterable[GearState]],
        since: float,
        privacy: Privacy,
        timing: Timing,
    ) -> None:
        self._ctx = ctx
        self._api = api
        self._grant = grant
        self._library = library
        self._ids = ids
        self._gear = gear
        self._since = since
        self._privacy = privacy
        self._timing = timing

    async def look(
        self, activity: int, *, priority: Priority, quietly: bool = False, imports: bool = True
    ) -> Known | None:
        """Fetch an activity and tell what is new of it, unless ``quietly``; None when it is not there.

        Without ``imports`` nothing is told of one that was not known and is old.

        Raises StravaError when it cannot be fetched and RefusedError when what is new cannot be kept: nothing was
        changed then, and it can be called again.
        """
        try:
            raw = await self._api.get(self._grant, f"activities/{activity}", priority=priority)
        except NotFoundError:
            await self._gone(activity)
            return None
        return await self.take(one(raw, Activity), quietly=quietly, imports=imports)

    async def take(self, model: Activity, *, quietly: bool = False, imports: bool = True) -> Known:
        """Take what Strava says of an activity itself; raises RefusedError."""
        data = self._data(model)
        before = self._library.get(data.id)
        known = self._known(data, before, content=edits.fingerprint(data))
        news = None if quietly else self._news(data, before, known, imports=imports)
        if news is not None:
            await self._tell(news, known)
            known = replace(known, revision=known.revision + 1)
        await self._library.keep(known)
        return known

    def listed(self, model: Activity) -> Known:
        """Return an activity as a list tells it now, with what only its detail tells as it is known."""
        data = self._data(model)
        before = self._library.get(data.id)
        if before is None or before.gone:
            return self._known(data, before, content="")
        if before.data is not None:
            data = edits.refreshed(before.data, data)
        fetched = before.fetched if before.content and before.data is not None else self._timing.now()
        return replace(before, data=data, summary=edits.summary(data), fetched=fetched)

    async def look_for_photos(self, known: Known, *, quietly: bool = False) -> bool:
        """Fetch the photos of an activity, tell of new ones unless ``quietly``; True when some are not ready there.

        Raises StravaError and RefusedError.
        """
        raw = await self._api.get(
            self._grant, f"activities/{known.id}/photos", priority=Priority.PHOTOS, size=PHOTO_SIZE
        )
        told = normalise.photos(each(raw, Photo, self._odd), activity=known.id)
        ready = tuple(photo for photo in told if not normalise.is_placeholder(photo.url))
        new = [photo for photo in ready if photo.unique_id not in known.photo_ids and not quietly]
        await self._ctx.emit(*(self._photo_added(photo) for photo in new))
        ids = tuple(dict.fromkeys([*known.photo_ids, *(photo.unique_id for photo in ready)]))
        await self._library.keep(replace(known, photos=ready, photo_ids=ids))
        return len(ready) < len(told)

    def _data(self, model: Activity) -> ActivityData:
        data = normalise.activity(model, privacy=self._privacy)
        if data.gear is None or data.gear.name:
            return data
        name = next((gear.name for gear in self._gear() if gear.id == data.gear.id), None)
        return replace(data, gear=replace(data.gear, name=name))

    def _known(self, data: ActivityData, before: Known | None, *, content: str) -> Known:
        """Return what is known now; photos and the count of events stay."""
        now = self._timing.now()
        earlier = before if before is not None else Known(id=data.id, start=0.0, fetched=now, revision=_first(now))
        return replace(
            earlier,
            start=_seconds(data.start) or earlier.start or now,
            fetched=now,
            sport_type=data.sport_type,
            summary=edits.summary(data),
            content=content,
            gone=0.0,
            data=data,
        )

    def _news(self, data: ActivityData, before: Known | None, known: Known, *, imports: bool) -> EventData | None:
        """Return what there is to tell."""
        if before is None or before.gone:
            is_new = known.start >= max(self._since - BEFORE, self._timing.now() - NEW)
            if is_new:
                return ActivityCreated(**asdict(data))
            return ActivityUpdated(**asdict(data)) if imports else None
        if before.content == known.content or (not before.content and before.summary == known.summary):
            return None
        changed = edits.changed(before.data, data) if before.data is not None else ()
        return ActivityUpdated(**asdict(data), changed=changed)

    async def _tell(self, news: EventData, known: Known) -> None:
        if isinstance(news, ActivityCreated):
            event_id = self._ids.created(known.id, revision=known.revision)
        else:
            event_id = self._ids.updated(known.id, revision=known.revision, content=known.content)
        await self._ctx.emit(self._event(news, known.id, event_id=event_id))

    async def _gone(self, activity: int) -> None:
        """Tell that an activity is gone, if it was known to be there."""
        known = self._library.get(activity)
        if known is None or known.gone:
            return
        data = known.data
        news = ActivityDeleted(
            id=activity,
            sport_type=known.sport_type or None,
            sport=data.sport if data is not None else None,
            start=data.start if data is not None else None,
        )
        event_id = self._ids.deleted(activity, revision=known.revision)
        await self._ctx.emit(self._event(news, activity, event_id=event_id))
        gone = Known(
            id=activity,
            start=known.start,
            fetched=known.fetched,
            revision=known.revision + 1,
            gone=self._timing.now(),
        )
        await self._library.keep(gone)

    def _photo_added(self, photo: PhotoData) -> Event:
        event_id = self._ids.photo(photo.activity, photo.unique_id)
        return self._event(PhotoAdded(**asdict(photo)), photo.activity, event_id=event_id)

    def _event(self, news: EventData, activity: int, *, event_id: str) -> Event:
        return event(news, adapter=self._ctx.name, owner=self._grant.owner, id=event_id, subject=f"activity/{activity}")

    def _odd(self, kind: str, detail: str) -> None:
        self._ctx.count("unreadable")
        self._ctx.log.debug("left out", kind=kind, detail=detail)


def _seconds(instant: str | None) -> float:
    """Return a normalised instant in Unix seconds, 0 for none."""
    return datetime.fromisoformat(instant).timestamp() if instant else 0.0


def _first(now: float) -> int:
    """Return where the count of an activity's events begins: beyond that of its life before, if it was forgotten."""
    return int(now // REMEMBER) * MOST_REVISIONS
