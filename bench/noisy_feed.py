"""Adapters for a house with a noisy owner: a steady one, one that hoards, and one whose token is broken.

`steady` emits events at a steady pace for ever; their data has their number and the instant at which they were due, on
the clock that all processes of a machine share. `hoard` is quiet until the command `go {"seconds": 10}`, and then sets
states without end and emits large durable events. `broken` asks a server for its news, and ends when that says that the
token is no good.
"""

import asyncio
import time
from typing import ClassVar, Final

import aiohttp
import msgspec
from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, RefusedError, UnauthorisedError
from jitney.topics import Command, Event, EventData, Reply, State, new_id, utc_now

STATES: Final = 100
"""States that a hoard sets, and then its large events that it emits together, in each tenth of a second."""

LARGE: Final = 10
LARGE_BYTES: Final = 60_000


class Said(EventData, frozen=True):
    """Something was said."""

    type: ClassVar[str] = "steady.said"
    n: int
    due: float


class Hoarded(EventData, frozen=True):
    """Something large."""

    type: ClassVar[str] = "hoard.hoarded"
    text: str


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """`[adapters.<name>]` of a steady one."""

    rate: float = 10.0


class Upstream(Struct, frozen=True, forbid_unknown_fields=True):
    """`[adapters.<name>]` of a broken one."""

    url: str


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No keys."""


class Go(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long to hoard."""

    seconds: float


class Steady:
    """The adapter type `steady`."""

    name: ClassVar[str] = "steady"
    Config: ClassVar[type[Struct]] = Pace
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = (Said,)

    def __init__(self, name: str, config: Pace) -> None:
        self._name = name
        self._config = config

    async def run(self, ctx: Context) -> None:
        """Emit one event after the other, each when it is due."""
        ctx.online()
        begin, number = time.monotonic(), 0
        while True:
            due = begin + number / self._config.rate
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            data = Raw(msgspec.json.encode({"n": number, "due": due}))
            await ctx.emit(_event(self._name, Said.type, ctx.default_owner, data))
            number += 1

    async def command(self, command: Command) -> Reply:
        """There is none."""
        raise RefusedError("unknown_command", f"there is no command {command.name!r}")


class Hoard:
    """The adapter type `hoard`."""

    name: ClassVar[str] = "hoard"
    Config: ClassVar[type[Struct]] = Nothing
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = True
    kinds: ClassVar[tuple[type[EventData], ...]] = (Hoarded,)

    def __init__(self, name: str, config: Nothing) -> None:
        del config
        self._name = name
        self._until = 0.0
        self._told = asyncio.Event()

    async def run(self, ctx: Context) -> None:
        """Hoard whenever it is told to."""
        owner, number = ctx.default_owner, 0
        text = Raw(msgspec.json.encode({"text": "x" * LARGE_BYTES}))
        ctx.online()
        while True:
            await self._told.wait()
            self._told.clear()
            while time.monotonic() < self._until:
                for _ in range(STATES):
                    number += 1
                    ctx.set_state(State(owner, f"thing{number}", Raw(b'{"is":"there"}')))
                try:
                    await ctx.emit(*(_event(self._name, Hoarded.type, owner, text) for _ in range(LARGE)))
                except RefusedError:
                    ctx.count("refused")
                await asyncio.sleep(0.1)

    async def command(self, command: Command) -> Reply:
        """Go, or do nothing."""
        if command.name == "go":
            self._until = time.monotonic() + msgspec.json.decode(command.data, type=Go).seconds
            self._told.set()
        return Reply.ok()


class Broken:
    """The adapter type `broken`."""

    name: ClassVar[str] = "broken"
    Config: ClassVar[type[Struct]] = Upstream
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = ()

    def __init__(self, name: str, config: Upstream) -> None:
        del name
        self._url = config.url

    async def run(self, ctx: Context) -> None:
        """Wait for news, of which there are none. Raises UnauthorisedError or DisconnectedError."""
        async with aiohttp.ClientSession() as http:
            try:
                async with http.get(self._url) as answer:
                    if answer.status == 401:
                        raise UnauthorisedError("the token is no good", remedy="sign in again")
                    ctx.online()
                    await answer.read()
            except aiohttp.ClientError as error:
                raise DisconnectedError(type(error).__name__) from error
        raise DisconnectedError("it is over")

    async def command(self, command: Command) -> Reply:
        """There is none."""
        raise RefusedError("unknown_command", f"there is no command {command.name!r}")


def _event(adapter: str, kind: str, owner: str, data: Raw) -> Event:
    now = utc_now()
    return Event(id=new_id(), source=f"/{adapter}", type=kind, time=now, observed=now, owner=owner, data=data)
