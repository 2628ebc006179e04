"""What Home Assistant has to know of an entity, for each platform: the options of MQTT discovery in full words.

Source: https://www.home-assistant.io/integrations/mqtt/ and the pages of its platforms.
"""

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Final

import msgspec

from jitney.adapters.entities import (
    AnyEntity,
    Asking,
    At,
    BinarySensor,
    Button,
    DeviceTracker,
    Entity,
    EventEntity,
    Image,
    Notify,
    OfBus,
    OfStatus,
    Select,
    Sensor,
    Source,
    Text,
    Update,
)
from jitney.daemon.discovery import names, templates
from jitney.daemon.discovery.place import Place
from jitney.daemon.discovery.sensor_classes import NOT_NUMBERS
from jitney.daemon.discovery.texts import line
from jitney.daemon.discovery.units import conversion

BUS_WORKS: Final = ("online",)
ADAPTER_WORKS: Final = ("online", "degraded")

_QOS: Final = 1
_DECIMALS: Final = 4
_MORE_DECIMALS: Final = 2
"""What is converted is rounded to so many decimals more than are shown, and to ``_DECIMALS`` where that is not said."""

Options = dict[str, Any]
Needed = Mapping[str, list[Options]]


def component(entity: AnyEntity, place: Place, *, device: str, needed: Needed) -> Options:
    """Return the options of an entity of the device with an identifier, without what all of its entities share.

    ``needed`` is what ``availability`` returns for the place.
    """
    own = options(entity, place)
    found: Options = {
        "unique_id": names.unique_id(device, entity.key),
        "name": line(entity.name) or None,
        "qos": _QOS,
    }
    if entity.icon:
        found["icon"] = entity.icon
    if entity.category:
        found["entity_category"] = entity.category
    if not entity.enabled:
        found["enabled_by_default"] = False
    if entity.attributes is not None:
        found["json_attributes_topic"] = place.topic(entity.attributes)
        found["json_attributes_template"] = templates.attributes(_path(entity.attributes))
    available = needed[entity.needs] + own.pop("availability", [])
    if available != needed["adapter"]:
        found["availability"] = available
    return found | own


def availability(place: Place) -> Needed:
    """Return what must be online for an entity to be available, by what it needs."""
    bus = [_available(place.bus_topic, templates.word_among(BUS_WORKS))]
    adapter = [_available(place.status_topic, templates.word_among(ADAPTER_WORKS))] if place.adapter else []
    return {"adapter": bus + adapter, "bus": bus, "nothing": []}


@singledispatch
def options(entity: Entity, place: Place) -> Options:  # noqa: ARG001 - the types below are all there are
    """Return the options that only entities of this type have."""
    raise TypeError(f"{type(entity).__name__} is no entity that Home Assistant has")


@options.register
def _(entity: Sensor, place: Place) -> Options:
    found: Options = {"platform": "sensor", "state_topic": place.topic(entity.value)}
    unit, shown_in = _units(entity, place)
    if shown_in:
        found["unit_of_measurement"] = shown_in
    if entity.device_class:
        found["device_class"] = entity.device_class
    if entity.state_class:
        found["state_class"] = entity.state_class
    if entity.precision is not None:
        found["suggested_display_precision"] = entity.precision
    if entity.options:
        found["options"] = list(entity.options)
    if entity.expires:
        found["expire_after"] = entity.expires
    found["value_template"] = _sensor_template(entity, unit, shown_in)
    return found


@options.register
def _(entity: BinarySensor, place: Place) -> Options:
    return {
        "platform": "binary_sensor",
        "state_topic": place.topic(entity.value),
        "value_template": templates.on_off(_path(entity.value), entity.on),
        **_class(entity.device_class),
    }


@options.register
def _(entity: DeviceTracker, place: Place) -> Options:
    topic = place.topic(entity.place)
    beside = None if entity.attributes is None else _path(entity.attributes)
    return {
        "platform": "device_tracker",
        "json_attributes_topic": topic,
        "json_attributes_template": templates.position(entity.place.path, beside),
        "availability": [_available(topic, templates.place_known(entity.place.path))],
    }


@options.register
def _(entity: EventEntity, place: Place) -> Options:
    return {
        "platform": "event",
        "state_topic": place.event_topic(entity.kinds),
        "event_types": list(entity.kinds),
        "value_template": templates.event(entity.kinds, entity.where),
        **_class(entity.device_class),
    }


@options.register
def _(entity: Image, place: Place) -> Options:
    topic = place.topic(entity.url)
    return {
        "platform": "image",
        "url_topic": topic,
        "url_template": templates.picture(entity.url.path),
        "availability": [_available(topic, templates.picture_known(entity.url.path))],
    }


@options.register
def _(entity: Button, place: Place) -> Options:
    pressed = msgspec.json.encode(entity.data).decode()
    return {
        "platform": "button",
        "command_topic": place.command_topic(entity.command),
        "payload_press": pressed,
        **_class(entity.device_class),
    }


@options.register
def _(entity: Notify, place: Place) -> Options:
    return {"platform": "notify", **_asking(entity, place, entity.text)}


@options.register
def _(entity: Text, place: Place) -> Options:
    longest = min(entity.longest, templates.LONGEST_STATE)
    found = {"platform": "text", **_asking(entity, place, entity.text), "max": longest}
    if entity.value is not None:
        found["state_topic"] = place.topic(entity.value)
        found["value_template"] = templates.typed(_path(entity.value), longest)
    return found


@options.register
def _(entity: Select, place: Place) -> Options:
    return {
        "platform": "select",
        **_asking(entity, place, entity.choice),
        "options": list(entity.options),
        "state_topic": place.topic(entity.value),
        "value_template": templates.choice(_path(entity.value), templates.PLAIN, entity.options),
    }


@options.register
def _(entity: Update, place: Place) -> Options:
    found: Options = {
        "platform": "update",
        "device_class": "firmware",
        "state_topic": place.topic(entity.installed),
        "value_template": templates.version(_path(entity.installed)),
        "latest_version_topic": place.topic(entity.latest),
        "latest_version_template": templates.latest_version(_path(entity.latest)),
    }
    if title := line(entity.title):
        found["title"] = title
    if entity.release_url:
        found["release_url"] = entity.release_url
    return found


def _sensor_template(entity: Sensor, unit: str, shown_in: str) -> str:
    path = _path(entity.value)
    if entity.options:
        return templates.choice(path, entity.expression, entity.options)
    if entity.device_class in NOT_NUMBERS:
        return templates.moment(path, entity.expression)
    if shown_in or entity.state_class or entity.device_class or entity.precision is not None:
        decimals = _DECIMALS if entity.precision is None else entity.precision + _MORE_DECIMALS
        factors = None if unit == shown_in else conversion(unit, shown_in)
        return templates.number(path, entity.expression, conversion=factors, decimals=decimals)
    return templates.text(path, entity.expression)


def _units(entity: Sensor, place: Place) -> tuple[str, str]:
    """Return the unit of a value and the one to show it in.

    Home Assistant converts what is metric where it measures otherwise, so that is also for those who leave it to it.
    """
    unit = _micro(entity.unit)
    shown_in = _micro(entity.shown_as[place.system == "imperial"])
    known = not shown_in or conversion(unit, shown_in) is not None
    return unit, (shown_in or unit) if known else unit


def _micro(unit: str) -> str:
    """Return a unit with the one of two alike letters that every version of Home Assistant takes for micro."""
    return unit.replace("\u03bc", "\u00b5")


def _asking(entity: Asking, place: Place, key: str) -> Options:
    return {
        "command_topic": place.command_topic(entity.command),
        "command_template": templates.command(entity.data, key),
    }


def _class(device_class: str) -> Mapping[str, str]:
    return {"device_class": device_class} if device_class else {}


def _available(topic: str, template: str) -> Options:
    return {"topic": topic, "value_template": template}


def _path(source: Source) -> str:
    match source:
        case At(path=path) | OfStatus(path=path) | OfBus(path=path):
            return path
