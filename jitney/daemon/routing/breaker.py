"""The breaker of each owner's route: one that fires or computes too much, or makes itself fire, is stopped a while."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from math import inf
from operator import itemgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.counters import Counters
from jitney.daemon.routing.effort import Efforts
from jitney.topics import Event
from jitney.topics.messages import ROUTE

LIMIT: Final = 60
"""Firings of a route within a minute."""

MINUTE: Final = 60.0

ROUNDS: Final = 3
"""So often an event that a route has published may lead to its firing again, one from the other."""

PAUSE: Final = 60.0
LONGEST: Final = 3600.0
"""Seconds that a route is stopped: doubled each time, unless it went well for as long as the longest pause."""

MOST_TRACED: Final = 1000
"""Events of one owner of which is remembered who made them and who fired on them."""

_LONGEST_CHAIN: Final = 64
_MOST_MAKERS: Final = 16

_OFTEN: Final = "add throttle, debounce or once_per to it, or narrow its `on` and `when`"
_ITSELF: Final = "let its `when` leave out what it brings about itself"
_LONG: Final = "make its regular expressions and templates simpler, or narrow its `on` and its `when` by subject"

Firing = tuple[str, Sequence[str]]
"""A route that fires, and the ids of the commands that it gives."""


class Alert(Struct, frozen=True):
    """What the owner of a route must know: ``message`` says why it was stopped and what to do; empty: it goes on."""

    owner: str
    route: str
    message: str


class Stop(Struct, frozen=True):
    """A route that is stopped: ``until`` in Unix seconds, for the ``times``-th time in a row; it ``held`` so many."""

    owner: str
    route: str
    why: str
    until: float
    times: int
    held: int


class Breakers:
    """The breakers of all owners' routes. ``now`` is Unix seconds and may jump, ``zone`` is for texts.

    ``saw`` is told every event that has a cause, before ``admit`` is asked for the routes that would fire on it.
    """

    def __init__(
        self, zone: tzinfo, *, counters: Counters, limit: int = LIMIT, pause: float = PAUSE, longest: float = LONGEST
    ) -> None:
        self._zone = zone
        self._counters = counters
        self._limit = limit
        self._pause = pause
        self._longest = longest
        self.tired: dict[str, set[str]] = {}
        """By owner, the routes that have computed too long: ask ``rests`` before they are asked anything."""
        self._efforts = Efforts()
        self._breakers: dict[tuple[str, str], _Breaker] = {}
        self._stopped: dict[tuple[str, str], _Breaker] = {}
        self._changed: dict[tuple[str, str], str] = {}
        self._traces: dict[str, dict[str, _Trace]] = {}

    def saw(self, event: Event) -> None:
        """Learn what an event was caused by.

        Its maker is the route that published it (the ``actor``), or gave the command that it comes from (the
        ``correlationid``), else every route that has fired on its cause and may have done more than is known.
        """
        if event.causationid:
            cause = self._traces.get(event.owner, {}).get(event.causationid, _UNKNOWN)
            if event.adapter == ROUTE:
                makers: tuple[str, ...] = (event.actor or "",)
            else:
                makers = tuple(route for number, route in cause.commands if number == event.correlationid)
            makers = makers or cause.fired
            self._keep(event, replace(self._trace(event), makers=(*cause.makers, *makers)[-_LONGEST_CHAIN:]))

    def does(self, event: Event, firings: Sequence[Firing]) -> None:
        """Learn the routes that fire on an event, and by which commands each may bring about others.

        Without any it only looks on, whatever else follows from the event.
        """
        acting = [(route, commands) for route, commands in firings if commands]
        if acting:
            trace = self._trace(event)
            fired = (*trace.fired, *(route for route, _ in acting))[:_MOST_MAKERS]
            more = [(number, route) for route, commands in acting for number in commands[:_MOST_MAKERS]]
            known = (*trace.commands, *more)[:_MOST_MAKERS]
            self._keep(event, replace(trace, fired=fired, commands=known))

    def admit(self, event: Event, route: str, now: float) -> str:
        """Note that a route fires on an event of its owner; returns why it must not, empty when it may."""
        whose = event.owner, route
        breaker = self._breaker(whose)
        if breaker.stopped(now):
            return self._held(event.owner, breaker)
        trace = self._trace(event)
        rounds = trace.makers.count(route)
        if rounds > ROUNDS:
            why, remedy = f"its own events made it fire {rounds} times in a row", _ITSELF
        elif breaker.fires(now):
            return ""
        else:
            why, remedy = f"it fired more than {self._limit} times in a minute", _OFTEN
        return self._stop(whose, f"{why}; {remedy}", now)

    def spent(self, owner: str, route: str, seconds: float, now: float) -> bool:
        """Learn how long a route has computed; returns whether routes of its owner are stopped because of that."""
        found = self._efforts.spent(owner, route, seconds, now=now)
        for name, took in found.items():
            self._stop((owner, name), f"it took {took:.2f} s of computing within a minute; {_LONG}", now)
            self.tired.setdefault(owner, set()).add(name)
        return bool(found)

    def rests(self, owner: str, route: str, now: float) -> str:
        """Return why a tired route is not to be asked about an event, empty when it may."""
        breaker = self._breaker((owner, route))
        return self._held(owner, breaker) if breaker.stopped(now) else ""

    def changes(self, now: float) -> list[Alert]:
        """Return the alerts to raise and to take back since the last call; ask again at ``next``."""
        for whose, breaker in list(self._stopped.items()):
            if not breaker.stopped(now):
                self._release(whose)
        changed, self._changed = self._changed, {}
        return [Alert(owner, route, message) for (owner, route), message in changed.items()]

    def next(self) -> float:
        """Return when the next route goes on, in Unix seconds; infinity when none is stopped."""
        return min((breaker.until for breaker in self._stopped.values()), default=inf)

    def stops(self, now: float) -> list[Stop]:
        """Return the routes that are stopped, by owner and name."""
        return [
            Stop(owner, route, breaker.why, breaker.until, breaker.times, breaker.held)
            for (owner, route), breaker in sorted(self._stopped.items(), key=itemgetter(0))
            if breaker.stopped(now)
        ]

    def resume(self, owner: str, route: str) -> bool:
        """Let a route go on at once, as a person wants; returns whether it was stopped."""
        was_stopped = (owner, route) in self._stopped
        self._breakers.pop((owner, route), None)
        if was_stopped:
            self._release((owner, route))
        return was_stopped

    def keep(self, owners: Mapping[str, Collection[str]]) -> None:
        """Forget all routes but these, by name with the owners they work for."""
        for owner, route in [whose for whose in self._breakers if whose[0] not in owners.get(whose[1], ())]:
            self.resume(owner, route)

    def forget(self, owner: str) -> None:
        """Forget all of an owner."""
        self._traces.pop(owner, None)
        self._efforts.forget(owner)
        for whose in [whose for whose in self._breakers if whose[0] == owner]:
            self.resume(*whose)

    def _trace(self, event: Event) -> "_Trace":
        return self._traces.get(event.owner, {}).get(event.id, _UNKNOWN)

    def _keep(self, event: Event, trace: "_Trace") -> None:
        known = self._traces.setdefault(event.owner, {})
        known[event.id] = trace
        if len(known) > MOST_TRACED:
            del known[next(iter(known))]

    def _breaker(self, whose: tuple[str, str]) -> "_Breaker":
        breaker = self._breakers.get(whose)
        if breaker is None:
            breaker = self._breakers[whose] = _Breaker(self._limit)
        return breaker

    def _held(self, owner: str, breaker: "_Breaker") -> str:
        breaker.held += 1
        self._counters.add("stopped", owner=owner, adapter=ROUTE, reason="breaker")
        return breaker.why

    def _stop(self, whose: tuple[str, str], why: str, now: float) -> str:
        breaker = self._breaker(whose)
        breaker.stop(now, first=self._pause, longest=self._longest)
        until = datetime.fromtimestamp(breaker.until, self._zone).strftime("%H:%M:%S")
        breaker.why = f"stopped until {until}: {why}"
        self._stopped[whose] = breaker
        self._changed[whose] = f"the route {whose[1]!r} is {breaker.why}"
        self._counters.add("stopped", owner=whose[0], adapter=ROUTE, reason="breaker")
        return breaker.why

    def _release(self, whose: tuple[str, str]) -> None:
        owner, route = whose
        del self._stopped[whose]
        self._changed[whose] = ""
        tired = self.tired.get(owner, set())
        tired.discard(route)
        if not tired:
            self.tired.pop(owner, None)


class _Trace(Struct, frozen=True):
    """The routes that made an event or what it goes back to, those that have fired on it, and commands of theirs."""

    makers: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()


_UNKNOWN: Final = _Trace()


class _Breaker:
    """The breaker of one route: its last firings, and until when it is stopped for the ``times``-th time."""

    __slots__ = ("_fired", "_now", "_open", "_pause", "held", "times", "until", "why")

    def __init__(self, limit: int) -> None:
        self.until = -inf
        self.times = 0
        self.held = 0
        self.why = ""
        self._fired: deque[float] = deque(maxlen=limit)
        self._open = False
        self._pause = 0.0
        self._now = -inf

    def stopped(self, now: float) -> bool:
        """Whether the pause goes on; a clock that was put back makes it no longer."""
        if now < self._now:
            self._fired = deque((min(time, now) for time in self._fired), self._fired.maxlen)
            self.until = min(self.until, now + self._pause)
        self._now = now
        self._open = self._open and now < self.until
        return self._open

    def fires(self, now: float) -> bool:
        """Note a firing; False when it is one too many."""
        if len(self._fired) == self._fired.maxlen and now - self._fired[0] < MINUTE:
            return False
        self._fired.append(now)
        return True

    def stop(self, now: float, *, first: float, longest: float) -> None:
        """Begin a pause, a longer one if the last is not long ago."""
        self.times = 1 if now - self.until >= longest else self.times + 1
        self.held = 1
        self._pause = min(first * 2.0 ** min(self.times - 1, 30), longest)
        self._open = True
        self.until = now + self._pause
        self._fired.clear()
