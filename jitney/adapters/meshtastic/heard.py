"""What comes from a radio."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Received(Struct, frozen=True):
    """A packet: the library's dictionary as it was published, with ``raw`` and bytes; ``arrived`` in Unix seconds."""

    packet: Mapping[str, Any]
    arrived: float


class Notice(Struct, frozen=True):
    """What the firmware tells a person; ``reply_id`` is the packet that it is about, or 0."""

    level: str
    message: str
    reply_id: int
    arrived: float


class QueueStatus(Struct, frozen=True):
    """The radio's transmit queue: ``free`` of ``maxlen`` places. ``result`` is not 0 when ``packet_id`` found none."""

    free: int
    maxlen: int
    packet_id: int
    result: int


class Proxied(Struct, frozen=True):
    """A message that the radio wanted passed on to its MQTT broker, which nobody does here."""

    arrived: float


Heard = Received | Notice | QueueStatus | Proxied
