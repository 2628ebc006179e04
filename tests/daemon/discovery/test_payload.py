"""What is published of a device."""

import re
from typing import get_args

import msgspec
from hypothesis import given, settings

from jitney.adapters.entities import AnyEntity, At, Button, Device, Sensor
from jitney.daemon.discovery import devices as known
from jitney.daemon.discovery import rules
from jitney.daemon.discovery.payload import Place, announcements
from jitney.topics import HOUSE, TopicTree
from tests.daemon.discovery.announcing import PREFIX, announced, certain, component, each_announced, golden, place
from tests.daemon.discovery.every import ENTITIES, EVERYTHING, devices

TOPIC = re.compile(r"homeassistant/\w+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")

LEVEL = Sensor(key="level", name="Level", value=At("tank", "level"), unit="%")


def test_the_device_of_all_tests_has_every_entity() -> None:
    assert {type(entity) for entity in ENTITIES} == set(get_args(AnyEntity))


def test_every_entity() -> None:
    metric, imperial, native = (
        announced(EVERYTHING, place(system="metric")).payload,
        announced(EVERYTHING, place(system="imperial")).payload,
        announced(EVERYTHING, place(system="native")).payload,
    )
    golden("everything-metric", metric)
    golden("everything-imperial", imperial)
    assert native == metric


def test_every_entity_by_itself() -> None:
    whole = announced(EVERYTHING).payload
    shared = {name: value for name, value in whole.items() if name != "components"}
    found = each_announced(EVERYTHING)
    assert found.keys() == {f"alice--mesh--a1b2c3d4--{key}" for key in whole["components"]}
    for key, options in whole["components"].items():
        alone = found[f"alice--mesh--a1b2c3d4--{key}"]
        assert alone.topic.split("/")[1] == options["platform"]
        assert alone.payload == shared | options


def test_an_entity_by_itself() -> None:
    (found,) = each_announced(Device(key="tank", name="Tank", entities=(LEVEL,))).values()
    assert found.topic == "homeassistant/sensor/jitney-main/alice--mesh--tank--level/config"
    golden("one-per-component", found.payload)


def test_the_bus() -> None:
    found = announced(known.bus("main", "1.2.3"), place(HOUSE, ""))
    assert found.topic == "homeassistant/device/jitney-main/bus/config"
    golden("bus", found.payload)


def test_an_adapter() -> None:
    (device,) = known.of_adapter((), adapter="mesh", kind="meshtastic", owner="Alice")
    found = announced(device)
    assert found.topic == "homeassistant/device/jitney-main/alice--mesh/config"
    golden("adapter", found.payload)


def test_a_device_comes_through_its_adapter_and_that_through_the_bus() -> None:
    bus = announced(Device(name="Jitney", entities=(LEVEL,)), place(HOUSE, "")).payload["device"]
    adapter = announced(Device(name="Mesh", entities=(LEVEL,))).payload["device"]
    node = announced(Device(key="a1", name="Cabin", entities=(LEVEL,))).payload["device"]
    assert node["via_device"] in adapter["identifiers"]
    assert adapter["via_device"] in bus["identifiers"]
    assert "via_device" not in bus


def test_an_adapter_comes_through_nothing_where_the_bus_is_not_shown() -> None:
    apart = Place(tree=TopicTree(), instance="main", owner="bob", adapter="mesh", below_bus=False)
    assert "via_device" not in announced(Device(name="Mesh", entities=(LEVEL,)), apart).payload["device"]
    assert "via_device" in announced(Device(key="a1", name="Cabin", entities=(LEVEL,)), apart).payload["device"]


def test_a_device_without_entities_is_not_announced() -> None:
    for per_component in (True, False):
        assert not list(announcements(Device(name="Bare"), place(), prefix=PREFIX, per_component=per_component))


def test_an_entity_is_only_for_those_who_measure_like_that() -> None:
    paces = Device(
        name="Run",
        entities=tuple(Sensor(key=one, value=At("run", "pace"), system=one) for one in ("metric", "imperial")),
    )
    for system, shown in (("metric", "metric"), ("imperial", "imperial"), ("native", "metric")):
        assert set(announced(paces, place(system=system)).payload["components"]) == {shown}


def test_only_addresses_of_pages_are_shown() -> None:
    for url in (
        "",
        "cabin.local",
        "ftp://cabin.local",
        "http://",
        "http://a b/",
        "http://cabin:x/",
        "http://[",
        "http://a:0",
    ):
        device = announced(Device(name="Cabin", url=url, entities=(LEVEL,))).payload["device"]
        assert "configuration_url" not in device
    device = announced(Device(name="Cabin", url="https://cabin.local:8443/x", entities=(LEVEL,))).payload["device"]
    assert device["configuration_url"] == "https://cabin.local:8443/x"


def test_names_are_one_line_of_visible_characters() -> None:
    device = Device(name=" Cabin\n\x00 at  the \u2028lake ", entities=(LEVEL,))
    assert announced(device).payload["device"]["name"] == "Cabin at the lake"
    long = announced(Device(name="x" * 10_000, entities=(LEVEL,))).payload["device"]["name"]
    assert len(long) == 100
    assert announced(Device(key="a1", name="\x07", entities=(LEVEL,))).payload["device"]["name"] == "a1"


def test_an_entity_without_a_name_is_called_like_its_device() -> None:
    assert component(Sensor(key="level", value=At("tank")))["name"] is None


def test_the_letter_for_micro_is_the_one_that_all_versions_know() -> None:
    for mu in "\u00b5\u03bc":
        sensor = Sensor(key="dust", value=At("air", "pm25"), unit=f"{mu}g/m³", device_class="pm25")
        assert component(sensor)["unit_of_measurement"] == "\u00b5g/m³"


def test_commands_are_never_retained() -> None:
    found = announced(EVERYTHING).payload["components"]
    asking = [one for one in found.values() if "command_topic" in one]
    assert len(asking) == 4
    assert all(one["qos"] == 1 and not one.get("retain") for one in asking)
    pressed = component(Button(key="x", command="reboot", data={"in": 5, "why": "{{ x }}"}))["payload_press"]
    assert msgspec.json.decode(pressed) == {"in": 5, "why": "{{ x }}"}


@settings(deadline=None, max_examples=150)
@given(devices())
def test_any_device_can_be_announced(device: Device) -> None:
    where = place("alice", "my-mesh")
    whole = announced(device, where)
    single = [
        certain(one, per_component=True) for one in announcements(device, where, prefix=PREFIX, per_component=True)
    ]
    topics = [whole.topic, *(one.topic for one in single)]
    assert all(TOPIC.fullmatch(topic) for topic in topics)
    assert len(set(topics)) == len(device.entities) + 1
    assert {one.payload["unique_id"] for one in single} == {
        one["unique_id"] for one in whole.payload["components"].values()
    }
    assert announced(device, where) == whole


def test_a_subject_that_no_topic_can_have_is_a_fault_of_its_entity_alone() -> None:
    device = Device(name="Tank", entities=(LEVEL, Sensor(key="long", value=At("\x00" * 30_000))))
    (found,) = announcements(device, place(), prefix=PREFIX, per_component=False)
    assert rules.faults(found.payload) == [rules.Fault("long", "state_topic: expected a text")]
