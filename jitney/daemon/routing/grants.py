"""Grants: which events of an owner another owner sees."""

import time as times
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from math import inf
from typing import Final

from msgspec import Struct

from jitney.daemon.delivery.plans import Copy
from jitney.daemon.routes.settings import GrantSettings, Words
from jitney.daemon.routes.zones import MACHINE
from jitney.topics import Event, InvalidTopicError, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import SharedTopic

Private = Callable[[str], bool | None]
"""Tells whether an event type is private, None for a type that no adapter has declared."""

MOST_CACHED: Final = 2000
"""Answers of one giver that are remembered: the types that one makes up push out nothing of another."""

LONGEST_CACHED: Final = 200
"""Characters of a type: people make up longer ones in the inbox, and those are not worth the memory."""

_LONG_AGO: Final = 1970
_NEVER: Final = 9999
"""Years before and from which a grant is over, or never is: others may be too much for a clock."""

_OWN_WORDS: Final = frozenset({ROUTE, "inbox"})
"""First words of the types that owners make up themselves."""


class Grants:
    """What every owner has granted. Nothing is granted that no grant names, and nothing to its own owner.

    A glob never covers a private kind: that has to be named exactly, by a grant that says ``private``. A kind that an
    adapter emits without having declared it is taken for private. ``clock`` gives Unix seconds; a date without a time
    ends with that day in ``zone``.
    """

    def __init__(
        self,
        settings: Sequence[GrantSettings],
        *,
        tree: TopicTree,
        private: Private,
        clock: Callable[[], float] = times.time,
        zone: tzinfo = MACHINE,
    ) -> None:
        self._tree = tree
        self._private = private
        self._clock = clock
        self._zone = zone
        self._by_giver: dict[str, list[_Grant]] = {}
        self._cache: dict[str, dict[tuple[str, str], tuple[_Seer, ...]]] = {}
        self.change(settings)

    def change(self, settings: Sequence[GrantSettings], *, private: Private | None = None) -> None:
        """Put these grants in the place of all others, at once."""
        self._private = private or self._private
        self._cache.clear()
        self._by_giver.clear()
        for grant in settings:
            self._by_giver.setdefault(grant.from_, []).append(_Grant.of(grant, self._zone))

    def copies(self, event: Event) -> Sequence[Copy]:
        """Return to whom a copy of an event goes by itself, and where they see it."""
        if event.owner not in self._by_giver:
            return ()
        now = self._clock()
        return [one.copy for one in self._seers(event) if now < one.delivered and one.copy is not None]

    def permits(self, event: Event, to: str) -> bool:
        """Tell whether somebody may see an event of another owner now."""
        if event.owner not in self._by_giver:
            return False
        now = self._clock()
        return any(one.to == to and now < one.until for one in self._seers(event))

    def topic(self, event: Event, to: str) -> str:
        """Return where somebody sees an event of another owner; raises InvalidTopicError when it would be too long."""
        return self._tree.name(SharedTopic(to, event.owner, event.adapter, event.kind))

    def _seers(self, event: Event) -> "Sequence[_Seer]":
        """Return who is in a grant that covers an event, whenever it ends."""
        cache = self._cache.setdefault(event.owner, {})
        key = (event.type, event.adapter)
        found = cache.get(key)
        if found is None:
            found = self._find(event)
            if len(cache) >= MOST_CACHED:
                cache.clear()
            if len(event.type) <= LONGEST_CACHED:
                cache[key] = found
        return found

    def _find(self, event: Event) -> "tuple[_Seer, ...]":
        private = self._is_private(event.type)
        until: dict[str, float] = {}
        delivered: dict[str, float] = {}
        for grant in self._by_giver[event.owner]:
            if grant.covers(event, private=private):
                for to in grant.to:
                    until[to] = max(until.get(to, -inf), grant.until)
                    if not grant.only_forwarded:
                        delivered[to] = max(delivered.get(to, -inf), grant.until)
        until.pop(event.owner, None)
        return tuple(
            _Seer(to, end, delivered.get(to, -inf), self._copy(event, to) if to in delivered else None)
            for to, end in until.items()
        )

    def _copy(self, event: Event, to: str) -> Copy | None:
        try:
            return Copy(to, self.topic(event, to))
        except InvalidTopicError:
            return None

    def _is_private(self, kind: str) -> bool:
        declared = self._private(kind)
        return kind.partition(".")[0] not in _OWN_WORDS if declared is None else declared


class _Seer(Struct, frozen=True):
    """Who may see an event ``until`` when, and until when a copy is delivered by itself."""

    to: str
    until: float
    delivered: float
    copy: Copy | None


class _Grant(Struct, frozen=True):
    to: tuple[str, ...]
    kinds: tuple[str, ...]
    adapters: tuple[str, ...]
    until: float
    private: bool
    only_forwarded: bool

    @classmethod
    def of(cls, settings: GrantSettings, zone: tzinfo) -> "_Grant":
        return cls(
            _words(settings.to),
            _words(settings.kinds),
            _words(settings.adapters),
            _end(settings.until, zone),
            settings.private,
            settings.only_forwarded,
        )

    def covers(self, event: Event, *, private: bool) -> bool:
        if not any(fnmatchcase(event.adapter, glob) for glob in self.adapters):
            return False
        if private:
            return self.private and event.type in self.kinds
        return any(fnmatchcase(event.type, glob) for glob in self.kinds)


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _end(until: object, zone: tzinfo) -> float:
    """Return the instant in Unix seconds at which a date is over, or which a time names; infinity for None."""
    if not isinstance(until, date) or until.year >= _NEVER:
        return inf
    if until.year < _LONG_AGO:
        return -inf
    if not isinstance(until, datetime):
        until = datetime.combine(until + timedelta(days=1), time())
    return (until if until.tzinfo else until.replace(tzinfo=zone)).timestamp()
