"""The payloads of what is sent, encoded with the library's own protobufs. Imports the library."""

from typing import Final

from google.protobuf.message import Message
from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.asked import Metrics, SendPosition, SendWaypoint

MOST_NAME: Final = 29
MOST_DESCRIPTION: Final = 99
"""Bytes of a waypoint's texts (mesh.options of the protobufs, less the closing zero)."""

_DEGREE: Final = 10_000_000
_PAST: Final = 1
_BITS: Final = 32
_KINDS: Final[dict[Metrics, str]] = {
    "device": "device_metrics",
    "environment": "environment_metrics",
    "air_quality": "air_quality_metrics",
    "power": "power_metrics",
    "local_stats": "local_stats",
    "health": "health_metrics",
    "host": "host_metrics",
}


def traceroute() -> bytes:
    """Return the payload that asks for a route."""
    return _bytes(mesh_pb2.RouteDiscovery())


def position_request() -> bytes:
    """Return the payload that asks for a position without telling one."""
    return _bytes(mesh_pb2.Position())


def telemetry_request(kind: Metrics) -> bytes:
    """Return the payload that asks for measurements of a kind without telling any."""
    telemetry = telemetry_pb2.Telemetry()
    getattr(telemetry, _KINDS[kind]).SetInParent()
    return _bytes(telemetry)


def position(asked: SendPosition, *, unix: float) -> bytes:
    """Return the payload of a position that was entered by hand at a time."""
    told = mesh_pb2.Position(
        latitude_i=_blurred(asked.latitude, asked.precision_bits),
        longitude_i=_blurred(asked.longitude, asked.precision_bits),
        time=int(unix),
        location_source=mesh_pb2.Position.LocSource.LOC_MANUAL,
        precision_bits=asked.precision_bits,
    )
    if asked.altitude is not None:
        told.altitude = asked.altitude
    return _bytes(told)


def waypoint(asked: SendWaypoint, *, id: int, own: int, unix: float) -> bytes:  # noqa: A002 - the field's name
    """Return the payload of a waypoint, or of its removal; raises RefusedError."""
    if asked.delete:
        return _bytes(mesh_pb2.Waypoint(id=id, expire=_PAST))
    if asked.latitude is None or asked.longitude is None:
        raise RefusedError("invalid", "a waypoint needs latitude and longitude, or id and delete")
    for field, text, most in (("name", asked.name, MOST_NAME), ("description", asked.description, MOST_DESCRIPTION)):
        if len(text.encode()) > most:
            raise RefusedError("too_long", f"{field}: at most {most} bytes of UTF-8 fit")
    marked = mesh_pb2.Waypoint(
        id=id,
        latitude_i=round(asked.latitude * _DEGREE),
        longitude_i=round(asked.longitude * _DEGREE),
        expire=min(int(unix + asked.hours * 3600), 0xFFFFFFFF),
        locked_to=own if asked.locked else 0,
        name=asked.name,
        description=asked.description,
        icon=_icon(asked.icon),
    )
    return _bytes(marked)


def _bytes(message: Message) -> bytes:
    return bytes(message.SerializeToString())


def _blurred(degrees: float, bits: int) -> int:
    """Return degrees in units of the protocol: so many bits kept, then the middle of what they leave open."""
    exact = round(degrees * _DEGREE)
    if bits >= _BITS:
        return exact
    return (exact & -(1 << (_BITS - bits))) + (1 << (_BITS - 1 - bits))


def _icon(emoji: str) -> int:
    """Return the code point of an emoji, without what only selects how it is drawn; raises RefusedError."""
    characters = emoji.strip().rstrip("\ufe0f\ufe0e")
    if len(characters) > 1:
        raise RefusedError("invalid", "icon: give one emoji that is a single character")
    return ord(characters) if characters else 0
