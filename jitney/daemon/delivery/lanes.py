"""A lane: the waiting line of one owner and adapter, in order, partly in memory and partly on disk."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic, time
from typing import Final, Self

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jitney.daemon.broker.session import Message
from jitney.daemon.counters import Counters, Histogram
from jitney.daemon.delivery.quota import Quota
from jitney.daemon.delivery.traces import Ring, Trace
from jitney.daemon.store.outbox import SEEN_ON_DISK, first_after
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import Event, cloudevents

BEFORE_ALL: Final = -(1 << 62)
"""A row number smaller than any that is given."""

SEEN_IN_MEMORY: Final = 512
"""Event ids remembered of a lane that is not durable: enough for a snapshot that overlaps the live events."""

TIMED: Final = 16
"""Of so many events of a burst it is measured of one how long it takes."""

SHARED: Final = "shared/"
"""Begins the names of lanes in which copies for another owner wait, who follows; they belong to whoever shows them."""


class Stages:
    """How long after their acceptance the events of one adapter are on disk, with the session, and with the broker."""

    __slots__ = ("committed", "confirmed", "sent")

    def __init__(self, committed: Histogram, sent: Histogram, confirmed: Histogram) -> None:
        self.committed = committed
        self.sent = sent
        self.confirmed = confirmed

    @classmethod
    def of(cls, adapter: str, counters: Counters) -> Self:
        """Return those of an adapter; copies are told apart from events, but not by whom they are for."""
        label = SHARED.rstrip("/") if adapter.startswith(SHARED) else adapter
        return cls(*(counters.histogram(stage, label) for stage in ("committed", "sent", "confirmed")))


class Entry(Message):
    """An accepted event in its lane; ``row`` is its place on disk, 0 when it is only in memory.

    ``envelope`` is the event, while that is at hand; what was read back from disk has only its payload. ``accepted``
    is when it was, on the monotonic clock, 0 where nobody looks at how long it takes; ``trace`` is that of the event.
    """

    __slots__ = ("accepted", "envelope", "lane", "row", "trace")

    def __init__(
        self,
        lane: "Lane",
        topic: str,
        payload: bytes,
        *,
        row: int = 0,
        envelope: Event | None = None,
        accepted: float = 0.0,
        trace: Trace | None = None,
    ) -> None:
        self.lane = lane
        self.accepted = accepted
        self.row = row
        self.trace = trace
        self.envelope = envelope
        self.topic = topic
        self.payload = payload
        self.retain = False
        self.expiry = lane.expiry
        self.content_type = cloudevents.CONTENT_TYPE
        self.correlation = b""

    @property
    def properties(self) -> list[tuple[str, str]] | None:
        """The CloudEvents attributes."""
        return cloudevents.properties(self.envelope or cloudevents.decode(self.payload))

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.payload) + 400


def stamp(entries: Sequence[Entry]) -> None:
    """Note when entries are accepted: of each one that finds its lane empty, in a burst of one in ``TIMED``.

    Three readings of the clock and three histograms for each would be felt in a burst.
    """
    if entries:
        lane = entries[0].lane
        if not lane.head or lane.events % TIMED == 0:
            now = monotonic()
            for entry in entries[::TIMED]:
                entry.accepted = now


class _Observed(Struct):
    """When the bus heard of an event; the rest of it is skipped."""

    observed: str = ""


_observed = msgspec.json.Decoder(_Observed).decode


def accepted(payload: bytes) -> float:
    """Return about when an event was accepted, on the monotonic clock, also when that was before the last start."""
    now = monotonic()
    try:
        ago = time() - datetime.fromisoformat(_observed(payload).observed).timestamp()
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return now
    return now - max(0.0, ago)


class Lane:
    """What waits for the broker of one owner and adapter.

    Ahead is what is in memory, in ``head``; behind it are ``on_disk`` rows after ``last_row``. As long as rows wait
    on disk, nothing new goes to the head, so that the order holds. ``quota`` is that of all lanes of its kind,
    ``share`` what of it its owner has, ``stages`` those of all lanes of its adapter, and ``gate`` is asked of each
    entry whether it may still go; what may not is settled by whoever is asked. ``events`` were accepted since the
    start, and the last one of them says that it happened at ``time`` and was ``observed`` then. ``traces`` are those
    of its newest events.
    """

    __slots__ = (
        "adapter",
        "durable",
        "events",
        "expiry",
        "gate",
        "head",
        "id",
        "last_row",
        "loading",
        "observed",
        "on_disk",
        "owner",
        "queued",
        "quota",
        "reserved",
        "seen",
        "seq",
        "share",
        "stages",
        "time",
        "traces",
    )

    def __init__(
        self,
        number: int,
        *,
        owner: str,
        adapter: str,
        quota: Quota,
        stages: Stages,
        traces: Ring,
        seq: int = 0,
        expiry: int = 0,
    ) -> None:
        self.id = number
        self.owner = owner
        self.adapter = adapter
        self.quota = quota
        self.share = quota.share(owner)
        self.stages = stages
        self.traces = traces
        self.seq = self.reserved = seq
        self.expiry = expiry
        self.durable = False
        self.gate: Callable[[Entry], bool] | None = None
        self.head: deque[Entry] = deque()
        self.on_disk = 0
        self.last_row = BEFORE_ALL
        self.loading = False
        self.queued = False
        self.seen: dict[str, int] = {}
        self.events = 0
        self.time = ""
        self.observed: str | UnsetType = UNSET

    def __len__(self) -> int:
        return len(self.head) + self.on_disk

    def remember(self, event_id: str, seq: int) -> None:
        """Remember that an event was seen, and forget the oldest when there are too many."""
        self.events += 1
        self.seen[event_id] = seq
        if len(self.seen) > (SEEN_ON_DISK if self.durable else SEEN_IN_MEMORY):
            del self.seen[next(iter(self.seen))]

    def forget(self, event_id: str) -> None:
        """Take back that an event was seen, and its number if no later one was given meanwhile."""
        self.events -= 1
        if self.seen.pop(event_id, 0) == self.seq:
            self.seq -= 1

    def pop(self) -> Entry | None:
        """Take the next entry that is in memory."""
        while self.head:
            entry = self.head.popleft()
            if self.gate is None or self.gate(entry):
                return entry
        return None


async def trace_dropped(lane: Lane, store: Store) -> None:
    """Say of the traced events of a lane that were removed from the disk that they were dropped."""
    after = lane.last_row
    waiting = [trace for trace in lane.traces if trace.row > max(after, 0)]
    if not waiting:
        return
    with suppress(StoreError):
        first = await store.read(lambda db: first_after(db, lane.id, after))
        for trace in waiting:
            if trace.row < first:
                trace.dropped = "outbox_full"
