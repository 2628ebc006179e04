"""What waits for its turn: the most urgent first, fair between owners, bounded.

Nothing waits for ever behind what is more urgent: the longer it has waited, the more urgent it is itself.
"""

from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import Final

from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.pacing import Pacing, Slots

RISES: Final = 60.0
"""Seconds of waiting after which something counts as one step more urgent, up to a direct text."""

LOOK_AGAIN: Final = 10.0
"""Seconds until it is looked again whether the air or the radio's queue is free."""


class _Entry(Struct):
    item: Outgoing
    since: float
    until: float
    number: int


class Waiting:
    """The packets that are not yet sent. Times are seconds of one monotonic clock."""

    def __init__(self, limits: Limits, *, pacing: Pacing, airtime: Airtime, slots: Slots) -> None:
        self._limits = limits
        self._pacing = pacing
        self._airtime = airtime
        self._slots = slots
        self._entries: dict[str, _Entry] = {}
        self._promised: Counter[str] = Counter()
        self._turns: dict[str, int] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: Outgoing) -> bool:
        return item.id in self._entries

    def promise(self, owner: str, number: int) -> None:
        """Keep places for packets of an owner; raises RefusedError when there are not so many."""
        own = self._promised[owner] + sum(entry.item.owner == owner for entry in self._entries.values())
        if own + number > self._limits.queue_per_owner:
            message = f"{own} packets of {owner} wait already, and {self._limits.queue_per_owner} may: try again later"
            raise RefusedError("queue_full", message)
        every = self._promised.total() + len(self._entries)
        if every + number > self._limits.queue:
            message = f"{every} packets wait already, and {self._limits.queue} may: try again later"
            raise RefusedError("queue_full", message)
        self._promised[owner] += number

    def release(self, owner: str, number: int) -> None:
        """Give promised places back."""
        self._promised[owner] -= number
        self._promised += Counter()

    def add(self, items: Iterable[Outgoing], *, unix: float, now: float) -> None:
        """Let packets wait from now on, in this order."""
        for item in items:
            self._number += 1
            since = now - max(0.0, unix - item.accepted)
            self._entries[item.id] = _Entry(item, since, since + item.until - item.accepted, self._number)

    def discard(self, id: str) -> bool:  # noqa: A002 - the word that events use
        """Let a packet wait no longer; tells whether it did."""
        return self._entries.pop(id, None) is not None

    def next(self, now: float) -> Outgoing | None:
        """Return what may be sent now, None when nothing may."""
        entries = [entry for entry in self._entries.values() if self._may_go(entry, now)]
        return min(entries, key=lambda entry: self._rank(entry, now)).item if entries else None

    def taken(self, item: Outgoing) -> bool:
        """Let a packet wait no longer because it was its owner's turn; tells whether it still waited."""
        self._turns[item.owner] = max(self._turns.values(), default=0) + 1
        return self.discard(item.id)

    def pause(self, now: float) -> float:
        """Return after how many seconds something may be ready or over, inf when nothing waits."""
        pauses = [
            LOOK_AGAIN if self.held(entry.item, now) else self._pacing.wait(entry.item.packet.port, now)
            for entry in self._entries.values()
        ]
        ends = [entry.until - now for entry in self._entries.values()]
        return max(0.0, min([*pauses, *ends], default=inf))

    def expired(self, now: float) -> list[Outgoing]:
        """Return what has waited longer than its time to live, and let it wait no longer."""
        over = [entry.item for entry in self._entries.values() if entry.until <= now]
        for item in over:
            del self._entries[item.id]
        return over

    def held(self, item: Outgoing, now: float) -> str:
        """Return why a packet is not sent although its turn could have come, empty when nothing holds it."""
        full = "" if self._slots.has_room(item.priority, now) else "the radio has not sent what it was given before"
        return self._airtime.holds(item.priority, now) or full

    def of_owner(self, owner: str) -> list[Outgoing]:
        """Return what waits of an owner."""
        return [entry.item for entry in self._entries.values() if entry.item.owner == owner]

    def _may_go(self, entry: _Entry, now: float) -> bool:
        return not self._pacing.wait(entry.item.packet.port, now) and not self.held(entry.item, now)

    def _rank(self, entry: _Entry, now: float) -> tuple[int, int, int]:
        """Return the place in the order: urgency first, then whose last turn is longest ago, then who came first."""
        priority = entry.item.priority
        risen = max(Priority.DIRECT_TEXT, priority - int((now - entry.since) / RISES))
        return min(priority, risen), self._turns.get(entry.item.owner, 0), entry.number
