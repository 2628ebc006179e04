"""The ledger of retained topics: what the broker should hold, and what it does not hold yet."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from jitney.daemon.broker.session import Message
from jitney.daemon.store.store import Store

GONE: Final = b""
"""The empty retained payload: it clears a topic."""

_PUT = "INSERT OR REPLACE INTO retained (topic, owner, adapter, payload) VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM retained WHERE topic = ?"


class Line(Struct):
    """One retained topic. ``payload`` None: it was published by an earlier run and its value is not known yet."""

    owner: str
    adapter: str
    payload: bytes | None


class Retained(Message):
    """A retained message on its way to the broker."""

    __slots__ = ("owner",)

    def __init__(self, topic: str, payload: bytes, *, owner: str) -> None:
        super().__init__(topic, payload, retain=True)
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
                return Retained(topic, line.payload, owner=self._owner)
        return None


class Ledger:
    """Every retained topic of this instance with its last value.

    The names are on disk, so that what an earlier run published can be cleared; the values are on disk only for
    durable adapters, because the others are read anew from their source. ``marked`` is told of an owner's topics
    whenever there is one to publish.
    """

    def __init__(self, store: Store, *, marked: Callable[[str, Dirty], None]) -> None:
        self.lines: dict[str, Line] = {}
        self._store = store
        self._marked = marked
        self._dirty: dict[str, Dirty] = {}

    async def load(self) -> None:
        """Read the topics of the earlier run."""
        rows = await self._store.read(
            lambda db: db.execute("SELECT topic, owner, adapter, payload FROM retained").fetchall()
        )
        self.lines = {topic: Line(owner, adapter, payload) for topic, owner, adapter, payload in rows}
        for topic, line in self.lines.items():
            if line.payload == GONE:
                self.mark(topic)

    def put(self, topic: str, payload: bytes, *, owner: str, adapter: str, durable: bool = False) -> None:
        """Set the value of a topic; ``GONE`` clears it. Nothing is published when it has that value already."""
        line = self.lines.get(topic)
        if line is None:
            if payload == GONE:
                return
            line = self.lines[topic] = Line(owner, adapter, payload)
            self._store.write(_PUT, [(topic, owner, adapter, payload if durable else None)])
        elif line.payload == payload:
            return
        else:
            if durable or GONE in {payload, line.payload}:
                self._store.write(_PUT, [(topic, owner, adapter, payload if durable or payload == GONE else None)])
            line.payload = payload
        self.mark(topic)

    def mark(self, topic: str) -> None:
        """Publish a topic of the ledger again, with the value it has when its turn comes."""
        owner = self.lines[topic].owner
        dirty = self._dirty.get(owner)
        if dirty is None:
            dirty = self._dirty[owner] = Dirty(self, owner)
        dirty.add(topic)
        self._marked(owner, dirty)

    def published(self, topic: str, payload: bytes) -> None:
        """Learn that the broker confirmed a value: a cleared topic is forgotten."""
        line = self.lines.get(topic)
        if payload == GONE and line is not None and line.payload == GONE:
            del self.lines[topic]
            self._store.write(_REMOVE, [(topic,)])

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
                self.lines[topic] = Line(who[0], who[1], GONE)
                self._store.write(_PUT, [(topic, *who, GONE)])
                self.mark(topic)
                orphans += 1
        return wrong, orphans

    def waiting(self) -> int:
        """Return how many topics the broker has still to be told."""
        return sum(map(len, self._dirty.values()))
