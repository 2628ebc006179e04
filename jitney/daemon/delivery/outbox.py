"""The outbox: accepted events wait here, in order, until the broker has confirmed them."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Final

from msgspec import UNSET

from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import SHARED, Entry, Lane, Stages, accepted, stamp, trace_dropped
from jitney.daemon.delivery.quota import Quota
from jitney.daemon.delivery.traces import Traces, by_row
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.pulse import Pulse
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import RETRY_SECONDS, Store, StoreError, told

MEMORY_BYTES: Final = 16 << 20
"""What waits in memory of all lanes together; beyond it a lane keeps only ``SHARE`` entries there."""

COPIES: Final = 8
"""Copies for other owners may take an eighth of what events may, beside them: so none of these gives way to a copy."""

CROWDED: Final = 2 << 20
ROOMY: Final = 1 << 20
"""From so many bytes in memory on a source has to wait until there are only so many."""

PATIENCE: Final = 0.5
"""Seconds that a source waits for a broker that confirms nothing at all; from then on it does not wait."""

SHARE: Final = 16
CHUNK: Final = 200
"""Rows read back from disk at once, and rows dropped at once when a lane has reached its limit on disk."""

LOW: Final = 50
"""A head shorter than this is filled up from disk."""


class Outbox:
    """All lanes. Durable events go through the disk, the others only when memory does not suffice.

    ``granted`` is asked of each copy for another owner, when its turn has come, ``most`` how many bytes an owner may
    have on disk, 0 for any.
    """

    def __init__(self, store: Store, settings: OutboxSettings, *, turns: Turns, counters: Counters) -> None:
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.traces = Traces()
        self.granted: Callable[[Entry], bool] = lambda _: True
        self.most: Callable[[str], int] = lambda _: 0
        disk = settings.disk_mb * 1_000_000
        self._own = Quota(most_memory=MEMORY_BYTES, most_disk=disk)
        self._copies = Quota(most_memory=MEMORY_BYTES // COPIES, most_disk=disk // COPIES)
        self.quotas = self._own, self._copies
        self._store = store
        self._settings = settings
        self._turns = turns
        self._counters = counters
        self._row = 0
        self._seen = 0
        self._by_id: dict[int, Lane] = {}
        self._done: list[tuple[int]] = []
        self._flush: asyncio.TimerHandle | None = None
        self._hungry: deque[Lane] = deque()
        self._shortened: deque[Lane] = deque()
        self.pulse = Pulse("outbox", waiting=lambda: bool(self._hungry))
        self._refill = asyncio.Event()
        self._room = asyncio.Event()
        self._stalled = False

    async def load(self) -> None:
        """Find what an earlier run has left."""
        found = await self._store.read(rows.load)
        for number, owner, adapter, seq in found.lanes:
            self._add(number, owner=owner, adapter=adapter, seq=seq)
        for lane_id, seq, event_id in found.seen:
            lane = self._by_id[lane_id]
            lane.seen[event_id] = seq
            lane.seq = lane.reserved = max(lane.seq, seq)
        self._row = found.last_row
        self._seen = len(found.seen)
        for lane_id, count, size in found.waiting:
            lane = self._by_id[lane_id]
            lane.on_disk = count
            lane.quota.add(lane.share, size, rows=count)
            self._fill(lane)

    @property
    def disk_bytes(self) -> int:
        """How many bytes of payloads are on disk."""
        return self._own.disk + self._copies.disk

    def lane(self, owner: str, adapter: str) -> Lane:
        """Return the lane of an owner and adapter; it is made at the first event."""
        lane = self.lanes.get((owner, adapter))
        if lane is None:
            number = max(self._by_id, default=0) + 1
            lane = self._add(number, owner=owner, adapter=adapter)
            self._store.write(rows.ADD_LANE, [(number, owner, adapter, 0)])
        return lane

    def full(self, lane: Lane, number: int) -> bool:
        """Tell whether a lane has no room on disk for ``number`` more events: asked of durable lanes and of copies.

        When the disk is used up by all together, it is the owners with more than their part whose lanes are full.
        """
        return lane.on_disk + number > self._settings.disk_events or self._exceeded(lane)

    def put(self, entries: Sequence[Entry]) -> bool:
        """Take accepted entries of lanes that are not durable; tells whether some of them went to disk."""
        stamp(entries)
        spilled = [entry for entry in entries if not self._in_memory(entry)]
        if spilled:
            self._insert(spilled, spilling=True)
        return bool(spilled)

    async def room(self) -> None:
        """Wait while memory is crowded and the broker takes something: a slow broker slows the sources."""
        own = self._own
        while own.memory > CROWDED and not self._stalled:
            self._room.clear()
            before = own.memory
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._room.wait()
            except TimeoutError:
                self._stalled = own.memory >= before

    def put_durable(
        self, entries: list[Entry], seen: list[tuple[Lane, str]], then: Callable[[bool], None] = told
    ) -> None:
        """Write accepted entries and the event ids seen of them; they are sent once they are on disk.

        What was seen carries the sequence of the lane, so that it goes on after a crash where it was. What cannot be
        written was not seen, and its number is given again. ``then`` learns whether it was, even where nobody waits
        for that any more.
        """

        def settled(ok: bool) -> None:  # noqa: FBT001 - the store's callback
            if not ok:
                for lane, event_id in reversed(seen):
                    lane.forget(event_id)
            then(ok)

        stamp(entries)
        self._insert(entries, spilling=False)
        # Like the entries, not tried again alone: what was refused would be taken for a duplicate when it comes again.
        self._store.write(rows.SEEN, [(lane.id, lane.seen[event_id], event_id) for lane, event_id in seen], settled)
        self._seen += len(seen)
        if self._seen >= rows.FORGET_EVERY:
            self._seen = 0
            self._store.write(rows.SEQ, [(lane.seq, lane.id) for lane in self.lanes.values() if lane.durable])
            self._store.write(rows.FORGET, [(rows.SEEN_ON_DISK,)])

    def confirmed(self, entry: Entry) -> None:
        """Forget an entry that the broker has."""
        lane = entry.lane
        lane.quota.memory -= entry.size
        self._stalled = False
        if self._own.memory < ROOMY:
            self._room.set()
        if lane.on_disk and len(lane.head) < LOW:
            self._fill(lane)
        if entry.row:
            lane.quota.remove(lane.share, len(entry.payload))
            self._done.append((entry.row,))
            if self._flush is None:
                self._flush = asyncio.get_running_loop().call_later(1.0, self._delete)
            elif len(self._done) >= CHUNK:
                self._delete()

    def refused(self, entry: Entry, reason: str, *, time: str) -> None:
        """Put an entry that the broker will never take among the dead letters."""
        lane = entry.lane
        self._counters.add("dead", owner=lane.owner, adapter=lane.adapter, reason=reason)
        self._store.write(rows.DEAD, [(lane.owner, lane.adapter, entry.topic, entry.payload, reason, time)])
        self._store.write(rows.BURY, [(lane.owner, rows.MOST_DEAD)])
        self.confirmed(entry)

    async def erase(self, owner: str) -> int:
        """Drop what waits of an owner, the dead letters too; returns how many events.

        What is on its way to the broker goes its way. Needs ``run`` to be under way.
        """
        gone = 0
        self.traces.forget(owner)
        for lane in [lane for lane in self.lanes.values() if lane.owner == owner]:
            lane.seen.clear()
            lane.traces.clear()
            lane.time, lane.observed = "", UNSET
            while lane:
                while (entry := lane.pop()) is not None:
                    gone += 1
                    self.confirmed(entry)
                self._fill(lane)
                await self._store.read(lambda _: None)
        self._store.write(rows.BURY_OWNER, [(owner,)])
        self._store.write(rows.FORGET_OWNER, [(owner,)])
        self._delete()
        self._counters.add("erased", gone, owner=owner)
        return gone

    def reserve(self, lane: Lane) -> None:
        """Keep the sequence of a lane in memory ahead of what is on disk, so that it never goes back."""
        if lane.seq >= lane.reserved:
            lane.reserved = lane.seq + 1000
            self._store.write(rows.SEQ, [(lane.reserved, lane.id)], key=f"lane {lane.id}")

    async def run(self) -> None:
        """Fill heads from disk whenever a lane runs low."""
        while True:
            await self._refill.wait()
            self._refill.clear()
            while self._shortened:
                await trace_dropped(self._shortened.popleft(), self._store)
            while self._hungry:
                lane = self._hungry.popleft()
                with self.pulse:
                    await self._read_back(lane)

    def waiting(self) -> tuple[int, int]:
        """Return how many events wait in memory and on disk only."""
        lanes = self.lanes.values()
        return sum(len(lane.head) for lane in lanes), sum(lane.on_disk for lane in lanes)

    async def close(self, flying: Iterable[Entry]) -> None:
        """Put on disk what is only in memory: of each lane first what was on its way, then the head."""
        self._delete()
        waiting: dict[Lane, list[Entry]] = {lane: [] for lane in self.lanes.values()}
        for entry in flying:
            waiting[entry.lane].append(entry)
        first: list[tuple[int, int, str, bytes]] = []
        for lane, entries in waiting.items():
            entries.extend(lane.head)
            lane.head.clear()
            if not all(entry.row for entry in entries):
                first += [(entry.row, lane.id, entry.topic, entry.payload) for entry in entries]
        self._store.write(rows.SEQ, [(lane.seq, lane.id) for lane in waiting], told)
        await self._store.committed(quiet=True)
        await self._store.read(lambda db: rows.put_first(db, first))

    def _add(self, number: int, *, owner: str, adapter: str, seq: int = 0) -> Lane:
        quota = self._copies if adapter.startswith(SHARED) else self._own
        lane = Lane(
            number,
            owner=owner,
            adapter=adapter,
            quota=quota,
            stages=Stages.of(adapter, self._counters),
            traces=self.traces.ring(owner, adapter),
            seq=seq,
            expiry=self._settings.expiry,
        )
        if adapter.startswith(SHARED):
            lane.gate = self._still_granted
        self.lanes[owner, adapter] = self._by_id[number] = lane
        return lane

    def _still_granted(self, copy: Entry) -> bool:
        """Tell whether a copy may go; drop one that may not, because its grant was taken back while it waited."""
        granted = self.granted(copy)
        if not granted:
            self._counters.add("dropped", owner=copy.lane.owner, adapter=copy.lane.adapter, reason="not_granted")
            self.confirmed(copy)
        return granted

    def _exceeded(self, lane: Lane) -> bool:
        return lane.quota.exceeded(lane.share, self.most(lane.owner))

    def _in_memory(self, entry: Entry) -> bool:
        """Put an entry at the end of its lane; tells whether that is in memory or behind the rows on disk."""
        lane = entry.lane
        fits = lane.on_disk == 0 and self._has_room(lane)
        if fits:
            self._to_head(entry)
        else:
            lane.on_disk += 1
        return fits

    def _has_room(self, lane: Lane) -> bool:
        waiting, quota = len(lane.head), lane.quota
        return waiting < self._settings.memory_events and (quota.memory < quota.most_memory or waiting < SHARE)

    def _to_head(self, entry: Entry) -> None:
        lane = entry.lane
        lane.head.append(entry)
        if entry.row:
            lane.last_row = entry.row
        lane.quota.memory += entry.size
        self._turns.ready(lane.owner, lane)

    def _insert(self, entries: list[Entry], *, spilling: bool) -> None:
        for entry in entries:
            self._row += 1
            entry.row = self._row
            if entry.trace is not None:
                entry.trace.row = self._row
            entry.lane.quota.add(entry.lane.share, len(entry.payload))
        if self._done:
            self._delete()
        settle = self._spilled if spilling else self._written
        self._store.write(
            rows.PUT,
            [(entry.row, entry.lane.id, entry.topic, entry.payload) for entry in entries],
            lambda ok: settle(entries, ok=ok),
        )

    def _written(self, entries: list[Entry], *, ok: bool) -> None:
        if not ok:
            self._unwritten(entries)
            return
        now = monotonic()
        for entry in entries:
            if entry.accepted:
                entry.lane.stages.committed.add(now - entry.accepted)
            if entry.trace is not None:
                entry.trace.committed = now
            if not self._in_memory(entry):
                self._fill(entry.lane)

    def _spilled(self, entries: list[Entry], *, ok: bool) -> None:
        if not ok:
            self._unwritten(entries)
        now = monotonic()
        for trace in (entry.trace for entry in entries if ok and entry.trace is not None):
            trace.committed = now
        for lane in {entry.lane.id: entry.lane for entry in entries}.values():
            if not ok:
                gone = sum(entry.lane is lane for entry in entries)
                lane.on_disk -= gone
                self._counters.add("dropped", gone, owner=lane.owner, adapter=lane.adapter, reason="disk_failed")
            elif lane.quota is self._copies:
                pass  # a copy too many is not taken in the first place
            elif lane.on_disk > self._settings.disk_events:
                self._drop_oldest(lane)
            elif self._exceeded(lane):
                passing = [other for other in self.lanes.values() if other.share is lane.share and not other.durable]
                self._drop_oldest(max(passing, key=lambda other: other.on_disk))
            self._fill(lane)

    @staticmethod
    def _unwritten(entries: list[Entry]) -> None:
        for entry in entries:
            entry.lane.quota.remove(entry.lane.share, len(entry.payload))
            if entry.trace is not None:
                entry.trace.dropped = "disk_failed"

    def _drop_oldest(self, lane: Lane) -> None:
        """Make room in a lane that is not durable, by its oldest rows that are not in memory."""
        gone = min(CHUNK, lane.on_disk)
        if lane.loading or not gone:
            return
        lane.loading = True
        share = lane.share
        size = share.disk // max(1, share.rows) * gone

        def dropped(ok: bool) -> None:  # noqa: FBT001 - the store's callback
            lane.loading = False
            if ok:
                lane.on_disk -= gone
                lane.quota.remove(share, size, rows=gone)
                self._counters.add("dropped", gone, owner=lane.owner, adapter=lane.adapter, reason="outbox_full")
                self._shortened.append(lane)
                self._refill.set()
            self._fill(lane)

        self._store.write(rows.DROP_OLDEST, [(lane.id, lane.last_row, gone)], dropped)

    def _fill(self, lane: Lane) -> None:
        if lane.on_disk and not lane.loading and len(lane.head) < LOW:
            lane.loading = True
            self._hungry.append(lane)
            self._refill.set()

    async def _read_back(self, lane: Lane) -> None:
        after = lane.last_row
        try:
            found = await self._store.read(lambda db: rows.after(db, lane.id, after, CHUNK))
        except StoreError:
            await asyncio.sleep(RETRY_SECONDS)
            found = []
        lane.on_disk -= len(found)
        traces = by_row(lane.traces)
        for row, topic, payload in found:
            self._to_head(Entry(lane, topic, payload, row=row, accepted=accepted(payload), trace=traces.get(row)))
        lane.loading = False
        if self._store.failure:
            self._fill(lane)

    def _delete(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._done:
            done, self._done = self._done, []
            self._store.write(rows.DELETE, done)
