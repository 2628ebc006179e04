"""The bus: where an event is accepted, and where a state gets its topic."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Entry, Lane
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.plans import NoPlans, Plan, Plans
from jitney.daemon.log import Tally, get
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import Store, StoreError, told
from jitney.topics import MAX_HOPS, RESERVED, UNCLAIMED, Event, State, TopicTree, cloudevents
from jitney.topics.tree import EventTopic, StateTopic

SEEN_IN_MEMORY: Final = 512
"""Event ids remembered of a lane that is not durable: enough for a snapshot that overlaps the live events."""

MOST_SOURCES: Final = 64
"""Sources of events of one owner: adapters, and words that the owner's own tools use in the inbox."""

_TOPICS_CACHED: Final = 10_000
_LONGEST_CACHED: Final = 200
"""Characters of a type: people make up longer ones in the inbox, and those are not worth the memory."""

_log = get("bus")


class Bus:
    """Accepts events: owner known? seen before? what do routes want? Then into the lane of its owner and adapter.

    ``plans`` can be set once whoever knows the routes exists, which needs the bus itself.
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
        counters: Counters,
    ) -> None:
        self._tree = tree
        self._outbox = outbox
        self._ledger = ledger
        self._store = store
        self._owners = owners | RESERVED
        self._most_bytes = settings.event_kb * 1000
        self._counters = counters
        self.plans: Plans = NoPlans()
        self._topics: dict[tuple[str, str, str], str] = {}
        self._tally = Tally(_log)

    async def emit(self, events: Sequence[Event], *, durable: bool) -> None:
        """Accept events in order; returns when they are safe: durable ones on disk.

        Raises RefusedError when durable ones cannot be kept; then none of them was accepted. Of the others the outbox
        drops and counts what fits neither into memory nor onto the disk.
        """
        if durable:
            await self._emit_durable(events)
        else:
            await self._emit(events)
        await self._outbox.room()

    def admit(self, owner: str, source: str) -> bool:
        """Let events of an owner come from a source: one that is known, or a new one while they are few."""
        lanes = self._outbox.lanes
        if (owner, source) not in lanes:
            if sum(known == owner for known, _ in lanes) >= MOST_SOURCES:
                return False
            self._outbox.lane(owner, source)
        return True

    def set_state(self, state: State, *, adapter: str, durable: bool) -> None:
        """Put the value of a subject into the ledger of retained topics."""
        owner = state.owner if state.owner in self._owners else UNCLAIMED
        payload = GONE if state.data is None else bytes(state.data)
        if len(payload) > self._most_bytes:
            self._drop(owner, adapter, "too_large", subject=state.subject)
            return
        topic = self.state_topic(owner, adapter, state.subject)
        self._ledger.put(topic, payload, owner=owner, adapter=adapter, durable=durable, expiry=state.expiry)

    def state_topic(self, owner: str, adapter: str, subject: str) -> str:
        """Return the retained topic of a subject."""
        return self._tree.name(StateTopic(owner, adapter, subject))

    async def _emit(self, events: Sequence[Event]) -> None:
        entries = []
        plans = []
        for event in events:
            accepted = self._accept(event)
            if accepted is None:
                continue
            entry, plan = accepted
            if entry is not None:
                self._outbox.reserve(entry.lane)
                entries.append(entry)
            if plan is not None:
                plans.append(plan)
        spilled = self._outbox.put(entries)
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
        accepted = [(event, *taken) for event in events if (taken := self._accept(event)) is not None]
        entries = [entry for _, entry, _ in accepted if entry is not None]
        plans = [plan for *_, plan in accepted if plan is not None]
        if accepted:
            self._outbox.put_durable(entries, [(self._lane(event), event.id) for event, *_ in accepted])
        for plan in plans:
            for sql, changes in plan.writes:
                self._store.write(sql, changes, told)
        try:
            await self._store.committed()
        except StoreError as error:
            for event, *_ in accepted:
                self._lane(event).seen.pop(event.id, None)
            for plan in plans:
                plan.begin(False)  # noqa: FBT003 - as the contract names it
            raise RefusedError("not_kept", str(error)) from error
        for plan in plans:
            plan.begin(True)  # noqa: FBT003

    def _accept(self, event: Event) -> tuple[Entry | None, Plan | None] | None:
        """Return an event's place in its lane and what follows from it; None when it is not accepted.

        There is no place for one that a route drops.
        """
        lane = self._lane(event)
        if event.id in lane.seen:
            self._counters.add("duplicates", owner=lane.owner, adapter=lane.adapter)
            return None
        if event.hops > MAX_HOPS:
            self._drop(lane.owner, lane.adapter, "loop", event_id=event.id, type=event.type)
            return None
        seq = lane.seq + 1
        event = replace(event, seq=seq, owner=lane.owner)
        payload = cloudevents.encode(event)
        if len(payload) > self._most_bytes:
            self._drop(lane.owner, lane.adapter, "too_large", event_id=event.id, type=event.type)
            return None
        lane.seen[event.id] = seq
        if len(lane.seen) > (rows.SEEN_ON_DISK if lane.durable else SEEN_IN_MEMORY):
            del lane.seen[next(iter(lane.seen))]
        plan = self.plans.plan(event)
        if plan is not None and plan.drop:
            self._counters.add("dropped", owner=lane.owner, adapter=lane.adapter, reason="route")
            return None, plan
        lane.seq = seq
        return Entry(lane, self._topic(lane, event.type), payload, envelope=event), plan

    def _lane(self, event: Event) -> Lane:
        adapter = event.adapter
        lane = self._outbox.lanes.get((event.owner, adapter))
        if lane is None:
            owner = event.owner if event.owner in self._owners else UNCLAIMED
            lane = self._outbox.lane(owner, adapter)
        return lane

    def _topic(self, lane: Lane, event_type: str) -> str:
        key = (lane.owner, lane.adapter, event_type)
        topic = self._topics.get(key)
        if topic is None:
            topic = self._tree.name(EventTopic(lane.owner, lane.adapter, event_type.partition(".")[2]))
            if len(self._topics) >= _TOPICS_CACHED:
                self._topics.clear()
            if len(event_type) <= _LONGEST_CACHED:
                self._topics[key] = topic
        return topic

    def _drop(self, owner: str, adapter: str, reason: str, **fields: str) -> None:
        self._counters.add("dropped", owner=owner, adapter=adapter, reason=reason)
        self._tally.add("dropped an event", key=f"{owner}/{adapter}/{reason}", reason=reason, **fields)
