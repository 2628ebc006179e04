"""Templates, rendered with everything that a topic can have."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.adapters.entities import (
    At,
    BinarySensor,
    DeviceTracker,
    EventEntity,
    Image,
    Notify,
    OfStatus,
    Select,
    Sensor,
    Text,
    Update,
)
from jitney.daemon.discovery import templates
from tests.daemon.discovery.announcing import commanded, component, place, rendered

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "items", "get", "latitude", "0"]), inner)
    ),
    max_leaves=12,
)
NASTY = st.text(st.sampled_from("ab{}%#'\"\\ \n\r\x00+/-é😀.0u"), max_size=12) | st.text(max_size=8)
PATHS = st.sampled_from(["", "0", "0.a", "a", "a.b", "a.0", "a.0.items", "items", "get.a", "a.b.a.b", "latitude"])

NUMBER = Sensor(key="x", value=At("s", "a"), unit="m")


def test_a_value_that_is_missing_is_unknown() -> None:
    template = component(NUMBER)["value_template"]
    for raw in ("", "{}", "[]", "null", "7", "not json", '{"a": null}', '{"a": []}', '{"a": true}', '{"a": "7"}'):
        assert rendered(template, None, raw=raw) == "None"
    assert rendered(template, {"a": 0}) == "0"
    assert rendered(template, {"a": -7.5}) == "-7.5"


def test_a_path_goes_through_objects_and_lists() -> None:
    template = component(Sensor(key="x", value=At("s", "days.1.high")))["value_template"]
    assert rendered(template, {"days": [{"high": 1}, {"high": 2}]}) == "2"
    assert rendered(template, {"days": {"1": {"high": "three"}}}) == "three"
    assert rendered(template, {"days": [{"high": 1}]}) == "None"
    assert rendered(template, {"days": "Monday"}) == "None"


@pytest.mark.parametrize(
    "key", ["items", "keys", "values", "get", "copy", "it's", "a b", "a-b", "{{ 7 * 7 }}", "!a1b2", "%}"]
)
def test_a_key_can_be_any_text(key: str) -> None:
    template = component(Sensor(key="x", value=At("s", key)))["value_template"]
    assert rendered(template, {key: "found"}) == "found"
    assert rendered(template, {"other": 1}) == "None"


@settings(deadline=None, max_examples=50)
@given(PATHS, JSON)
def test_no_template_ever_fails(path: str, payload: object) -> None:
    value = At("s", path)
    for entity in (
        Sensor(key="x", value=value),
        Sensor(key="x", value=value, unit="m", shown_as=("km", "mi")),
        Sensor(key="x", value=value, device_class="enum", options=("a", "b")),
        Sensor(key="x", value=value, attributes=value),
        BinarySensor(key="x", value=value, on=(True, 3, "yes")),
        Text(key="x", command="c", value=value),
        Select(key="x", command="c", choice="k", options=("a", "b"), value=value),
        DeviceTracker(key="x", place=value, attributes=value),
        Image(key="x", url=value),
        EventEntity(key="x", kinds=("a",), where=(path, "b")),
        Update(key="x", installed=value, latest=value),
    ):
        for template in _read(component(entity)):
            rendered(template, payload)
            rendered(template, {"state": payload, "type": payload, "data": payload, "latitude": payload})
            rendered(template, None, raw=str(payload))


def test_numbers_are_shown_in_the_units_of_their_owner() -> None:
    sensor = Sensor(key="x", value=At("s", "a"), unit="m", shown_as=("km", "mi"), device_class="distance", precision=1)
    metric, imperial, native = (component(sensor, place(system=system)) for system in ("metric", "imperial", "native"))
    assert [one["unit_of_measurement"] for one in (metric, imperial, native)] == ["km", "mi", "km"]
    assert rendered(metric["value_template"], {"a": 12345}) == "12.345"
    assert rendered(imperial["value_template"], {"a": 12345}) == "7.671"
    assert metric["suggested_display_precision"] == 1


def test_a_unit_that_nothing_converts_to_is_not_shown() -> None:
    found = component(Sensor(key="x", value=At("s", "a"), unit="m", shown_as=("leagues", "")))
    assert found["unit_of_measurement"] == "m"


def test_an_expression_sees_only_what_is_there() -> None:
    sensor = Sensor(key="x", value=At("s", "a"), unit="min", expression="value / 60 if value else 0", precision=0)
    template = component(sensor)["value_template"]
    assert rendered(template, {"a": 90}) == "1.5"
    assert rendered(template, {}) == "None"
    dates = Sensor(key="x", value=At("s", "a"), device_class="timestamp", expression="value[:10]")
    assert rendered(component(dates)["value_template"], {"a": "2026-05-04T06:00:00Z"}) == "2026-05-04"


def test_a_text_is_cut_to_what_a_state_can_be() -> None:
    template = component(Sensor(key="x", value=At("s", "a")))["value_template"]
    assert rendered(template, {"a": "é" * 1000}) == "é" * 255
    assert rendered(template, {"a": "  "}) == "None"
    typed = component(Text(key="x", command="c", value=At("s", "a"), longest=20))
    assert typed["max"] == 20
    assert rendered(typed["value_template"], {"a": "x" * 300}) == "x" * 20
    assert rendered(typed["value_template"], {}) == ""


def test_what_is_not_among_the_options_is_unknown() -> None:
    for entity in (
        Sensor(key="x", value=At("s", "a"), device_class="enum", options=("a", "it's")),
        Select(key="x", command="c", choice="k", value=At("s", "a"), options=("a", "it's")),
    ):
        template = component(entity)["value_template"]
        assert rendered(template, {"a": "it's"}) == "it's"
        assert rendered(template, {"a": "c"}) == "None"


def test_a_binary_sensor_is_on_off_or_unknown() -> None:
    template = component(BinarySensor(key="x", value=OfStatus("state"), on=("online", "degraded")))["value_template"]
    assert [rendered(template, {"state": word}) for word in ("online", "failed", None)] == ["ON", "OFF", "None"]
    flag = component(BinarySensor(key="x", value=At("s", "a")))["value_template"]
    assert [rendered(flag, {"a": value}) for value in (True, False, 0)] == ["ON", "OFF", "OFF"]


def test_a_place_is_shown_with_nothing_else_of_the_state() -> None:
    found = component(DeviceTracker(key="x", place=At("s", "position")))
    state = {"position": {"latitude": 52.5, "longitude": 13.4, "accuracy": 30, "altitude": 34}, "battery": 50}
    assert json.loads(rendered(found["json_attributes_template"], state)) == {
        "latitude": 52.5,
        "longitude": 13.4,
        "gps_accuracy": 30,
    }
    known = found["availability"][-1]["value_template"]
    assert rendered(known, state) == "online"
    for nowhere in ({}, {"position": None}, {"position": {"latitude": 52.5, "longitude": None}}):
        assert rendered(found["json_attributes_template"], nowhere) == "{}"
        assert rendered(known, nowhere) == "offline"


def test_a_place_can_have_attributes_of_its_subject() -> None:
    found = component(DeviceTracker(key="x", place=At("s"), attributes=At("s", "more")))
    state = {"latitude": 1, "longitude": 2, "more": {"speed": 3, "latitude": 9}}
    assert json.loads(rendered(found["json_attributes_template"], state)) == {
        "latitude": 1,
        "longitude": 2,
        "gps_accuracy": 0,
        "speed": 3,
    }
    with pytest.raises(ValueError, match="attributes: expected to be of the subject 's'"):
        DeviceTracker(key="x", place=At("s"), attributes=At("t"))


def test_attributes_that_are_too_much_are_left_out() -> None:
    template = component(Sensor(key="x", value=At("s", "a"), attributes=At("s", "b")))["json_attributes_template"]
    assert json.loads(rendered(template, {"b": {"c": 1}})) == {"c": 1}
    assert rendered(template, {"b": {"c": "x" * 16_000}}) == "{}"
    assert rendered(template, {"b": [1]}) == "{}"


def test_a_picture_is_an_address_or_not_available() -> None:
    found = component(Image(key="x", url=At("s", "a")))
    known = found["availability"][-1]["value_template"]
    assert rendered(found["url_template"], {"a": "https://example.org/1.jpg"}) == "https://example.org/1.jpg"
    assert rendered(known, {"a": "https://example.org/1.jpg"}) == "online"
    for other in (None, "", "http", "http://", "https:///x", "ftp://example.org/", "http://a b/", 7, []):
        assert rendered(found["url_template"], {"a": other}) == templates.NO_PICTURE
        assert rendered(known, {"a": other}) == "offline"


def test_an_event_is_its_kind_and_its_data() -> None:
    found = component(EventEntity(key="x", kinds=("activity.created", "gear.changed")))
    assert found["state_topic"] == "jitney/alice/event/mesh/+"
    event = {"type": "strava.activity.created", "data": {"name": "Morning ride", "event_type": "x"}}
    assert json.loads(rendered(found["value_template"], event)) == {
        "event_type": "activity.created",
        "name": "Morning ride",
    }
    for other in ({}, {"type": "strava.activity.deleted", "data": {}}, {"type": 7}, {"type": "activity.created"}, []):
        assert rendered(found["value_template"], other) == ""
    long = {"type": "strava.gear.changed", "data": {"name": "x" * 20_000}}
    assert json.loads(rendered(found["value_template"], long)) == {"event_type": "gear.changed"}


@settings(deadline=None)
@given(NASTY, NASTY, NASTY)
def test_an_event_is_shown_where_its_data_say_so(kind: str, wanted: str, other: str) -> None:
    entity = EventEntity(key="x", kinds=("a",), where=("node", wanted))
    template = component(entity)["value_template"]
    shown = rendered(template, {"type": "mesh.a", "data": {"node": other, "kind": kind}})
    assert (shown != "") == (other == wanted)
    if shown:
        assert json.loads(shown) == {"event_type": "a", "node": other, "kind": kind}


@settings(deadline=None)
@given(NASTY, NASTY, st.dictionaries(NASTY, JSON, max_size=3))
def test_a_command_has_what_was_typed_and_nothing_is_code(typed: str, key: str, data: dict[str, Any]) -> None:
    template = component(Notify(key="x", command="send", data=data, text=key))["command_template"]
    assert commanded(template, typed) == {**data, key: typed}


@settings(deadline=None)
@given(JSON | NASTY)
def test_a_literal_is_the_value(value: object) -> None:
    template = "{{ " + templates.literal(value) + " | tojson }}"
    assert json.loads(rendered(template, None)) == value


def test_a_literal_of_anything_else_is_refused() -> None:
    for thing in (object(), float("nan"), float("inf"), b"bytes"):
        with pytest.raises(TypeError, match="nothing that JSON has"):
            templates.literal(thing)


def test_versions_are_texts_and_what_is_missing_changes_nothing() -> None:
    found = component(Update(key="x", installed=At("s", "now"), latest=At("s", "next"), title="Firmware"))
    assert json.loads(rendered(found["value_template"], {"now": "2.7.11"})) == {"installed_version": "2.7.11"}
    assert rendered(found["value_template"], {}) == "{}"
    assert rendered(found["latest_version_template"], {"next": "2.7.12"}) == "2.7.12"
    assert rendered(found["latest_version_template"], {"next": None}) == ""


def test_availability_follows_the_bus_and_the_adapter() -> None:
    entity = DeviceTracker(key="x", place=At("s"))
    bus, adapter, _ = component(entity)["availability"]
    assert (bus["topic"], adapter["topic"]) == ("jitney/_bus/main/state", "jitney/alice/status/mesh")
    assert [rendered(bus["value_template"], {"state": word}) for word in ("online", "offline")] == ["online", "offline"]
    words = ("connecting", "online", "degraded", "offline", "reauth", "failed")
    assert [word for word in words if rendered(adapter["value_template"], {"state": word}) == "online"] == [
        "online",
        "degraded",
    ]
    for gone in (bus, adapter):
        assert rendered(gone["value_template"], None, raw="") == "offline"


def _read(options: dict[str, Any]) -> list[str]:
    found = [value for key, value in options.items() if key.endswith("_template") and key != "command_template"]
    return found + [entry["value_template"] for entry in options.get("availability", [])]
