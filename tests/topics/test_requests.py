"""What people send is understood in its three forms, and nothing they send breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jitney.topics import InvalidPayloadError
from jitney.topics.requests import Request, decode
from tests.topics.strategies import encodable, json_objects

WRAPPER = {"data", "transaction", "client"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | encodable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(encodable, inner, max_size=3),
    max_leaves=8,
)
bare = st.dictionaries(encodable, json_values, max_size=4).filter(
    lambda keys: "specversion" not in keys and not (keys and keys.keys() <= WRAPPER)
)
some_text = encodable.filter(bool)
CLAIMS = ("id", "source", "type", "time", "subject", "owner", "causationid", "client")
attributes = st.fixed_dictionaries({}, optional=dict.fromkeys(CLAIMS, some_text))


def data_of(request: Request) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(bytes(request.data))


@given(bare)
def test_bare_json_is_the_data_itself(content: dict[str, Any]) -> None:
    request = decode(json.dumps(content).encode())
    assert data_of(request) == content
    assert Request(data=request.data) == request


@pytest.mark.parametrize("payload", [b"", b" ", b"\n\t\r "])
def test_nothing_at_all_is_an_empty_object(payload: bytes) -> None:
    assert decode(payload) == Request()
    assert data_of(decode(payload)) == {}


@given(json_objects, some_text | st.integers(), some_text)
def test_a_wrapper_gives_data_transaction_and_client(
    content: dict[str, Any], transaction: str | int, client: str
) -> None:
    payload = {"data": content, "transaction": transaction, "client": client}
    request = decode(json.dumps(payload).encode())
    assert data_of(request) == content
    assert (request.transaction, request.client) == (str(transaction), client)
    assert (request.owner, request.id, request.hops) == ("", "", 0)


@given(json_objects, st.sets(st.sampled_from(["transaction", "client"])))
def test_what_is_null_or_missing_in_a_wrapper_is_not_given(content: dict[str, Any], null: set[str]) -> None:
    assert decode(json.dumps({"data": content, **dict.fromkeys(null)}).encode()).transaction == ""
    assert data_of(decode(json.dumps({"transaction": "t", "data": None}).encode())) == {}
    assert data_of(decode(b'{"transaction":"t"}')) == {}


@given(json_objects, attributes, st.integers(0, 100))
def test_a_cloudevent_gives_its_data_and_its_claims(content: dict[str, Any], claims: dict[str, str], hops: int) -> None:
    request = decode(json.dumps({"specversion": "1.0", "data": content, "hops": hops, **claims}).encode())
    assert data_of(request) == content
    for name in ("owner", "id", "type", "time", "subject", "client"):
        assert getattr(request, name) == claims.get(name, "")
    assert (request.causation, request.hops) == (claims.get("causationid", ""), hops)
    assert request.transaction == claims.get("id", "")


def test_the_transaction_of_a_cloudevent_is_its_own_or_else_its_id() -> None:
    assert decode(b'{"specversion":"1.0","id":"a"}').transaction == "a"
    assert decode(b'{"specversion":"1.0","id":"a","transaction":"b"}').transaction == "b"
    assert decode(b'{"specversion":"1.0","id":"a","transaction":7}').transaction == "7"


def test_binary_data_is_refused_and_not_taken_for_none() -> None:
    with pytest.raises(InvalidPayloadError, match="data_base64"):
        decode(b'{"specversion":"1.0","id":"a","data_base64":"AAAA"}')
    assert data_of(decode(b'{"data_base64":"AAAA"}')) == {"data_base64": "AAAA"}


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"5",
        b'"on"',
        b"[1]",
        b"ON",
        b"{",
        b'{"a":1}}',
        b'{"a":1} x',
        b'{"a":NaN}',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'{"a":"\\ud800"}',
        b'{"data":5}',
        b'{"data":[1]}',
        b'{"data":"x"}',
        b'{"data":{},"transaction":1.5}',
        b'{"data":{},"transaction":true}',
        b'{"data":{},"transaction":{}}',
        b'{"data":{},"client":5}',
        b'{"specversion":"1.0","data":"x"}',
        b'{"specversion":"1.0","data":{"a":"\xff"}}',
        b'{"specversion":"1.0","owner":5}',
        b'{"specversion":"1.0","hops":"many"}',
        b'{"specversion":"1.0","hops":1.5}',
        b'{"specversion":5}',
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"transaction":' + b"9" * 5_000 + b"}",
        b"\xef\xbb\xbf{}",
        b"\x00",
    ],
)
def test_what_is_no_json_object_is_refused_with_a_reason(payload: bytes) -> None:
    with pytest.raises(InvalidPayloadError, match=r"^expected "):
        decode(payload)


@given(st.one_of(st.binary(), json_values.map(json.dumps).map(str.encode)))
@example(b'{"specversion":null}')
@example(b'{"transaction":' + b"9" * 4_000 + b"}")
@example(b'{"specversion":"1.0","hops":' + b"9" * 4_000 + b"}")
def test_arbitrary_bytes_are_a_request_or_refused_and_never_break_the_reader(payload: bytes) -> None:
    try:
        request = decode(payload)
    except InvalidPayloadError:
        return
    assert isinstance(data_of(request), dict)


@given(json_objects, attributes, st.data())
def test_a_damaged_request_is_a_request_or_refused(
    content: dict[str, Any], claims: dict[str, str], data: st.DataObject
) -> None:
    payload = bytearray(json.dumps({"specversion": "1.0", "data": content, **claims}).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        request = decode(bytes(payload))
    except InvalidPayloadError:
        return
    assert isinstance(data_of(request), dict)
