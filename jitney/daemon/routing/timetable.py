"""Which schedule is due when, for every owner; what was missed; and the event that a schedule makes."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from jitney.daemon.counters import Counters
from jitney.daemon.routes.compiled import SCHEDULED
from jitney.daemon.routes.timing import DAY
from jitney.daemon.routing.records import Row
from jitney.daemon.routing.schedule import Schedule
from jitney.topics import Event, derived_id, rfc3339, utc_now
from jitney.topics.messages import ROUTE

KEY: Final = "schedule"
"""The key of the rows of schedules."""

LATE: Final = 60.0
"""Seconds after its instant until a firing counts as missed: the bus was down, or the clock was put on."""


class Tick(NamedTuple):
    """A schedule of an owner's route is due; ``at`` is the instant that it names."""

    owner: str
    route: str
    at: float


def scheduled(tick: Tick, zone: tzinfo) -> Event:
    """Return the event of a tick, the same for the same one: its subject is the route, ``data.at`` the local time."""
    local = datetime.fromtimestamp(tick.at, zone)
    data: dict[str, Any] = {"route": tick.route, "at": local.isoformat(timespec="seconds")}
    return Event(
        id=derived_id(KEY, tick.owner, tick.route, repr(tick.at)),
        source=f"/{ROUTE}",
        type=SCHEDULED,
        subject=tick.route,
        time=rfc3339(local),
        observed=utc_now(),
        owner=tick.owner,
        data=Raw(msgspec.json.encode(data)),
    )


class Timetable:
    """The schedules of all owners and when each is due next. Instants are Unix seconds."""

    def __init__(self, zone: tzinfo, counters: Counters) -> None:
        self._zone = zone
        self._counters = counters
        self._lines: dict[tuple[str, str], _Line] = {}
        self._queue: list[tuple[float, tuple[str, str]]] = []
        self._loaded: dict[tuple[str, str], float] = {}
        self._changed: dict[tuple[str, str], None] = {}

    def load(self, rows: Iterable[Row]) -> None:
        """Take what an earlier run had done from its rows; what cannot be read is cleared away."""
        for row in rows:
            whose = row.owner, row.route
            self._changed[whose] = None
            try:
                self._loaded[whose] = msgspec.json.decode(row.value or b"", type=float)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._counters.add("unreadable", owner=row.owner, adapter=ROUTE, reason="memory")

    def use(self, schedules: Mapping[tuple[str, str], Schedule], now: float) -> None:
        """Follow these schedules by (owner, route) from now on; those that stay the same do not notice."""
        before, self._lines = self._lines, {}
        for whose, schedule in schedules.items():
            line = before.pop(whose, None)
            if line is None or line.schedule != schedule:
                line = self._begin(schedule, self._loaded.get(whose) if line is None else None, now)
                self._change(whose, schedule)
            self._lines[whose] = line
        for whose, line in before.items():
            self._change(whose, line.schedule)
        self._loaded.clear()
        self._order()

    def due(self, now: float, *, most: int) -> list[Tick]:
        """Return up to ``most`` of what is due, each once; whoever was late or is missed begins anew."""
        ticks: list[Tick] = []
        while self._queue and self._queue[0][0] <= now and len(ticks) < most:
            _, whose = heappop(self._queue)
            line = self._lines[whose]
            at = line.schedule.last(now, self._zone)
            if now - at <= LATE or line.schedule.catch_up:
                ticks.append(Tick(*whose, at))
                line.since = line.fired = at
                self._change(whose, line.schedule)
            else:
                self._counters.add("missed", owner=whose[0], adapter=ROUTE, reason="schedule")
            line.next = line.schedule.next(now, self._zone)
            heappush(self._queue, (line.next, whose))
        return ticks

    def next(self) -> float:
        """Return when the next one is due."""
        return self._queue[0][0] if self._queue else inf

    def put_back(self, now: float) -> None:
        """Adapt to a clock that was put back: a time of day that has fired does not fire again."""
        for line in self._lines.values():
            line.next = self._after(line, now)
        self._order()

    def forget(self, owner: str) -> None:
        """Remove all of an owner; nothing is left to be written."""
        self._lines = {whose: line for whose, line in self._lines.items() if whose[0] != owner}
        self._changed = {whose: None for whose in self._changed if whose[0] != owner}
        self._order()

    def rows(self) -> list[Row]:
        """Return what has to be written since the last call: only who wants to catch up has to be remembered."""
        changed, self._changed = self._changed, {}
        return [Row(*whose, KEY, self._value(whose)) for whose in changed]

    def _change(self, whose: tuple[str, str], schedule: Schedule) -> None:
        if schedule.catch_up:
            self._changed[whose] = None

    def _begin(self, schedule: Schedule, since: float | None, now: float) -> "_Line":
        line = _Line(schedule, since=now)
        if schedule.catch_up and since is not None:
            line.since = line.fired = since
            if since <= now:
                line.next = schedule.next(since, self._zone)
                return line
        line.next = self._after(line, now)
        return line

    def _after(self, line: "_Line", now: float) -> float:
        # An interval goes on at once, and who seems to have fired days ahead did so while the clock was wrong.
        if line.schedule.every or line.fired > now + DAY:
            line.fired = min(line.fired, now)
        return line.schedule.next(max(now, line.fired), self._zone)

    def _order(self) -> None:
        self._queue = [(line.next, whose) for whose, line in self._lines.items()]
        heapify(self._queue)

    def _value(self, whose: tuple[str, str]) -> bytes | None:
        line = self._lines.get(whose)
        return None if line is None or not line.schedule.catch_up else msgspec.json.encode(line.since)


class _Line:
    """One schedule: up to ``since`` all is done, ``fired`` is the last instant that fired."""

    __slots__ = ("fired", "next", "schedule", "since")

    def __init__(self, schedule: Schedule, *, since: float) -> None:
        self.schedule = schedule
        self.since = since
        self.fired = -inf
        self.next = inf
