"""What Home Assistant accepts of an announcement: it refuses the rest with no more than a line in its own log.

So nothing is published that has not passed here. The rules are those that 2024.11, 2026.2 and 2026.11 have in common,
and a little stricter: what they accept but drop, ignore or warn about is a fault too.
Source: https://www.home-assistant.io/integrations/mqtt/#discovery-payload
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from jitney.daemon.discovery import option_rules, sensor_classes
from jitney.daemon.discovery.option_rules import Rule
from jitney.daemon.discovery.templates import LONGEST_STATE

_KEY: Final = re.compile(r"[a-zA-Z0-9_-]+")
_TOMBSTONE: Final = frozenset({"platform"})
_SHARED: Final = ("availability", "availability_mode", "state_topic", "command_topic")
"""What a component has from its device when it does not say otherwise."""

_TOP: Final = frozenset({"device", "origin", "components", "qos", "encoding", *_SHARED})
_AVAILABLE: Final[Mapping[str, Rule]] = {
    "topic": option_rules.topic,
    "value_template": option_rules.template,
    "payload_available": option_rules.text,
    "payload_not_available": option_rules.text,
}
_NOT_FOR_SETTINGS: Final = frozenset({"sensor", "binary_sensor"})


class Fault(Struct, frozen=True):
    """What is wrong with the component ``key``, or with the whole announcement where that is empty."""

    key: str
    text: str


def faults(payload: Mapping[str, Any], *, per_component: bool = False) -> list[Fault]:
    """Return everything for which Home Assistant would refuse an announcement, or a part of it.

    ``per_component``: it is that of a single entity, which says its platform as a component does.
    """
    found = [Fault("", text) for text in _identity(payload)]
    if per_component:
        own = {key: value for key, value in payload.items() if key not in {"device", "origin"}}
        return found + [Fault("", text) for text in _component(own, {})]
    found += [Fault("", text) for text in _availability(payload)]
    if unknown := payload.keys() - _TOP:
        found.append(Fault("", f"unknown: {_list(unknown)}"))
    found += [Fault("", text) for text in _values({key: payload[key] for key in payload.keys() & option_rules.OPTIONS})]
    components = payload.get("components")
    if not isinstance(components, Mapping) or not components:
        return [*found, Fault("", "components: expected at least one")]
    shared = {key: payload[key] for key in _SHARED if key in payload}
    ids = Counter(_unique(one) for one in components.values())
    for key, one in components.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            found.append(Fault(str(key), "expected a key of letters, digits, '-' and '_'"))
        if not isinstance(one, Mapping):
            found.append(Fault(str(key), "expected options"))
            continue
        found += [Fault(str(key), text) for text in _component(one, shared)]
        if _unique(one) is not None and ids[_unique(one)] > 1:
            found.append(Fault(str(key), "unique_id: another component has the same"))
    return found


def _identity(payload: Mapping[str, Any]) -> Iterator[str]:
    """Check what the device and what announces it are."""
    device = payload.get("device")
    if not isinstance(device, Mapping):
        yield "device: expected what it is"
    else:
        identifiers = device.get("identifiers")
        if not isinstance(identifiers, list) or not identifiers or any(map(option_rules.text, identifiers)):
            yield "device.identifiers: expected at least one text"
        own = {key: value for key, value in device.items() if key != "identifiers"}
        yield from _members("device", own, option_rules.DEVICE, required="name")
    origin = payload.get("origin")
    if not isinstance(origin, Mapping):
        yield "origin: expected what announces it"
    else:
        yield from _members("origin", origin, option_rules.ORIGIN, required="name")


def _members(what: str, given: Mapping[str, Any], rules: Mapping[str, Rule], *, required: str) -> Iterator[str]:
    if required not in given:
        yield f"{what}: {required} is missing"
    for key, value in given.items():
        rule = rules.get(key)
        if rule is None:
            yield f"{what}: unknown: {key}"
        elif fault := rule(value):
            yield f"{what}.{key}: {fault}"


def _availability(given: Mapping[str, Any]) -> Iterator[str]:
    """Check what must be online; of two with the same topic Home Assistant would see the last one only."""
    entries = given.get("availability", [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        yield "availability: expected a list"
        return
    for entry in entries:
        yield from _members("availability", entry, _AVAILABLE, required="topic")
    if any(number > 1 for number in Counter(str(entry.get("topic")) for entry in entries).values()):
        yield "availability: the same topic twice"


def _component(given: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    """Check one component with what it has from its device."""
    platform = given.get("platform")
    known = option_rules.PLATFORMS.get(platform) if isinstance(platform, str) else None
    if known is None:
        yield f"platform: expected one of {_list(option_rules.PLATFORMS)}"
        return
    if given.keys() == _TOMBSTONE:
        return
    if "unique_id" not in given:
        yield "unique_id is missing"
    if unknown := given.keys() - known:
        yield f"unknown to {platform}: {_list(unknown)}"
    yield from _availability(given)
    wrong = list(_values(given)) or list(_class(str(platform), given))
    yield from wrong
    if not wrong:
        yield from _together(str(platform), {**{key: one for key, one in shared.items() if key in known}, **given})


def _together(platform: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Check options that each are right."""
    for key in option_rules.REQUIRED.get(platform, ()):
        if key not in given:
            yield f"{key} is missing"
    if platform in _NOT_FOR_SETTINGS and given.get("entity_category") == "config":
        yield f"entity_category: a {platform} is no setting"
    if (rules := _PLATFORM_RULES.get(platform)) is not None:
        yield from rules(given)


def _class(platform: str, given: Mapping[str, Any]) -> Iterator[str]:
    classes = option_rules.CLASSES.get(platform)
    if classes and "device_class" in given and (fault := option_rules.among(classes)(given["device_class"])):
        yield f"device_class: {fault}"


def _values(given: Mapping[str, Any]) -> Iterator[str]:
    for key, value in given.items():
        rule = option_rules.OPTIONS.get(key)
        if rule is not None and (fault := rule(value)):
            yield f"{key}: {fault}"


def _sensor(given: Mapping[str, Any]) -> Iterator[str]:
    device_class = given.get("device_class")
    unit = given.get("unit_of_measurement", "")
    state_class = given.get("state_class")
    if ("options" in given) is not (device_class == "enum"):
        yield "options: what the class enum has, and no other"
    if device_class in sensor_classes.NOT_NUMBERS:
        for key in ("unit_of_measurement", "state_class", "suggested_display_precision"):
            if key in given:
                yield f"{key}: a {device_class} is no number"
    elif device_class is not None:
        units = sensor_classes.UNITS.get(device_class)
        if units is not None and unit not in units:
            yield f"unit_of_measurement: expected one of {_list(unit or 'none' for unit in units)} with {device_class}"
        if state_class is not None and state_class not in sensor_classes.CLASSES[device_class]:
            yield f"state_class: not {state_class} with {device_class}"
    if "last_reset_value_template" in given and state_class != "total":
        yield "last_reset_value_template: only with the state class total"


def _tracker(given: Mapping[str, Any]) -> Iterator[str]:
    if "state_topic" not in given and "json_attributes_topic" not in given:
        yield "state_topic or json_attributes_topic is missing"


def _image(given: Mapping[str, Any]) -> Iterator[str]:
    if ("url_topic" in given) is ("image_topic" in given):
        yield "url_topic or image_topic: expected one of them"
    if "url_topic" in given and given.keys() & {"content_type", "image_encoding"}:
        yield "content_type, image_encoding: not with url_topic"


def _text(given: Mapping[str, Any]) -> Iterator[str]:
    least, most = given.get("min", 0), given.get("max", LONGEST_STATE)
    if isinstance(least, int) and isinstance(most, int) and not least <= most <= LONGEST_STATE:
        yield f"min, max: expected lengths up to {LONGEST_STATE}"


def _update(given: Mapping[str, Any]) -> Iterator[str]:
    if ("command_topic" in given) is not ("payload_install" in given):
        yield "command_topic, payload_install: one needs the other"


_PLATFORM_RULES: Final = {
    "sensor": _sensor,
    "device_tracker": _tracker,
    "image": _image,
    "text": _text,
    "update": _update,
}


def _unique(component: Any) -> tuple[str, str] | None:  # noqa: ANN401 - JSON
    """Return what no other component of the platform may have."""
    if not isinstance(component, Mapping) or "unique_id" not in component:
        return None
    return str(component.get("platform")), str(component["unique_id"])


def _list(names: Any) -> str:  # noqa: ANN401 - any texts
    return ", ".join(sorted(map(str, names)))
