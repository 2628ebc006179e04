"""Who was met outside and is nobody's: a bounded list, from which a person can claim what is theirs."""

from collections.abc import Callable, Collection
from typing import Final

from msgspec import Struct

from jitney.topics import utc_now

MOST: Final = 200
"""External ids of one adapter type that are remembered; of those that were met least often the oldest makes room."""

LONGEST: Final = 100
"""Characters of an id and of a hint: a radio or an API may send any."""


class Stranger(Struct, frozen=True, kw_only=True):
    """An external id that is nobody's. ``type`` is that of the adapter that met it, ``kind`` a word of that type.

    ``hint`` may help a person to recognise it; id and hint are what the outside says. ``first`` and ``last`` are
    RFC 3339, ``count`` is how often it was met.
    """

    type: str
    kind: str
    id: str
    adapter: str
    first: str
    last: str
    count: int
    hint: str = ""


class Unclaimed:
    """Remembers strangers since the start of the bus; ``now`` gives RFC 3339."""

    def __init__(self, *, now: Callable[[], str] = utc_now) -> None:
        self._now = now
        self._types: dict[str, dict[tuple[str, str], _Met]] = {}

    def note(self, adapter_type: str, kind: str, external_id: str, *, adapter: str, hint: str = "") -> None:
        """Learn that an adapter has met an external id that is nobody's."""
        known = self._types.setdefault(adapter_type, {})
        key = kind, external_id[:LONGEST]
        now = self._now()
        met = known.get(key)
        if met is None:
            if len(known) >= MOST:
                del known[min(known, key=lambda one: (known[one].count, known[one].last))]
            met = known[key] = _Met(now)
        met.count += 1
        met.last, met.adapter = now, adapter
        if hint:
            met.hint = hint[:LONGEST]

    def forget(self, adapter: str) -> None:
        """Forget what an adapter has met: it has ended, and its successor may know more people."""
        for known in self._types.values():
            for key in [key for key, met in known.items() if met.adapter == adapter]:
                del known[key]

    def all(self, *, claimed: Collection[tuple[str, str]] = ()) -> list[Stranger]:
        """Return everybody but who is claimed by now, as (type, external id), those that were met last first."""
        found = [
            Stranger(
                type=adapter_type,
                kind=kind,
                id=external_id,
                adapter=met.adapter,
                first=met.first,
                last=met.last,
                count=met.count,
                hint=met.hint,
            )
            for adapter_type, known in self._types.items()
            for (kind, external_id), met in known.items()
            if (adapter_type, external_id) not in claimed
        ]
        return sorted(found, key=lambda one: one.last, reverse=True)


class _Met:
    """What is remembered of one external id."""

    __slots__ = ("adapter", "count", "first", "hint", "last")

    def __init__(self, first: str) -> None:
        self.first = self.last = first
        self.adapter = ""
        self.hint = ""
        self.count = 0
