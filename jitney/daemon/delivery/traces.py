"""Traces: when the newest events of each lane came where, and what followed from them. Kept in memory only."""

from collections import deque
from collections.abc import Iterable, Iterator
from time import monotonic, time
from typing import Final

from msgspec import Struct, UnsetType

from jitney.topics import Command, Event

MOST_EVENTS: Final = 100
"""Events of one lane of which it is remembered; of each lane apart, so that a busy source displaces no other's."""

TURNOVER: Final = 1.0
"""Seconds that every trace stays at least: of a burst, which would push itself out, only the first are followed."""

MOST_ACTS: Final = 20
"""Actions of routes that are remembered of one event."""

MOST_IN_WORDS: Final = 200
"""Characters of what is said of an action."""


class Act(Struct, gc=False):
    """An action of a route, begun at ``begun`` on the monotonic clock; ``outcome`` is "ok" or a code, empty so far.

    ``tries`` have ended, the last one at ``ended``, 0 before; ``final`` once it is not tried again.
    """

    id: str
    route: str
    words: str
    begun: float
    ended: float = 0.0
    tries: int = 0
    outcome: str = ""
    why: str = ""
    final: bool = False


class Trace(Struct):
    """One event. The instants are on the monotonic clock, 0 for what has not come; ``row`` is its place on disk.

    ``again``: so often it was sent again, on another session. ``dropped`` says why it will not be published.
    """

    id: str
    type: str
    time: str
    observed: str | UnsetType
    causation: str | UnsetType
    traceparent: str | UnsetType
    accepted: float
    committed: float = 0.0
    sent: float = 0.0
    confirmed: float = 0.0
    row: int = 0
    again: int = 0
    dropped: str = ""
    acts: list[Act] | None = None


class Asked(Struct):
    """A command that was taken at ``begun`` and answered at ``ended`` on the monotonic clock, 0 before.

    ``parent`` is the ``traceparent`` that it came with, and ``traceparent`` what it leads to carries. ``outcome`` is
    "ok" or a code.
    """

    id: str
    owner: str
    adapter: str
    name: str
    causation: str
    parent: str
    traceparent: str
    begun: float
    ended: float = 0.0
    outcome: str = ""


Ring = deque[Trace]


class Traces:
    """The newest traces by owner and adapter, the oldest of each give way. Nothing is known from before ``started``.

    That is in Unix seconds.
    """

    def __init__(self) -> None:
        self.started = time()
        self.commands: deque[Asked] = deque(maxlen=MOST_EVENTS)
        self._rings: dict[tuple[str, str], Ring] = {}

    def ring(self, owner: str, adapter: str) -> Ring:
        """Return the traces of a lane, the newest last; always the same, which the lane keeps."""
        return self._rings.setdefault((owner, adapter), deque(maxlen=MOST_EVENTS))

    def rings(self) -> Iterable[tuple[tuple[str, str], Ring]]:
        """Return the traces of every lane, by its owner and adapter."""
        return self._rings.items()

    def asked(self, command: Command, *, parent: str) -> None:
        """Learn that a command was taken, which came with a ``traceparent``, or with none."""
        self.commands.append(
            Asked(
                command.id,
                command.owner,
                command.adapter,
                command.name,
                command.causation,
                parent,
                command.traceparent,
                monotonic(),
            )
        )

    def answered(self, command: Command, outcome: str) -> None:
        """Learn how a command was answered."""
        for asked in self.commands:
            if asked.id == command.id:
                asked.ended, asked.outcome = monotonic(), outcome

    def forget(self, owner: str) -> None:
        """Forget the commands of an owner; the events are its lanes' to forget."""
        left = [asked for asked in self.commands if asked.owner != owner]
        self.commands.clear()
        self.commands.extend(left)

    def newest(self, owner: str, limit: int) -> list[tuple[str, str, Trace]]:
        """Return (owner, adapter, trace) of the newest events of an owner, or of all, the newest first."""
        return sorted(self._of(owner), key=lambda one: one[2].accepted, reverse=True)[:limit]

    def find(self, event_id: str, owner: str = "") -> list[tuple[str, str, Trace]]:
        """Return (owner, adapter, trace) of every event with this id, of an owner or of all, the newest first."""
        found = [one for one in self._of(owner) if one[2].id == event_id]
        return sorted(found, key=lambda one: one[2].accepted, reverse=True)

    def caused(self, event_id: str, owner: str = "") -> list[tuple[str, str, Trace]]:
        """Return (owner, adapter, trace) of every event that this one led to, in the order they came."""
        found = [one for one in self._of(owner) if one[2].causation == event_id]
        return sorted(found, key=lambda one: one[2].accepted)

    def begun(self, event: tuple[str, str, str], actions: Iterable[tuple[str, str, str]]) -> None:
        """Learn that actions wait for their turn: (id, route, what it does) of each.

        ``event`` is the (owner, adapter, id) of what led to them; ``actions`` are asked for only when it is remembered.
        """
        trace = self._trace(event)
        if trace is None:
            return
        acts = trace.acts = trace.acts or []
        known, now = {act.id for act in acts}, monotonic()
        for action, route, words in actions:
            if len(acts) < MOST_ACTS and action not in known:
                acts.append(Act(action, route, words[:MOST_IN_WORDS], now))

    def ended(self, event: tuple[str, str, str], *, action: str, outcome: str, why: str = "", final: bool) -> None:
        """Learn how a try of an action ended."""
        trace = self._trace(event)
        for act in (trace and trace.acts) or ():
            if act.id == action:
                act.ended, act.outcome, act.why, act.final = monotonic(), outcome, why[:MOST_IN_WORDS], final
                act.tries += 1

    def _trace(self, event: tuple[str, str, str]) -> Trace | None:
        owner, adapter, event_id = event
        ring = self._rings.get((owner, adapter), ())
        return next((trace for trace in reversed(ring) if trace.id == event_id), None)

    def _of(self, owner: str) -> Iterator[tuple[str, str, Trace]]:
        for (whose, adapter), ring in self._rings.items():
            if owner in ("", whose):
                for trace in ring:
                    yield whose, adapter, trace


def begin(ring: Ring, event: Event) -> Trace | None:
    """Remember an event that the bus takes now, and return its trace; None in a burst."""
    now = monotonic()
    if len(ring) == MOST_EVENTS and now - ring[0].accepted < TURNOVER:
        return None
    trace = Trace(event.id, event.type, event.time, event.observed, event.causationid, event.traceparent, now)
    ring.append(trace)
    return trace


def by_row(ring: Iterable[Trace]) -> dict[int, Trace]:
    """Return what waits on disk, by its place there."""
    return {trace.row: trace for trace in ring if trace.row and not trace.sent}
