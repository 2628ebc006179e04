"""From what is remembered of an event, an action or a command to the spans that a collector is told."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Final

from msgspec import Struct

from jitney.daemon.delivery.traces import Act, Asked, Trace

OLDEST: Final = 3600.0
"""Seconds: what happened longer before the bus has heard of it is history, and no time that anything took."""

_STAGES: Final = ("accepted", "committed", "sent", "confirmed")
_NS: Final = 1_000_000_000

Instant = Callable[[float], float]
"""Returns in Unix seconds when it was so late on the monotonic clock."""


class Place(Struct, frozen=True):
    """Where a span stands: its trace, its own id, and that of its parent, 0 for none.

    ``remote``: the parent is somebody else's. One that is not ``sampled`` is not told, nor is what it leads to.
    """

    trace_id: int
    span_id: int
    parent: int = 0
    remote: bool = False
    sampled: bool = True


class Span(Struct, frozen=True):
    """Something that took a time, from ``start`` to ``end`` in Unix nanoseconds; ``error`` says what went wrong."""

    place: Place
    name: str
    start: int
    end: int
    attributes: Mapping[str, str | int]
    error: str = ""


class Telling:
    """Makes spans. ``allowed`` are the words of what may be told about people; ``new`` gives ids of spans."""

    def __init__(self, allowed: Collection[str], *, instant: Instant, new: Callable[[], int]) -> None:
        self._allowed = frozenset(allowed)
        self._instant = instant
        self._new = new

    def event(self, place: Place, owner: str, adapter: str, trace: Trace) -> Iterator[Span]:
        """Yield the span of an event, and one for each stage that it came to, from the stage before."""
        stages = self._stages(trace)
        attributes: dict[str, str | int] = {
            "jitney.adapter": adapter,
            "jitney.event.type": trace.type,
            "jitney.event.state": _state(trace),
        }
        if trace.again:
            attributes["jitney.event.again"] = trace.again
        attributes |= self._personal(owner=owner, id=trace.id)
        whole = (stages[0][1], stages[-1][1])
        yield _span(place, trace.type, whole, attributes, error=trace.dropped)
        for (_, before), (name, at) in pairwise(stages):
            yield _span(self._below(place), name, (before, at), {"jitney.adapter": adapter})

    def action(self, place: Place, owner: str, event_id: str, act: Act) -> Span:
        """Return the span of an action of a route, which begins when it was planned."""
        attributes: dict[str, str | int] = {"jitney.action.tries": act.tries, "jitney.action.outcome": act.outcome}
        attributes |= self._personal(owner=owner, id=event_id, route=act.route)
        if "route" in self._allowed:
            attributes["jitney.action"] = act.words
        name = f"action {act.words.partition(' ')[0]}"
        error = "" if act.outcome == "ok" else act.outcome
        took = self._instant(act.begun), self._instant(act.ended)
        return _span(self._below(place), name, took, attributes, error=error)

    def command(self, place: Place, asked: Asked) -> Span:
        """Return the span of a command, from when it was taken to its answer."""
        attributes: dict[str, str | int] = {"jitney.adapter": asked.adapter, "jitney.command.outcome": asked.outcome}
        attributes |= self._personal(owner=asked.owner, id=asked.id)
        error = "" if asked.outcome == "ok" else asked.outcome
        took = self._instant(asked.begun), self._instant(asked.ended)
        return _span(place, f"command {asked.adapter}.{asked.name}", took, attributes, error=error)

    def _personal(self, **told: str) -> dict[str, str | int]:
        names = {"owner": "jitney.owner", "id": "jitney.id", "route": "jitney.route"}
        return {names[word]: value for word, value in told.items() if word in self._allowed}

    def _below(self, place: Place) -> Place:
        return Place(place.trace_id, self._new(), place.span_id)

    def _stages(self, trace: Trace) -> list[tuple[str, float]]:
        """Return the stages with their instants in Unix seconds, which never go back."""
        accepted = self._instant(trace.accepted)
        stages: list[tuple[str, float]] = []
        for name, text in (("happened", trace.time), ("received", trace.observed or "")):
            at = _read(text)
            if at is not None and accepted - OLDEST <= at <= accepted:
                stages.append((name, max(at, stages[-1][1]) if stages else at))
        for name in _STAGES:
            clock: float = getattr(trace, name)
            if clock:
                at = self._instant(clock)
                stages.append((name, max(at, stages[-1][1]) if stages else at))
        return stages


def _span(
    place: Place, name: str, took: tuple[float, float], attributes: Mapping[str, str | int], *, error: str = ""
) -> Span:
    """Return a span that ``took`` from one instant to another, in Unix seconds."""
    start, end = (round(instant * _NS) for instant in took)
    return Span(place, name, start, max(start, end), attributes, error)


def _state(trace: Trace) -> str:
    if trace.dropped:
        return "dropped"
    return "confirmed" if trace.confirmed else "sent" if trace.sent else "waiting"


def _read(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo else None
