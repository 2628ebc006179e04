"""The network that serves photos to everybody, and that no token may ever reach."""

import re
from typing import Final

from aiohttp import web

from tests.fakes.strava.asked import Asked, Room
from tests.fakes.strava.photos import PLACEHOLDER, Photo
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import World

_PNG: Final = bytes.fromhex("89504e470d0a1a0a")


class Cdn(Room):
    """Serves the bytes of photos by their addresses."""

    def __init__(self, world: World, record: Record) -> None:
        self._world = world
        self._record = record

    def admit(self, asked: Asked) -> web.Response | None:
        said = f"{asked.request.headers.get('Authorization', '')} {asked.request.query_string} {asked.call.path}"
        grants = self._world.grants
        if "Authorization" in asked.request.headers or any(
            token in said for token in (*grants.accesses, *grants.refreshes)
        ):
            self._record.blame(asked.call, "a token sent to the network that serves photos")
        return None

    async def answer(self, asked: Asked) -> web.Response:
        if asked.path == PLACEHOLDER:
            return web.Response(body=_PNG, content_type="image/png")
        found = re.fullmatch(r"/cdn/(?P<key>[0-9a-f]{32})-[0-9]+x[0-9]+\.jpg", asked.path)
        photo = self._photo(found["key"]) if found else None
        if photo is None:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="text/xml")
        return web.Response(body=photo.bytes, content_type="image/jpeg")

    def _photo(self, key: str) -> Photo | None:
        photos = (
            photo
            for athlete in self._world.athletes.values()
            for activity in athlete.activities
            for photo in activity.photos
        )
        return next((photo for photo in photos if photo.key == key and not photo.processing), None)
