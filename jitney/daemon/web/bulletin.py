"""What the bus says of itself over MQTT, retained: what is running, and how it is doing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from jitney.daemon.store import dead
from jitney.daemon.store.store import StoreError
from jitney.daemon.web.health import Health
from jitney.daemon.web.reports import Plain

EVERY: Final = 60.0
"""Seconds after which health is published again where nothing but numbers has changed."""

LOOK: Final = 1.0
"""Seconds between two looks. Something else than the last time is published when the next look finds it too."""

COUNT_SECONDS: Final = 5.0
"""How long counting the dead letters may take."""

_encode = msgspec.json.Encoder().encode


class Bulletin:
    """Publishes info when it changes; health at once when it changes in more than numbers, else once a minute."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._retained = health.parts.retained

    async def run(self) -> None:
        """Publish from now on; cancelled to stop it."""
        self.inform()
        await self._health.parts.connection.reconciled.wait()
        said = before = None
        looks = 0
        while True:
            plain = self._health.plain()
            gist = _gist(plain)
            if looks % (EVERY // LOOK) == 0 or (gist != said and gist == before):
                said = gist
                self._retained.say("health", _encode(plain))
            if looks % (EVERY // LOOK) == 0:
                await self._count()
            before = gist
            looks += 1
            await asyncio.sleep(LOOK)

    def configured(self, refused: Sequence[str] = ()) -> None:
        """Learn that a configuration is in force now, or why another one was refused."""
        self._health.configured(refused)
        self.inform()

    def inform(self) -> None:
        """Publish what is running now."""
        self._retained.say("info", _encode(self._health.info()))

    async def _count(self) -> None:
        """Count the dead letters anew."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(COUNT_SECONDS):
                self._health.dead = await self._health.parts.store.read(dead.counts)


def _gist(plain: Plain) -> Plain:
    """Return what is worth a message at once: all but what waits."""
    return replace(plain, waiting=0, actions=0)
