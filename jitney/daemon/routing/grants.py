"""Grants: which events of an owner another owner sees."""

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from math import inf
from typing import Final

from msgspec import Struct

from jitney.daemon.routes.settings import GrantSettings, Words
from jitney.topics import Event, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import SharedTopic

Private = Callable[[str], bool | None]
"""Tells whether an event type is private, None for a type that no adapter has declared."""

MOST_CACHED: Final = 10_000

_OWN_WORDS: Final = frozenset({ROUTE, "inbox"})
"""First words of the types that owners make up themselves."""


class Grants:
    """What every owner has granted. Nothing is granted that no grant names, and nothing to its own owner.

    A glob never covers a private kind: that has to be named exactly, by a grant that says ``private``. A kind that an
    adapter emits without having declared it is taken for private. ``clock`` gives Unix seconds; a date without a time
    ends with that day in ``zone``, or in the zone of this machine.
    """

    def __init__(
        self,
        settings: Sequence[GrantSettings],
        *,
        tree: TopicTree,
        private: Private,
        clock: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        self._tree = tree
        self._private = private
        self._clock = clock
        self._zone = zone
        self._by_giver: dict[str, list[_Grant]] = {}
        self._cache: dict[tuple[str, str, str], tuple[tuple[str, float], ...]] = {}
        self.change(settings)

    def change(self, settings: Sequence[GrantSettings]) -> None:
        """Put these grants in the place of all others, at once."""
        self._cache.clear()
        self._by_giver.clear()
        for grant in settings:
            self._by_giver.setdefault(grant.from_, []).append(_Grant.of(grant, self._zone))

    def receivers(self, event: Event) -> list[str]:
        """Return who may see an event, besides its owner."""
        if event.owner not in self._by_giver:
            return []
        now = self._clock()
        return [to for to, until in self._granted(event) if now < until]

    def forwards(self, event: Event) -> list[tuple[str, str]]:
        """Return who may see an event, each with the topic where they do."""
        return [(to, self.topic(event, to)) for to in self.receivers(event)]

    def permits(self, event: Event, to: str) -> bool:
        """Tell whether somebody may see an event of another owner now."""
        return to in self.receivers(event)

    def topic(self, event: Event, to: str) -> str:
        """Return where somebody sees an event of another owner."""
        return self._tree.name(SharedTopic(to, event.owner, event.adapter, event.kind))

    def _granted(self, event: Event) -> tuple[tuple[str, float], ...]:
        """Return (receiver, until) of all grants that cover an event, whenever they end."""
        key = (event.owner, event.type, event.adapter)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            private = self._is_private(event.type)
            until: dict[str, float] = {}
            for grant in self._by_giver[event.owner]:
                if grant.covers(event, private=private):
                    for to in grant.to:
                        until[to] = max(until.get(to, 0.0), grant.until)
            until.pop(event.owner, None)
            found = self._cache[key] = tuple(until.items())
        return found

    def _is_private(self, kind: str) -> bool:
        declared = self._private(kind)
        return kind.partition(".")[0] not in _OWN_WORDS if declared is None else declared


class _Grant(Struct, frozen=True):
    to: tuple[str, ...]
    kinds: tuple[str, ...]
    adapters: tuple[str, ...]
    until: float
    private: bool

    @classmethod
    def of(cls, settings: GrantSettings, zone: tzinfo | None) -> "_Grant":
        return cls(
            _words(settings.to),
            _words(settings.kinds),
            _words(settings.adapters),
            _end(settings.until, zone),
            settings.private,
        )

    def covers(self, event: Event, *, private: bool) -> bool:
        if not any(fnmatchcase(event.adapter, glob) for glob in self.adapters):
            return False
        if private:
            return self.private and event.type in self.kinds
        return any(fnmatchcase(event.type, glob) for glob in self.kinds)


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _end(until: object, zone: tzinfo | None) -> float:
    """Return the instant in Unix seconds at which a date is over, or which a time names; infinity for None."""
    if isinstance(until, datetime):
        return (until if until.tzinfo else until.replace(tzinfo=zone)).timestamp()
    if isinstance(until, date):
        after = until + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=zone).timestamp()
    return inf
