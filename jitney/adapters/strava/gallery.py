"""The photos of one owner: looked for after an activity changed, and downloaded where that is wanted."""

from typing import Final

import aiohttp

from jitney.adapters.base import Context
from jitney.adapters.strava.activities import Activities
from jitney.adapters.strava.errors import NotFoundError, ScopeMissingError, StravaError, UnavailableError
from jitney.adapters.strava.kinds import PhotoData
from jitney.adapters.strava.library import DAY, KEEP, Known, Library
from jitney.adapters.strava.photos import PhotoFiles
from jitney.adapters.strava.timing import Timing

AGAIN: Final = 900.0
"""Seconds after which photos that Strava was still processing are looked for again."""

MOST: Final = 100
"""The newest photos, which are downloaded."""


class Gallery:
    """Which activities have photos to look for, and the files, where photos are ``wanted`` as files too."""

    def __init__(
        self,
        ctx: Context,
        activities: Activities,
        library: Library,
        *,
        files: PhotoFiles,
        wanted: bool,
        http: aiohttp.ClientSession,
        timing: Timing,
    ) -> None:
        self.names: dict[str, str] = {}
        self._ctx = ctx
        self._activities = activities
        self._library = library
        self._files = files
        self._wanted = wanted
        self._http = http
        self._timing = timing
        self._due: dict[int, float] = {}
        self._quiet: set[int] = set()
        self._expired = 0.0

    async def load(self) -> None:
        """Find the files that there are; remove them where they are not wanted any more."""
        if self._wanted:
            self.names = await self._files.names()
        else:
            await self._files.erase()

    def add(self, activity: int, *, quietly: bool) -> None:
        """Look for the photos of an activity in the next round, and tell of new ones unless ``quietly``."""
        self._due[activity] = self._timing.now()
        if quietly:
            self._quiet.add(activity)

    def next(self) -> float:
        """Return when the next look is due, in Unix seconds."""
        return min(self._due.values(), default=float("inf"))

    async def round(self) -> None:
        """Look where it is due; raises StravaError and RefusedError, and what was not looked for stays due."""
        now = self._timing.now()
        looked = [activity for activity, due in self._due.items() if due <= now]
        for activity in looked:
            known = self._library.get(activity)
            processing = known is not None and not known.gone and await self._look(known)
            del self._due[activity]
            if processing:
                self._due[activity] = now + AGAIN
            else:
                self._quiet.discard(activity)
        if self._wanted and (looked or self._expired + DAY <= now):
            self._expired = now
            await self._files.expire(before=now - KEEP)
            await self._download()

    async def erase(self) -> None:
        """Remove every file."""
        self._due.clear()
        self.names = {}
        await self._files.erase()

    async def _look(self, known: Known) -> bool:
        try:
            return await self._activities.look_for_photos(known, quietly=known.id in self._quiet)
        except (NotFoundError, ScopeMissingError) as error:
            self._ctx.log.debug("photos cannot be looked for", reason=str(error))
            return False

    async def _download(self) -> None:
        """Have the newest photos as files; one that cannot be had is left out."""
        photos = [photo for known in self._library.present() for photo in known.photos]
        newest = sorted(photos, key=_created, reverse=True)[:MOST]
        await self._files.keep(photo.unique_id for photo in newest)
        for photo in newest:
            try:
                await self._files.fetch(self._http, photo)
            except UnavailableError as error:
                self._ctx.log.debug("a photo cannot be downloaded now", reason=str(error))
                break
            except StravaError as error:
                self._ctx.count("photos_left_out")
                self._ctx.log.debug("a photo was left out", reason=str(error))
        self.names = await self._files.names()


def _created(photo: PhotoData) -> tuple[str, str]:
    return photo.created or "", photo.unique_id
