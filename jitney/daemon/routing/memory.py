"""The memory of routes: whether one that matches fires now, later, or not, by what was before.

A matching event passes the conditions of its route in this order: ``for``, ``debounce``, ``count``, ``quiet_hours``,
``throttle``, ``once_per``, and last the gate, which is the breaker. The first two hold it and let it go on by itself;
of the others the first that holds ends its way, and only what passes all uses up ``throttle`` and ``once_per``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

from msgspec.structs import replace

from jitney.daemon.counters import Counters
from jitney.daemon.routing.admission import Admission, Case, Change, Due, Gate, Holder
from jitney.daemon.routing.records import EMPTY, Pending, Place, Record, Records, Row, compact
from jitney.daemon.routing.timetable import KEY, Timetable, scheduled
from jitney.daemon.routing.timing import Timing
from jitney.daemon.routing.windows import period, recent
from jitney.topics import Event, derived_id

SETTLE: Final = 30.0
"""Seconds after a start in which no ``for`` ends: the sources first say what has changed meanwhile."""

MOST_AT_ONCE: Final = 64
"""What is due at once is handed out in such portions, so that others get their turn."""

LONGEST_KEY: Final = 200
"""Characters of a key that are kept as they are; of longer ones, their digest."""

_STALE: Final = 1000
"""Entries of the queue that may be for nothing before it is made anew."""

_KEYED: Final = "="
_HOLDING: Final = "~"
"""How the keys of records begin: of what is due at the same instant what was debounced goes first, in this order."""


class Memory:
    """What the routes of all owners remember. ``now`` is Unix seconds and may jump, ``zone`` the house's time zone.

    A route is known by its name, and remembers by owner and key: what its ``once_per`` names, else the subject. What
    changed is kept over a restart when ``rows`` are written, best in the transaction of the event that changed it.
    """

    def __init__(self, zone: tzinfo, *, counters: Counters, gate: Gate = lambda *_: "", settle: float = SETTLE) -> None:
        self._zone = zone
        self._gate = gate
        self._settle = settle
        self._timings: Mapping[str, Timing] = {}
        self._records = Records(counters)
        self._timetable = Timetable(zone, counters)
        self._queue: list[tuple[float, Place]] = []
        self._most_queued = _STALE
        self._settled = -inf
        self._now = -inf

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take what an earlier run remembered; call ``use`` next. Rows of no route are left alone."""
        self._settled = now + self._settle
        own = [row for row in rows if row.route]
        self._timetable.load(row for row in own if row.key == KEY)
        self._records.load((row for row in own if row.key != KEY), now)

    def use(self, timings: Mapping[str, Timing], *, owners: Mapping[str, Collection[str]], now: float) -> None:
        """Follow these routes from now on, each for its ``owners``; what the others remembered is forgotten."""
        self._turn(now)
        self._timings = timings
        self._records.keep(lambda place, record: self._wanted(place, record, owners))
        schedules = {
            (owner, route): found.schedule
            for route, found in timings.items()
            if found.schedule is not None
            for owner in owners[route]
        }
        self._timetable.use(schedules, now)
        self._order()

    def admit(self, route: str, event: Event, *, now: float, key: str | None = None) -> Admission:
        """Return whether an event that matches its owner's route fires; without ``key`` the subject is the key.

        Ask what is ``due`` first when ``next`` is not later than now: it came before this event.
        """
        self._turn(now)
        key = (event.subject or "") if key is None else key
        case = Case(route, event, _short(key), now, self._timings[route])
        return self._hold(case) if case.timing.hold else self._delay(case)

    def ended(self, route: str, event: Event, *, now: float) -> bool:
        """Learn that an event does not match, which ends what ``for`` has waited for; returns whether it did."""
        if not self._timings[route].hold:
            return False
        self._turn(now)
        place = _holding(route, event)
        waited = self._records.get(place) != EMPTY
        if waited:
            self._records.put(place, EMPTY)
        return waited

    def due(self, now: float, *, most: int = MOST_AT_ONCE) -> list[Due]:
        """Return up to ``most`` of what time has brought about; there is more while ``next`` is not later than now."""
        self._turn(now)
        found: list[Due] = []
        while self._queue and self._queue[0][0] <= now and len(found) < most:
            _, place = heappop(self._queue)
            record = self._records.get(place)
            if record.pending is None:
                continue
            if (later := self._later(place, record.pending)) > now:
                heappush(self._queue, (later, place))
            else:
                found.append(self._release(place, record, record.pending))
        ticks = self._timetable.due(now, most=most - len(found))
        return found + [
            Due(tick.route, scheduled(tick, self._zone), Admission(fire=False), tick=True) for tick in ticks
        ]

    def next(self) -> float:
        """Return when to ask what is due, in Unix seconds; infinity when nothing waits.

        Ask once a minute all the same: only then a clock that was put back is noticed.
        """
        return min(self._queue[0][0] if self._queue else inf, self._timetable.next())

    def undo(self, admission: Admission) -> None:
        """Take an admission back, of several the last one first: its event could not be kept and will come again."""
        self._restore(admission.changes)

    def give_back(self, admission: Admission) -> None:
        """Take back what a firing has used up, because nothing came of it; what waited does not fire again."""
        self._restore([change for change in admission.changes if change.before.pending is None])

    def rows(self) -> list[Row]:
        """Return what has to be written since the last call; of what changed often only the last."""
        return self._records.rows() + self._timetable.rows()

    def forget(self, owner: str) -> None:
        """Forget all of an owner, whose rows are deleted elsewhere."""
        self._records.forget(owner)
        self._timetable.forget(owner)

    def _restore(self, changes: Sequence[Change]) -> None:
        for change in reversed(changes):
            if change.place.route in self._timings and self._records.get(change.place) == change.after:
                self._records.put(change.place, change.before)
                if change.before.pending is not None:
                    self._await(change.place, change.before.pending)

    def _hold(self, case: Case) -> Admission:
        place = _holding(case.route, case.event)
        record = self._records.get(place)
        seconds = case.timing.hold
        if record.fired is not None:
            return case.held("for", f"has held for {seconds:g} s, told once until it ends")
        pending = record.pending or Pending(compact(case.event), case.now, case.key)
        if record.pending is None:
            self._put(case, place, Record(pending=pending))
            self._await(place, pending)
        return case.held("for", f"must hold for {seconds:g} s", later=self._later(place, pending))

    def _delay(self, case: Case) -> Admission:
        seconds = case.timing.debounce
        if not seconds:
            return self._pass(case)
        place = _keyed(case)
        record = self._records.get(place)
        pending = Pending(compact(case.event), case.now, case.key)
        self._put(case, place, replace(record, pending=pending))
        if record.pending is None:
            self._await(place, pending)
        return case.held("debounce", f"waits for {seconds:g} s without another", later=case.now + seconds)

    def _pass(self, case: Case) -> Admission:
        timing, place = case.timing, _keyed(case)
        record = self._records.get(place)
        if timing.n:
            times = recent(record.times, now=case.now, within=timing.within)
            full = len(times) >= timing.n
            record = self._put(case, place, replace(record, times=() if full else times))
            if not full:
                return case.held("count", f"{len(times)} of {timing.n} within {timing.within:g} s")
        local = datetime.fromtimestamp(case.now, self._zone)
        held, why = _closed(timing, record, now=case.now, local=local)
        if not held:
            why = self._gate(case.event, case.route, case.now)
            held = "breaker" if why else ""
        if held:
            return case.held(held, why)
        if timing.lasting:
            unit = timing.once_per
            self._put(case, place, replace(record, fired=case.now, period=period(unit, local) if unit else None))
        return case.passed()

    def _release(self, place: Place, record: Record, pending: Pending) -> Due:
        case = Case(place.route, pending.event, pending.key, self._now, self._timings[place.route])
        if place.key.startswith(_HOLDING):
            self._put(case, place, Record(fired=self._now))
            admission = self._delay(case)
        else:
            self._put(case, place, replace(record, pending=None))
            admission = self._pass(case)
        return Due(place.route, pending.event, admission)

    def _put(self, case: Case, place: Place, record: Record) -> Record:
        before = self._records.get(place)
        after = replace(record, until=0.0 if place.key.startswith(_HOLDING) else case.timing.until(record))
        case.changes = (*case.changes, Change(place, before, after))
        self._records.put(place, after)
        return after

    def _later(self, place: Place, pending: Pending) -> float:
        timing = self._timings[place.route]
        if place.key.startswith(_HOLDING):
            return max(pending.since + timing.hold, self._settled)
        return pending.since + timing.debounce

    def _await(self, place: Place, pending: Pending) -> None:
        heappush(self._queue, (self._later(place, pending), place))
        if len(self._queue) > self._most_queued:
            self._order()

    def _order(self) -> None:
        """Make the queue anew: one entry for each record that waits."""
        waiting = ((place, record.pending) for place, record in self._records)
        self._queue = [(self._later(place, pending), place) for place, pending in waiting if pending is not None]
        heapify(self._queue)
        self._most_queued = 2 * len(self._queue) + _STALE

    def _turn(self, now: float) -> None:
        if now < self._now:
            self._records.put_back(now)
            self._timetable.put_back(now)
            self._settled = min(self._settled, now + self._settle)
            self._order()
        self._now = now

    def _wanted(self, place: Place, record: Record, owners: Mapping[str, Collection[str]]) -> bool:
        if place.owner not in owners.get(place.route, ()):
            return False
        over = place.key.startswith(_HOLDING) and record.pending is None
        return not over or self._timings[place.route].hold > 0


def _closed(timing: Timing, record: Record, *, now: float, local: datetime) -> tuple[Holder, str]:
    """Return which condition lets nothing fire now, and why."""
    if timing.quiet is not None and timing.quiet.covers(local):
        return "quiet_hours", f"quiet hours are {timing.quiet}"
    if record.fired is not None and now - record.fired < timing.throttle:
        ago = now - record.fired
        return "throttle", f"fired {ago:.0f} s ago, at most once in {timing.throttle:g} s"
    if timing.once_per and record.period == period(timing.once_per, local):
        return "once_per", f"has fired this {timing.once_per} already"
    return "", ""


def _keyed(case: Case) -> Place:
    return Place(case.event.owner, case.route, _KEYED + case.key)


def _holding(route: str, event: Event) -> Place:
    """Return where it is remembered that a condition holds, by type and subject whatever the key is."""
    return Place(event.owner, route, _HOLDING + _short(f"{len(event.type)} {event.type} {event.subject or ''}"))


def _short(key: str) -> str:
    return key if len(key) <= LONGEST_KEY else derived_id(key)
