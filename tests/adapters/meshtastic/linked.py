"""A link to a simulated radio."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.heard import Heard, Received
from jitney.adapters.meshtastic.link import Link
from tests.fakes.meshtastic import Node, Radio

DEADLINE = 10.0
BOB = 0xB0B00001
PUBLISHING = "publishing"
"""The library's one thread of the process; it begins with the import and never ends."""

_Kind = TypeVar("_Kind", bound=Heard)


def config(radio: Radio, **settings: object) -> Config:
    return Config(connection=radio.connection, **settings)


@asynccontextmanager
async def linked(**settings: object) -> AsyncIterator[tuple[Radio, Node, Link]]:
    async with Radio() as radio:
        bob = radio.node(BOB, long_name="Bob")
        async with Link(config(radio, **settings)) as link:
            yield radio, bob, link


async def hear(link: Link, kind: type[_Kind], number: int = 1) -> list[_Kind]:
    """Return the first so many things of a kind that are heard; what else is heard meanwhile is lost."""
    found: list[_Kind] = []
    async with asyncio.timeout(DEADLINE):
        while len(found) < number:
            found += [item for item in await link.next() if isinstance(item, kind)]
    return found


async def end(link: Link) -> DisconnectedError:
    """Return why the link ended; what is heard before is lost."""
    async with asyncio.timeout(DEADLINE):
        try:
            while True:
                await link.next()
        except DisconnectedError as error:
            return error


async def texts(link: Link, number: int = 1) -> list[str]:
    """Return the texts of the first so many packets."""
    return [item.packet["decoded"]["text"] for item in await hear(link, Received, number)]


def threads() -> set[str]:
    """Return the names of the threads that the adapter and the library may have left."""
    mine = ("meshtastic", "stream reader", "Thread-", "BLE")
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(mine)}
