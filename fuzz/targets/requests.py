"""The body of a command, a request or an event: read, or refused with a reason."""

from collections.abc import Iterable

import msgspec
from hypothesis import strategies as st

from fuzz.fields import apart, joined
from fuzz.oracle import check
from fuzz.publishing import json
from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.daemon.delivery.asked import LONGEST_NAME, MOST_BYTES, read
from jitney.topics import InvalidPayloadError, requests

WORDS = (b'"specversion"', b'"data"', b'"transaction"', b'"client"', b'"data_base64"', b'"hops"', b'"causationid"')
_KNOWN = frozenset({"retained", "too_large", "invalid"})


def one(data: bytes) -> None:
    """Feed flags and a payload."""
    flags, payload = apart(data, 2)
    try:
        found = requests.decode(payload)
    except InvalidPayloadError as error:
        check(str(error), "an error without words")
    else:
        _look_at(found)
    incoming = Incoming("jitney/alice/command/a/b", payload, b"r" in flags, 1)
    try:
        found = read(incoming, "command", most_bytes=64 if b"s" in flags else MOST_BYTES)
    except RefusedError as error:
        check(error.code in _KNOWN, f"refused as {error.code!r}")
    else:
        _look_at(found)
        check(not incoming.retain, "a retained command was taken")
        check(max(len(found.client), len(found.transaction)) <= LONGEST_NAME, "a name is too long")


def _look_at(found: requests.Request) -> None:
    check(isinstance(msgspec.json.decode(found.data), dict), "the data is no JSON object")


def seeds() -> Iterable[bytes]:
    """Return the three forms, and what is none of them."""
    for body in (
        "",
        " ",
        "{}",
        '{"n":1}',
        '{"data":{"n":1},"transaction":5}',
        '{"data":null,"client":"c","transaction":"t"}',
        '{"specversion":"1.0","id":"1","data":{"a":[1,{"b":null}]},"owner":"alice","hops":3,"traceparent":"00-1"}',
        '{"specversion":"1.0","data_base64":"AA=="}',
        "[1]",
        "17",
        '"text"',
        "[" * 2000,
        "\ufeff{}",
    ):
        yield joined("", body)
        yield joined("r", body)


def inputs() -> st.SearchStrategy[bytes]:
    """Return JSON with and without the keys that mean something."""
    return st.builds(joined, st.sampled_from(["", "r", "s"]), json())
