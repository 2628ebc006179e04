"""Publishing a span of the journal again: each event as a new one that the old one caused."""

import time
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.log import get
from jitney.daemon.routes.compiled import is_tick
from jitney.daemon.routing.journal import Entry
from jitney.daemon.routing.router import Router
from jitney.topics import MAX_HOPS, Event, new_id, utc_now

MOST: Final = 200
"""Events of one replay."""

MOST_COPIES: Final = 2000
"""Events of which is remembered what they are copies of."""

LONGEST: Final = 40.0
"""Seconds after which a replay ends: whoever asked has not yet given up then."""

Why = Literal["cut", "caused", "again", "loop", "dropped", "too_large", "stopped", "scheduled"]
"""Why an event is left out.

Its data was too large to be remembered; another one of the span brings it about again; it is a copy of another one of
the span; it was caused through too many events; a route had dropped it; with what is added it is too large for the bus;
the replay ended before it; a schedule has made it for its route alone, and it was never published.
"""

_log = get("routes")


class Span(Struct, frozen=True, kw_only=True):
    """Which events of an owner: those that the bus took from ``since`` until ``until``, in Unix seconds, if wanted.

    Without ``routes`` they are published for others only. A ``rehearsal`` publishes nothing.
    """

    owner: str
    since: float
    until: float
    wants: Callable[[str], bool]
    routes: bool = True
    rehearsal: bool = False


class Again(Struct, frozen=True):
    """What came of a replay: the entries that were chosen, each with its new id, and those left out with why.

    ``ended`` says in words why it ended early, if it did.
    """

    chosen: list[tuple[Entry, str]]
    left_out: list[tuple[Entry, Why]]
    ended: str = ""


class Replay:
    """Replays spans of the journal, one at a time. ``clock`` gives seconds that only go forward."""

    def __init__(
        self,
        bus: Bus,
        router: Router,
        outbox: Outbox,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._router = router
        self._outbox = outbox
        self._clock = clock
        self._busy = False
        self._copies: dict[str, str] = {}

    async def run(self, span: Span) -> Again:
        """Publish a span again, in order; it ends early when a breaker stops a route, lest the others miss theirs.

        Raises RefusedError while another one is under way, or when not even the first can be published.
        """
        chosen, left_out = self._choose(span)
        if span.rehearsal:
            return Again([(entry, "") for entry in chosen], left_out)
        if self._busy:
            raise RefusedError("busy", "another replay is under way: ask again when it has ended")
        self._busy = True
        try:
            return await self._publish(chosen, left_out, span)
        finally:
            self._busy = False

    def _choose(self, span: Span) -> tuple[list[Entry], list[tuple[Entry, Why]]]:
        entries = self._router.journal.span(span.owner, span.since, span.until)
        wanted = [entry for entry in entries if span.wants(entry.event.type)][:MOST]
        coming = {self._root(entry.event.id) for entry in wanted if not self._unfit(entry, span)}
        taken: set[str] = set()
        chosen: list[Entry] = []
        left_out: list[tuple[Entry, Why]] = []
        for entry in wanted:
            event = entry.event
            root = self._root(event.id)
            why: Why | Literal[""] = self._unfit(entry, span)
            if root in taken:
                why = "again"
            elif span.routes and root == event.id and event.causationid and self._root(event.causationid) in coming:
                why = "caused"
            if why:
                left_out.append((entry, why))
            else:
                chosen.append(entry)
                taken.add(root)
        return chosen, left_out

    def _root(self, event_id: str) -> str:
        """Return the id of the event that one is a copy of, its own when it is none."""
        return self._copies.get(event_id, event_id)

    def _unfit(self, entry: Entry, span: Span) -> Why | Literal[""]:
        if is_tick(entry.event):
            return "scheduled"
        if entry.cut:
            return "cut"
        if entry.event.hops >= MAX_HOPS:
            return "loop"
        return "dropped" if not span.routes and self._dropped(entry) else ""

    def _remember(self, copy: str, root: str) -> None:
        self._copies[copy] = root
        if len(self._copies) > MOST_COPIES:
            del self._copies[next(iter(self._copies))]

    def _dropped(self, entry: Entry) -> bool:
        """Tell whether a route kept an event from being published."""
        fired = [self._router.routes.get(verdict.route) for verdict in entry.verdicts if verdict.outcome == "fired"]
        return any("drop" in action for route in fired if route is not None for action in route.settings.do)

    async def _publish(self, chosen: list[Entry], left_out: list[tuple[Entry, Why]], span: Span) -> Again:
        begun = self._clock()
        done: list[tuple[Entry, str]] = []
        ended = ""
        for entry in chosen:
            if not ended and self._clock() - begun > LONGEST:
                ended = f"it took longer than {LONGEST:g} s"
            if ended:
                left_out.append((entry, "stopped"))
                continue
            copy = _copy(entry.event)
            if not span.routes:
                self._router.pass_over(copy.id)
            try:
                await self._bus.emit([copy], durable=self._outbox.lane(copy.owner, copy.adapter).durable)
            except RefusedError as error:
                if not done:
                    raise
                ended = str(error)
                left_out.append((entry, "stopped"))
                continue
            taken = self._router.journal.find(copy.id, copy.owner)
            if taken is None:
                left_out.append((entry, "too_large"))
            else:
                done.append((entry, copy.id))
                self._remember(copy.id, self._root(entry.event.id))
                ended = _stopped(taken)
        left_out.sort(key=lambda one: one[0].at)
        _log.info("replayed", owner=span.owner, events=len(done), left_out=len(left_out), reason=ended or None)
        return Again(done, left_out, ended)


def _copy(event: Event) -> Event:
    """Return an event as the one that happens again now because a person wants it."""
    return replace(event, id=new_id(), observed=utc_now(), seq=0, hops=event.hops + 1, causationid=event.id)


def _stopped(taken: Entry) -> str:
    """Return in words which route a breaker has stopped on an event."""
    stopped = [f"the route {one.route!r} is {one.why}" for one in taken.verdicts if one.outcome == "stopped"]
    return "; ".join(stopped)
