import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.cli.colours import Paint, colour_of, cut, padded, width
from jitney.daemon.cli.digest import digest
from jitney.daemon.cli.lines import Lines, as_json
from jitney.daemon.cli.mqtt_client import Heard
from jitney.topics import Event, TopicTree, cloudevents
from jitney.topics.tree import AlertTopic, BusTopic, EventTopic, SharedTopic, StateTopic, StatusTopic, Topic

WIDE = "温度計🚲"
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
)
NAMES = (
    *("name", "sender", "text", "state", "old_state", "value", "previous", "unit", "attributes", "data"),
    *("latitude", "longitude", "distance", "moving_time", "average_speed", "battery", "level", "temperature"),
)
KNOWN = st.dictionaries(st.sampled_from(NAMES), ANYTHING)
TEXT = st.text(min_size=1, max_size=20)
ADDRESSES: st.SearchStrategy[Topic] = st.one_of(
    st.builds(EventTopic, st.just("alice"), TEXT, TEXT),
    st.builds(SharedTopic, st.just("alice"), st.just("bob"), TEXT, TEXT),
    st.builds(StateTopic, st.just("alice"), TEXT, TEXT),
    st.builds(StatusTopic, st.just("alice"), TEXT),
    st.builds(AlertTopic, st.just("alice"), TEXT),
    st.builds(BusTopic, TEXT, TEXT),
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"state": "on", "old_state": "off", "attributes": {"friendly_name": "Desk"}}, "off → on"),
        ({"state": "21.5", "old_state": "21.4", "attributes": {"unit_of_measurement": "°C"}}, "21.4 → 21.5 °C"),
        ({"state": "on", "old_state": None, "attributes": {}}, "on"),
        ({"state": None, "old_state": "on", "attributes": {}}, "gone"),
        ({"value": True, "previous": False, "unit": ""}, "off → on"),
        ({"value": 20.7, "previous": 20.5, "unit": "°C"}, "20.5 → 20.7 °C"),
        (
            {"state": "on", "old_state": "off", "missed": True, "skipped": 3, "own": False},
            "off → on, missed, skipped=3",
        ),
        ({"text": "hello", "sender": "base"}, "base: “hello”"),
        (
            {"name": "Loop", "distance": 37912.4, "moving_time": 6720, "average_speed": 5.64},
            "“Loop”, 37.9 km, 1 h 52 min, 20.3 km/h",
        ),
        ({"distance": 940.0, "moving_time": 59.0, "elevation_gain": 12}, "940 m, 59 s, 12 m up"),
        ({"moving_time": 3599}, "59 min"),
        ({"latitude": 52.1, "longitude": 11.123456, "altitude": 142}, "52.10000 11.12346, at 142 m"),
        ({"level": 68, "voltage": 3.91}, "68 %, 3.91 V"),
        (
            {"domain": "light", "data": {"entity_id": "light.hall", "deep": {"a": 1}}},
            "domain=light, data.entity_id=light.hall, data.deep={…}",
        ),
        ({"list": [1, 2], "none": None, "empty": {}}, "list=[2]"),
        ({"entity_id": "light.desk", "state": "on"}, "on"),
        ({}, ""),
        ("plain", "plain"),
    ],
)
def test_the_data_of_an_event_becomes_a_few_words(data: object, words: str) -> None:
    assert digest(data, subject="light.desk") == words


@given(
    ANYTHING | KNOWN | st.dictionaries(st.sampled_from(NAMES), st.sampled_from([math.nan, math.inf, 10**400, -1e300]))
)
def test_any_data_becomes_words(data: object) -> None:
    assert isinstance(digest(data), str)


def line_of(payload: bytes, address: Topic, *, columns: int = 0, colours: bool = False, retained: bool = False) -> str:
    heard = Heard(TopicTree().name(address), payload, retained)
    return Lines(Paint(enabled=colours), columns=lambda: columns).line(heard, address)


@given(
    address=ADDRESSES,
    payload=st.binary() | (ANYTHING | KNOWN).map(msgspec.json.encode),
    columns=st.integers(min_value=60, max_value=200),
    retained=st.booleans(),
)
def test_whatever_arrives_is_one_line_that_fits_the_terminal_and_cannot_drive_it(
    address: Topic, payload: bytes, columns: int, *, retained: bool
) -> None:
    text = line_of(payload, address, retained=retained)
    assert text.isprintable()
    assert width(line_of(payload, address, columns=columns, retained=retained)) <= columns


@given(KNOWN, TEXT, TEXT)
def test_whatever_an_event_holds_is_one_line_that_cannot_drive_the_terminal(
    data: dict[str, Any], subject: str, actor: str
) -> None:
    event = Event(
        id="1",
        source="/front",
        type="bell.rang",
        subject=subject,
        actor=actor,
        time="2026-11-21T05:41:00.120Z",
        owner="alice",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
    text = line_of(cloudevents.encode(event), EventTopic("alice", "front", "rang"), columns=100)
    assert text.isprintable()
    assert width(text) <= 100


def test_a_line_is_coloured_by_its_owner_and_by_how_an_adapter_does() -> None:
    good = line_of(b'{"state":"online"}', StatusTopic("alice", "home"), colours=True)
    bad = line_of(b'{"state":"failed"}', StatusTopic("alice", "home"), colours=True)
    assert f"\x1b[{colour_of('alice')};1malice" in good
    assert "\x1b[32monline" in good
    assert "\x1b[31mfailed" in bad


def test_the_colour_of_an_owner_is_always_the_same_and_not_everybodys() -> None:
    assert colour_of("alice") == colour_of("alice")
    assert len({colour_of(f"owner{number}") for number in range(50)}) > 4
    assert colour_of("_house") == colour_of("_unclaimed")


@pytest.mark.parametrize("payload", [b"", b"not json", b"\xff", b'{"a":\n1}', b"[" * 10_000])
def test_json_for_programs_is_always_one_line_of_json(payload: bytes) -> None:
    text = as_json(Heard("jitney/alice/status/home", payload, retained=True))
    assert "\n" not in text
    assert msgspec.json.decode(text)["topic"] == "jitney/alice/status/home"


@given(st.text(), st.integers(min_value=0, max_value=80))
def test_what_is_cut_fits_and_what_fits_is_not_cut(text: str, columns: int) -> None:
    cut_text = cut(text, columns)
    assert width(cut_text) <= columns
    assert (cut_text == text) == (width(text) <= columns)


def test_wide_characters_take_two_columns() -> None:
    assert width(WIDE) == 8
    assert cut(WIDE, 6) == "温度…"
    assert padded(WIDE, 10) == WIDE + "  "
