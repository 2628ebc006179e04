"""What a route remembers: one record per owner, route and key, bounded per owner, and their rows on disk."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.counters import Counters
from jitney.daemon.routing.windows import not_later
from jitney.topics import Event
from jitney.topics.messages import ROUTE

MOST_KEYS: Final = 2000
"""Records of one owner."""

MOST_BYTES: Final = 4_000_000
"""Memory of the records of one owner, about."""

_OVERHEAD: Final = 600
_PENDING: Final = 700

_encode = msgspec.json.Encoder().encode


class Row(NamedTuple):
    """A row of the table ``route_memory``; without a value it is to be deleted.

    ``until`` is when nobody needs it any more, in Unix seconds; 0: never.
    """

    owner: str
    route: str
    key: str
    value: bytes | None
    until: float = 0.0


class Pending(Struct, frozen=True):
    """An event that may fire later: ``since`` is when its time began, ``key`` what the route remembers it under."""

    event: Event
    since: float
    key: str = ""


def compact(event: Event) -> Event:
    """Return an event that can be kept: its data is no part of the larger message that it came in."""
    data = event.data.copy()
    return event if data is event.data else replace(event, data=data)


class Record(Struct, frozen=True, omit_defaults=True):
    """What is remembered under one key. Instants are Unix seconds.

    ``times`` are the events that were counted, ``fired`` is the last firing, ``period`` the one of the calendar in
    which it was. Past ``until`` the record means nothing any more; 0: never.
    """

    pending: Pending | None = None
    times: tuple[float, ...] = ()
    fired: float | None = None
    period: int | None = None
    until: float = 0.0

    @property
    def newest(self) -> float:
        """The last instant that it knows of."""
        waiting = 0.0 if self.pending is None else self.pending.since
        counted = self.times[-1] if self.times else 0.0
        return max(waiting, counted, self.fired or 0.0)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        data = 0 if self.pending is None else memoryview(self.pending.event.data).nbytes + _PENDING
        return _OVERHEAD + data + 32 * len(self.times)

    def put_back(self, now: float) -> "Record":
        """Return it as it is after the clock was put back to ``now``: what seems to lie ahead was just now."""
        if self.newest <= now:
            return self
        pending = self.pending
        return replace(
            self,
            pending=pending and replace(pending, since=min(pending.since, now)),
            times=not_later(self.times, now),
            fired=self.fired and min(self.fired, now),
        )


EMPTY: Final = Record()

_decode = msgspec.json.Decoder(Record).decode


class Place(NamedTuple):
    """Where a record is."""

    owner: str
    route: str
    key: str


class Records:
    """The records of everybody. When an owner has too many, the route that has most gives up its oldest."""

    def __init__(self, counters: Counters, *, most_keys: int = MOST_KEYS, most_bytes: int = MOST_BYTES) -> None:
        self._counters = counters
        self._most_keys = most_keys
        self._most_bytes = most_bytes
        self._owners: dict[str, _Owned] = {}
        self._changed: dict[Place, None] = {}

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        for owner, owned in self._owners.items():
            for route, shelf in owned.shelves.items():
                for key, record in shelf.records.items():
                    yield Place(owner, route, key), record

    def get(self, place: Place) -> Record:
        """Return the record of a place, an empty one when there is none."""
        owned = self._owners.get(place.owner)
        shelf = None if owned is None else owned.shelves.get(place.route)
        return EMPTY if shelf is None else shelf.records.get(place.key, EMPTY)

    def put(self, place: Place, record: Record) -> None:
        """Keep a record as the newest of its route; an empty one is removed."""
        self._set(place, record)
        self._changed[place] = None

    def put_back(self, now: float) -> None:
        """Adapt every record to a clock that was put back."""
        for owned in self._owners.values():
            for shelf in owned.shelves.values():
                shelf.records = {key: record.put_back(now) for key, record in shelf.records.items()}

    def keep(self, wanted: Callable[[Place, Record], bool]) -> None:
        """Remove the records that are not wanted."""
        for place in [place for place, record in self if not wanted(place, record)]:
            self.put(place, EMPTY)

    def forget(self, owner: str) -> None:
        """Remove all of an owner; nothing is left to be written."""
        self._owners.pop(owner, None)
        self._changed = {place: None for place in self._changed if place.owner != owner}

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take records from their rows, unless they are over or cannot be read; those are cleared away."""
        found: list[tuple[Record, Place]] = []
        for row in rows:
            place = Place(*row[:3])
            try:
                record = _decode(row.value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._counters.add("unreadable", owner=row.owner, adapter=ROUTE, reason="memory")
                self._changed[place] = None
                continue
            if 0 < record.until <= now:
                self._changed[place] = None
            else:
                found.append((record.put_back(now), place))
        for record, place in sorted(found, key=lambda item: item[0].newest):
            self._set(place, record)

    def rows(self) -> list[Row]:
        """Return what has to be written since the last call."""
        changed, self._changed = self._changed, {}
        return [_row(place, self.get(place)) for place in changed]

    def _set(self, place: Place, record: Record) -> None:
        owned = self._owners.setdefault(place.owner, _Owned())
        owned.set(place.route, place.key, record)
        while owned.keys > self._most_keys or owned.bytes > self._most_bytes:
            route, key = owned.oldest()
            owned.set(route, key, EMPTY)
            self._changed[Place(place.owner, route, key)] = None
            self._counters.add("dropped", owner=place.owner, adapter=ROUTE, reason="memory_full")
        if not owned.keys:
            del self._owners[place.owner]


class _Shelf:
    """The records of one route of one owner, the oldest first."""

    __slots__ = ("bytes", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.bytes = 0


class _Owned:
    """The shelves of one owner."""

    __slots__ = ("bytes", "keys", "shelves")

    def __init__(self) -> None:
        self.shelves: dict[str, _Shelf] = {}
        self.keys = 0
        self.bytes = 0

    def set(self, route: str, key: str, record: Record) -> None:
        shelf = self.shelves.get(route)
        if shelf is None:
            shelf = self.shelves[route] = _Shelf()
        before = shelf.records.pop(key, None)
        if before is not None:
            self._add(shelf, -1, -before.size - len(key))
        if record != EMPTY:
            shelf.records[key] = record
            self._add(shelf, 1, record.size + len(key))
        if not shelf.records:
            del self.shelves[route]

    def oldest(self) -> tuple[str, str]:
        route, shelf = max(self.shelves.items(), key=lambda item: item[1].bytes)
        return route, next(iter(shelf.records))

    def _add(self, shelf: _Shelf, keys: int, size: int) -> None:
        self.keys += keys
        self.bytes += size
        shelf.bytes += size


def _row(place: Place, record: Record) -> Row:
    return Row(*place, None if record == EMPTY else _encode(record), record.until)
