"""Copies of events for other owners: each giver and receiver has a lane of its own, which is the giver's."""

from collections.abc import Sequence

from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import SHARED, Entry, Lane
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.plans import Copy
from jitney.topics import Event


class Copies:
    """Puts copies into their lanes, of each event one for each receiver."""

    def __init__(self, outbox: Outbox, counters: Counters) -> None:
        self._outbox = outbox
        self._counters = counters

    def lane(self, giver: str, to: str) -> Lane:
        """Return the lane of what an owner shows to another."""
        return self._outbox.lane(giver, SHARED + to)

    def entries(self, event: Event, copies: Sequence[Copy], payload: bytes, *, durable: bool) -> list[Entry]:
        """Return the places of the copies of an event that is accepted: what is there already gets none.

        What finds no room is dropped and counted; that harms neither the event nor the other copies.
        """
        found: list[Entry] = []
        for copy in copies:
            lane = self.lane(event.owner, copy.to)
            if event.id in lane.seen:
                continue
            if self._outbox.full(lane, 1):
                self._counters.add("dropped", owner=lane.owner, adapter=lane.adapter, reason="outbox_full")
                continue
            lane.durable = lane.durable or durable
            found.append(entry(lane, event, topic=copy.topic, payload=payload))
        return found

    def kept(self, entries: Sequence[Entry]) -> None:
        """Count copies that are safe, by where the event comes from and whom they are for."""
        for one in entries:
            if one.envelope is not None:
                adapter, to = one.envelope.adapter, one.lane.adapter.removeprefix(SHARED)
                self._counters.add("shared", owner=one.lane.owner, adapter=adapter, reason=to)


def entry(lane: Lane, event: Event, *, topic: str, payload: bytes) -> Entry:
    """Return the place of a copy in its lane, where it is known from now on."""
    lane.seq += 1
    lane.remember(event.id, lane.seq)
    return Entry(lane, topic, payload, envelope=event)
