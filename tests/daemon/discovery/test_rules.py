"""What Home Assistant would refuse, drop or warn about."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.daemon.discovery import rules, sensor_classes
from jitney.daemon.discovery.option_rules import OPTIONS, PLATFORMS
from tests.daemon.discovery.announcing import announced, each_announced
from tests.daemon.discovery.every import EVERYTHING

GOOD = announced(EVERYTHING).payload


def found(component: str, **options: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return what is wrong after options of a component were changed; ``...`` removes one."""
    payload: Any = copy.deepcopy(GOOD)
    for key, value in options.items():
        if value is ...:
            del payload["components"][component][key]
        else:
            payload["components"][component][key] = value
    faults = rules.faults(payload)
    assert {fault.key for fault in faults} <= {component}
    return {fault.text for fault in faults}


def found_above(**options: Any) -> set[str]:  # noqa: ANN401
    """Return what is wrong with the whole after options beside the components were changed."""
    payload: Any = copy.deepcopy(GOOD)
    for key, value in options.items():
        if value is ...:
            del payload[key]
        else:
            payload[key] = value
    faults = rules.faults(payload)
    assert {fault.key for fault in faults} <= {""}
    return {fault.text for fault in faults}


@pytest.mark.parametrize(
    ("component", "options", "fault"),
    [
        ("battery", {"unique_id": ...}, "unique_id is missing"),
        ("battery", {"unique_id": ""}, "unique_id: expected a text"),
        (
            "battery",
            {"unique_id": GOOD["components"]["heard"]["unique_id"]},
            "unique_id: another component has the same",
        ),
        ("battery", {"state_topic": ...}, "state_topic is missing"),
        ("battery", {"state_topic": "a/b+"}, "state_topic: a '+' is a level by itself"),
        ("battery", {"state_topic": "a/#/b"}, "state_topic: a '#' is the last level"),
        ("battery", {"state_topic": "a\x01"}, "state_topic: has a character that no topic can have"),
        ("battery", {"state_topic": "a\ufffe"}, "state_topic: has a character that no topic can have"),
        ("battery", {"state_topic": "a" * 70_000}, "state_topic: is longer than the 65535 bytes of MQTT"),
        ("battery", {"unit_of_measurement": "V"}, "unit_of_measurement: expected one of % with battery"),
        ("battery", {"unit_of_measurement": ...}, "unit_of_measurement: expected one of % with battery"),
        ("battery", {"unit_of_measurement": " "}, "unit_of_measurement: expected a text"),
        ("battery", {"state_class": "total"}, "state_class: not total with battery"),
        ("battery", {"entity_category": "config"}, "entity_category: a sensor is no setting"),
        ("battery", {"expire_after": -1}, "expire_after: expected a whole number"),
        ("battery", {"expire_after": True}, "expire_after: expected a whole number"),
        ("battery", {"icon": "battery"}, "icon: expected an icon like mdi:home"),
        ("battery", {"name": ""}, "name: expected a text"),
        ("battery", {"name": "\ud800"}, "name: has half a character"),
        ("battery", {"qos": 3}, "qos: expected one of 0, 1, 2"),
        ("battery", {"qos": True}, "qos: expected one of 0, 1, 2"),
        ("battery", {"enabled_by_default": "no"}, "enabled_by_default: expected true or false"),
        ("battery", {"object_id": "x"}, "unknown to sensor: object_id"),
        ("battery", {"suggested_unit_of_measurement": "V"}, "unknown to sensor: suggested_unit_of_measurement"),
        ("battery", {"options": ["a"]}, "options: what the class enum has, and no other"),
        ("battery", {"last_reset_value_template": "x"}, "last_reset_value_template: only with the state class total"),
        ("battery", {"availability": "online"}, "availability: expected a list"),
        ("battery", {"availability": [{"topic": "a"}, {"topic": "a"}]}, "availability: the same topic twice"),
        ("battery", {"availability": [{"topic": "a/+"}]}, "availability.topic: expected a topic without wildcards"),
        ("battery", {"availability": [{"topic": "a", "template": "x"}]}, "availability: unknown: template"),
        ("battery", {"entity_picture": "/local/a.png"}, "entity_picture: expected an http or https address"),
        (
            "battery",
            {"value_template": "{{ value"},
            "value_template: is no template: unexpected end of template, expected 'end of print statement'.",
        ),
        ("battery", {"value_template": "{{ value | shout }}"}, "value_template: uses an unknown filter 'shout'"),
        ("battery", {"value_template": "{{ value is loud }}"}, "value_template: uses an unknown test 'loud'"),
        ("battery", {"value_template": "{{ payload }}"}, "value_template: uses what is not there: payload"),
        ("heard", {"state_class": "measurement"}, "state_class: a timestamp is no number"),
        ("heard", {"unit_of_measurement": "s"}, "unit_of_measurement: a timestamp is no number"),
        ("role", {"options": ...}, "options: what the class enum has, and no other"),
        ("role", {"options": []}, "options: expected a list of texts"),
        ("role", {"options": ["a", "a"]}, "options: has the same text twice"),
        (
            "role",
            {"options": ["a", "x" * 256]},
            "options: expected texts of at most 255 characters with no space around",
        ),
        ("preset", {"options": ["a", "None"]}, "options: none is not a choice: it means unknown"),
        ("preset", {"command_topic": "a/#"}, "command_topic: expected a topic without wildcards"),
        ("place", {"json_attributes_topic": ...}, "state_topic or json_attributes_topic is missing"),
        ("place", {"source_type": "satellite"}, "source_type: expected one of bluetooth, bluetooth_le, gps, router"),
        ("messages", {"event_types": ...}, "event_types is missing"),
        ("send", {"state_topic": "a"}, "unknown to notify: state_topic"),
        ("send", {"command_topic": ...}, "command_topic is missing"),
        ("owner", {"max": 256}, "min, max: expected lengths up to 255"),
        ("owner", {"min": 40}, "min, max: expected lengths up to 255"),
        ("map", {"url_topic": ...}, "url_topic or image_topic: expected one of them"),
        ("map", {"image_topic": "a"}, "url_topic or image_topic: expected one of them"),
        ("map", {"content_type": "image/png"}, "content_type, image_encoding: not with url_topic"),
        ("firmware", {"release_url": "github"}, "release_url: expected an http or https address"),
        ("firmware", {"payload_install": "INSTALL"}, "command_topic, payload_install: one needs the other"),
        ("online", {"entity_category": "config"}, "entity_category: a binary_sensor is no setting"),
    ],
)
def test_a_component_with_a_fault_is_found(component: str, options: dict[str, Any], fault: str) -> None:
    payload: Any = copy.deepcopy(GOOD)
    if options.get("unique_id") == GOOD["components"]["heard"]["unique_id"]:
        payload["components"][component] |= options
        assert rules.faults(payload) == [rules.Fault(key, fault) for key in ("battery", "heard")]
    else:
        assert found(component, **options) == {fault}


def test_classes_are_those_of_the_platform() -> None:
    for component, wrong in (
        ("battery", "connectivity"),
        ("online", "battery_level"),
        ("reboot", "reboot"),
        ("alarm", "bell"),
    ):
        (fault,) = found(component, device_class=wrong)
        assert fault.startswith("device_class: expected one of ")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"origin": ...}, "origin: expected what announces it"),
        ({"origin": {"sw_version": "1"}}, "origin: name is missing"),
        ({"origin": {"name": "Jitney", "url": "https://a.b"}}, "origin: unknown: url"),
        ({"origin": {"name": "Jitney", "support_url": "a.b"}}, "origin.support_url: expected an http or https address"),
        ({"device": ...}, "device: expected what it is"),
        ({"device": {"name": "x"}}, "device.identifiers: expected at least one text"),
        ({"device": {"name": "x", "identifiers": [""]}}, "device.identifiers: expected at least one text"),
        ({"device": {"identifiers": ["x"]}}, "device: name is missing"),
        ({"device": {"name": "x", "identifiers": ["x"], "sn": "1"}}, "device: unknown: sn"),
        ({"device": {"name": 7, "identifiers": ["x"]}}, "device.name: expected a text"),
        (
            {"device": {"name": "x", "identifiers": ["x"], "configuration_url": "x"}},
            "device.configuration_url: expected an http or https address",
        ),
        ({"~": "jitney"}, "unknown: ~"),
        ({"child_devices": []}, "unknown: child_devices"),
        ({"components": {}}, "components: expected at least one"),
        ({"availability_mode": "most"}, "availability_mode: expected one of all, any, latest"),
        ({"availability": {}}, "availability: expected a list"),
        ({"qos": 1.5}, "qos: expected one of 0, 1, 2"),
    ],
)
def test_a_device_with_a_fault_is_found(options: dict[str, Any], fault: str) -> None:
    assert found_above(**options) == {fault}


def test_a_page_of_home_assistant_itself_is_one() -> None:
    device = {"name": "x", "identifiers": ["x"], "configuration_url": "homeassistant://config/mqtt"}
    assert found_above(device=device) == set()


def test_what_takes_a_component_back_is_no_fault() -> None:
    payload: Any = copy.deepcopy(GOOD)
    payload["components"]["battery"] = {"platform": "sensor"}
    assert rules.faults(payload) == []
    payload["components"]["battery"] = {"platform": "thermometer"}
    (fault,) = rules.faults(payload)
    assert fault.key == "battery"
    assert fault.text.startswith("platform: expected one of")


def test_keys_are_levels_of_topics() -> None:
    payload: Any = copy.deepcopy(GOOD)
    payload["components"]["two words"] = payload["components"].pop("battery")
    payload["components"]["none"] = 7
    assert {(fault.key, fault.text) for fault in rules.faults(payload)} == {
        ("two words", "expected a key of letters, digits, '-' and '_'"),
        ("none", "expected options"),
    }


def test_an_entity_by_itself_has_the_same_rules() -> None:
    single: Any = {**each_announced(EVERYTHING)["alice--mesh--a1b2c3d4--battery"].payload}
    assert rules.faults(single, per_component=True) == []
    single |= {"unit_of_measurement": "V", "components": {}, "origin": {}, "availability": [{}]}
    assert {fault.text for fault in rules.faults(single, per_component=True)} == {
        "origin: name is missing",
        "availability: topic is missing",
        "unknown to sensor: components",
        "unit_of_measurement: expected one of % with battery",
    }


def test_a_component_can_have_its_topic_from_the_device() -> None:
    payload: Any = copy.deepcopy(GOOD)
    payload["state_topic"] = payload["components"]["battery"].pop("state_topic")
    assert rules.faults(payload) == []


def test_the_tables_know_the_same_names() -> None:
    assert sensor_classes.UNITS.keys() <= sensor_classes.CLASSES.keys()
    assert all("" in units or units for units in sensor_classes.UNITS.values())
    named = set().union(*PLATFORMS.values()) - {"availability", "device_class"}
    assert named == OPTIONS.keys()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["{{", "a/#", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "qos", "x"]), JSON),
    st.dictionaries(st.sampled_from(sorted({*OPTIONS, "availability", "device_class"})), JSON),
    st.booleans(),
)
def test_any_object_is_judged(above: dict[str, Any], options: dict[str, Any], per_component: bool) -> None:  # noqa: FBT001
    payload: Any = copy.deepcopy(GOOD)
    for key in GOOD["components"]:
        payload["components"][key] |= options
    rules.faults(payload | above, per_component=per_component)
    rules.faults({**payload["components"]["battery"], **above}, per_component=per_component)
    rules.faults(above, per_component=per_component)
