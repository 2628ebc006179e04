"""What comes from the process of a Python file is understood, refused or nonsense, and never more than that."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.scripts import wire
from jitney.daemon.scripts.link import LARGEST
from jitney.daemon.scripts.wire import Answer, AskCommand, AskPublish, Begin, Done, GarbledError, Ready


def encoded(**fields: object) -> bytes:
    return msgspec.json.encode(fields)


def test_what_is_meant_is_understood() -> None:
    assert wire.message(encoded(do="ready")) == Ready()
    asked = encoded(do="command", event=3, command="base.send_text", data={"text": "hi"})
    assert wire.message(asked) == AskCommand(event=3, command="base.send_text", data={"text": "hi"})
    done = wire.message(encoded(do="done", event=3, changes=[{"name": "n", "value": "1", "expiry": 0}]))
    assert isinstance(done, Done)
    assert done.changes[0].value == "1"


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "command", "command": "x", "data": []},
        {"do": "command", "command": "x" * 201, "data": {}},
        {"do": "publish", "kind": "A b", "data": {}, "subject": ""},
        {"do": "publish", "kind": "a\n", "data": {}, "subject": ""},
        {"do": "publish", "kind": "a", "data": {}, "subject": "", "owner": "bob"},
        {"do": "state", "subject": "", "data": {}, "expiry": 0},
        {"do": "state", "subject": "x", "data": {}, "expiry": -1},
        {"do": "state", "subject": "x", "data": {}, "expiry": 1e300},
        {"do": "reply", "text": 5},
        {"do": "notify", "target": "x", "message": None, "title": "", "data": {}},
    ],
)
def test_what_is_asked_for_wrongly_is_refused(fields: dict[str, object]) -> None:
    found = wire.message(encoded(**fields))
    assert isinstance(found, RefusedError)
    assert found.code == "invalid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b'"\xff"',
        b"{}",
        b'{"do":"rule"}',
        b'{"do":"ready","owner":"bob"}',
        b'{"do":"done","event":1,"changes":[{"name":"a b","value":null,"expiry":0}]}',
        b'{"do":"done","event":1,"changes":[{"name":"a","value":null,"expiry":-1}]}',
        b'{"do":"said","event":1,"level":"exception","text":""}',
        b'{"do":"failed","event":1,"code":"A B","text":"","line":1,"function":"","trace":""}',
        b"[" * 100_000,
        b'{"do":"publish","data":' + b"[" * 100_000,
    ],
)
def test_what_nobody_can_mean_is_nonsense(body: bytes) -> None:
    with pytest.raises(GarbledError):
        wire.message(body)


@given(st.binary() | st.from_type(dict[str, str]).map(msgspec.json.encode))
def test_no_bytes_are_too_strange(body: bytes) -> None:
    try:
        found = wire.message(body)
    except GarbledError:
        return
    assert found is not None


@given(
    st.fixed_dictionaries(
        {"do": st.sampled_from(["command", "publish", "state", "reply", "notify", "done", "failed", "said", "ready"])},
        optional={
            name: st.none() | st.integers() | st.text() | st.dictionaries(st.text(), st.integers())
            for name in ("event", "data", "kind", "subject", "command", "text", "changes", "target", "message", "title")
        },
    )
)
def test_no_message_is_too_strange(fields: dict[str, object]) -> None:
    try:
        found = wire.message(msgspec.json.encode(fields))
    except GarbledError:
        return
    assert isinstance(found, wire.Message | RefusedError)


@pytest.mark.parametrize("head", [bytes(4), (LARGEST + 1).to_bytes(4), b"\xff" * 4])
def test_a_length_that_no_message_has_is_nonsense(head: bytes) -> None:
    with pytest.raises(GarbledError):
        wire.size(head)


def test_a_message_follows_its_length_and_has_an_end() -> None:
    frame = wire.frame(Answer(Raw(b'{"n":1}')))
    assert wire.size(frame[:4]) == len(frame) - 4
    assert msgspec.json.decode(frame[4:]) == {"data": {"n": 1}, "code": "", "text": ""}
    assert len(wire.frame(Begin(path="x", source="x" * 262_144, megabytes=1))) < LARGEST
    with pytest.raises(RefusedError, match="at most 1048576"):
        wire.frame(Begin(path="x", source="x" * LARGEST, megabytes=1))


def test_a_question_tells_what_it_is_about() -> None:
    assert str(AskCommand(command="base.x", data={})) == "command base.x"
    assert str(AskPublish(kind="x", data={}, subject="")) == "publish x"
