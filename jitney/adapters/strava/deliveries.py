"""Accepted webhook deliveries on their way to the worker of their owner: on disk, in order, each one once."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.base import Clock, Context
from jitney.adapters.errors import RefusedError
from jitney.topics import derived_id

MOST_WAITING: Final = 5_000
"""Deliveries of one owner that may wait; what is beyond is refused."""

MOST_SEEN: Final = 2_000
"""Deliveries of one owner that are remembered after they are done…"""

REMEMBERED: Final = 4 * 86_400.0
"""…and for how many seconds: Strava repeats within minutes, and is at times some hours late."""

_WAITING: Final = "delivery/"
_SEEN: Final = "seen/"
_ORDER: Final = {"create": 0, "update": 1, "delete": 2}


class Delivery(Struct, frozen=True, kw_only=True):
    """What Strava told: a hint to look. ``key`` is the same for every repetition; make one with ``delivery``.

    ``event_time`` is when it happened, ``arrived`` when it came in, both in Unix seconds.
    """

    key: str
    app: str
    owner: str
    object_type: str
    object_id: int
    aspect: str
    event_time: int
    updates: dict[str, str] = {}
    arrived: float = 0.0


def delivery(
    *,
    app: str,
    owner: str,
    subscription: int,
    object_type: str,
    object_id: int,
    aspect: str,
    event_time: int,
    updates: Mapping[str, str],
    arrived: float,
) -> Delivery:
    """Return a delivery with the key that follows from what it says."""
    told = dict(sorted(updates.items()))
    pairs = (word for pair in told.items() for word in pair)
    return Delivery(
        key=derived_id(str(subscription), object_type, str(object_id), aspect, str(event_time), *pairs),
        app=app,
        owner=owner,
        object_type=object_type,
        object_id=object_id,
        aspect=aspect,
        event_time=event_time,
        updates=told,
        arrived=arrived,
    )


class Deliveries:
    """The queues of all owners of one adapter; ``load`` comes first.

    A delivery waits from ``add`` until ``done``, over restarts, and is recognised for some days after that.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        most_waiting: int = MOST_WAITING,
        most_seen: int = MOST_SEEN,
        remembered: float = REMEMBERED,
        clock: Clock = time.time,
    ) -> None:
        self._ctx = ctx
        self._most_waiting = most_waiting
        self._most_seen = most_seen
        self._remembered = remembered
        self._clock = clock
        self._queues: dict[str, _Queue] = {}

    async def load(self) -> None:
        """Read what waits and what was seen; what cannot be read is counted and removed."""
        seen = await self._ctx.load_all(_SEEN)
        waiting = await self._ctx.load_all(_WAITING)
        useless: list[str] = []
        for row, until in sorted(((row, _until(raw)) for row, raw in seen.items()), key=itemgetter(1)):
            owner, _, key = row.removeprefix(_SEEN).partition("/")
            if until > self._clock():
                self._queue(owner).seen[key] = until
            else:
                useless.append(row)
        for row, raw in waiting.items():
            found = _read(raw)
            if found is None:
                self._ctx.count("unreadable")
                useless.append(row)
            elif found.key in self._queue(found.owner).seen:
                useless.append(row)
            else:
                self._queue(found.owner).take(found)
        await self._ctx.save_all(dict.fromkeys(useless))

    def owners(self) -> list[str]:
        """Return for whom something waits."""
        return [owner for owner, queue in self._queues.items() if queue.waiting]

    async def add(self, delivery: Delivery) -> bool:
        """Take a delivery in, on disk when this returns; False when it was there before.

        Raises RefusedError when it cannot be kept or too much of its owner waits already: ``queue_full``.
        """
        queue = self._queue(delivery.owner)
        if delivery.key in queue.waiting or queue.seen.get(delivery.key, 0.0) > self._clock():
            return False
        if (storing := queue.storing.get(delivery.key)) is not None:
            if await asyncio.shield(storing):
                return False
            message = "the same delivery has just not been kept: Strava has to come again"
            raise RefusedError("not_kept", message)
        if len(queue.waiting) + len(queue.storing) >= self._most_waiting:
            message = f"{self._most_waiting} deliveries of {delivery.owner} wait already: Strava has to come again"
            raise RefusedError("queue_full", message)
        await self._store(queue, delivery)
        return True

    def waiting(self, owner: str) -> list[Delivery]:
        """Return what waits for an owner by when it happened; in one second: creates, then updates, then deletes."""
        queue = self._queues.get(owner)
        return list(queue.in_order()) if queue is not None else []

    def news(self, owner: str) -> asyncio.Event:
        """Return what is set whenever something comes to wait for an owner: clear it, then look at ``waiting``."""
        return self._queue(owner).news

    async def done(self, deliveries: Iterable[Delivery]) -> None:
        """Forget deliveries but for their keys, all or none; raises RefusedError when that cannot be kept."""
        by_owner: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_owner.setdefault(delivery.owner, []).append(delivery.key)
        now = self._clock()
        until = now + self._remembered
        rows: dict[str, bytes | None] = {}
        stale = {owner: self._stale(owner, now, room=len(keys)) for owner, keys in by_owner.items()}
        for owner, keys in by_owner.items():
            rows |= {f"{_SEEN}{owner}/{key}": None for key in stale[owner]}
            rows |= {f"{_SEEN}{owner}/{key}": msgspec.json.encode(until) for key in keys}
            rows |= {f"{_WAITING}{owner}/{key}": None for key in keys}
        await self._ctx.save_all(rows)
        for owner, keys in by_owner.items():
            self._queue(owner).finish(keys, stale[owner], until=until)

    async def drop(self, owner: str) -> None:
        """Forget all of an owner, what waits and what was seen; raises RefusedError when that cannot be kept."""
        queue = self._queue(owner)
        rows = [f"{_WAITING}{owner}/{key}" for key in queue.storing]
        queue.clear()
        rows += [*await self._ctx.load_all(f"{_WAITING}{owner}/"), *await self._ctx.load_all(f"{_SEEN}{owner}/")]
        await self._ctx.save_all(dict.fromkeys(rows))

    async def _store(self, queue: "_Queue", delivery: Delivery) -> None:
        storing = queue.storing[delivery.key] = asyncio.get_running_loop().create_future()
        kept = False
        try:
            await self._ctx.save(f"{_WAITING}{delivery.owner}/{delivery.key}", msgspec.json.encode(delivery))
            kept = True
        finally:
            storing.set_result(kept)
            is_dropped = queue.storing.pop(delivery.key, None) is not storing
            if kept and not is_dropped:
                queue.take(delivery)

    def _stale(self, owner: str, now: float, *, room: int) -> list[str]:
        """Return the keys of an owner that have expired or must make room for as many new ones."""
        seen = self._queue(owner).seen
        surplus = len(seen) + room - self._most_seen
        return [key for place, (key, until) in enumerate(seen.items()) if place < surplus or until <= now]

    def _queue(self, owner: str) -> "_Queue":
        queue = self._queues.get(owner)
        if queue is None:
            queue = self._queues[owner] = _Queue()
        return queue


class _Queue:
    """One owner's deliveries: those on their way to the disk, those that wait, and when the done ones are forgotten."""

    def __init__(self) -> None:
        self.storing: dict[str, asyncio.Future[bool]] = {}
        self.waiting: dict[str, Delivery] = {}
        self.seen: dict[str, float] = {}
        self.news = asyncio.Event()
        self._in_order: list[Delivery] | None = None

    def in_order(self) -> list[Delivery]:
        if self._in_order is None:
            self._in_order = sorted(self.waiting.values(), key=_instant)
        return self._in_order

    def take(self, delivery: Delivery) -> None:
        self.waiting[delivery.key] = delivery
        self._in_order = None
        self.news.set()

    def finish(self, keys: Iterable[str], stale: Iterable[str], *, until: float) -> None:
        for key in stale:
            self.seen.pop(key, None)
        for key in keys:
            self.waiting.pop(key, None)
            self.seen.pop(key, None)
            self.seen[key] = until
        self._in_order = None

    def clear(self) -> None:
        self.storing.clear()
        self.waiting.clear()
        self.seen.clear()
        self._in_order = None


def _instant(delivery: Delivery) -> tuple[int, int, float]:
    return delivery.event_time, _ORDER.get(delivery.aspect, 1), delivery.arrived


def _read(raw: bytes) -> Delivery | None:
    try:
        return msgspec.json.decode(raw, type=Delivery)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _until(raw: bytes) -> float:
    try:
        return msgspec.json.decode(raw, type=float)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0.0
