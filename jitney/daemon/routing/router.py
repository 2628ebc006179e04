"""The router: what the routes of an owner do about an event, now or when its time comes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Final

from msgspec import Struct

from jitney.daemon.counters import Counters
from jitney.daemon.delivery.plans import Copy, Plan
from jitney.daemon.log import Tally, get
from jitney.daemon.pulse import Pulse
from jitney.daemon.routes.actions import Action, Drop, Forward, PublishEvent, PublishState, SetVariable
from jitney.daemon.routes.compiled import Index, Route, is_tick
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError
from jitney.daemon.routing.admission import Admission
from jitney.daemon.routing.breaker import Alert, Breakers, Firing
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.journal import Journal, Outcome, Verdict
from jitney.daemon.routing.memory import Memory
from jitney.daemon.routing.planned import Planned, plan
from jitney.daemon.routing.records import Row
from jitney.daemon.routing.timing import Timing
from jitney.daemon.routing.variables import Assignment, VariableError, Variables
from jitney.daemon.store import route_memory
from jitney.daemon.store.actions import Write
from jitney.daemon.store.store import Store
from jitney.topics import HOUSE, Event
from jitney.topics.messages import ROUTE, ReplyAddress

MOST_ADDRESSES: Final = 1000
"""Events of the inbox on their way to be planned of which is known who wants an answer."""

PASSED_OVER: Final = "it was published again for others, not for routes"

WITHIN: Final = (Forward, PublishEvent, PublishState, SetVariable)
"""The actions by which nothing happens outside that could come back as an event of somebody else."""

SLOW: Final = 0.0005
"""Seconds: where all routes of an owner take longer for an event, it is watched which of them compute long."""

LONG: Final = 0.00025
"""Seconds from which on it counts how long a route that is watched has computed."""

WATCHED: Final = 100
"""Events of an owner for which the routes are watched then."""

LOOK: Final = 60.0
"""The longest sleep in seconds: the wall clock may be put meanwhile."""

_log = get("routes")


class Answered(Struct):
    """What the routes want about one event, so far."""

    planned: list[Planned]
    admissions: list[Admission]
    verdicts: list[Verdict]
    assigned: list[Assignment]
    firings: list[Firing] = []
    drop: bool = False
    address: ReplyAddress | None = None


class Router:
    """The routes of all owners. ``names`` are those of the people by id, ``alerts`` is told of stopped routes.

    ``shared`` tells to whom an event goes besides, whatever its routes do about it.
    ``load`` comes first. ``clock`` gives Unix seconds, ``zone`` is that of the house.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        *,
        routes: Sequence[Route],
        names: Mapping[str, str],
        variables: Variables,
        alerts: Callable[[Alert], None],
        zone: tzinfo,
        counters: Counters,
        clock: Callable[[], float] = time.time,
        shared: Callable[[Event], Sequence[Copy]] = lambda _: (),
    ) -> None:
        self.journal = Journal()
        self.breakers = Breakers(zone, counters=counters)
        self.pulse = Pulse("routes", waiting=lambda: True, patience=3 * LOOK)
        self._store = store
        self._executor = executor
        self.routes = {route.name: route for route in routes}
        self._index = Index(routes)
        self._remembering = any(route.needs_memory for route in routes)
        self._names = names
        self._variables = variables
        self._memory = Memory(zone, counters=counters, gate=self.breakers.admit)
        self._alerts = alerts
        self._zone = zone
        self._counters = counters
        self._clock = clock
        self._shared = shared
        self._addresses: dict[tuple[str, str], ReplyAddress] = {}
        self._passed_over: set[str] = set()
        self._slow: dict[str, int] = {}
        self._news = asyncio.Event()
        self._tally = Tally(_log)

    async def load(self) -> None:
        """Read what an earlier run remembered."""
        found = await self._store.read(lambda db: db.execute(route_memory.ALL).fetchall())
        rows = [Row(owner, route, key, bytes(value), until) for owner, route, key, value, until in found]
        now = self._clock()
        self._memory.load(rows, now)
        self._variables.load(rows, now)
        self._follow(now)

    def use(self, routes: Sequence[Route], *, names: Mapping[str, str]) -> None:
        """Follow other routes from now on; what the old ones of the same name remember stays."""
        self.routes = {route.name: route for route in routes}
        self._index = Index(routes)
        self._remembering = any(route.needs_memory for route in routes)
        self._names = names
        self._follow(self._clock())
        self._news.set()

    def _follow(self, now: float) -> None:
        remembering = {name: route for name, route in self.routes.items() if route.needs_memory}
        owners = {
            name: [one for one in (*self._names, HOUSE) if route.serves(one)] for name, route in remembering.items()
        }
        timings = {name: Timing.of(route.settings) for name, route in remembering.items()}
        self._memory.use(timings, owners=owners, now=now)

    async def run(self) -> None:
        """Do what time brings about; cancelled to stop it."""
        while True:
            with self.pulse:
                self._pass_time()
            wait = min(self._memory.next(), self.breakers.next()) - self._clock()
            self._news.clear()
            try:
                async with asyncio.timeout(min(max(wait, 0.0), LOOK)):
                    await self._news.wait()
            except TimeoutError:
                continue

    def plan(self, event: Event) -> Plan | None:
        """Return what follows from an event that the bus accepts, None for nothing."""
        now = self._clock()
        if self._remembering and self._memory.next() <= now:  # it came before this event
            self._pass_time()
        if event.causationid:
            self.breakers.saw(event)
        address = self._addresses.pop((event.owner, event.id), None) if self._addresses else None
        copies = self._shared(event)
        interested = self._index.interested(event.owner, event.type, event.subject)
        if self._passed_over and event.id in self._passed_over:
            self._passed_over.remove(event.id)
            self.journal.add(
                event, at=now, verdicts=tuple(Verdict(one.name, "held", PASSED_OVER) for one in interested)
            )
            return Plan(copies=copies) if copies else None
        answered = self._answers(event, interested, now=now, address=address) if interested else None
        if answered is None:
            self.journal.add(event, at=now)
            return Plan(copies=copies) if copies else None
        self.journal.add(event, at=now, verdicts=tuple(answered.verdicts))
        writes = self._writes(answered.planned)
        if not (writes or copies or answered.drop):
            return None
        return Plan(writes, self._begin(answered), drop=answered.drop, copies=copies)

    def answer_to(self, owner: str, event_id: str, address: ReplyAddress) -> None:
        """Learn where an answer to an event is wanted, which is about to be planned."""
        if len(self._addresses) >= MOST_ADDRESSES:  # of events that were refused after all
            self._addresses.clear()
        self._addresses[owner, event_id] = address

    def pass_over(self, event_id: str) -> None:
        """Learn that no route is to answer an event, which is about to be planned."""
        if len(self._passed_over) >= MOST_ADDRESSES:  # of events that were refused after all
            self._passed_over.clear()
        self._passed_over.add(event_id)

    def look(self, event: Event) -> tuple[Sequence[Route], Document]:
        """Return the routes that want events like this one, and how they would see it now."""
        document = self._document(event, self._clock())
        if not is_tick(event):
            return self._index.candidates(event.owner, event.type), document
        route = self.routes.get(event.subject or "")
        return [route] if route is not None and route.answers(event) else [], document

    def forget(self, owner: str) -> None:
        """Forget all that is remembered of an owner, on disk too."""
        for known in (self.journal, self.breakers, self._memory, self._variables):
            known.forget(owner)
        self._store.write(route_memory.ERASE, [(owner,)])

    def _document(self, event: Event, now: float) -> Document:
        variables = self._variables.of(event.owner, now)
        return Document(event, variables, self._names.get(event.owner, ""), now=now, zone=self._zone)

    def _answers(
        self, event: Event, interested: Sequence[Route], *, now: float, address: ReplyAddress | None
    ) -> Answered | None:
        """Let routes answer an event; None when nothing comes of it, not even in the memory."""
        owner = event.owner
        if owner in self._slow or owner in self.breakers.tired:
            return self._watched(event, interested, now=now, address=address)
        began = time.perf_counter()
        document = self._document(event, now)
        answered: Answered | None = None
        for route in interested:
            if route.holds(document):
                if answered is None:
                    answered = Answered([], [], [], [], address=address)
                self._answer(route, document, answered, now=now)
            elif route.needs_memory and self._memory.ended(route.name, event, now=now) and answered is None:
                answered = Answered([], [], [], [], address=address)
        if answered is not None:
            self._did(event, answered)
        if time.perf_counter() - began > SLOW:
            self._slow[owner] = WATCHED
        return answered

    def _watched(
        self, event: Event, interested: Sequence[Route], *, now: float, address: ReplyAddress | None
    ) -> Answered:
        """Let routes of an owner where that took long lately answer an event, and note how long each computes."""
        owner = event.owner
        document = self._document(event, now)
        answered = Answered([], [], [], [], address=address)
        tired = self.breakers.tired.get(owner, ())
        ended = time.thread_time()
        for route in interested:
            if route.name in tired and (why := self.breakers.rests(owner, route.name, now)):
                answered.verdicts.append(Verdict(route.name, "stopped", why))
                continue
            began = ended
            if route.holds(document):
                self._answer(route, document, answered, now=now)
            elif route.needs_memory:
                self._memory.ended(route.name, event, now=now)
            ended = time.thread_time()
            if ended - began > LONG and self.breakers.spent(owner, route.name, ended - began, now):
                self._news.set()
        self._did(event, answered)
        left = self._slow.pop(owner, 0) - 1
        if left > 0:
            self._slow[owner] = left
        return answered

    def _answer(self, route: Route, document: Document, answered: Answered, *, now: float) -> None:
        """Let a route answer an event that it matches."""
        event = document.event
        admission = Admission(fire=True)
        try:
            if route.needs_memory:
                admission = self._memory.admit(route.name, event, now=now, key=route.key(document))
            elif why := self.breakers.admit(event, route.name, now):
                admission = Admission(fire=False, held="breaker", why=why)
            if admission.fire:
                self._fire(route, document, answered, now=now)
        except TemplateError as error:
            self._memory.give_back(admission)
            self._failed(route, event, error)
            answered.verdicts.append(Verdict(route.name, "failed", str(error)))
            return
        answered.admissions.append(admission)
        if not admission.fire:
            outcome: Outcome = "stopped" if admission.held == "breaker" else "held"
            answered.verdicts.append(Verdict(route.name, outcome, admission.why))
            self._news.set()

    def _fire(self, route: Route, document: Document, answered: Answered, *, now: float) -> None:
        actions = route.actions(document)
        answered.drop = answered.drop or any(isinstance(action, Drop) for action in actions)
        ttl = route.settings.ttl
        later = self._assign(actions, document, answered, now=now)
        planned = plan(document.event, later, route=route.name, now=now, ttl=ttl, address=answered.address)
        commands = [one.id for one in planned if not isinstance(one.action, WITHIN)]
        answered.firings.append((route.name, commands))
        answered.planned += planned
        answered.verdicts.append(Verdict(route.name, "fired"))

    def _did(self, event: Event, answered: Answered) -> None:
        """Take note of the routes that have fired on an event."""
        if answered.firings:
            self.breakers.does(event, answered.firings)
            self._counters.add("fired", len(answered.firings), owner=event.owner, adapter=ROUTE)
            answered.firings = []

    def _assign(self, actions: Sequence[Action], document: Document, answered: Answered, *, now: float) -> list[Action]:
        """Set the variables that are to be set at once; returns the other actions, and those that were refused.

        A refusal is told by the dead letter that such an action becomes.
        """
        owner = document.event.owner
        others: list[Action] = []
        for action in actions:
            if not isinstance(action, SetVariable) or action.delay:
                others.append(action)
                continue
            try:
                assigned = self._variables.assign(owner, action.name, action.value, now=now, expiry=action.expiry)
            except VariableError:
                others.append(action)
            else:
                answered.assigned.append(assigned)
        if len(others) < len(actions):
            document.change(self._variables.of(owner, now))
        return others

    def _writes(self, planned: Sequence[Planned]) -> list[Write]:
        return [
            *self._executor.rows(planned),
            *route_memory.writes([*self._memory.rows(), *self._variables.rows()]),
        ]

    def _begin(self, answered: Answered) -> Callable[[bool], None]:
        def begin(kept: bool) -> None:  # noqa: FBT001 - as the contract of the bus has it
            if kept:
                self._kept(answered)
                return
            self._executor.abandon(answered.planned)
            for assigned in answered.assigned:
                self._variables.undo(assigned)
            for admission in reversed(answered.admissions):
                self._memory.undo(admission)

        return begin

    def _kept(self, answered: Answered) -> None:
        """Learn that what follows is on disk, or on its way there."""
        self._executor.begin(answered.planned)
        for assigned in answered.assigned:
            self._variables.keep(assigned)
            self._counters.add("actions", owner=assigned.owner, adapter="set", reason="ok")

    def _pass_time(self) -> None:
        """Do what is due now."""
        now = self._clock()
        answered = Answered([], [], [], [])
        for due in self._memory.due(now):
            route = self.routes.get(due.route)
            if route is None:
                continue
            document = self._document(due.event, now)
            if due.tick:
                known = len(answered.verdicts)
                if route.matches(document):
                    self._answer(route, document, answered, now=now)
                    self._did(due.event, answered)
                else:
                    self._memory.ended(route.name, due.event, now=now)
                self.journal.add(due.event, at=now, verdicts=tuple(answered.verdicts[known:]))
            elif due.admission.fire:
                self._fire_later(route, document, answered, admission=due.admission, now=now)
        for sql, rows in self._writes(answered.planned):
            self._store.write(sql, rows)
        self._kept(answered)
        for alert in self.breakers.changes(now):
            self._alerts(alert)

    def _fire_later(
        self, route: Route, document: Document, answered: Answered, *, admission: Admission, now: float
    ) -> None:
        try:
            self._fire(route, document, answered, now=now)
        except TemplateError as error:
            self._memory.give_back(admission)
            self._failed(route, document.event, error)
            verdict = Verdict(route.name, "failed", str(error))
        else:
            self._did(document.event, answered)
            verdict = Verdict(route.name, "fired")
        self.journal.amend(document.event, verdict)

    def _failed(self, route: Route, event: Event, error: TemplateError) -> None:
        self._counters.add("failed", owner=event.owner, adapter=ROUTE, reason="template")
        self._tally.add(
            "a route could not fill in a template",
            key=f"{event.owner}/{route.name}",
            route=route.name,
            reason=str(error),
        )
