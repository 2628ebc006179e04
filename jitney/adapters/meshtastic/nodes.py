"""The nodes that one radio knows: kept over restarts, published as states, and watched.

Nothing here looks at a clock: ``now`` is Unix seconds, given by who calls.
"""

from collections.abc import Container, Iterable
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import kinds, node_events
from jitney.adapters.meshtastic.addresses import node_number
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.node_record import Node, drained, heard, keyed, met, told
from jitney.adapters.meshtastic.node_search import by_name
from jitney.adapters.meshtastic.node_state import NEW_KEY, NodeState, state_of, subject
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.pending import Pending
from jitney.adapters.meshtastic.radio import KnownNode
from jitney.topics import Event, EventData, State, event

PREFIX: Final = "node/"
"""Before a node's number, in hexadecimal, the key under which it is kept."""

STATE_EVERY: Final = 5.0
"""Seconds between two states of one node."""

SAVE_EVERY: Final = 15.0
"""Seconds between two writes: an SD card wears out."""

LOOK_EVERY: Final = 60.0
"""Seconds between two looks for silent nodes."""

ONLINE: Final = 7200.0
"""Seconds for which the firmware and the apps call a node online that was heard."""

_HOUR: Final = 3600.0
_DEAF: Final = 0.25
_SLEPT: Final = 600.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Node).decode


class Nodes:
    """The database of one radio, whose own number is ``radio``; of more than ``most`` nodes the oldest are dropped.

    Those in ``keep`` are among the last to go. A node is silent after ``silent_after`` hours (0: never), its battery
    low at ``low_battery`` percent (0: never).
    """

    def __init__(
        self,
        ctx: Context,
        owners: NodeOwners,
        *,
        radio: int,
        silent_after: float = 24.0,
        low_battery: int = 20,
        most: int = 500,
        keep: Container[int] = (),
    ) -> None:
        self._ctx = ctx
        self._owners = owners
        self._radio = radio
        self._silent_after = silent_after * _HOUR
        self._low_battery = low_battery
        self._most = most
        self._keep = keep
        self._nodes: dict[int, Node] = {}
        self._states = Pending(STATE_EVERY)
        self._published: set[int] = set()
        self._unsaved: set[int] = set()
        self._saved = 0.0
        self._looked = 0.0
        self._listening_since = 0.0

    def __len__(self) -> int:
        return len(self._nodes)

    async def load(self) -> None:
        """Read what was kept; what cannot be read is counted and removed."""
        unreadable: dict[str, bytes | None] = {}
        for key, value in (await self._ctx.load_all(PREFIX)).items():
            try:
                node = _decode(value)
            except ValueError:
                unreadable[key] = None
            else:
                self._nodes[node.number] = node
                self._states.add(node.number)
                self._published.add(node.number)
        self._arrange()
        if unreadable:
            self._ctx.count("unreadable_nodes", len(unreadable))
            await self._write(unreadable)

    def meet(self, known: Iterable[KnownNode], now: float) -> list[Event]:
        """Learn what the radio knows, once after each handshake; return the events of keys that changed.

        Silence counts only while the radio listened: when it too has heard nobody for long, it was off.
        """
        events = []
        for one in known:
            old = self._nodes.get(one.number)
            node = met(old or Node(number=one.number), one, now=now)
            silent = self._is_silent(node, now)
            node = replace(node, silent=silent and (old is None or old.silent))
            node, changed = keyed(node, one.public_key, at=now)
            if changed:
                data = node_events.key_changed(node, proved=False)
                events.append(self._event(data, node, now, id=f"{node.id}-{node.public_key}-key"))
            self._put(node)
        self._arrange()
        newest = max((node.seen for node in self._nodes.values() if node.number != self._radio), default=0.0)
        if now - newest > self._silent_after * _DEAF:
            self._listening_since = now
        return events

    def heard(self, packet: Packet, data: EventData | None, *, tell: bool = True) -> list[Event]:
        """Learn from a packet and what it says; return the events about its sender, none unless ``tell``.

        A copy of a packet that another radio heard first is not told, but this radio learns from it.
        """
        old = self._nodes.pop(packet.sender, None)
        node = heard(old or Node(number=packet.sender), packet)
        node, changed = keyed(node, _key(packet, data), at=packet.time)
        drains = False
        if data is not None:
            node = told(node, data)
            if isinstance(data, kinds.Telemetry):
                node, drains = drained(node, limit=self._low_battery)
        self._put(node)
        self._trim()
        if not tell:
            return []
        found: dict[str, EventData] = {}
        if old is None and packet.sender != self._radio:
            found["new"] = node_events.new(node)
        if changed:
            found["key"] = node_events.key_changed(node, proved=packet.pki)
        if drains:
            found["low"] = node_events.battery_low(node, limit=self._low_battery)
        return [self._event(data, node, packet.time, id=f"{packet.event_id}-{what}") for what, data in found.items()]

    def silent(self, now: float) -> list[Event]:
        """Return the events of nodes that have become silent; call it at least every minute, it looks no more often.

        States in which a key is no longer new become due as well. Where it was not called for long, the process slept
        or the clock was set: silence counts from then on.
        """
        pause = now - self._looked
        if 0.0 <= pause < LOOK_EVERY:
            return []
        if self._looked and pause > _SLEPT:
            self._listening_since = now
        for node in self._nodes.values():
            if node.key_changed and self._looked < node.key_changed + NEW_KEY <= now:
                self._states.add(node.number)
        self._looked = now
        found = [
            replace(node, silent=True)
            for node in self._nodes.values()
            if not node.silent and node.number != self._radio and self._is_silent(node, now)
        ]
        for node in found:
            self._put(node)
        hours = self._silent_after / _HOUR
        return [
            self._event(node_events.silent(node, hours=hours), node, now, id=f"{node.id}-silent-{node.seen:.0f}")
            for node in found
        ]

    def publish(self, now: float) -> None:
        """Publish the states of nodes that changed, each at most every few seconds."""
        for number in self._states.due(now):
            value = Raw(_encode(self.state(self._nodes[number], now)))
            self._published.add(number)
            self._ctx.set_state(State(self._owners.of(number), subject(number), value))

    def subjects(self) -> list[tuple[str, str]]:
        """Return the owner and subject of every node's state, for ``ctx.keep_states``."""
        return [(self._owners.of(number), subject(number)) for number in self._nodes]

    async def save(self, now: float, *, at_once: bool = False) -> None:
        """Write what changed, if the last write is long enough ago; what cannot be kept is counted and tried again."""
        if not self._unsaved or (0.0 <= now - self._saved < SAVE_EVERY and not at_once):
            return
        self._saved = now
        changed, self._unsaved = self._unsaved, set()
        values = {
            _key_of(number): _encode(self._nodes[number]) if number in self._nodes else None for number in changed
        }
        if not await self._write(values):
            self._unsaved |= changed

    async def erase(self, owner: str) -> None:
        """Forget the nodes of an owner, here and on disk; raises RefusedError."""
        numbers = [number for number in self._nodes if self._owners.of(number) == owner]
        for number in numbers:
            self._drop(number)
        await self._ctx.save_all({_key_of(number): None for number in numbers})

    def get(self, number: int) -> Node | None:
        """Return a node by its number."""
        return self._nodes.get(number)

    def all(self) -> list[Node]:
        """Return every node, the one heard last at the end."""
        return list(self._nodes.values())

    def online(self, now: float) -> int:
        """Return how many nodes besides the radio were heard lately."""
        since = now - ONLINE
        return sum(node.seen >= since for node in self._nodes.values() if node.number != self._radio)

    def of_owner(self, owner: str) -> list[Node]:
        """Return the nodes that are an owner's; all of them are the radio's owner's."""
        everything = owner == self._owners.default
        return [node for number, node in self._nodes.items() if everything or self._owners.of(number) == owner]

    def by_name(self, name: str) -> Node:
        """Return the node of a short or long name; raises RefusedError for none or several."""
        return by_name(self._nodes.values(), name)

    def number(self, text: str) -> int:
        """Return the number of the node that a person means by an id or a name; raises RefusedError.

        A node need not be known by its id. Without its ``!``, the id of an unknown node may be the name of another.
        """
        number = node_number(text)
        if number is not None and (number in self._nodes or text.strip().startswith("!")):
            return number
        try:
            return self.by_name(text).number
        except RefusedError as error:
            if number is None or error.code != "unknown_node":
                raise
            return number

    def state(self, node: Node, now: float) -> NodeState:
        """Return what is published of a node."""
        return state_of(node, own=node.number == self._radio, now=now)

    async def _write(self, values: dict[str, bytes | None]) -> bool:
        """Tell whether values could be kept; count those that could not."""
        try:
            await self._ctx.save_all(values)
        except RefusedError:
            self._ctx.count("nodes_not_saved", len(values))
            return False
        return True

    def _put(self, node: Node) -> None:
        if self._nodes.get(node.number) != node:
            self._nodes[node.number] = node
            self._states.add(node.number)
            self._unsaved.add(node.number)

    def _arrange(self) -> None:
        """Put the nodes in the order in which they were last heard."""
        self._nodes = dict(sorted(self._nodes.items(), key=lambda item: item[1].seen))
        self._trim()

    def _trim(self) -> None:
        """Drop the nodes heard longest ago that are neither somebody's, favourites, to be kept nor the radio itself."""
        while len(self._nodes) > self._most:
            protected = (
                number == self._radio or node.favourite or number in self._keep or number in self._owners.named
                for number, node in self._nodes.items()
            )
            ordinary = next((number for number, keep in zip(self._nodes, protected, strict=True) if not keep), None)
            self._drop(next(iter(self._nodes)) if ordinary is None else ordinary)
            self._ctx.count("nodes_dropped")

    def _drop(self, number: int) -> None:
        del self._nodes[number]
        self._unsaved.add(number)
        self._states.discard(number)
        if number in self._published:
            self._published.discard(number)
            self._ctx.set_state(State(self._owners.of(number), subject(number), None))

    def _is_silent(self, node: Node, now: float) -> bool:
        since = max(node.seen, self._listening_since)
        return self._silent_after > 0 and node.seen > 0 and now - since >= self._silent_after

    def _event(self, data: EventData, node: Node, at: float, *, id: str) -> Event:  # noqa: A002 - as in `event`
        owner = self._owners.of(node.number)
        return event(data, adapter=self._ctx.name, owner=owner, id=id, subject=node.id, time=instant(at))


def _key_of(number: int) -> str:
    return f"{PREFIX}{number:08x}"


def _key(packet: Packet, data: EventData | None) -> str:
    """Return the public key that a packet shows: what proves counts more than what claims."""
    if packet.pki and packet.public_key:
        return packet.public_key
    return data.public_key if isinstance(data, kinds.NodeInfo) else ""
