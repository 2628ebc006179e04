"""Events are CloudEvents 1.0, come back as they were, and their properties say what the JSON says."""

import json
import re
import string
from datetime import datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from jitney.topics import Event, EventData, InvalidPayloadError, cloudevents, event
from jitney.topics.levels import MAX_TEXT_BYTES, carriable
from tests.topics.strategies import encodable, events, json_objects, owners, texts

REQUIRED = {"specversion", "id", "source", "type"}
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")


class Said(EventData, frozen=True):
    """Somebody said something."""

    type: ClassVar[str] = "test.said"
    text: str
    number: int = 0


def attributes(found: Event) -> dict[str, Any]:
    """Return the attributes of the encoded event: all but its data."""
    content: dict[str, Any] = json.loads(cloudevents.encode(found))
    del content["data"]
    return content


@given(events())
def test_an_event_comes_back_as_it_was(found: Event) -> None:
    assert cloudevents.decode(cloudevents.encode(found)) == found


@given(events())
def test_a_payload_has_the_required_attributes_and_no_name_that_cloudevents_forbids(found: Event) -> None:
    names = attributes(found).keys()
    assert names >= REQUIRED
    for name in names:
        assert 1 <= len(name) <= 20
        assert set(name) <= set(string.ascii_lowercase + string.digits)


@given(st.builds(Said, encodable, st.integers(-(2**53), 2**53)), owners, encodable, encodable)
def test_an_event_made_of_its_data_is_a_cloudevent(said: Said, owner: str, subject: str, actor: str) -> None:
    made = event(said, adapter="home", owner=owner, subject=subject, actor=actor)
    content = json.loads(cloudevents.encode(made))
    assert content["data"] == {"text": said.text, "number": said.number}
    assert content["specversion"] == "1.0"
    assert content["type"] == "test.said"
    assert content["source"] == "/home"
    assert content["id"]
    for time in (content["time"], content["observed"]):
        assert RFC3339.fullmatch(time)
        assert datetime.fromisoformat(time).tzinfo is not None
    assert content.get("subject", "") == subject
    assert content.get("actor", "") == actor
    assert (made.adapter, made.kind, made.owner) == ("home", "said", owner)


def test_an_attribute_without_a_value_is_left_out() -> None:
    made = event(Said(""), adapter="home", owner="alice")
    assert not {"subject", "actor", "causationid", "correlationid", "traceparent"} & attributes(made).keys()
    assert {"subject", "actor", "causationid"} <= attributes(
        event(Said(""), adapter="home", owner="alice", subject="s", actor="a", causation="c")
    ).keys()


@given(events(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))))
def test_the_properties_are_the_attributes_of_the_json(found: Event) -> None:
    expected = {name: value if isinstance(value, str) else str(value) for name, value in attributes(found).items()}
    media_type = expected.pop("datacontenttype")
    properties = cloudevents.properties(found)
    assert dict(properties) == expected
    assert len(properties) == len(expected)
    assert media_type == "application/json"
    assert cloudevents.CONTENT_TYPE == "application/cloudevents+json"


@given(events(texts))
def test_a_property_is_what_mqtt_carries_of_the_attribute_whatever_is_in_it(found: Event) -> None:
    for name, value in cloudevents.properties(found):
        assert value == carriable(str(getattr(found, name)))
        assert len(value.encode()) <= MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("subject", "carried"),
    [
        ("a" * MAX_TEXT_BYTES, True),
        ("a" * (MAX_TEXT_BYTES + 1), False),
        ("é" * 32_767, True),
        ("é" * 32_768, False),
        ("\x00" * 21_845, True),
        ("\x00" * 21_846, False),
    ],
)
def test_an_attribute_longer_than_a_property_is_in_the_payload_alone(subject: str, *, carried: bool) -> None:
    made = event(Said(""), adapter="home", owner="alice", subject=subject)
    assert ("subject" in dict(cloudevents.properties(made))) == carried
    assert dict(cloudevents.properties(made))["id"] == made.id
    assert cloudevents.decode(cloudevents.encode(made)).subject == subject


@given(events(), st.dictionaries(st.sampled_from(["extension", "x", "datacontentencoding"]), encodable, min_size=1))
def test_an_unknown_extension_is_ignored(found: Event, extensions: dict[str, str]) -> None:
    content = {**extensions, **json.loads(cloudevents.encode(found))}
    assert attributes(cloudevents.decode(json.dumps(content).encode())) == attributes(found)


@given(events(), st.data())
def test_an_event_without_a_required_attribute_or_with_a_wrong_one_is_refused(
    found: Event, data: st.DataObject
) -> None:
    content = json.loads(cloudevents.encode(found))
    name = data.draw(st.sampled_from(["id", "source", "type", "time", "owner"]))
    wrongs: list[object] = [None, 5, [], {}]
    for wrong in wrongs:
        with pytest.raises(InvalidPayloadError, match=f"not an event of this bus: .*{name}"):
            cloudevents.decode(json.dumps({**content, name: wrong}).encode())
    del content[name]
    with pytest.raises(InvalidPayloadError, match=f"missing required field `{name}`"):
        cloudevents.decode(json.dumps(content).encode())


@pytest.mark.parametrize("version", ["0.3", "1.1", "", 1.0])
def test_another_version_of_cloudevents_is_refused(version: object) -> None:
    content = {**attributes(event(Said(""), adapter="home", owner="alice")), "specversion": version}
    with pytest.raises(InvalidPayloadError, match="specversion"):
        cloudevents.decode(json.dumps(content).encode())


@given(st.one_of(st.binary(), json_objects.map(json.dumps).map(str.encode)))
def test_bytes_that_are_no_event_are_refused(payload: bytes) -> None:
    with pytest.raises(InvalidPayloadError):
        cloudevents.decode(payload)


@given(events(), st.data())
def test_a_truncated_event_is_refused(found: Event, data: st.DataObject) -> None:
    payload = cloudevents.encode(found)
    with pytest.raises(InvalidPayloadError):
        cloudevents.decode(payload[: data.draw(st.integers(0, len(payload) - 1))])


def test_an_event_cannot_be_changed() -> None:
    made = event(Said(""), adapter="home", owner="alice")
    with pytest.raises(AttributeError):
        made.owner = "bob"  # type: ignore[misc]
    assert made.traceparent is UNSET
