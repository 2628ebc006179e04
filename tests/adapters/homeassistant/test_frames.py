"""Decoding: no bytes are too odd, and the fast way finds what the careful one does."""

from sys import getrefcount

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.frames import Answer, Happened, NewState, StateChange

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "type",
        "id",
        "event",
        "event_type",
        "data",
        "entity_id",
        "new_state",
        "old_state",
        "state",
        "attributes",
        "context",
    ]
)
WORDS: st.SearchStrategy[object] = st.sampled_from(
    ["event", "result", "pong", "state_changed", "call_service", "light.x", None, 5, [], {}]
)
LIKELY = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
STATES = st.fixed_dictionaries(
    {"state": st.text(max_size=5), "attributes": st.dictionaries(st.text(max_size=5), JSON, max_size=3)},
).map(lambda state: {**state, "last_changed": "2026-11-21T05:41:00+00:00", "last_updated": "2026-11-21T05:41:00+00:00"})
CHANGES = st.fixed_dictionaries(
    {"entity_id": st.text(min_size=1, max_size=9), "new_state": st.none() | STATES, "old_state": st.none() | STATES}
)
EVENTS = st.fixed_dictionaries({"event_type": st.just("state_changed"), "data": CHANGES}) | st.fixed_dictionaries(
    {"event_type": st.text(max_size=9).filter(lambda word: word != "state_changed"), "data": JSON}
)
MESSAGES = st.fixed_dictionaries({"type": st.just("event"), "event": EVENTS}) | st.fixed_dictionaries(
    {"id": st.integers(1, 9), "type": st.just("result"), "success": st.booleans(), "result": JSON}
)


def read(frame: bytes) -> tuple[list[frames.Item], list[str]]:
    odd: list[str] = []
    items = frames.items(frame, lambda kind, detail: odd.append(f"{kind} {detail}"))
    frames.answers(frame)
    return items, odd


def seen(item: frames.Item) -> object:
    """Return an item with what it passes through unread."""
    match item:
        case StateChange(data=data):
            new = data.new_state
            attributes = bytes(new.attributes) if isinstance(new, NewState) else b""
            return (data.entity_id, getattr(new, "state", None), attributes, data.old_state)
        case Happened(event_type=event_type, data=raw):
            return (event_type, bytes(raw))
        case Answer(id=number, success=success, result=raw):
            return (number, success, bytes(raw))


@given(st.binary())
def test_no_bytes_are_too_odd(frame: bytes) -> None:
    items, odd = read(frame)
    try:
        msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        assert items == []
        assert odd != []


@given(JSON | LIKELY)
def test_no_json_is_too_odd(content: object) -> None:
    items, odd = read(msgspec.json.encode(content))
    for item in items:
        assert isinstance(item, (StateChange, Happened, Answer))
    assert all(line.split(" ")[0] in {"wrong_type", "unknown_message", "event_without_data"} for line in odd)


@given(st.lists(MESSAGES, max_size=6), st.integers(0, 6), LIKELY)
def test_a_list_gives_what_its_messages_give_one_by_one(messages: list[object], at: int, wrong: object) -> None:
    whole, odd = read(msgspec.json.encode(messages))
    one_by_one = [item for message in messages for item in read(msgspec.json.encode(message))[0]]
    assert len(whole) == len(messages)
    assert odd == []
    assert [seen(item) for item in whole] == [seen(item) for item in one_by_one]
    with_wrong, _ = read(msgspec.json.encode([*messages[:at], wrong, *messages[at:]]))
    found = iter([seen(item) for item in with_wrong])
    assert all(seen(item) in found for item in whole)


@given(st.lists(MESSAGES, min_size=1, max_size=4), st.data())
def test_a_frame_that_is_cut_off_gives_nothing_or_is_noticed(messages: list[object], data: st.DataObject) -> None:
    frame = msgspec.json.encode(messages)
    cut = data.draw(st.integers(0, len(frame) - 1))
    items, odd = read(frame[:cut])
    assert items == []
    assert odd != []


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_no_answer_to_get_states_is_too_odd(result: bytes) -> None:
    odd: list[str] = []
    for state in frames.states(Raw(result), lambda kind, _: odd.append(kind)):
        assert isinstance(state.entity_id, str)


def test_a_change_that_is_kept_does_not_hold_its_frame() -> None:
    new = {"state": "on", "attributes": {"a": 1}, "last_changed": "", "last_updated": ""}
    change = {"event_type": "state_changed", "data": {"entity_id": "light.x", "new_state": new}}
    frame = msgspec.json.encode({"type": "event", "event": change})
    free = getrefcount(frame)
    (item,), _ = read(frame)
    assert isinstance(item, StateChange)
    assert getrefcount(frame) > free
    kept = frames.keep(item).data.new_state
    assert isinstance(kept, NewState)
    assert bytes(kept.attributes) == b'{"a":1}'
    assert getrefcount(frame) == free


@pytest.mark.parametrize("wrong", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_what_is_not_utf_8_is_left_out_for_attributes_are_passed_through_unread(wrong: bytes) -> None:
    state = b'{"state":"on","attributes":{"name":"%s"},"last_changed":"","last_updated":""}'
    change = b'{"type":"event","event":{"event_type":"state_changed","data":{"entity_id":"light.x","new_state":%s}}}'
    fine, broken = change % (state % "é".encode()), change % (state % wrong)
    result = b'{"id":1,"type":"result","success":true,"result":["%s"]}'
    for frame in (broken, b"[%s]" % broken):
        items, odd = read(frame)
        assert items == []
        assert odd[0].startswith("not_json")
    items, odd = read(b"[%s,%s,%s]" % (fine, broken, result % wrong))
    assert (len(items), len(odd)) == (1, 2)
    assert frames.answers(b"[%s,%s]" % (result % wrong, result % b"x"))[0] == read(result % b"x")[0]
