"""From what an owner asks to the packets that are sent for it."""

from typing import Final
from zlib import crc32

from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import contents, texts
from jitney.adapters.meshtastic.addresses import BROADCAST, node_id
from jitney.adapters.meshtastic.asked import (
    Asked,
    RequestPosition,
    RequestTelemetry,
    Respond,
    SendAlert,
    SendPosition,
    SendText,
    SendWaypoint,
    Traceroute,
)
from jitney.adapters.meshtastic.autoreply import marked
from jitney.adapters.meshtastic.destinations import Destination, Destinations
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import ANSWER, NO_HOPS_GIVEN, Outgoing, Packet, Priority
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.timing import Timing
from jitney.topics import Command, new_id

SWEEP_PATIENCE: Final = 60.0
"""Seconds that a sweep waits for the answer of one node."""

SWEEP_TIME_TO_LIVE: Final = 3600.0

ANSWER_TIME_TO_LIVE: Final = 120.0
"""Seconds after which nobody waits for an automatic answer any more."""

_IDS: Final = 0xFFFFFFFF
_LONGEST_REACTION: Final = 32


class Requests:
    """Makes packets of requests to one radio, whose own number is ``own``."""

    def __init__(
        self, limits: Limits, destinations: Destinations, owners: NodeOwners, *, own: int, timing: Timing
    ) -> None:
        self._limits = limits
        self._destinations = destinations
        self._owners = owners
        self._own = own
        self._timing = timing

    def packets(self, command: Command, asked: Asked) -> list[Outgoing]:
        """Return the packets of a command, in the order in which they are to be sent; raises RefusedError."""
        match asked:
            case SendText():
                return self._text(command, asked)
            case SendAlert():
                packet = self._alert(command, asked)
            case SendPosition():
                packet = self._position(command, asked)
            case SendWaypoint():
                packet = self._waypoint(command, asked)
            case _:
                packet = self._question(command, asked)
        return [packet]

    def answer(self, command: Command, asked: Respond, *, asker: int) -> Outgoing:
        """Return the packet of an automatic answer to a node, 0 where that is not known; raises RefusedError.

        It waits behind what people write to each other, and not for long.
        """
        where = self._destinations.destination(asked.to, asked.channel)
        direct = where.number != BROADCAST
        if not asked.text.strip():
            raise RefusedError("invalid", "text: there is nothing in it to send")
        text = texts.cut(marked(asked.text), self._limits.part_bytes)
        packet = self._packet(
            Port.TEXT_MESSAGE_APP, text.encode(), where, asked, want_ack=direct, reply_id=asked.reply_to
        )
        item = self._outgoing(command, asked, packet, what=ANSWER, priority=Priority.CHANNEL_TEXT, text=text)
        until = item.accepted + (asked.ttl or ANSWER_TIME_TO_LIVE)
        return replace(item, until=until, asker=where.number if direct else asker)

    def step(
        self, owner: str, number: int, *, hop_limit: int | None, hops: int, causation: str, traceparent: str = ""
    ) -> Outgoing:
        """Return the traceroute of a sweep to one node."""
        packet = Packet(
            port=Port.TRACEROUTE_APP,
            payload=contents.traceroute(),
            to=number,
            want_response=True,
            hop_limit=NO_HOPS_GIVEN if hop_limit is None else hop_limit,
        )
        now = self._timing.unix()
        return Outgoing(
            id=new_id(),
            owner=owner,
            what="traceroute",
            packet=packet,
            priority=Priority.SWEEP,
            accepted=now,
            until=now + SWEEP_TIME_TO_LIVE,
            patience=SWEEP_PATIENCE,
            hops=hops,
            causation=causation,
            traceparent=traceparent,
            persistent=False,
        )

    def _text(self, command: Command, asked: SendText) -> list[Outgoing]:
        if asked.emoji and (asked.reply_to is None or len(asked.text.encode()) > _LONGEST_REACTION):
            raise RefusedError(
                "invalid", "a reaction needs reply_to, the packet id of the message, and one emoji as text"
            )
        where = self._destinations.destination(asked.to, asked.channel)
        parts = texts.split(asked.text, most_bytes=self._limits.part_bytes, most_parts=self._limits.parts)
        direct = where.number != BROADCAST
        return [
            self._outgoing(
                command,
                asked,
                self._packet(
                    Port.TEXT_MESSAGE_APP,
                    part.encode(),
                    where,
                    asked,
                    want_ack=asked.want_ack,
                    reply_id=asked.reply_to or 0,
                    emoji=asked.emoji,
                ),
                what="reaction" if asked.emoji else "text",
                priority=Priority.DIRECT_TEXT if direct else Priority.CHANNEL_TEXT,
                text=part,
                part=number,
                parts=len(parts),
            )
            for number, part in enumerate(parts, 1)
        ]

    def _alert(self, command: Command, asked: SendAlert) -> Outgoing:
        where = self._destinations.destination(asked.to, asked.channel)
        (text,) = texts.split(asked.text, most_bytes=self._limits.part_bytes, most_parts=1)
        packet = self._packet(Port.ALERT_APP, text.encode(), where, asked)
        return self._outgoing(command, asked, packet, what="alert", priority=Priority.ALERT, text=text)

    def _question(self, command: Command, asked: Asked) -> Outgoing:
        where = self._destinations.node(asked.to, asked.channel)
        owner = self._owners.of(where.number)
        if command.owner not in (owner, self._owners.default) and self._owners.is_mapped(where.number):
            message = f"{node_id(where.number)} is a node of {owner}: {command.owner} may write to it, but not ask it"
            raise RefusedError("not_allowed", message)
        port, what, payload = _question(asked)
        packet = self._packet(port, payload, where, asked, want_response=True)
        return self._outgoing(command, asked, packet, what=what, priority=Priority.REQUEST)

    def _position(self, command: Command, asked: SendPosition) -> Outgoing:
        where = self._destinations.destination(asked.to, asked.channel)
        payload = contents.position(asked, unix=self._timing.unix())
        packet = self._packet(Port.POSITION_APP, payload, where, asked, want_ack=where.number != BROADCAST)
        return self._outgoing(command, asked, packet, what="position", priority=Priority.REQUEST)

    def _waypoint(self, command: Command, asked: SendWaypoint) -> Outgoing:
        if asked.delete and asked.id is None:
            raise RefusedError("invalid", "give the id of the waypoint that is to be deleted")
        where = self._destinations.destination(asked.to, asked.channel)
        number = asked.id or 1 + crc32(command.id.encode()) % _IDS
        payload = contents.waypoint(asked, id=number, own=self._own, unix=self._timing.unix())
        packet = self._packet(Port.WAYPOINT_APP, payload, where, asked)
        what = "waypoint_removal" if asked.delete else "waypoint"
        return self._outgoing(command, asked, packet, what=what, priority=Priority.REQUEST, waypoint_id=number)

    def _packet(
        self,
        port: Port,
        payload: bytes,
        where: Destination,
        asked: Asked,
        *,
        want_ack: bool = True,
        want_response: bool = False,
        reply_id: int = 0,
        emoji: bool = False,
    ) -> Packet:
        return Packet(
            port=port,
            payload=payload,
            to=where.number,
            channel=where.channel,
            want_ack=want_ack,
            want_response=want_response,
            reply_id=reply_id,
            emoji=emoji,
            hop_limit=NO_HOPS_GIVEN if asked.hop_limit is None else asked.hop_limit,
        )

    def _outgoing(
        self,
        command: Command,
        asked: Asked,
        packet: Packet,
        *,
        what: str,
        priority: Priority,
        text: str = "",
        part: int = 1,
        parts: int = 1,
        waypoint_id: int = 0,
    ) -> Outgoing:
        now = self._timing.unix()
        usual = self._limits.time_to_live if priority < Priority.REQUEST else self._limits.request_time_to_live
        return Outgoing(
            id=new_id(),
            owner=command.owner,
            what=what,
            packet=packet,
            priority=priority,
            accepted=now,
            until=now + (asked.ttl or usual),
            patience=self._limits.answer_timeout,
            command=command.id,
            hops=command.hops,
            causation=command.causation,
            traceparent=command.traceparent,
            deadline=command.deadline,
            text=text,
            part=part,
            parts=parts,
            waypoint_id=waypoint_id,
        )


def _question(asked: Asked) -> tuple[Port, str, bytes]:
    """Return the port, the word and the payload of what is asked of one node; raises RefusedError."""
    match asked:
        case Traceroute():
            return Port.TRACEROUTE_APP, "traceroute", contents.traceroute()
        case RequestPosition():
            return Port.POSITION_APP, "position_request", contents.position_request()
        case RequestTelemetry():
            return Port.TELEMETRY_APP, "telemetry_request", contents.telemetry_request(asked.kind)
    raise RefusedError("unknown_command", f"{type(asked).__name__} is no question")
