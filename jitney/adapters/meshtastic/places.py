"""Content that says where something is: positions, waypoints and map reports."""

from typing import Final

import msgspec
from msgspec import Struct, field

from jitney.adapters.meshtastic import kinds
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.heading import ReadableHead, instant, word
from jitney.adapters.meshtastic.packets import I32, U32, Packet, moment
from jitney.adapters.meshtastic.plain import plain_name, plain_text

_SCALE: Final = 10_000_000
_NORTH: Final = 90 * _SCALE
_EAST: Final = 180 * _SCALE
_TRACK: Final = 100_000
_METRES_PER_DEGREE: Final = 111_320
_WHOLE: Final = 32
_MOST_CODEPOINT: Final = 0x10FFFF


class _Position(Struct, frozen=True, rename="camel", gc=False):
    latitude_i: I32 | None = None
    longitude_i: I32 | None = None
    altitude: I32 | None = None
    altitude_hae: I32 | None = None
    time: U32 = 0
    timestamp: U32 = 0
    location_source: str | int = ""
    ground_speed: U32 | None = None
    ground_track: U32 | None = None
    gps_accuracy: U32 = 0
    pdop: U32 = field(name="PDOP", default=0)
    sats_in_view: U32 = 0
    precision_bits: U32 = 0


class _Waypoint(Struct, frozen=True, rename="camel", gc=False):
    id: U32 = 0
    latitude_i: I32 | None = None
    longitude_i: I32 | None = None
    expire: U32 = 0
    locked_to: U32 = 0
    name: str = ""
    description: str = ""
    icon: U32 = 0


class _MapReport(Struct, frozen=True, rename="camel", gc=False):
    long_name: str = ""
    short_name: str = ""
    role: str | int = "CLIENT"
    hw_model: str | int = ""
    firmware_version: str = ""
    region: str | int = ""
    modem_preset: str | int = "LONG_FAST"
    latitude_i: I32 = 0
    longitude_i: I32 = 0
    altitude: I32 = 0
    position_precision: U32 = 0
    num_online_local_nodes: U32 = 0


def position(packet: Packet, head: ReadableHead) -> kinds.Position | None:
    """Return where a node is, None when it has no fix; raises ValueError for what is not on Earth."""
    found = msgspec.convert(packet.content, _Position)
    place = _place(found.latitude_i, found.longitude_i)
    if place is None:
        return None
    return kinds.Position(
        **head,
        latitude=place[0],
        longitude=place[1],
        altitude=found.altitude_hae if found.altitude is None else found.altitude,
        fixed=instant(moment(found.timestamp or found.time)),
        precision_bits=found.precision_bits,
        accuracy=_accuracy(found),
        ground_speed=found.ground_speed,
        ground_track=None if found.ground_track is None else found.ground_track / _TRACK,
        satellites=found.sats_in_view,
        pdop=found.pdop / 100 if found.pdop else None,
        location_source=word(found.location_source),
    )


def waypoint(packet: Packet, head: ReadableHead) -> kinds.Waypoint:
    """Return a marked place; one that is deleted need not be anywhere. Raises ValueError."""
    found = msgspec.convert(packet.content, _Waypoint)
    place = _place(found.latitude_i, found.longitude_i) or (None, None)
    return kinds.Waypoint(
        **head,
        waypoint_id=found.id,
        latitude=place[0],
        longitude=place[1],
        name=plain_name(found.name),
        description=plain_text(found.description),
        icon=plain_name(chr(found.icon)) if 0 < found.icon <= _MOST_CODEPOINT else "",
        expires=instant(moment(found.expire)),
        locked_to=node_id(found.locked_to) if found.locked_to else "",
        deleted=found.expire <= packet.time,
    )


def map_report(packet: Packet, head: ReadableHead) -> kinds.MapReport:
    """Return how a node shows itself on the map; raises ValueError."""
    found = msgspec.convert(packet.content, _MapReport)
    placed = found.latitude_i != 0 or found.longitude_i != 0
    place = _place(found.latitude_i, found.longitude_i) if placed else None
    latitude, longitude = place or (None, None)
    return kinds.MapReport(
        **head,
        long_name=plain_name(found.long_name),
        short_name=plain_name(found.short_name),
        role=word(found.role),
        hardware=word(found.hw_model),
        firmware=plain_name(found.firmware_version),
        region=word(found.region),
        modem_preset=word(found.modem_preset),
        latitude=latitude,
        longitude=longitude,
        altitude=found.altitude if placed else None,
        precision_bits=found.position_precision,
        online_nodes=found.num_online_local_nodes,
    )


def blur(precision_bits: int) -> float | None:
    """Return the radius in metres within which a place is, half a cell; None for one that is not blurred."""
    if 0 < precision_bits < _WHOLE:
        return round((1 << _WHOLE - precision_bits) / _SCALE * _METRES_PER_DEGREE / 2, 1)
    return None


def _place(latitude: int | None, longitude: int | None) -> tuple[float, float] | None:
    """Return degrees of what travels in parts of one, None unless both are there: a zero that was sent is a place."""
    if latitude is None or longitude is None:
        return None
    if abs(latitude) > _NORTH or abs(longitude) > _EAST:
        message = f"no place on Earth: {latitude / _SCALE}, {longitude / _SCALE}"
        raise ValueError(message)
    return latitude / _SCALE, longitude / _SCALE


def _accuracy(position: _Position) -> float | None:
    """Return a radius in metres: that of the blur, else the receiver's constant (mm) times its PDOP."""
    if (blurred := blur(position.precision_bits)) is not None:
        return blurred
    if position.gps_accuracy and position.pdop:
        return round(position.gps_accuracy / 1000 * position.pdop / 100, 1)
    return None
