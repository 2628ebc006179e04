"""The inbox: whatever lies in alice's, nothing but hers comes of it."""

from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from fuzz.fields import apart, joined, text
from fuzz.household import HOUSEHOLD
from fuzz.publishing import PROPERTIES, TEXT, json, properties, told
from jitney.daemon.broker.session import Incoming

WORDS = (
    b'{"specversion":"1.0","id":"7","source":"/x","type":"bell","data":{}}',
    b'"owner":"bob"',
    b'"hops":9',
    b'"time":"2026-11-21T05:41:00Z"',
    b'"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"',
    b"shared/",
    b"played",
    b"route",
    b"specversion=1.0\x1f",
    b"hops=99999999999\x1f",
)

_PARTS = 7
_SOURCES = ("desk", "played", "route", "shared/bob", "a/b", "", "x" * 101, "+", "\u202e")
_KINDS = ("bell", "door.opened", "", "a/b", "x" * 101, "seen.alice", "..")


def one(data: bytes) -> None:
    """Feed topic levels (owner, source, kind), content type, response topic, user properties and a payload."""
    owner, source, kind, content_type, response, pairs, payload = apart(data, _PARTS)
    HOUSEHOLD.get().receive(
        Incoming(
            f"jitney/{text(owner)}/inbox/{text(source)}/{text(kind)}",
            payload,
            payload[:1] == b"R",
            1,
            response_topic=text(response),
            correlation=pairs[:16],
            content_type=text(content_type),
            properties=properties(pairs),
        )
    )


def seeds() -> Iterable[bytes]:
    """Return the three forms of an event, in structured and in binary mode, and some that must be refused."""
    bell = '{"specversion":"1.0","id":"7","source":"/phone","type":"bell","subject":"front","data":{"n":1}}'
    yield joined("alice", "desk", "bell", "", "", "", '{"text":"hello"}')
    yield joined("bob", "phone", "bell", "application/cloudevents+json", "jitney/bob/reply/phone/1", "", bell)
    yield joined("alice", "desk", "bell", "", "jitney/bob/reply/x/1", "", '{"data":{},"transaction":"t"}')
    binary = "specversion=1.0\x1fid=9\x1fsource=/x\x1ftype=bell\x1fowner=alice\x1fhops=2\x1f"
    yield joined("alice", "desk", "bell", "application/json", "", binary, '{"text":"{{ owner.name }}"}')
    yield joined("alice", "desk", "bell", "", "", "", bell.replace('"data"', '"owner":"bob","hops":9,"data"'))
    yield joined("mallory", "desk", "bell", "", "", "", "{}")
    yield joined("_house", "a%2Fb", "bell", "", "", "", "17")
    yield from (joined("alice", "desk", "bell", "", "", "", body) for body in _examples())


def inputs() -> st.SearchStrategy[bytes]:
    """Return events in any form, by anybody, from anywhere."""
    return st.builds(
        joined,
        st.sampled_from(["alice", "bob", "_house", "_unclaimed", "mallory", "_bus"]) | TEXT,
        st.sampled_from(_SOURCES) | TEXT,
        st.sampled_from(_KINDS) | TEXT,
        st.sampled_from(["", "application/json", "application/cloudevents+json"]),
        st.sampled_from(["", "jitney/alice/reply/a/1", "jitney/bob/reply/a/1"]) | TEXT,
        PROPERTIES.map(told),
        json(),
    )


def _examples() -> list[bytes]:
    """Return what the examples of the repository hand in."""
    folder = Path(__file__).parents[2] / "examples"
    return sorted(path.read_bytes() for path in folder.rglob("*.json") if path.stat().st_size < 10_000)[:3]
