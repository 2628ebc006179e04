"""An adapter that says what it is told to: so many changes as fast as they are taken, or at a steady pace.

    feed.burst {"events": 10000}
    feed.pace {"seconds": 10, "rate": 200, "noise": 50, "phase": 3}

Both are answered at once and done one after the other. A burst goes to the owners in turn. At a pace, `noise` events a
second of the last owner come beside `rate` events of the others, of which one in five asks one of five routes. Their
data has the instant at which they were due, on the clock that all processes of a machine share: a daemon that is held
up shows.
"""

import asyncio
import time
from itertools import cycle
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.topics import Command, Event, EventData, Reply, new_id

TYPE: Final = "feed.changed"
NOISE: Final = "feed.noise"
AT_ONCE: Final = 10
"""Events of a burst that are emitted together, as they come in one frame of a busy house."""

RARE: Final = 100
"""Every hundredth event of a burst is about the last subject."""

SUBJECTS: Final = [f"light.{number}" for number in range(20)]
LAST: Final = "light.last"
ASKS: Final = [number // 5 if number % 5 == 0 else -1 for number in range(25)]
TEXT: Final = "a" * 200

_TIME: Final = "2026-11-21T05:41:00.120Z"
_DATA: Final = Raw(
    msgspec.json.encode(
        {
            "entity_id": "light.kitchen",
            "state": "on",
            "old_state": "off",
            "attributes": {"brightness": 180, "color_mode": "color_temp", "friendly_name": "Kitchen ceiling"},
            "last_changed": _TIME,
            "last_updated": _TIME,
            "distance": 12_000,
        }
    )
)


class Changed(EventData, frozen=True):
    """A light has another state."""

    type: ClassVar[str] = TYPE
    state: str


class Noise(EventData, frozen=True):
    """Something that routes make noise about."""

    type: ClassVar[str] = NOISE
    phase: int


class Burst(Struct, frozen=True, forbid_unknown_fields=True):
    """So many events at once."""

    events: int


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """So many events a second for so long, and noise beside them."""

    seconds: float
    rate: float
    noise: float = 0.0
    phase: int = 0


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No keys."""


class Feed:
    """The adapter type `feed`."""

    name: ClassVar[str] = "feed"
    Config: ClassVar[type[Struct]] = Nothing
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = (Changed, Noise)

    def __init__(self, name: str, config: Nothing) -> None:
        del config
        self._source = "/" + name
        self._jobs: asyncio.Queue[Burst | Pace] = asyncio.Queue()

    async def run(self, ctx: Context) -> None:
        """Do what is asked, one after the other."""
        owners = sorted(ctx.owners)
        ctx.online()
        while True:
            job = await self._jobs.get()
            if isinstance(job, Burst):
                await self._burst(ctx, owners, job.events)
            else:
                await self._pace(ctx, owners, job)

    async def command(self, command: Command) -> Reply:
        """Take a job; raises RefusedError."""
        kinds: dict[str, type[Any]] = {"burst": Burst, "pace": Pace}
        if command.name not in kinds:
            raise RefusedError("unknown_command", f"a feed cannot {command.name}")
        try:
            self._jobs.put_nowait(msgspec.json.decode(command.data, type=kinds[command.name]))
        except msgspec.ValidationError as error:
            raise RefusedError("invalid", str(error)) from error
        return Reply.ok()

    async def _burst(self, ctx: Context, owners: list[str], events: int) -> None:
        for first in range(0, events, AT_ONCE):
            await ctx.emit(
                *(
                    self._event(TYPE, owners[number % len(owners)], _subject(number), _DATA)
                    for number in range(first, min(first + AT_ONCE, events))
                )
            )

    async def _pace(self, ctx: Context, owners: list[str], pace: Pace) -> None:
        *quiet, loud = owners
        asked = {owner: cycle(ASKS) for owner in owners}
        begin = time.monotonic()
        wanted = [(number / pace.rate, quiet[number % len(quiet)]) for number in range(int(pace.rate * pace.seconds))]
        wanted += [((number + 0.5) / pace.noise, loud) for number in range(int(pace.noise * pace.seconds))]
        for after, owner in sorted(wanted):
            due = begin + after
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            said = {"due": due, "phase": pace.phase, "ask": next(asked[owner]), "text": TEXT}
            kind = NOISE if owner is loud else TYPE
            await ctx.emit(self._event(kind, owner, SUBJECTS[0], Raw(msgspec.json.encode(said))))

    def _event(self, kind: str, owner: str, subject: str, data: Raw) -> Event:
        return Event(
            id=new_id(),
            source=self._source,
            type=kind,
            subject=subject,
            time=_TIME,
            observed=_TIME,
            owner=owner,
            data=data,
        )


def _subject(number: int) -> str:
    return LAST if number % RARE == RARE - 1 else SUBJECTS[number % len(SUBJECTS)]
