"""Which loops of the daemon do not turn any more although they have something to do."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final, Protocol

from msgspec import Struct

from jitney.adapters.base import Clock
from jitney.daemon.pulse import Pulse
from jitney.daemon.store.store import Store, StoreError

STORE_SECONDS: Final = 10.0
"""How often the thread of the store is asked for a sign of life."""

STORE_PATIENCE: Final = 120.0
"""Seconds in which it has to give one: a slow card that is being tidied takes its time."""


class Life(Protocol):
    """What is watched (``Pulse``)."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def patience(self) -> float:
        """Seconds that a turn may take."""

    @property
    def turns(self) -> object:
        """Something that is another one after each turn."""

    @property
    def busy(self) -> bool:
        """Whether it has something to do."""


class _Seen(Struct):
    """How a loop was found, and since when."""

    turns: object
    since: float


class Watch:
    """Looks at loops from time to time, also at those that ``lives`` gets later; looking is all that it costs."""

    def __init__(self, lives: Collection[Life], *, clock: Clock) -> None:
        self._lives = lives
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def overdue(self) -> list[str]:
        """Return in words each loop that has had something to do for longer than it may take, without a turn."""
        now = self._clock()
        late = []
        for life in self._lives:
            turns = life.turns
            seen = self._seen.get(life.name)
            if seen is None or not life.busy or turns != seen.turns:
                self._seen[life.name] = _Seen(turns, now)
            elif now - seen.since > life.patience:
                late.append(f"{life.name} for {now - seen.since:.0f} s")
        return late


class StoreLife(Pulse):
    """Asks the thread of the store for a sign of life; ``run`` it beside what watches."""

    def __init__(self, store: Store) -> None:
        super().__init__("store", patience=STORE_PATIENCE)
        self._store = store

    async def run(self) -> None:
        """Ask for ever; cancelled to stop it."""
        while True:
            with self, suppress(StoreError):  # an error is a sign of life too
                await self._store.read(lambda _: None)
            await asyncio.sleep(STORE_SECONDS)
