"""Events that an owner shows to another because a route forwards them, and what must not be shown any more."""

import sqlite3

from jitney.adapters.errors import RefusedError
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.copies import Copies, entry
from jitney.daemon.delivery.lanes import SHARED
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.routing.grants import Grants
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import Event, InvalidPayloadError, InvalidTopicError, TopicTree, cloudevents
from jitney.topics.tree import SharedTopic


class Sharing:
    """Puts copies of events into the outbox, durable and in order for each giver and receiver."""

    def __init__(self, grants: Grants, outbox: Outbox, store: Store, *, tree: TopicTree, counters: Counters) -> None:
        self._grants = grants
        self._copies = Copies(outbox, counters)
        self._outbox = outbox
        self._store = store
        self._tree = tree
        self._counters = counters
        outbox.granted = lambda copy: self._still(copy.topic, copy.payload)

    async def share(self, event: Event, to: str) -> None:
        """Show an event to another owner; it is safe when this returns. What is shown already is not shown twice.

        Raises RefusedError: ``not_granted``, ``outbox_full`` or ``not_kept``.
        """
        if not self._grants.permits(event, to):
            raise RefusedError("not_granted", f"{event.owner} has not granted {event.type} of {event.adapter} to {to}")
        lane = self._copies.lane(event.owner, to)
        if event.id not in lane.seen:
            if self._outbox.full(lane, 1):
                message = f"what {event.owner} shows {to} fills the outbox: is the broker running?"
                raise RefusedError("outbox_full", message)
            lane.durable = True
            copy = entry(lane, event, topic=self._grants.topic(event, to), payload=cloudevents.encode(event))
            self._outbox.put_durable([copy], [(lane, event.id)], lambda kept: self._copies.kept([copy] if kept else ()))
        try:
            await self._store.committed()
        except StoreError as error:
            raise RefusedError("not_kept", str(error)) from error

    async def withdraw(self) -> int:
        """Drop what an earlier run has left and is not granted any more; returns how much.

        To be called before the outbox is loaded.
        """
        withdrawn = await self._store.read(self._withdraw)
        if withdrawn:
            self._counters.add("dropped", withdrawn, adapter=SHARED, reason="not_granted")
        return withdrawn

    def _withdraw(self, db: sqlite3.Connection) -> int:
        found = db.execute(
            "SELECT outbox.id, topic, payload FROM outbox JOIN lane ON lane.id = outbox.lane WHERE adapter LIKE ?",
            (SHARED + "%",),
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
