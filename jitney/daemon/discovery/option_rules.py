"""What each option of an announcement can be, and which options the platforms have, whatever the version.

A rule is a function of a value that returns what is wrong with it, empty when nothing is. Options that only some of
Home Assistant 2024.11, 2026.2 and 2026.11 know are not among them: the others would drop them without a word.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from jitney.daemon.discovery import sensor_classes
from jitney.daemon.discovery.template_rules import template_fault
from jitney.daemon.discovery.templates import LONGEST_STATE
from jitney.daemon.discovery.texts import is_address

Rule = Callable[[Any], str]

LONGEST_TOPIC: Final = 65_535

_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
_NONCHARACTER: Final = 0xFFFE
_ICON: Final = re.compile(r"[a-z0-9_-]+:[a-z0-9_-]+")
_HOME: Final = "homeassistant://"


def text(value: Any) -> str:  # noqa: ANN401 - JSON, as for all rules
    """Check a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        return "expected a text"
    return "" if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value) else "has half a character"


def name(value: Any) -> str:  # noqa: ANN401
    """Check the name of an entity; none is that of its device."""
    return "" if value is None else text(value)


def flag(value: Any) -> str:  # noqa: ANN401
    """Check a yes or no."""
    return "" if isinstance(value, bool) else "expected true or false"


def count(value: Any) -> str:  # noqa: ANN401
    """Check a whole number that is not negative."""
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "expected a whole number"


def template(value: Any) -> str:  # noqa: ANN401
    """Check a template."""
    return text(value) or template_fault(value)


def topic(value: Any) -> str:  # noqa: ANN401
    """Check a topic to publish on."""
    if fault := topic_filter(value):
        return fault
    return "expected a topic without wildcards" if "+" in value or "#" in value else ""


def topic_filter(value: Any) -> str:  # noqa: ANN401
    """Check a topic to subscribe to."""
    if fault := text(value):
        return fault
    if len(value.encode()) > LONGEST_TOPIC:
        return f"is longer than the {LONGEST_TOPIC} bytes of MQTT"
    if _FORBIDDEN.search(value) or any(ord(char) & _NONCHARACTER == _NONCHARACTER for char in value):
        return "has a character that no topic can have"
    levels = value.split("/")
    if any("+" in level and level != "+" for level in levels):
        return "a '+' is a level by itself"
    if "#" in value and (levels[-1] != "#" or value.count("#") > 1):
        return "a '#' is the last level"
    return ""


def icon(value: Any) -> str:  # noqa: ANN401
    """Check the name of an icon."""
    return "" if isinstance(value, str) and _ICON.fullmatch(value) else "expected an icon like mdi:home"


def address(value: Any) -> str:  # noqa: ANN401
    """Check the address of a page or a picture."""
    return "" if isinstance(value, str) and is_address(value) else "expected an http or https address"


def page(value: Any) -> str:  # noqa: ANN401
    """Check the address of a page, or of one of Home Assistant itself."""
    if isinstance(value, str) and value.startswith(_HOME):
        return address("http://" + value.removeprefix(_HOME))
    return address(value)


def words(value: Any) -> str:  # noqa: ANN401
    """Check a list of different texts that can be states; ``none`` means unknown."""
    if not isinstance(value, list) or not value:
        return "expected a list of texts"
    if any(text(one) or len(one) > LONGEST_STATE or one != one.strip() for one in value):
        return f"expected texts of at most {LONGEST_STATE} characters with no space around"
    if any(one.lower() == "none" for one in value):
        return "none is not a choice: it means unknown"
    return "" if len(set(value)) == len(value) else "has the same text twice"


def among(allowed: Collection[object]) -> Rule:
    """Return the rule that a value is one of some."""

    def rule(value: Any) -> str:  # noqa: ANN401
        known = isinstance(value, str | int) and not isinstance(value, bool) and value in allowed
        return "" if known else f"expected one of {', '.join(sorted(map(str, allowed)))}"

    return rule


_BINARY_CLASSES: Final = """
battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion moving
occupancy opening plug power presence problem running safety smoke sound tamper update vibration window
"""

ENTITY_CATEGORIES: Final = frozenset({"config", "diagnostic"})

CLASSES: Final[Mapping[str, Collection[str]]] = {
    "sensor": sensor_classes.CLASSES,
    "binary_sensor": frozenset(_BINARY_CLASSES.split()),
    "button": frozenset({"identify", "restart", "update"}),
    "event": frozenset({"button", "doorbell", "motion"}),
    "update": frozenset({"firmware"}),
}
"""The device classes of each platform that has any."""

OPTIONS: Final[Mapping[str, Rule]] = {
    "platform": text,
    "unique_id": text,
    "name": name,
    "icon": icon,
    "entity_category": among(ENTITY_CATEGORIES),
    "enabled_by_default": flag,
    "entity_picture": address,
    "qos": among({0, 1, 2}),
    "encoding": among({"utf-8"}),
    "json_attributes_topic": topic_filter,
    "json_attributes_template": template,
    "availability_mode": among({"all", "any", "latest"}),
    "state_topic": topic_filter,
    "value_template": template,
    "command_topic": topic,
    "command_template": template,
    "retain": flag,
    "optimistic": flag,
    "unit_of_measurement": text,
    "state_class": among(sensor_classes.STATE_CLASSES),
    "suggested_display_precision": count,
    "expire_after": count,
    "force_update": flag,
    "last_reset_value_template": template,
    "options": words,
    "off_delay": count,
    "payload_on": text,
    "payload_off": text,
    "payload_home": text,
    "payload_not_home": text,
    "payload_reset": text,
    "payload_press": text,
    "payload_install": text,
    "source_type": among({"gps", "router", "bluetooth", "bluetooth_le"}),
    "event_types": words,
    "url_topic": topic_filter,
    "url_template": template,
    "image_topic": topic_filter,
    "image_encoding": among({"b64", "raw"}),
    "content_type": text,
    "min": count,
    "max": count,
    "mode": among({"text", "password"}),
    "latest_version_topic": topic_filter,
    "latest_version_template": template,
    "display_precision": count,
    "title": text,
    "release_summary": text,
    "release_url": address,
}
"""The rule of every option but ``availability`` and ``device_class``."""

_EVERYWHERE: Final = """
platform unique_id name icon entity_category enabled_by_default entity_picture qos encoding json_attributes_topic
json_attributes_template availability availability_mode
"""
_BY_PLATFORM: Final = {
    "sensor": """state_topic value_template device_class unit_of_measurement state_class suggested_display_precision
        expire_after force_update last_reset_value_template options""",
    "binary_sensor": """state_topic value_template device_class expire_after force_update off_delay payload_on
        payload_off""",
    "device_tracker": "state_topic value_template payload_home payload_not_home payload_reset source_type",
    "event": "state_topic value_template device_class event_types",
    "image": "url_topic url_template image_topic image_encoding content_type",
    "button": "command_topic command_template device_class payload_press retain",
    "notify": "command_topic command_template retain",
    "text": "command_topic command_template state_topic value_template retain optimistic min max mode",
    "select": "command_topic command_template state_topic value_template retain optimistic options",
    "update": """state_topic value_template command_topic device_class display_precision latest_version_topic
        latest_version_template payload_install release_summary release_url retain title""",
}

PLATFORMS: Final = {name: frozenset((_EVERYWHERE + own).split()) for name, own in _BY_PLATFORM.items()}
"""The options of each platform."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "sensor": ("state_topic",),
    "binary_sensor": ("state_topic",),
    "event": ("state_topic", "event_types"),
    "button": ("command_topic",),
    "notify": ("command_topic",),
    "text": ("command_topic",),
    "select": ("command_topic", "options"),
    "update": ("state_topic",),
}
"""What a platform cannot do without."""

DEVICE: Final[Mapping[str, Rule]] = {
    "manufacturer": text,
    "model": text,
    "model_id": text,
    "name": text,
    "hw_version": text,
    "serial_number": text,
    "sw_version": text,
    "via_device": text,
    "suggested_area": text,
    "configuration_url": page,
}
"""The options of a device but ``identifiers``."""

ORIGIN: Final[Mapping[str, Rule]] = {"name": text, "sw_version": text, "support_url": page}
"""The options of what announces it."""
