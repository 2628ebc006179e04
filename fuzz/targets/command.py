"""Commands and requests: each is answered, in the tree of who asked, and nowhere else."""

from collections.abc import Iterable

import msgspec
from hypothesis import strategies as st

from fuzz.fields import apart, joined, text
from fuzz.household import HOUSEHOLD, PEOPLE, owner_of
from fuzz.oracle import check
from fuzz.publishing import TEXT, json
from jitney.daemon.broker.session import Incoming
from jitney.topics import Reply

WORDS = (
    b"jitney/alice/command/played/echo",
    b"jitney/bob/command/hers/echo",
    b"jitney/_bus/main/request/log_level",
    b"jitney/_bus/main/request/owner_usage",
    b"jitney/_bus/main/request/trace",
    b"jitney/bob/reply/x/1",
    b'{"data":{},"transaction":"7","client":"c"}',
    b'"specversion":"1.0"',
    b'"causationid":"x"',
    b'"owner":"bob"',
    b'"level":"debug"',
)

_PARTS = 5
_LEVELS = 5
_decode = msgspec.json.Decoder(Reply).decode


def one(data: bytes) -> None:
    """Feed a topic, a response topic, correlation data, flags and a payload."""
    topic, response, correlation, flags, payload = apart(data, _PARTS)
    incoming = Incoming(
        text(topic),
        payload,
        b"r" in flags,
        1,
        expiry=int.from_bytes(flags[:4]),
        response_topic=text(response),
        correlation=correlation,
    )
    sent = HOUSEHOLD.get().receive(incoming)
    if _is_command(incoming.topic) and not (incoming.retain and not payload):
        check(len(sent) == 1, f"a command was answered {len(sent)} times")
    for message in sent:
        check(message.correlation == correlation, "an answer has other correlation data than its question")
        check(message.topic.startswith("jitney/"), f"an answer went to {message.topic[:200]!r}")
        _decode(message.payload)


def _is_command(topic: str) -> bool:
    """Tell whether a topic is surely that of a command of alice or bob: nothing in it needs to be encoded."""
    levels = topic.split("/")
    is_plain = topic.isascii() and topic.isprintable() and all(levels) and not set(topic) & set("+#%")
    return is_plain and owner_of(topic) in PEOPLE and levels[2:3] == ["command"] and len(levels) == _LEVELS


def seeds() -> Iterable[bytes]:
    """Return commands in their three forms, requests to the bus, and what both must refuse."""
    echo = "jitney/alice/command/played/echo"
    yield joined(echo, "jitney/alice/reply/phone/7", b"\x00\xff", "", '{"n":1}')
    yield joined(echo, "", "", "", '{"data":{"n":1},"client":"flow/1","transaction":5}')
    yield joined(echo, "jitney/bob/reply/x/1", "", "", "{}")
    yield joined(echo, "", "", "r", "{}")
    yield joined(echo, "", "", "", '{"data":{},"specversion":"1.0","id":"9","owner":"bob","hops":9}')
    yield joined("jitney/bob/command/hers/echo", "", "", "", "{}")
    yield joined("jitney/alice/command/played/crash", "", "", "", '{"specversion":"1.0","causationid":"c"}')
    yield joined("jitney/_bus/main/request/log_level", "jitney/_bus/main/response/x", "c", "", '{"level":"info"}')
    yield joined("jitney/_bus/main/request/owner_usage", "", "", "", '{"data":{"owner":"alice"},"transaction":"t"}')
    yield joined("jitney/_bus/main/request/trace", "", "", "", '{"owner":"alice","id":"7"}')
    yield joined("jitney/_bus/main/request/nothing", "jitney/alice/reply/x/1", "", "", "{}")


def inputs() -> st.SearchStrategy[bytes]:
    """Return questions to anybody, answered anywhere."""
    owners = st.sampled_from(["alice", "bob", "_house", "mallory"])
    names = st.sampled_from(["echo", "crash", "dance", "a%2Fb"]) | TEXT
    adapters = st.sampled_from(["played", "hers", "nobody"]) | TEXT
    commands = st.builds("jitney/{}/command/{}/{}".format, owners, adapters, names)
    requests = st.sampled_from(["log_level", "owner_usage", "owner_file", "trace", "reload"]).map(
        "jitney/_bus/main/request/{}".format
    )
    answers = st.builds("jitney/{}/{}/a/1".format, owners, st.sampled_from(["reply", "command", "inbox", "state"]))
    flags = st.sampled_from([b"", b"r", b"\xff\xff\xff\xff"])
    return st.builds(
        joined, commands | requests | TEXT, st.just("") | answers | TEXT, st.binary(max_size=8), flags, json()
    )
