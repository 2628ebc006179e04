"""What is written into the audit log and what is only counted, so that nobody can fill the log, or push others out."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from jitney.adapters.base import Clock
from jitney.daemon.store.audit import Note

INTERVAL: Final = 60.0
"""Seconds in which the same again is counted, and not written."""

BURST: Final = 1000
A_DAY: Final = 5000
"""Rows of one owner: so many at once, and so many in a day for good. Beyond that each kind is one row an hour."""

CROWDED: Final = 3600.0

MOST_KINDS: Final = 256
"""Kinds of one owner that are told apart at the same time; as many again may be crowded."""

MOST_OWNERS: Final = 256

_DAY: Final = 86_400.0
_MANY: Final = "too many to be told one by one"


class Rate:
    """Decides for each note. ``clock`` gives seconds that only go forward."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owners: dict[str, _Owner] = {}

    def __len__(self) -> int:
        return sum(len(owner.kinds) for owner in self._owners.values())

    def admit(self, note: Note) -> bool:
        """Tell whether a note is to be written now; else it is counted."""
        now = self._clock()
        owner = self._owner(note.owner, now)
        key = replace(note, time="")
        kind = owner.kinds.get(key)
        if kind is None and len(owner.kinds) < MOST_KINDS and owner.take(now):
            owner.kinds[key] = _Kind(now + INTERVAL, INTERVAL)
            return True
        if kind is None:
            # Of what an attacker can choose only the outcome is left in it, while there are few.
            key = Note(time="", what=note.what, owner=note.owner, outcome=note.outcome, detail=_MANY)
            if key not in owner.kinds and len(owner.kinds) >= 2 * MOST_KINDS:
                key = replace(key, outcome="")
            kind = owner.kinds.setdefault(key, _Kind(now + CROWDED, CROWDED))
        kind.more += 1
        kind.last = note.time
        return False

    def due(self, *, everything: bool = False) -> Iterator[Note]:
        """Yield what was counted, where its time is over."""
        now = self._clock()
        for name, owner in list(self._owners.items()):
            for key, kind in list(owner.kinds.items()):
                if kind.until > now and not everything:
                    continue
                if kind.more:
                    yield replace(key, time=kind.last, times=kind.more)
                    kind.more, kind.until = 0, now + kind.interval
                else:
                    del owner.kinds[key]
            if not owner.kinds and owner.is_full(now):
                del self._owners[name]

    def _owner(self, name: str, now: float) -> "_Owner":
        if name not in self._owners and len(self._owners) >= MOST_OWNERS:
            name = ""
        return self._owners.setdefault(name, _Owner(now))


class _Kind:
    __slots__ = ("interval", "last", "more", "until")

    def __init__(self, until: float, interval: float) -> None:
        self.until = until
        self.interval = interval
        self.more = 0
        self.last = ""


class _Owner:
    """The kinds of one owner, and how many rows there is room for."""

    __slots__ = ("_left", "_looked", "kinds")

    def __init__(self, now: float) -> None:
        self.kinds: dict[Note, _Kind] = {}
        self._left = float(BURST)
        self._looked = now

    def take(self, now: float) -> bool:
        """Take room for a row, if there is any."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Tell whether nothing has been taken lately."""
        self._fill(now)
        return self._left >= BURST

    def _fill(self, now: float) -> None:
        self._left = min(float(BURST), self._left + (now - self._looked) * A_DAY / _DAY)
        self._looked = now
