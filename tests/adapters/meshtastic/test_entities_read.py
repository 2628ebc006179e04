"""What a Home Assistant reads of a radio and of nodes through what it is told, and what it says to them."""

import json

from jitney.adapters.meshtastic.measurements import SENSORS
from jitney.adapters.meshtastic.node_record import Node
from jitney.adapters.meshtastic.node_state import NEW_KEY
from jitney.adapters.meshtastic.outline import outline
from tests.adapters.meshtastic.hearing import ARRIVED
from tests.adapters.meshtastic.shown import GARDEN, NODE, by_key, components, encoded, everything, node, read, view
from tests.daemon.discovery.announcing import commanded, place, rendered


def test_a_value_is_that_of_the_state_of_the_node() -> None:
    found = components(by_key(view(nodes=(outline(node()),)))[NODE])
    state = encoded(node())
    shown = {key: read(one, state) for key, one in found.items() if one["platform"] in {"sensor", "binary_sensor"}}
    assert {key: value for key, value in shown.items() if value == "None"} == {}
    assert {
        key: shown[key]
        for key in ("battery_level", "voltage", "snr", "rssi", "hops", "uptime", "last_heard", "silent", "powered")
    } == {
        "battery_level": "87",
        "voltage": "3.94",
        "snr": "6.25",
        "rssi": "-92",
        "hops": "0",
        "uptime": "2.083",
        "last_heard": "2026-11-21T06:00:00.250Z",
        "silent": "OFF",
        "powered": "OFF",
    }
    for path in SENSORS:
        if path.startswith(("environment.", "air_quality.", "power.")) and "wind" not in path and "dist" not in path:
            kind, _, name = path.partition(".")
            assert shown[path.replace(".", "_")] == str(state[kind][name])


def test_values_are_in_the_units_of_their_owner() -> None:
    device = by_key(view(nodes=(outline(node()),)))[NODE]
    state = {
        "environment": {
            "temperature": 21.5,
            "wind_speed": 10,
            "barometric_pressure": 1013.25,
            "rainfall_1h": 25.4,
            "distance": 254,
            "weight": 1,
        },
        "altitude": 1000,
    }
    expected = {
        "environment_temperature": (("21.5", "°C"), ("70.7", "°F")),
        "environment_wind_speed": (("36.0", "km/h"), ("22.369", "mph")),
        "environment_barometric_pressure": (("1013.25", "hPa"), ("29.921", "inHg")),
        "environment_rainfall_1h": (("25.4", "mm"), ("1.0", "in")),
        "environment_distance": (("25.4", "cm"), ("10.0", "in")),
        "environment_weight": (("1", "kg"), ("2.2046", "lb")),
        "altitude": (("1000", "m"), ("3280.84", "ft")),
    }
    metric, imperial = (components(device, place("alice", "base", system=one)) for one in ("metric", "imperial"))
    for key, both in expected.items():
        for found, (value, unit) in zip((metric, imperial), both, strict=True):
            assert (read(found[key], state), found[key]["unit_of_measurement"]) == (value, unit)


def test_mains_silence_and_a_new_key_are_told() -> None:
    found = components(by_key(view(nodes=(outline(node()),)))[NODE])
    odd = node(powered=True, silent=True, key_changed=ARRIVED)
    shown = ("powered", "silent", "key_changed")
    assert [read(found[key], encoded(odd)) for key in shown] == ["ON", "ON", "ON"]
    assert read(found["key_changed"], encoded(odd, now=ARRIVED + NEW_KEY)) == "OFF"
    unknown = encoded(Node(number=GARDEN))
    assert [read(found[key], unknown) for key in shown] == ["None", "OFF", "None"]


def test_a_place_is_a_tracker_as_exact_as_it_is() -> None:
    found = components(by_key(view(nodes=(outline(node()),)))[NODE])["position"]
    assert json.loads(rendered(found["json_attributes_template"], encoded(node()))) == {
        "latitude": 47.37,
        "longitude": 8.54,
        "gps_accuracy": 11.4,
    }
    assert rendered(found["availability"][-1]["value_template"], encoded(node())) == "online"
    assert rendered(found["availability"][-1]["value_template"], encoded(node(place=None))) == "offline"


def test_a_message_on_a_channel_and_one_to_the_radio_are_told_apart() -> None:
    shown = everything()
    channel, direct, garden = (components(shown[key])["message"]["value_template"] for key in ("", "private", NODE))
    said = {"node": f"!{GARDEN:08x}", "to": "broadcast", "name": "Garden", "text": "hi", "packet_id": 7, "channel": 0}
    to_radio = {**said, "to": "!a1b2c3d4", "direct": True}
    other = {**said, "node": "!c0000001"}
    for data, expected in ((said, (True, False, True)), (to_radio, (False, True, True)), (other, (True, False, False))):
        event = {"type": "meshtastic.message", "data": data}
        shown_by = [rendered(template, event) for template in (channel, direct, garden)]
        assert tuple(map(bool, shown_by)) == expected
        assert {text for text in shown_by if text} == {json.dumps({**data, "event_type": "message"}, sort_keys=True)}


def test_the_last_message_is_cut_to_what_a_state_can_be_and_is_whole_in_its_attributes() -> None:
    shown = components(everything()[""])["last_message"]
    state = {"text": "é" * 300, "node": "!b0b00001", "name": "Garden", "to": "broadcast", "channel": 0, "time": "x"}
    assert read(shown, state) == "é" * 255
    assert json.loads(rendered(shown["json_attributes_template"], state)) == state


def test_what_is_typed_arrives_as_it_is() -> None:
    shown = everything()
    text = 'It\'s "19:30"\n{{ 1 }} 🏔'
    for device, key, data in (
        ("", "say", {"channel": 0}),
        ("", "say_2", {"channel": 2}),
        (NODE, "write", {"to": "!b0b00001"}),
    ):
        found = components(shown[device])[key]
        assert found["command_topic"] == "jitney/alice/command/base/send_text"
        assert commanded(found["command_template"], text) == {**data, "text": text}
