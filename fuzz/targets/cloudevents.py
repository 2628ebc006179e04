"""Events as they are written and read: one that was read is written, and read again, the same."""

from collections.abc import Iterable

import msgspec
from hypothesis import strategies as st

from fuzz.oracle import check
from fuzz.publishing import TEXT, json
from jitney.topics import Event, InvalidPayloadError, cloudevents
from jitney.topics.levels import MAX_TEXT_BYTES

WORDS = (
    b'"specversion":"1.0"',
    b'"datacontenttype":"application/json"',
    b'"owner"',
    b'"data":{',
    b'"seq":',
    b'"hops":',
)
_NAMES = frozenset(Event.__struct_fields__)


def one(data: bytes) -> None:
    """Feed a payload."""
    try:
        event = cloudevents.decode(data)
    except InvalidPayloadError as error:
        check(str(error), "an error without words")
        return
    written = cloudevents.encode(event)
    again = cloudevents.decode(written)
    check(cloudevents.encode(again) == written, "an event changes when it is read and written")
    check(event.adapter == event.source[1:], "the adapter of an event is not its source")
    for name, value in cloudevents.properties(event):
        check(name in _NAMES, f"an attribute {name!r}")
        check(len(value.encode()) <= MAX_TEXT_BYTES, "an attribute is longer than a property can be")
        check("\x00" not in value, "an attribute with a character that MQTT forbids")


def seeds() -> Iterable[bytes]:
    """Return an event with every attribute, one with few, and what is none."""
    whole = {
        "specversion": "1.0",
        "id": "1",
        "source": "/strava",
        "type": "strava.activity.created",
        "subject": "activity/1",
        "time": "2026-11-21T05:41:00.120Z",
        "observed": "2026-11-21T05:41:00.480Z",
        "datacontenttype": "application/json",
        "owner": "alice",
        "seq": 1842,
        "hops": 1,
        "actor": "bob",
        "causationid": "c",
        "correlationid": "d",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {"distance": 20_000.5, "name": "\x00\u202e%/+#"},
    }
    yield msgspec.json.encode(whole)
    yield msgspec.json.encode({key: whole[key] for key in ("specversion", "id", "source", "type", "time", "owner")})
    yield b'{"specversion":"1.0"}'
    yield b"[" * 5000


def inputs() -> st.SearchStrategy[bytes]:
    """Return events with any values, and other JSON."""
    attributes = st.dictionaries(st.sampled_from(sorted(_NAMES - {"specversion", "data"})), TEXT | st.integers())
    needed = dict.fromkeys(("id", "source", "type", "time", "owner"), "x")
    return attributes.map(lambda found: msgspec.json.encode({**needed, **found})) | json()
