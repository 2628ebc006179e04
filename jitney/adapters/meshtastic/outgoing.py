"""What an owner wants on the air, and how far it has come."""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from jitney.adapters.meshtastic.addresses import BROADCAST, address
from jitney.adapters.meshtastic.kinds_sending import Progress, Sending
from jitney.topics import Event, derived_id, event

ANSWER: Final = "answer"
"""What an automatic answer is."""

NO_HOPS_GIVEN: Final = -1
"""The radio's own hop limit."""


class Priority(IntEnum):
    """Who goes first: the smaller number."""

    ALERT = 0
    DIRECT_TEXT = 1
    CHANNEL_TEXT = 2
    REQUEST = 3
    SWEEP = 4


class Packet(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the radio is given: an encoded ``payload`` on a ``port`` for one node or everybody."""

    port: int
    payload: bytes
    to: int = BROADCAST
    channel: int = 0
    want_ack: bool = True
    want_response: bool = False
    reply_id: int = 0
    emoji: bool = False
    hop_limit: int = NO_HOPS_GIVEN

    @property
    def is_broadcast(self) -> bool:
        """Whether it is for everybody, so that nobody confirms it."""
        return self.to == BROADCAST


class Outgoing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One packet of an ``owner`` on its way; ``command`` is the id of the command that asked for it.

    ``causation`` is the event that led to that, ``hops`` and ``traceparent`` what the events that follow carry.
    ``asker`` is the number of the node that an automatic answer is for, where that is known.
    ``accepted``, ``until`` (its time to live), ``handed`` (given to the radio) and ``deadline`` (the command's) are in
    Unix seconds, ``patience`` is how many seconds after ``handed`` an answer may come. ``handing`` is written before
    it is given to the radio: if that is all that is known after a crash, it may be on the air or not. What is not
    ``persistent`` is not told and not kept over a restart.
    """

    id: str
    owner: str
    what: str
    packet: Packet
    priority: Priority
    accepted: float
    until: float
    patience: float
    command: str = ""
    hops: int = 0
    causation: str = ""
    traceparent: str = ""
    deadline: float = 0.0
    asker: int = 0
    part: int = 1
    parts: int = 1
    text: str = ""
    waypoint_id: int = 0
    persistent: bool = True
    state: Progress = "queued"
    handing: bool = False
    handed: float = 0.0
    packet_id: int = 0
    code: str = ""
    reason: str = ""

    @property
    def cause(self) -> str:
        """The id of what its events were caused by: an event, else the command; empty where there is neither."""
        return self.causation or self.command

    @property
    def is_final(self) -> bool:
        """Whether nothing more is waited for, though a late confirmation may come."""
        match self.state:
            case "queued":
                return False
            case "sent":
                return not (self.packet.want_ack or self.packet.want_response)
            case "relayed":
                return self.packet.is_broadcast
        return True


def sending(item: Outgoing, *, adapter: str) -> Event:
    """Return the event that tells the state of something on its way; the same state has the same event id."""
    return event(
        Sending(
            id=item.id,
            state=item.state,
            what=item.what,
            to=address(item.packet.to),
            channel=item.packet.channel,
            packet_id=item.packet_id,
            part=item.part,
            parts=item.parts,
            text=item.text,
            waypoint_id=item.waypoint_id,
            code=item.code,
            reason=item.reason,
        ),
        adapter=adapter,
        owner=item.owner,
        id=derived_id(adapter, item.id, item.state),
        subject=item.id,
        causation=item.cause,
        hops=item.hops,
        traceparent=item.traceparent,
    )
