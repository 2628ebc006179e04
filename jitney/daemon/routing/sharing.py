"""Events that an owner shows to another: copies in the receiver's tree, in a lane of their own."""

import asyncio
import sqlite3
from typing import Final

from jitney.adapters.errors import RefusedError
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Entry
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.routing.grants import Grants
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import Event, InvalidPayloadError, InvalidTopicError, TopicTree, cloudevents
from jitney.topics.tree import SharedTopic

LANE: Final = "shared/"
"""Begins the name of the lanes in which copies wait; the receiver follows. They belong to the one who shows."""


class Sharing:
    """Puts copies of events into the outbox, durable and in order for each giver and receiver."""

    def __init__(self, grants: Grants, outbox: Outbox, store: Store, *, tree: TopicTree, counters: Counters) -> None:
        self._grants = grants
        self._outbox = outbox
        self._store = store
        self._tree = tree
        self._counters = counters

    async def share(self, event: Event, to: str) -> None:
        """Show an event to another owner; it is on disk when this returns. The same event again changes nothing.

        Raises RefusedError: ``not_granted``, ``outbox_full`` or ``not_kept``.
        """
        if not self._grants.permits(event, to):
            raise RefusedError("not_granted", f"{event.owner} has not granted {event.type} of {event.adapter} to {to}")
        lane = self._outbox.lane(event.owner, LANE + to)
        lane.durable = True
        if event.id in lane.seen:
            return
        if self._outbox.full(lane, 1):
            raise RefusedError("outbox_full", f"what {event.owner} shows {to} fills the outbox: is the broker running?")
        entry = Entry(lane, self._grants.topic(event, to), cloudevents.encode(event), envelope=event)
        lane.seq = lane.seen[event.id] = lane.seq + 1
        if len(lane.seen) > rows.SEEN_ON_DISK:
            del lane.seen[next(iter(lane.seen))]
        self._outbox.put_durable([entry], [(lane, event.id)])
        try:
            await self._store.committed()
        except StoreError as error:
            lane.seen.pop(event.id, None)
            raise RefusedError("not_kept", str(error)) from error
        except asyncio.CancelledError:  # whether it was kept is not known: better twice than never
            lane.seen.pop(event.id, None)
            raise
        self._counters.add("shared", owner=event.owner, adapter=event.adapter, reason=to)

    async def withdraw(self) -> int:
        """Drop what an earlier run has left and is not granted any more; returns how much.

        To be called before the outbox is loaded.
        """
        withdrawn = await self._store.read(self._withdraw)
        if withdrawn:
            self._counters.add("dropped", withdrawn, adapter=LANE, reason="not_granted")
        return withdrawn

    def _withdraw(self, db: sqlite3.Connection) -> int:
        found = db.execute(
            "SELECT outbox.id, topic, payload FROM outbox JOIN lane ON lane.id = outbox.lane WHERE adapter LIKE ?",
            (LANE + "%",),
        )
        gone = [(row,) for row, topic, payload in found if not self._still(topic, payload)]
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(rows.DELETE, gone)
        return len(gone)

    def _still(self, topic: str, payload: bytes) -> bool:
        """Tell whether what waits for a topic may still be shown there."""
        try:
            address = self._tree.parse(topic)
            if not isinstance(address, SharedTopic):
                return True
            return self._grants.permits(cloudevents.decode(payload), address.owner)
        except (InvalidTopicError, InvalidPayloadError):
            return True
