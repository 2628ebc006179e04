"""The ledger of retained topics: what the broker should hold, and what it does not hold yet."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from jitney.daemon.broker.session import Message
from jitney.daemon.store.store import Store

GONE: Final = b""
"""The empty retained payload: it clears a topic."""

FRESH_AGAIN: Final = 0.5
"""The same value set again is told to the broker again when less than this share of its time is left."""

_PUT = "INSERT OR REPLACE INTO retained (topic, owner, adapter, payload, until) VALUES (?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM retained WHERE topic = ?"


class Line(Struct):
    """One retained topic. ``payload`` None: it was published by an earlier run and its value is not known yet.

    ``until``: when it is gone by itself, in Unix seconds; 0 for never.
    """

    owner: str
    adapter: str
    payload: bytes | None
    until: float = 0.0


class Retained(Message):
    """A retained message on its way to the broker."""

    __slots__ = ("owner",)

    def __init__(self, topic: str, payload: bytes, *, owner: str, expiry: int = 0) -> None:
        super().__init__(topic, payload, retain=True, expiry=expiry)
        self.owner = owner


class Dirty:
    """The retained topics of one owner that the broker must be told, oldest change first; newest value only."""

    __slots__ = ("_ledger", "_owner", "_topics", "queued")

    def __init__(self, ledger: "Ledger", owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._topics: dict[str, None] = {}
        self.queued = False

    def __len__(self) -> int:
        return len(self._topics)

    def add(self, topic: str) -> None:
        """Mark a topic; marked twice it is still published once."""
        self._topics[topic] = None

    def pop(self) -> Retained | None:
        """Take the next topic with the value it has now."""
        while self._topics:
            topic = next(iter(self._topics))
            del self._topics[topic]
            line = self._ledger.lines.get(topic)
            if line is not None and line.payload is not None:
                left = max(1, int(line.until - self._ledger.clock())) if line.until else 0
                return Retained(topic, line.payload, owner=self._owner, expiry=left)
        return None


class Ledger:
    """Every retained topic of this instance with its last value.

    The names are on disk, so that what an earlier run published can be cleared; the values are on disk only for
    durable adapters, because the others are read anew from their source. ``marked`` is told of an owner's topics
    whenever there is one to publish. ``clock`` gives Unix seconds.
    """

    def __init__(
        self, store: Store, *, marked: Callable[[str, Dirty], None], clock: Callable[[], float] = time.time
    ) -> None:
        self.lines: dict[str, Line] = {}
        self.clock = clock
        self._store = store
        self._marked = marked
        self._dirty: dict[str, Dirty] = {}
        self._counts: Counter[str] = Counter()

    async def load(self) -> None:
        """Read the topics of the earlier run."""
        rows = await self._store.read(
            lambda db: db.execute("SELECT topic, owner, adapter, payload, until FROM retained").fetchall()
        )
        self.lines = {topic: Line(*line) for topic, *line in rows}
        self._counts = Counter(line.owner for line in self.lines.values())
        self.expire()
        for topic, line in self.lines.items():
            if line.payload == GONE:
                self.mark(topic)

    def put(
        self, topic: str, payload: bytes, *, owner: str, adapter: str, durable: bool = False, expiry: int = 0
    ) -> None:
        """Set the value of a topic, for ``expiry`` seconds or, with 0, for good; ``GONE`` clears it.

        Nothing is published when it has that value already.
        """
        until = self.clock() + expiry if expiry and payload != GONE else 0.0
        line = self.lines.get(topic)
        if line is None:
            if payload == GONE:
                return
            line = self._add(topic, Line(owner, adapter, payload, until))
            self._keep(topic, line, durable=durable)
        elif line.payload == payload and not self._ages(line, until, expiry):
            return
        else:
            to_disk = durable or until != line.until or GONE in {payload, line.payload}
            line.payload, line.until = payload, until
            if to_disk:
                self._keep(topic, line, durable=durable)
        self.mark(topic)

    def has_room(self, owner: str, topic: str, *, most: int) -> bool:
        """Tell whether an owner may have a topic: one that there is, or one more while there are not too many."""
        return topic in self.lines or self._counts[owner] < most

    def number(self, owner: str) -> int:
        """Return how many topics an owner has."""
        return self._counts[owner]

    def clearing(self, owner: str) -> bool:
        """Tell whether the broker has still to clear a topic of an owner."""
        return any(line.payload == GONE and line.owner == owner for line in self.lines.values())

    def erase(self, owner: str) -> int:
        """Clear every state of an owner; returns how many."""
        theirs = [(topic, line.adapter) for topic, line in self.lines.items() if line.owner == owner and line.adapter]
        for topic, adapter in theirs:
            self.put(topic, GONE, owner=owner, adapter=adapter)
        return len(theirs)

    def expire(self) -> None:
        """Clear every topic whose time is over."""
        now = self.clock()
        for topic, line in self.lines.items():
            if 0 < line.until <= now:
                line.payload, line.until = GONE, 0.0
                self._keep(topic, line, durable=False)
                self.mark(topic)

    def mark(self, topic: str) -> None:
        """Publish a topic of the ledger again, with the value it has when its turn comes."""
        owner = self.lines[topic].owner
        dirty = self._dirty.get(owner)
        if dirty is None:
            dirty = self._dirty[owner] = Dirty(self, owner)
        dirty.add(topic)
        self._marked(owner, dirty)

    def right(self, topic: str, *, owner: str, adapter: str) -> None:
        """Let the broker have again what it should have of a topic, or nothing where it should have nothing."""
        if topic not in self.lines:
            self._keep(topic, self._add(topic, Line(owner, adapter, GONE)), durable=False)
        self.mark(topic)

    def published(self, topic: str, payload: bytes) -> None:
        """Learn that the broker confirmed a value: a cleared topic is forgotten."""
        line = self.lines.get(topic)
        if payload == GONE and line is not None and line.payload == GONE:
            del self.lines[topic]
            self._counts[line.owner] -= 1
            self._store.write(_REMOVE, [(topic,)], key=topic)

    def keep(self, adapter: str, wanted: Iterable[str]) -> None:
        """Clear every topic of an adapter that is not among ``wanted``."""
        keep = set(wanted)
        for topic in [topic for topic, line in self.lines.items() if line.adapter == adapter and topic not in keep]:
            line = self.lines[topic]
            self.put(topic, GONE, owner=line.owner, adapter=adapter)

    def reconcile(
        self, found: Mapping[str, bytes], *, ours: Callable[[str], tuple[str, str] | None]
    ) -> tuple[int, int]:
        """Compare with what the broker holds; returns how many topics were missing or wrong, and how many orphans.

        ``ours`` tells the (owner, adapter) of a topic that this instance is responsible for, else None. A value
        that the ledger does not know yet is taken over from the broker.
        """
        wrong = 0
        for topic, line in self.lines.items():
            payload = found.get(topic, GONE)
            if line.payload is None:
                line.payload = payload or None
            elif line.payload != payload or payload == GONE:
                self.mark(topic)
                wrong += 1
        orphans = 0
        for topic in found.keys() - self.lines.keys():
            who = ours(topic)
            if who is not None:
                self._keep(topic, self._add(topic, Line(who[0], who[1], GONE)), durable=False)
                self.mark(topic)
                orphans += 1
        return wrong, orphans

    def _add(self, topic: str, line: Line) -> Line:
        self.lines[topic] = line
        self._counts[line.owner] += 1
        return line

    def _keep(self, topic: str, line: Line, *, durable: bool) -> None:
        payload = line.payload if durable or line.payload == GONE else None
        self._store.write(_PUT, [(topic, line.owner, line.adapter, payload, line.until)], key=topic)

    @staticmethod
    def _ages(line: Line, until: float, expiry: int) -> bool:
        """Tell whether a line has to be told again, with the same value, because its time or half of it is over."""
        return bool(until) != bool(line.until) or until - line.until > expiry * FRESH_AGAIN

    def waiting(self) -> int:
        """Return how many topics the broker has still to be told."""
        return sum(map(len, self._dirty.values()))
