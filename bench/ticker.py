"""An adapter that counts: every event has the next number of its owner, and a file tells which were accepted.

The file is the source's own memory of what it has been told is safe: it survives a SIGKILL of the daemon, and the
next start goes on after it. What was accepted but not yet noted is emitted again under the same id.
"""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random
from types import TracebackType
from typing import ClassVar, Self

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.topics import Command, Event, EventData, Reply, State, derived_id, event

PAUSE_SECONDS = 0.02
MOST_AT_ONCE = 8


class Tick(EventData, frozen=True):
    """One number of an owner's count."""

    type: ClassVar[str] = "ticker.tick"
    number: int


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events a second for all owners together, the file of what was accepted, and the file that ends the counting."""

    rate: float
    accepted: str
    stop: str


class Ticker:
    """The adapter type `ticker`."""

    name: ClassVar[str] = "ticker"
    Config: ClassVar[type[Struct]] = Settings
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = True
    kinds: ClassVar[tuple[type[EventData], ...]] = (Tick,)

    def __init__(self, name: str, config: Settings) -> None:
        self._name = name
        self._config = config

    async def run(self, ctx: Context) -> None:
        """Count until the stop file exists, then stay."""
        path = Path(self._config.accepted)
        counts = defaultdict(int, {owner: max(numbers) for owner, numbers in accepted(path).items()})
        owners = sorted(ctx.owners)
        ctx.keep_states((owner, "count") for owner in owners)
        for owner in owners:
            _show(ctx, owner, counts[owner])
        ctx.online()
        random = Random()  # noqa: S311 - how many at once is no secret
        begin, emitted = time.monotonic(), 0
        with Noted(path) as noted:
            while not self._stopped():
                while emitted < (time.monotonic() - begin) * self._config.rate:
                    owner = random.choice(owners)
                    numbers = range(counts[owner] + 1, counts[owner] + 1 + random.randint(1, MOST_AT_ONCE))
                    await ctx.emit(*(self._event(owner, number) for number in numbers))
                    noted.add(owner, numbers)
                    counts[owner] = numbers[-1]
                    emitted += len(numbers)
                    _show(ctx, owner, counts[owner])
                await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.Event().wait()

    async def command(self, command: Command) -> Reply:
        """Refuse every command."""
        code = "unknown_command"
        raise RefusedError(code, f"a ticker only counts, it cannot {command.name}")

    def _event(self, owner: str, number: int) -> Event:
        return event(Tick(number), adapter=self._name, owner=owner, id=derived_id(self._name, owner, str(number)))

    def _stopped(self) -> bool:
        return Path(self._config.stop).exists()


class Noted:
    """The file of accepted numbers: one write for one `emit`, so that a kill cannot note half of it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def add(self, owner: str, numbers: Iterable[int]) -> None:
        """Note what was accepted."""
        os.write(self._file, "".join(f"{owner} {number}\n" for number in numbers).encode())


def accepted(path: Path) -> dict[str, list[int]]:
    """Return the numbers that the source was told are safe, by owner; cuts off a line that a kill left unfinished."""
    if not path.exists():
        return {}
    whole = path.read_bytes()
    complete = whole[: whole.rfind(b"\n") + 1]
    if len(complete) < len(whole):
        os.truncate(path, len(complete))
    numbers = defaultdict[str, list[int]](list)
    for line in complete.decode().splitlines():
        owner, number = line.split()
        numbers[owner].append(int(number))
    return dict(numbers)


def _show(ctx: Context, owner: str, count: int) -> None:
    ctx.set_state(State(owner, "count", Raw(msgspec.json.encode({"count": count}))))
