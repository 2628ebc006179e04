"""Follows the events that the bus remembers until all is known of them, and chooses which ones are told."""

from collections import deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import takewhile
from random import Random
from secrets import token_bytes
from time import monotonic, time
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Clock
from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.delivery.traces import Asked, Ring, Trace, Traces
from jitney.daemon.tracing.spans import Place, Span, Telling
from jitney.topics.traceparent import parse

MOST: Final = 2000
"""Events that are followed at once: beyond it the oldest are not told."""

MOST_KNOWN: Final = 4000
"""Events and commands of which it is known where their spans stand, for what they lead to."""

SETTLED: Final = 2.0
"""Seconds after which an event that is done has no more actions to come."""

LONGEST: Final = 600.0
"""Seconds that an event is followed; then what is known of it is told."""

_HALF: Final = 1 << 64


class _Followed(Struct):
    """An event that is not told to its end. ``told`` are its actions that were."""

    owner: str
    adapter: str
    trace: Trace
    place: Place
    done: bool = False
    told: set[str] = set()


class Following:
    """Looks at the traces twice within the time that each of them stays at least (``traces.TURNOVER``).

    It begins with what comes from now on. ``lost`` is called with the number of events that were too many.
    """

    def __init__(
        self,
        traces: Traces,
        settings: TracingSettings,
        *,
        lost: Callable[[int], None],
        clock: Clock = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        self._traces = traces
        self._lost = lost
        self._clock = clock
        self._wall = wall
        self._random = Random(token_bytes(16))  # noqa: S311 - ids that are no secret
        self._key = token_bytes(16)
        self._last: dict[tuple[str, str], Trace] = {key: ring[-1] for key, ring in traces.rings() if ring}
        self._asked = traces.commands[-1] if traces.commands else None
        self._followed: deque[_Followed] = deque()
        self._commands: deque[tuple[Asked, Place]] = deque(maxlen=MOST)
        self._known: dict[tuple[str, str], Place] = {}
        self.use(settings)

    def use(self, settings: TracingSettings) -> None:
        """Choose, and tell of people, by other settings from now on."""
        self._bound = round(settings.sample * _HALF)
        self._telling = Telling(settings.attributes, instant=self._instant, new=self._new)

    def look(self) -> list[Span]:
        """Return the spans of what was done since the last look."""
        for asked, owner, adapter, trace in self._new_ones():
            if trace is not None:
                place = self._place(owner, trace.id, cause=trace.causation or "", carried=trace.traceparent or "")
                if place.sampled:
                    self._followed.append(_Followed(owner, adapter, trace, place))
            elif asked is not None and (place := self._place_of_command(asked)).sampled:
                self._commands.append((asked, place))
        if (over := len(self._followed) - MOST) > 0:
            for _ in range(over):
                self._followed.popleft()
            self._lost(over)
        return [*self._of_commands(), *self._of_events()]

    def _new_ones(self) -> list[tuple[Asked | None, str, str, Trace | None]]:
        """Return the events and commands since the last look in their order: what is caused comes after its cause."""
        found: list[tuple[float, Asked | None, str, str, Trace | None]] = []
        for key, ring in self._traces.rings():
            if ring and ring[-1] is not (last := self._last.get(key)):
                found += [(trace.accepted, None, *key, trace) for trace in _since(ring, last)]
                self._last[key] = ring[-1]
        commands = self._traces.commands
        if commands and commands[-1] is not self._asked:
            new = takewhile(lambda one: one is not self._asked, reversed(commands))
            found += [(one.begun, one, one.owner, one.adapter, None) for one in new]
            self._asked = commands[-1]
        return [one[1:] for one in sorted(found, key=lambda one: one[0])]

    def _of_events(self) -> Iterator[Span]:
        now = self._clock()
        left: deque[_Followed] = deque()
        for one in self._followed:
            trace = one.trace
            late = now - trace.accepted > LONGEST
            if not one.done and (trace.confirmed or trace.dropped or late):
                one.done = True
                yield from self._telling.event(one.place, one.owner, one.adapter, trace)
            unfinished = False
            for act in trace.acts or ():
                if act.id not in one.told and (act.final or (late and act.tries)):
                    one.told.add(act.id)
                    yield self._telling.action(one.place, one.owner, trace.id, act)
                unfinished = unfinished or not act.final
            settled = now - max(trace.confirmed, trace.accepted) > SETTLED
            if not (one.done and (late or (settled and not unfinished))):
                left.append(one)
        self._followed = left

    def _of_commands(self) -> Iterator[Span]:
        now = self._clock()
        left: deque[tuple[Asked, Place]] = deque(maxlen=MOST)
        for asked, place in self._commands:
            if asked.ended:
                yield self._telling.command(place, asked)
            elif now - asked.begun <= LONGEST:
                left.append((asked, place))
        self._commands = left

    def _place_of_command(self, asked: Asked) -> Place:
        """Return where the span of a command stands: what it leads to names it as the span in its ``traceparent``."""
        place = self._place(asked.owner, asked.id, cause=asked.causation, carried=asked.parent)
        own = parse(asked.traceparent)
        if own is not None:
            place = Place(place.trace_id, int(own.span, 16), place.parent, place.remote, place.sampled)
            self._known[asked.owner, asked.id] = place
        return place

    def _place(self, owner: str, own: str, *, cause: str, carried: str) -> Place:
        """Return where a span stands: below its cause where that is known, else below whoever is ``carried``."""
        above = self._known.get((owner, cause)) if cause else None
        parent = parse(carried) if carried else None
        if parent is not None and (above is None or above.trace_id != int(parent.trace, 16)):
            place = Place(int(parent.trace, 16), self._new(), int(parent.span, 16), remote=True, sampled=parent.sampled)
        elif above is not None:
            place = Place(above.trace_id, self._new(), above.span_id, sampled=above.sampled)
        else:
            root = f"{owner}/{cause or own}".encode()
            trace_id = int.from_bytes(blake2b(root, digest_size=16, key=self._key).digest(), "big") or 1
            place = Place(trace_id, self._new(), sampled=trace_id % _HALF < self._bound)
        self._known[owner, own] = place
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return place

    def _instant(self, clock: float) -> float:
        return self._wall() - (self._clock() - clock)

    def _new(self) -> int:
        return self._random.getrandbits(64) or 1


def _since(ring: Ring, last: Trace | None) -> Iterator[Trace]:
    """Yield what came after a trace, or what is no older where that was pushed out."""
    return takewhile(lambda one: one is not last and (last is None or one.accepted >= last.accepted), reversed(ring))
