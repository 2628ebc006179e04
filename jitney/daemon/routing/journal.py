"""The journal: the recent events of every owner, what routes did with them, and why the others did nothing."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.routes.compiled import Reason, Route
from jitney.daemon.routes.document import Document
from jitney.daemon.routing.records import compact
from jitney.topics import EMPTY, Event

MOST_EVENTS: Final = 200
"""Events of one owner that are remembered."""

MOST_BYTES: Final = 1_000_000
"""Memory for the events of one owner, about."""

OVERHEAD: Final = 600
"""Bytes that an event takes besides its data, about."""

Outcome = Literal["fired", "held", "stopped", "failed"]
"""A route fired; its memory, or the radio that was asked, held it back; its breaker stopped it; a template failed."""


class Verdict(Struct, frozen=True):
    """What came of an event for a route that it matched; ``why`` in words unless it fired."""

    route: str
    outcome: Outcome
    why: str = ""


class Entry(Struct):
    """One event: ``at`` is when the bus took it, in Unix seconds, ``size`` the bytes of its data.

    ``cut``: the data was too large to be remembered. Routes without a verdict did not match.
    """

    at: float
    event: Event
    size: int
    verdicts: tuple[Verdict, ...] = ()
    cut: bool = False


class Explained(Struct, frozen=True):
    """What a route did with an event: a verdict's outcome, or ``not_matched`` with the reasons as they are today.

    ``would_match``: it did not match then, but its conditions, its variables or the time have changed meanwhile.
    """

    route: str
    outcome: Outcome | Literal["not_matched", "would_match"]
    why: str = ""
    reasons: tuple[Reason, ...] = ()


def explained(route: Route, document: Document) -> Explained:
    """Return why a route without a verdict does nothing about an event."""
    reasons = tuple(route.explain(document))
    held = all(reason.held for reason in reasons)
    return Explained(route.name, "would_match" if held else "not_matched", reasons=reasons)


class Journal:
    """The newest events of every owner, the oldest give way."""

    def __init__(self, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._rings: dict[str, _Ring] = {}

    def add(self, event: Event, *, at: float, verdicts: tuple[Verdict, ...] = ()) -> None:
        """Remember an event and what its routes did."""
        ring = self._rings.get(event.owner)
        if ring is None:
            ring = self._rings[event.owner] = _Ring()
        size = memoryview(event.data).nbytes
        cut = size + OVERHEAD > self._most_bytes
        kept = replace(event, data=EMPTY) if cut else compact(event)
        ring.entries.append(Entry(at, kept, size, verdicts, cut))
        ring.bytes += OVERHEAD if cut else size + OVERHEAD
        while len(ring.entries) > self._most_events or ring.bytes > self._most_bytes:
            oldest = ring.entries.popleft()
            ring.bytes -= OVERHEAD if oldest.cut else oldest.size + OVERHEAD

    def amend(self, event: Event, verdict: Verdict) -> bool:
        """Say of an event what came of it later, for this route only; False when it is forgotten already."""
        entry = next((entry for entry in self._newest(event.owner) if entry.event.id == event.id), None)
        if entry is not None:
            others = (known for known in entry.verdicts if known.route != verdict.route)
            entry.verdicts = (*others, verdict)
        return entry is not None

    def recent(self, owner: str, limit: int = MOST_EVENTS) -> list[Entry]:
        """Return the newest events of an owner, the newest first."""
        return list(islice(self._newest(owner), limit))

    def latest(
        self, limit: int, *, wants: Callable[[Event], bool], owners: Collection[str] | None = None
    ) -> list[Entry]:
        """Return the newest events that are wanted, of these owners or of all, the newest first."""
        rings = [self._newest(owner) for owner in (self._rings if owners is None else owners)]
        newest = merge(*rings, key=lambda entry: entry.at, reverse=True)
        return list(islice((entry for entry in newest if wants(entry.event)), limit))

    def span(self, owner: str, since: float, until: float) -> list[Entry]:
        """Return the events of an owner that came from ``since`` up to ``until``, in the order they came."""
        return [entry for entry in self._rings.get(owner, _NONE).entries if since <= entry.at <= until]

    def find(self, event_id: str, owner: str = "") -> Entry | None:
        """Return the newest event with this id, of one owner or of any."""
        owners = [owner] if owner else list(self._rings)
        found = (entry for known in owners for entry in self._newest(known) if entry.event.id == event_id)
        return max(found, key=lambda entry: entry.at, default=None)

    def explain(
        self, event_id: str, look: Callable[[Event], tuple[Sequence[Route], Document]], owner: str = ""
    ) -> tuple[Entry, list[Explained]] | None:
        """Return an event and what each route that wants its type did with it, None when it is not remembered.

        ``look`` gives the routes of today, against which is explained who has no verdict, and the document.
        """
        entry = self.find(event_id, owner)
        if entry is None:
            return None
        routes, document = look(entry.event)
        told = [Explained(verdict.route, verdict.outcome, verdict.why) for verdict in entry.verdicts]
        names = {verdict.route for verdict in entry.verdicts}
        return entry, told + [explained(route, document) for route in routes if route.name not in names]

    def forget(self, owner: str) -> None:
        """Forget the events of an owner."""
        self._rings.pop(owner, None)

    def _newest(self, owner: str) -> Iterator[Entry]:
        return reversed(self._rings.get(owner, _NONE).entries)


class _Ring:
    """The events of one owner, and how many bytes they take."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.bytes = 0


_NONE: Final = _Ring()
