"""What is handed to the inbox is an event as its owner meant it, or is refused with what to do instead."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.daemon.delivery.asked import LONGEST_NAME
from jitney.daemon.delivery.inbox import LONGEST, asker, received
from jitney.topics import Event, TopicTree
from jitney.topics.messages import ROUTE, ReplyAddress
from jitney.topics.tree import EventTopic, InboxTopic

DOOR = InboxTopic("alice", "nodered", "door.opened")
NAMES = ("home", ROUTE)


def handed(body: object, address: InboxTopic = DOOR, *, retain: bool = False, **limits: int) -> Event:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    event, _ = received(Incoming("topic", payload, retain=retain, packet_id=1), address, adapters=NAMES, **limits)
    return event


def refused(body: object, address: InboxTopic = DOOR, *, retain: bool = False, **limits: int) -> tuple[str, str]:
    with pytest.raises(RefusedError) as refusal:
        handed(body, address, retain=retain, **limits)
    return refusal.value.code, str(refusal.value)


def cloudevent(**attributes: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "7", "source": "/nodered", "type": "door.opened", "data": {}, **attributes}


def test_a_json_object_is_the_data_of_an_event_whose_topic_says_the_rest() -> None:
    event = handed({"door": "front", "owner": "bob", "type": "any", "time": 5})
    assert msgspec.json.decode(event.data) == {"door": "front", "owner": "bob", "type": "any", "time": 5}
    assert (event.owner, event.source, event.type) == ("alice", "/nodered", "inbox.door.opened")
    assert event.time == event.observed
    assert (event.subject, event.hops) == (UNSET, 0)
    assert handed({"door": "front"}).id != event.id


@pytest.mark.parametrize("nothing", [b"", b" \n", b"{}"])
def test_nothing_at_all_is_an_event_without_data(nothing: bytes) -> None:
    assert msgspec.json.decode(handed(nothing).data) == {}


def test_a_cloudevent_keeps_what_it_says_of_itself() -> None:
    event = handed(
        cloudevent(
            type="inbox.door.opened",
            subject="front",
            time="2026-11-21T06:41:00.5+01:00",
            hops=2,
            causationid="c",
            correlationid="d",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            owner="alice",
            data={"door": "front"},
        )
    )
    assert (event.id, event.subject, event.hops) == ("7", "front", 2)
    assert (event.causationid, event.correlationid) == ("c", "d")
    assert event.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert event.time == "2026-11-21T05:41:00.500Z"
    assert msgspec.json.decode(event.data) == {"door": "front"}


@pytest.mark.parametrize("source", ["/nodered", "nodered", None])
def test_an_id_stays_what_it_is_when_its_source_is_the_word_of_the_topic(source: str | None) -> None:
    assert handed(cloudevent(source=source)).id == "7"


def test_two_tools_behind_one_word_do_not_take_each_others_events_for_duplicates() -> None:
    ids = [handed(cloudevent(source=source)).id for source in ("urn:washer", "urn:dryer", "urn:washer")]
    assert ids[0] == ids[2]
    assert ids[0] != ids[1]
    assert "7" not in ids


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (b"21.5", '{"value":21.5}'),
        (b"true", '{"value":true}'),
        (b'"on"', '{"value":"on"}'),
        (b"ON", '{"value":"ON"}'),
        (b" ON", '{"value":" ON"}'),
        (b"null", '{"value":null}'),
    ],
)
def test_a_bare_value_is_refused_with_the_object_to_send_instead(body: bytes, remedy: str) -> None:
    code, message = refused(body)
    assert code == "invalid"
    assert message.startswith("expected a JSON object")
    assert message.endswith(remedy)


@pytest.mark.parametrize("body", [b"[1]", b'{"door":', b"\xff\xfe", b"x" * 1000, b"[" * 100_000])
def test_what_is_no_object_is_refused_in_few_words(body: bytes) -> None:
    code, message = refused(body)
    assert code == "invalid"
    assert message.startswith("expected a JSON object")
    assert len(message) < 200


def test_a_retained_event_is_refused_with_the_way_to_get_rid_of_it() -> None:
    code, message = refused({"door": "front"}, retain=True)
    assert code == "retained"
    assert message.endswith("publish it without retain, and clear this one with an empty retained message")


def test_an_event_that_is_too_large_is_refused() -> None:
    body = {"pad": "x" * 1000}
    assert handed(body, most_bytes=2000)
    assert refused(body, most_bytes=1000) == ("too_large", "it has 1011 bytes, and at most 1000 are taken")


@pytest.mark.parametrize("source", NAMES)
def test_the_name_of_an_adapter_and_of_the_routes_is_no_source(source: str) -> None:
    code, message = refused({}, InboxTopic("alice", source, "door.opened"))
    assert code == "foreign_source"
    assert source in message


@pytest.mark.parametrize("level", ["", "x" * (LONGEST + 1), "a\nb", "a\x00b", "a\u202eb"])
def test_source_and_kind_are_words_that_can_be_read(level: str) -> None:
    assert refused({}, InboxTopic("alice", level, "x"))[0] == "invalid"
    assert refused({}, InboxTopic("alice", "x", level))[0] == "invalid"


@pytest.mark.parametrize("level", ["x" * LONGEST, "Küche", "a/b", "+", "50%", "door opened", "*"])
def test_other_words_are_taken_and_come_out_on_a_topic(level: str) -> None:
    event = handed({}, InboxTopic("alice", level, level))
    assert (event.adapter, event.kind) == (level, level)
    assert TopicTree().name(EventTopic("alice", level, level))


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ({"owner": "bob"}, "foreign_owner"),
        ({"owner": 5}, "invalid"),
        ({"type": "window.opened"}, "foreign_type"),
        ({"type": "nodered.door.opened"}, "foreign_type"),
        ({"specversion": "0.3"}, "invalid"),
        ({"specversion": None}, "invalid"),
        ({"specversion": 1}, "invalid"),
        ({"source": 5}, "invalid"),
        ({"data": "open"}, "invalid"),
        ({"data_base64": "AAAA"}, "invalid"),
        ({"id": "x" * (LONGEST_NAME + 1)}, "invalid"),
        ({"id": "a\nb"}, "invalid"),
        ({"hops": 9}, "loop"),
        ({"hops": 10**30}, "loop"),
        ({"transaction": "x" * (LONGEST_NAME + 1)}, "invalid"),
        ({"client": "/" * (LONGEST_NAME + 1)}, "invalid"),
        ({"causationid": "x" * (LONGEST_NAME + 1)}, "invalid"),
        ({"correlationid": "x" * (LONGEST_NAME + 1)}, "invalid"),
        ({"traceparent": "x" * (LONGEST_NAME + 1)}, "invalid"),
    ],
)
def test_a_cloudevent_that_contradicts_the_topic_or_itself_is_refused(claim: dict[str, object], code: str) -> None:
    assert refused(cloudevent(**claim))[0] == code


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-21T05:41:00Z", "2026-11-21T05:41:00.000Z"),
        ("2026-11-21t05:41:00z", "2026-11-21T05:41:00.000Z"),
        ("2026-11-21 05:41:00.123456789Z", "2026-11-21T05:41:00.123Z"),
        ("2026-11-21T05:41:00.1Z", "2026-11-21T05:41:00.100Z"),
        ("2026-11-20T23:41:00-06:00", "2026-11-21T05:41:00.000Z"),
    ],
)
def test_a_time_with_an_offset_is_taken_and_written_as_the_bus_writes_it(said: str, meant: str) -> None:
    assert handed(cloudevent(time=said)).time == meant


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "1795239660",
        "2026-11-21",
        "2026-11-21T05:41:00",
        "2026-11-21T05:41Z",
        "2026-13-21T05:41:00Z",
        "2026-11-21T25:41:00Z",
        "2026-11-21T05:41:00+0100",
        "20261121T054100Z",
        "2026-W47-6T05:41:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "٢٠٢٦-11-21T05:41:00Z",
        "2026-11-21T05:41:00Z\n",
        "x" * 10_000,
    ],
)
def test_any_other_time_is_refused_with_an_example(time: str) -> None:
    code, message = refused(cloudevent(time=time))
    assert code == "invalid"
    assert "2026-11-21T05:41:00Z" in message
    assert len(message) < 200


def test_a_time_in_seconds_is_refused_with_the_place() -> None:
    code, message = refused(cloudevent(time=1795239660))
    assert code == "invalid"
    assert "$.time" in message


instants = st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9998, 1, 1))  # noqa: DTZ001 - zones follow
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instants, zones)
def test_every_instant_is_understood(naive: datetime, zone: timezone) -> None:
    instant = naive.replace(tzinfo=zone)
    event = handed(cloudevent(time=instant.isoformat()))
    assert abs(datetime.fromisoformat(event.time) - instant) < timedelta(milliseconds=1)
    assert datetime.fromisoformat(event.time).tzinfo == UTC


def test_an_answer_goes_where_the_message_says() -> None:
    asked = b'{"data":{},"client":"flow","transaction":3}'
    incoming = Incoming("t", asked, retain=False, packet_id=1, response_topic="r", correlation=b"c")
    _, address = received(incoming, DOOR, adapters=NAMES)
    assert address == ReplyAddress(client="flow", transaction="3", response_topic="r", correlation=b"c")
    assert received(Incoming("t", b"{}", retain=False, packet_id=1), DOOR, adapters=NAMES)[1] is None


ATTRIBUTES = {"specversion": "1.0", "id": "7", "source": "/nodered", "type": "door.opened"}


def in_binary_mode(body: bytes, *, content_type: str = "application/json", **attributes: str) -> Event:
    incoming = Incoming(
        "topic",
        body,
        retain=False,
        packet_id=1,
        content_type=content_type,
        properties=tuple((ATTRIBUTES | attributes).items()),
    )
    return received(incoming, DOOR, adapters=NAMES)[0]


def test_a_cloudevent_in_binary_mode_has_its_attributes_in_the_user_properties() -> None:
    event = in_binary_mode(
        b' {"price":1.10}\n', subject="front", time="2026-11-21T05:41:00Z", hops="2", causationid="c", extra="x"
    )
    assert (event.id, event.subject, event.time) == ("7", "front", "2026-11-21T05:41:00.000Z")
    assert (event.hops, event.causationid) == (2, "c")
    assert bytes(event.data) == b'{"price":1.10}'
    assert msgspec.json.decode(in_binary_mode(b"").data) == {}


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"owner": "bob"}, "foreign_owner"),
        ({"type": "window.opened"}, "foreign_type"),
        ({"hops": "9"}, "loop"),
        ({"hops": "many"}, "invalid"),
        ({"hops": "-1"}, "invalid"),
        ({"hops": "9" * 100}, "invalid"),
        ({"specversion": "0.3"}, "invalid"),
        ({"time": "yesterday"}, "invalid"),
    ],
)
def test_a_cloudevent_in_binary_mode_is_checked_like_any_other(attributes: dict[str, str], code: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        in_binary_mode(b"{}", **attributes)
    assert refusal.value.code == code


@pytest.mark.parametrize("body", [b"21.5", b"ON", b"[1]", b'{},"owner":"alice"', b"{} {}", b"\xff", b"[" * 100_000])
def test_data_of_binary_mode_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match="expected a JSON object"):
        in_binary_mode(body)


def test_a_structured_cloudevent_may_repeat_its_attributes_as_user_properties() -> None:
    whole = json.dumps(cloudevent(id="8", data={"n": 1})).encode()
    for content_type in ("application/cloudevents+json; charset=utf-8", "application/json"):
        event = in_binary_mode(whole, content_type=content_type, id="8")
        assert (event.id, msgspec.json.decode(event.data)) == ("8", {"n": 1})


def test_bare_json_that_carries_the_properties_of_the_event_it_was_made_from_is_bare_json() -> None:
    event = in_binary_mode(b'{"n":1}', content_type="application/cloudevents+json", type="strava.activity.created")
    assert (event.type, msgspec.json.decode(event.data)) == ("inbox.door.opened", {"n": 1})
    assert event.id != "7"


values = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMED = ("specversion", "id", "source", "type", "time", "subject", "owner", "hops", "causationid", "correlationid")
WRAPPING = ("traceparent", "data", "data_base64", "transaction", "client")
anything = st.dictionaries(st.sampled_from([*NAMED, *WRAPPING, "x"]), values, max_size=8)
nearly = st.fixed_dictionaries({"specversion": st.just("1.0")}, optional=dict.fromkeys(NAMED[1:], values))
levels = st.text(max_size=LONGEST + 5)


@given(st.binary() | (anything | nearly | values).map(json.dumps).map(str.encode), levels, levels)
def test_whatever_arrives_is_an_event_of_that_owner_that_can_be_published_or_is_refused(
    body: bytes, source: str, kind: str
) -> None:
    try:
        event = handed(body, InboxTopic("alice", source, kind))
    except RefusedError:
        return
    assert (event.owner, event.source, event.type) == ("alice", "/" + source, "inbox." + kind)
    assert 0 <= event.hops <= 8
    assert 0 < len(event.id) <= LONGEST_NAME
    assert isinstance(msgspec.json.decode(event.data), dict)
    assert datetime.fromisoformat(event.time).tzinfo == UTC
    assert TopicTree().name(EventTopic(event.owner, event.adapter, event.kind))


@given(anything, st.data())
def test_a_damaged_message_is_an_event_or_refused(content: dict[str, Any], data: st.DataObject) -> None:
    payload = bytearray(json.dumps(cloudevent(**content)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        event = handed(bytes(payload))
    except RefusedError:
        return
    assert (event.owner, event.source, event.type) == ("alice", "/nodered", "inbox.door.opened")


@given(
    st.binary() | values.map(json.dumps).map(str.encode),
    st.sampled_from(["", "application/json", "application/cloudevents+json"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(NAMED, st.text(max_size=20))),
)
def test_whatever_arrives_in_binary_mode_is_an_event_of_that_owner_or_refused(
    body: bytes, content_type: str, attributes: dict[str, str]
) -> None:
    try:
        event = in_binary_mode(body, content_type=content_type, **attributes)
    except RefusedError:
        return
    assert (event.owner, event.source, event.type) == ("alice", "/nodered", "inbox.door.opened")
    assert isinstance(msgspec.json.decode(event.data), dict)
    assert datetime.fromisoformat(event.time).tzinfo == UTC


def test_whoever_is_refused_finds_the_correlation_in_the_answer_without_having_named_a_topic() -> None:
    assert asker(Incoming("topic", b"[", retain=False, packet_id=1, correlation=b"7")) == ReplyAddress(correlation=b"7")
