"""To whom something goes: what people write, as the number of a node and the index of a channel.

Names are looked up in the node database and never by the library, which ends the process for one it does not know.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.addresses import BROADCAST, EVERYBODY
from jitney.adapters.meshtastic.radio import RadioInfo

EVERYONE: Final = frozenset({"", EVERYBODY, "^all"})
"""How to write that something is for every node on the channel."""


class Destination(Struct, frozen=True):
    """A node or ``BROADCAST``, on the channel of this index."""

    number: int
    channel: int


class Destinations:
    """The nodes and channels of one radio; ``find`` returns the number of an id or a name, or raises RefusedError."""

    def __init__(self, find: Callable[[str], int], radio: RadioInfo) -> None:
        self._find = find
        self._own = radio.number
        self._channels = radio.channels

    def destination(self, to: str | int, channel: str | int) -> Destination:
        """Return where something for a node or everybody goes; raises RefusedError."""
        everyone = isinstance(to, str) and to.strip() in EVERYONE
        return Destination(BROADCAST if everyone else self._node(to), self._channel(channel))

    def node(self, to: str | int, channel: str | int) -> Destination:
        """Return where something for one node goes; raises RefusedError."""
        where = self.destination(to, channel)
        if where.number == BROADCAST:
            raise RefusedError("invalid", 'to: give the node that is meant, by its id like "!a1b2c3d4" or its name')
        return where

    def _node(self, to: str | int) -> int:
        number = self._find(to) if isinstance(to, str) else to
        if not 0 < number < BROADCAST:
            raise RefusedError("invalid", f"to: {number} is not the number of a node")
        if number == self._own:
            raise RefusedError("invalid", "to: that is the radio itself")
        return number

    def _channel(self, channel: str | int) -> int:
        wanted = channel.strip().casefold() if isinstance(channel, str) else str(channel)
        for one in self._channels:
            if wanted in (str(one.index), one.name.casefold()):
                return one.index
        known = ", ".join(f"{one.index} {one.name}" for one in self._channels) or "none"
        raise RefusedError("not_found", f'channel: the radio has no channel "{channel}": it has {known}')
