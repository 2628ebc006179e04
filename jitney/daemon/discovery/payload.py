"""What is published for Home Assistant to show a device: topics and the JSON objects on them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from jitney.adapters.entities import Device
from jitney.daemon.discovery import names, platforms
from jitney.daemon.discovery.place import Place
from jitney.daemon.discovery.texts import is_address, line

__all__ = ("Announcement", "Place", "announcements")

ORIGIN: Final = "Jitney"

_SYSTEMS: Final[Mapping[str, Literal["metric", "imperial"]]] = {"imperial": "imperial"}


class Announcement(Struct, frozen=True):
    """A retained topic and what is published on it.

    That of a whole device has its entities under ``components``, by their keys. One without is a single entity.
    """

    topic: str
    payload: Mapping[str, Any]


def announcements(device: Device, place: Place, *, prefix: str, per_component: bool) -> Iterator[Announcement]:
    """Yield what announces a device: one whole, or one for each entity. Nothing for a device without entities."""
    known_as = place.identifier(device.key)
    measure = _SYSTEMS.get(place.system, "metric")
    needed = platforms.availability(place)
    components = {
        entity.key: platforms.component(entity, place, device=known_as, needed=needed)
        for entity in device.entities
        if entity.system in {"", measure}
    }
    if not components:
        return
    shared = {
        "device": _device(device, place, known_as),
        "origin": _origin(place),
        "availability": needed["adapter"],
        "availability_mode": "all",
    }
    node = names.node_id(place.tree.root, place.instance)
    object_id = names.object_id(place.owner, place.adapter, device.key)
    if per_component:
        for key, options in components.items():
            topic = names.entity_topic(prefix, node, object_id, platform=options["platform"], entity=key)
            yield Announcement(topic, shared | options)
    else:
        yield Announcement(names.device_topic(prefix, node, object_id), {**shared, "components": components})


def _device(device: Device, place: Place, known_as: str) -> dict[str, Any]:
    texts = {
        "name": line(device.name) or device.key or place.adapter or ORIGIN,
        "manufacturer": line(device.manufacturer),
        "model": line(device.model),
        "model_id": line(device.model_id),
        "serial_number": line(device.serial),
        "sw_version": line(device.software),
        "hw_version": line(device.hardware),
        "configuration_url": device.url if is_address(device.url) else "",
        "via_device": place.via(device.key),
    }
    return {"identifiers": [known_as]} | {key: text for key, text in texts.items() if text}


def _origin(place: Place) -> dict[str, str]:
    return {"name": ORIGIN, "sw_version": place.version} if place.version else {"name": ORIGIN}
