"""Who is connected: how many in all and of each address, and who has to go so that others can come."""

import resource
from collections import Counter, OrderedDict
from typing import Final, Protocol

from msgspec import Struct, field

from jitney.daemon.counters import Counters
from jitney.daemon.web.addresses import Address, Addresses, house

MOST: Final = 1024
"""Connections in all."""

MOST_OF_ONE: Final = 256
"""Connections of one address: after a restart all that have waited at the door come in at the same moment."""

MOST_BODIES: Final = 128
"""Requests whose bodies are on their way at the same time: each takes memory."""

MOST_BODIES_OF_ONE: Final = 8

SPARE_FILES: Final = 256
"""Files that the rest of the daemon may have open: connections never take the last ones."""


class Guest(Protocol):
    """A connection."""

    def turn_out(self) -> None:
        """Cut the connection, now."""


class _Group(Struct):
    """Those of one address: how many, and who of them does nothing but wait, the longest first."""

    number: int = 0
    waiting: OrderedDict[Guest, None] = field(default_factory=OrderedDict)


class Lobby:
    """Counts connections and makes room.

    Where there is no room for a newcomer, the one that has waited longest without a whole request has to go: whoever
    says at once what it wants is served, however many connections somebody else holds. Where all are being served, the
    newcomer has to go. Connections of trusted proxies count in all only.
    """

    def __init__(
        self,
        counters: Counters,
        *,
        addresses: Addresses | None = None,
        most: int = MOST,
        of_one: int = MOST_OF_ONE,
    ) -> None:
        self.counters = counters
        self.addresses = addresses if addresses is not None else Addresses()
        self._most = min(most, _files() - SPARE_FILES)
        self._of_one = of_one
        self._inside: dict[Guest, Address] = {}
        self._groups: dict[Address, _Group] = {}
        self._waiting: OrderedDict[Guest, None] = OrderedDict()
        self._bodies: OrderedDict[Guest, Address] = OrderedDict()
        self._bodies_of: Counter[Address] = Counter()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, guest: Guest, peer: Address) -> bool:
        """Let a connection in, in the place of another one if need be; False when it has to be cut."""
        key = house(peer)
        group = self._groups.get(key)
        crowd = group is not None and group.number >= self._of_one and not self.addresses.is_proxy(peer)
        if group is not None and crowd and not self._make_room(group.waiting, "address"):
            return False
        if len(self._inside) >= self._most and not self._make_room(self._waiting, "connections"):
            return False
        self._inside[guest] = key
        self._groups.setdefault(key, _Group()).number += 1
        self.waits(guest)
        return True

    def waits(self, guest: Guest) -> None:
        """Learn that a connection has no whole request under way."""
        key = self._inside.get(guest)
        if key is not None:
            self._waiting[guest] = None
            self._groups[key].waiting[guest] = None

    def served(self, guest: Guest) -> None:
        """Learn that a request of a connection has come."""
        key = self._inside.get(guest)
        if key is not None:
            self._waiting.pop(guest, None)
            self._groups[key].waiting.pop(guest, None)

    def reads(self, guest: Guest, client: Address) -> None:
        """Learn that the body of a request is on its way; when there are too many, the oldest has to go."""
        key = house(client)
        self._bodies[guest] = key
        self._bodies_of[key] += 1
        if self._bodies_of[key] > MOST_BODIES_OF_ONE:
            self._cut(next(one for one, whose in self._bodies.items() if whose == key), "bodies")
        elif len(self._bodies) > MOST_BODIES:
            self._cut(next(iter(self._bodies)), "bodies")

    def has_read(self, guest: Guest) -> None:
        """Learn that a body has come, or will not."""
        key = self._bodies.pop(guest, None)
        if key is not None:
            self._bodies_of[key] -= 1
            if not self._bodies_of[key]:
                del self._bodies_of[key]

    def leave(self, guest: Guest) -> None:
        """Learn that a connection has ended."""
        self.has_read(guest)
        self.served(guest)
        key = self._inside.pop(guest, None)
        if key is not None:
            self._groups[key].number -= 1
            if not self._groups[key].number:
                del self._groups[key]

    def count(self, reason: str) -> None:
        """Count somebody who was turned away."""
        self.counters.add("turned_away", reason=reason)

    def _make_room(self, waiting: OrderedDict[Guest, None], reason: str) -> bool:
        if waiting:
            self._cut(next(iter(waiting)), reason)
            return True
        self.count(reason)
        return False

    def _cut(self, guest: Guest, reason: str) -> None:
        self.count(reason)
        self.leave(guest)
        guest.turn_out()


def _files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST + SPARE_FILES if soft == resource.RLIM_INFINITY else max(soft, SPARE_FILES + SPARE_FILES)
