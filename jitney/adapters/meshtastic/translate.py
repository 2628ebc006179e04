"""From what a radio heard to events: read, whose, heard before, what it says, who learns from it."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.meshtastic import kinds, packets
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.heard import Notice, Received
from jitney.adapters.meshtastic.last_messages import LastMessages
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.outgoing import Outgoing
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.plain import plain_name, plain_text
from jitney.adapters.meshtastic.radio import RadioInfo
from jitney.adapters.meshtastic.statistics import Statistics
from jitney.adapters.meshtastic.uplink import Uplink
from jitney.topics import Event, EventData, event

_encode: Final = msgspec.json.Encoder().encode


class Listeners(Struct, frozen=True):
    """Who learns from every packet of one radio."""

    nodes: Nodes
    statistics: Statistics
    uplink: Uplink
    log: PacketLog
    guard: Guard
    messages: LastMessages


class Translator:
    """Translates for one radio; ``duplicates`` are shared by all radios of the process.

    ``request`` returns the packet of ours that a node has answered, by its id and the number of the node.
    """

    def __init__(
        self,
        ctx: Context,
        info: RadioInfo,
        *,
        owners: NodeOwners,
        duplicates: Duplicates,
        listeners: Listeners,
        request: Callable[[int, int], Outgoing | None],
    ) -> None:
        self._ctx = ctx
        self._info = info
        self._source = "/" + ctx.name
        self._owners = owners
        self._duplicates = duplicates
        self._nodes = listeners.nodes
        self._statistics = listeners.statistics
        self._uplink = listeners.uplink
        self._log = listeners.log
        self._guard = listeners.guard
        self._messages = listeners.messages
        self._request = request

    def events(self, received: Received) -> list[Event]:
        """Return the events of a packet, its own first; raises nothing, whatever the library made of the packet."""
        packet = packets.read(received.packet, received.arrived)
        if packet is None:
            self._ctx.count("unreadable")
            self._statistics.unreadable()
            return []
        radio = self._info.number
        owner = self._owners.of(packet.sender)
        if self._owners.is_shared and packet.sender != radio and not self._owners.is_mapped(packet.sender):
            node = self._nodes.get(packet.sender)
            self._ctx.unclaimed("node", node_id(packet.sender), hint=node.long_name if node is not None else "")
        first = self._duplicates.is_first(owner, packet)
        found = data_of(packet, radio=radio)
        data = None if isinstance(found, Nothing) else found
        if isinstance(data, kinds.Message):
            self._guard.heard(owner, packet.sender, data)
            data = self._named(data, packet)
            if first and owner == self._owners.default:
                self._messages.heard(data, packet.time)
        own_event = self._event(packet, data, owner) if first and data is not None else None
        self._log.note(packet, owner=owner, event=own_event, copy=not first)
        self._statistics.heard(packet, data, own=packet.sender == radio, first=first)
        self._uplink.heard(packet)
        about_sender = self._nodes.heard(packet, data, tell=first)
        if not first:
            self._ctx.count("duplicates")
        elif isinstance(found, Nothing):
            self._ctx.count(found.why)
        return about_sender if own_event is None else [own_event, *about_sender]

    def notice(self, notice: Notice) -> Event:
        """Return what the firmware says as an event of the radio's owner."""
        data = kinds.Notification(
            level=plain_name(notice.level), message=plain_text(notice.message), request_id=notice.reply_id
        )
        return self._about_radio(data, notice.arrived)

    def connected(self, at: float) -> Event:
        """Return that the link to the radio works since ``at`` (Unix seconds)."""
        info = self._info
        data = kinds.Radio(
            state="connected",
            node=node_id(info.number),
            long_name=plain_name(info.long_name),
            short_name=plain_name(info.short_name),
            hardware=plain_name(info.hardware),
            firmware=plain_name(info.firmware),
            region=plain_name(info.region),
            modem_preset=plain_name(info.modem_preset),
        )
        return self._about_radio(data, at)

    def disconnected(self, at: float, reason: str) -> Event:
        """Return that the link to the radio is gone, and why."""
        data = kinds.Radio(state="disconnected", node=node_id(self._info.number), reason=plain_text(reason))
        return self._about_radio(data, at)

    def _named(self, message: kinds.Message, packet: Packet) -> kinds.Message:
        node = self._nodes.get(packet.sender)
        return replace(message, name=node.long_name) if node is not None and node.long_name else message

    def _event(self, packet: Packet, data: EventData, owner: str) -> Event:
        """Return the event of a packet, which a packet of ours has caused where it answers one."""
        asked = self._request(packet.request_id, packet.sender) if packet.request_id else None
        return Event(
            id=packet.event_id,
            source=self._source,
            type=data.type,
            subject=node_id(packet.sender),
            time=instant(packet.time),
            observed=instant(packet.arrived),
            owner=owner,
            hops=asked.hops if asked else 0,
            causationid=(asked.cause or UNSET) if asked and asked.owner == owner else UNSET,
            traceparent=(asked.traceparent or UNSET) if asked and asked.owner == owner else UNSET,
            data=Raw(_encode(data)),
        )

    def _about_radio(self, data: EventData, at: float) -> Event:
        return event(
            data,
            adapter=self._ctx.name,
            owner=self._owners.default,
            subject=node_id(self._info.number),
            time=instant(at),
        )
