"""The data of the commands that send something: what an owner may ask of the mesh."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.topics import Command

Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Number = Annotated[int, Meta(ge=1, le=0xFFFFFFFF)]
Hours = Annotated[float, Meta(gt=0, le=87_600)]
Metrics = Literal["device", "environment", "air_quality", "power", "local_stats", "health", "host"]

S = TypeVar("S", bound=Struct)


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be said of everything that is sent.

    ``to`` is a node's id like ``!a1b2c3d4``, its number or its name; without it everybody on ``channel`` (index or
    name, the first one unless given) is meant. ``hop_limit`` is the radio's own unless given; ``ttl`` are the seconds
    that it may wait for its turn. ``wait`` lets the reply come only when it has got so far or cannot get further; else
    it comes at once, with the state ``queued``.
    """

    to: str | int = ""
    channel: str | int = 0
    hop_limit: Annotated[int, Meta(ge=0, le=7)] | None = None
    ttl: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    wait: Literal["queued", "sent", "relayed", "delivered"] = "queued"


class SendText(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send ``text``, in numbered parts when it is long.

    ``reply_to`` is the packet id of the message that it answers; with ``emoji`` it is a reaction to that one.
    ``want_ack``: it is sent again until somebody is heard passing it on, and the receiver confirms it.
    """

    text: str
    reply_to: Number | None = None
    emoji: bool = False
    want_ack: bool = True


class Respond(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer the text ``reply_to`` that was heard, as a machine does: marked as one, and only where it may.

    ``to`` is who wrote it; without it everybody on ``channel`` hears the answer. It is cut to one packet.
    """

    text: str
    reply_to: Number


class SendAlert(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send ``text`` as an alert, which rings where it arrives and goes before everything else."""

    text: str


class Traceroute(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask the mesh for the way to a node; the answer is an event ``meshtastic.traceroute``."""


class RequestPosition(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a node where it is; the answer is an event ``meshtastic.position``."""


class RequestTelemetry(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a node for measurements of a ``kind``; the answer is an event ``meshtastic.telemetry``."""

    kind: Metrics = "device"


class SendPosition(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a position: degrees (WGS 84), ``altitude`` in metres; sent to everybody it becomes the radio's own.

    ``precision_bits`` below 32 blurs it: so many bits of latitude and longitude are kept.
    """

    latitude: Latitude
    longitude: Longitude
    altitude: Annotated[int, Meta(ge=-12_000, le=100_000)] | None = None
    precision_bits: Annotated[int, Meta(ge=1, le=32)] = 32


class SendWaypoint(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mark a place for others, change it, or take it back with ``delete`` and its ``id``.

    ``icon`` is an emoji. It is gone after ``hours``. ``locked``: only this radio may change it. ``id`` names the one
    to change; the reply to a new one has its id as ``waypoint_id``.
    """

    id: Number | None = None
    delete: bool = False
    name: str = ""
    description: str = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    icon: str = ""
    hours: Hours = 24.0
    locked: bool = False


class StartSweep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for the way to every node heard in the last ``hours`` by radio, one after the other; ``stop`` ends it."""

    hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    hop_limit: Annotated[int, Meta(ge=1, le=7)] | None = None
    stop: bool = False


class GetNodes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read what is known of a ``node``, or of all nodes of the owner heard in the last ``hours``, the newest first."""

    node: str = ""
    hours: Hours | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class GetPackets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read the last packets that the owner may see, the oldest of them first.

    Only those from or to a ``node``, of a ``port`` (name or number, or ``encrypted``), of the last ``hours``.
    """

    node: str = ""
    port: str | int = ""
    hours: Hours | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


def read(command: Command, kind: type[S]) -> S:
    """Return the data of a command as a ``kind``; raises RefusedError."""
    try:
        return msgspec.json.decode(command.data, type=kind, dec_hook=_secret)
    except (ValueError, RecursionError) as error:
        raise RefusedError("invalid", f"data of {command.name}: {error}") from None


def _secret(kind: type, value: object) -> Any:  # noqa: ANN401 - what msgspec asks for
    if kind is not Secret or not isinstance(value, str):
        raise ValueError("expected a text")
    return Secret(value)
