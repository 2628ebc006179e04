"""The bus: where an event is accepted, and where a state gets its topic."""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.copies import Copies
from jitney.daemon.delivery.lanes import SHARED, Entry, Lane
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.plans import NoPlans, Plan, Plans
from jitney.daemon.delivery.resting import Held, Resting
from jitney.daemon.delivery.traces import begin
from jitney.daemon.log import Tally, get
from jitney.daemon.owners.limits import Limits
from jitney.daemon.store.store import Store, StoreError, told
from jitney.topics import MAX_HOPS, RESERVED, UNCLAIMED, Event, State, TopicTree, cloudevents
from jitney.topics.tree import EventTopic, StateTopic

MOST_SOURCES: Final = 64
"""Sources of events of one owner: adapters, and words that the owner's own tools use in the inbox."""

SHORTEST: Final = 0.01
"""Seconds that are worth waiting for: a source that is only a little too fast is slowed now and then."""

_TOPICS_CACHED: Final = 2000
"""Topics of one owner that are remembered: the types that one makes up push out nothing of another."""

_LONGEST_CACHED: Final = 200
"""Characters of a type: people make up longer ones in the inbox, and those are not worth the memory."""

_log = get("bus")


class Accepted(Struct, gc=False):
    """An event that was accepted: its place in its lane, None where a route drops it, the copies, and the plan."""

    id: str
    lane: Lane
    entry: Entry | None
    copies: Sequence[Entry]
    plan: Plan | None


class Bus:
    """Accepts events: owner known? seen before? what do routes want? Then into the lane of its owner and adapter.

    ``plans`` can be set once whoever knows the routes exists, which needs the bus itself. ``most_bytes`` is what an
    event may have, encoded.
    """

    def __init__(
        self,
        tree: TopicTree,
        outbox: Outbox,
        ledger: Ledger,
        *,
        store: Store,
        owners: frozenset[str],
        settings: OutboxSettings,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._tree = tree
        self._outbox = outbox
        self._ledger = ledger
        self._store = store
        self._owners = owners | RESERVED
        self.most_bytes = settings.event_kb * 1000
        self.limits = limits
        self._counters = counters
        self._copies = Copies(outbox, counters)
        self.resting = Resting(counters)
        self.plans: Plans = NoPlans()
        self._topics: dict[str, dict[tuple[str, str], str]] = {}
        self._tally = Tally(_log)

    async def emit(self, events: Sequence[Event], *, durable: bool) -> None:
        """Accept events in order; returns when they are safe: durable ones on disk.

        Raises RefusedError when durable ones cannot be kept; then none of them was accepted. Of the others the outbox
        drops and counts what fits neither into memory nor onto the disk.
        """
        if self.resting.owners:
            events = self.resting.awake(events)
        if durable:
            await self._emit_durable(events)
        else:
            await self._emit(events)
        await self._outbox.room()

    def within(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return what of events is within the limits of their owners; the others are counted and gone."""
        admits, owners = self.limits.admits, self._owners
        kept = [
            event
            for event in events
            if admits(event.owner if event.owner in owners else UNCLAIMED, len(memoryview(event.data)))
        ]
        if len(kept) < len(events):
            accepted = set(map(id, kept))
            for event in events:
                if id(event) not in accepted:
                    self._drop(event.owner if event.owner in owners else UNCLAIMED, event.adapter, "over_quota")
        return kept

    async def slow(self, owner: str, events: Sequence[Event]) -> bool:
        """Make a source wait that has just emitted events of its only owner, if there were too many; tells whether."""
        seconds = self.limits.wait(owner, len(events), sum(len(memoryview(event.data)) for event in events))
        if seconds > SHORTEST:
            await asyncio.sleep(seconds)
        return seconds > SHORTEST

    def serve(self, owners: frozenset[str]) -> None:
        """Know these people from now on."""
        self._owners = owners | RESERVED
        self._topics = {owner: topics for owner, topics in self._topics.items() if owner in self._owners}

    def rest(self, owners: frozenset[str]) -> None:
        """Hold back what is these people's from now on, and publish the states that have waited for the others."""
        for held in self.resting.use(owners):
            self.set_state(held.state, adapter=held.adapter, durable=held.durable)

    def admit(self, owner: str, source: str) -> bool:
        """Let events of an owner come from a source: one that is known, or a new one while they are few."""
        lanes = self._outbox.lanes
        if (owner, source) not in lanes:
            if sum(known == owner and not lane.startswith(SHARED) for known, lane in lanes) >= MOST_SOURCES:
                return False
            self._outbox.lane(owner, source)
        return True

    def set_state(self, state: State, *, adapter: str, durable: bool) -> None:
        """Put the value of a subject into the ledger of retained topics."""
        owner = state.owner if state.owner in self._owners else UNCLAIMED
        payload = GONE if state.data is None else bytes(state.data)
        if len(payload) > self.most_bytes:
            self._drop(owner, adapter, "too_large", subject=state.subject)
            return
        if owner in self.resting.owners:
            self.resting.hold(Held(state, adapter, durable))
            return
        topic = self.state_topic(owner, adapter, state.subject)
        if payload != GONE and not self._ledger.has_room(owner, topic, most=self.limits.of(owner).states):
            self._drop(owner, adapter, "too_many_states", subject=state.subject)
            return
        self._ledger.put(topic, payload, owner=owner, adapter=adapter, durable=durable, expiry=state.expiry)

    def state_topic(self, owner: str, adapter: str, subject: str) -> str:
        """Return the retained topic of a subject."""
        return self._tree.name(StateTopic(owner, adapter, subject))

    async def _emit(self, events: Sequence[Event]) -> None:
        entries: list[Entry] = []
        copies: list[Entry] = []
        plans: list[Plan] = []
        for event in events:
            accepted = self._accept(event, durable=False)
            if accepted is None:
                continue
            if accepted.entry is not None:
                self._outbox.reserve(accepted.lane)
                entries.append(accepted.entry)
            copies += accepted.copies
            if accepted.plan is not None:
                plans.append(accepted.plan)
        spilled = self._outbox.put(entries)
        if copies:  # which nobody waits for, should they go to disk
            self._outbox.put(copies)
            self._copies.kept(copies)
        for plan in plans:
            for sql, changes in plan.writes:
                self._store.write(sql, changes)
            plan.begin(True)  # noqa: FBT003 - the event is not on disk either: its actions need not wait for it
        if spilled:
            await self._store.committed(quiet=True)

    async def _emit_durable(self, events: Sequence[Event]) -> None:
        for lane in {self._lane(event) for event in events}:
            lane.durable = True
            if self._outbox.full(lane, len(events)):
                self._counters.add("refused", len(events), owner=lane.owner, adapter=lane.adapter, reason="outbox_full")
                message = f"the outbox of {lane.owner}/{lane.adapter} is full: is the broker running?"
                raise RefusedError("outbox_full", message)
        accepted = [one for event in events if (one := self._accept(event, durable=True)) is not None]
        if accepted:
            self._keep(accepted)
        try:
            await self._store.committed()
        except StoreError as error:
            raise RefusedError("not_kept", str(error)) from error

    def _keep(self, accepted: Sequence[Accepted]) -> None:
        """Write events and all that follows from them; that begins once it is on disk."""
        copies = [copy for one in accepted for copy in one.copies]
        entries = [one.entry for one in accepted if one.entry is not None]
        seen = [(lane, one.id) for one in accepted for lane in (one.lane, *(copy.lane for copy in one.copies))]
        plans = [one.plan for one in accepted if one.plan is not None]

        def settled(kept: bool) -> None:  # noqa: FBT001 - the store's callback
            if kept:
                self._copies.kept(copies)
            for plan in plans if kept else reversed(plans):
                plan.begin(kept)

        self._outbox.put_durable(entries + copies, seen, settled)
        for plan in plans:
            for sql, changes in plan.writes:
                self._store.write(sql, changes, told)

    def _accept(self, event: Event, *, durable: bool) -> Accepted | None:
        """Return an event's place in its lane and what follows from it; None when it is not accepted."""
        lane = self._lane(event)
        if event.id in lane.seen:
            self._counters.add("duplicates", owner=lane.owner, adapter=lane.adapter)
            return None
        if event.hops > MAX_HOPS:
            self._turn_away(lane, event, "loop")
            return None
        seq = lane.seq + 1
        event = replace(event, seq=seq, owner=lane.owner)
        payload = cloudevents.encode(event)
        if len(payload) > self.most_bytes:
            self._turn_away(lane, event, "too_large")
            return None
        lane.remember(event.id, seq)
        trace = begin(lane.traces, event)
        plan = self.plans.plan(event)
        if plan is None:
            copies: Sequence[Entry] = ()
        elif plan.drop:
            self._counters.add("dropped", owner=lane.owner, adapter=lane.adapter, reason="route")
            if trace is not None:
                trace.dropped = "route"
            return Accepted(event.id, lane, None, (), plan)
        else:
            copies = self._copies.entries(event, plan.copies, payload, durable=durable) if plan.copies else ()
        lane.seq = seq
        lane.time, lane.observed = event.time, event.observed
        entry = Entry(lane, self._topic(lane, event.type), payload, envelope=event, trace=trace)
        return Accepted(event.id, lane, entry, copies, plan)

    def _lane(self, event: Event) -> Lane:
        adapter = event.adapter
        owner = event.owner if event.owner in self._owners else UNCLAIMED
        lane = self._outbox.lanes.get((owner, adapter))
        return self._outbox.lane(owner, adapter) if lane is None else lane

    def _topic(self, lane: Lane, event_type: str) -> str:
        topics = self._topics.get(lane.owner)
        if topics is None:
            topics = self._topics[lane.owner] = {}
        key = lane.adapter, event_type
        topic = topics.get(key)
        if topic is None:
            topic = self._tree.name(EventTopic(lane.owner, lane.adapter, event_type.partition(".")[2]))
            if len(topics) >= _TOPICS_CACHED:
                topics.clear()
            if len(event_type) <= _LONGEST_CACHED:
                topics[key] = topic
        return topic

    def _turn_away(self, lane: Lane, event: Event, reason: str) -> None:
        if trace := begin(lane.traces, event):
            trace.dropped = reason
        self._drop(lane.owner, lane.adapter, reason, event_id=event.id, type=event.type)

    def _drop(self, owner: str, adapter: str, reason: str, **fields: str) -> None:
        self._counters.add("dropped", owner=owner, adapter=adapter, reason=reason)
        self._tally.add("dropped an event", key=f"{owner}/{adapter}/{reason}", reason=reason, **fields)
