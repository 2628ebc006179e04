"""The inbox: events that an owner's own tools hand to the bus become events like any other."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.daemon.delivery.asked import LONGEST_NAME, read
from jitney.daemon.delivery.lanes import SHARED
from jitney.topics import MAX_HOPS, Event, cloudevents, derived_id, new_id, requests, rfc3339, utc_now
from jitney.topics.messages import EMPTY, ReplyAddress
from jitney.topics.tree import InboxTopic

TYPE: Final = "inbox"
"""The first word of the type of every event from the inbox."""

MOST_BYTES: Final = 1_024_000
"""What no event may exceed, however much `[outbox] event_kb` allows."""

LONGEST: Final = 100
"""Characters of a source and of a kind: they are levels of topics, and people write them into routes."""

_REQUIRED = frozenset({"specversion", "id", "source", "type"})
_NAMED = _REQUIRED | {"time", "subject", "owner", "hops", "causationid", "correlationid", "traceparent"}
_COUNT = re.compile(r"[0-9]{1,9}")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LONGEST_SHOWN = 80


class _Form(Struct):
    """What tells a CloudEvent from the other forms."""

    specversion: Raw | UnsetType = UNSET


class _Attributes(Struct):
    """The attributes of a CloudEvent that a command has no use for; null is the same as left out."""

    specversion: str | None = None
    source: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None


_form = msgspec.json.Decoder(_Form).decode
_attributes = msgspec.json.Decoder(_Attributes).decode
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def received(
    incoming: Incoming, address: InboxTopic, *, adapters: Collection[str], most_bytes: int = MOST_BYTES
) -> tuple[Event, ReplyAddress | None]:
    """Return the event in a message to the inbox, and where an answer to it is wanted, if it is.

    Raises RefusedError when it must not become an event: ``retained``, ``too_large``, ``invalid``, ``foreign_owner``,
    ``foreign_source``, ``foreign_type`` or ``loop``.

    The topic decides about owner, source and type: what the payload claims of owner and type has to agree. A source of
    its own becomes part of the id, so that two tools behind one word do not take each other's events for their own.
    """
    for level in (address.source, address.kind):
        if not (0 < len(level) <= LONGEST and level.isprintable()):
            raise RefusedError("invalid", f"source and kind of an inbox topic are 1 to {LONGEST} printable characters")
    if address.source in adapters or address.source.startswith(SHARED):
        raise RefusedError(
            "foreign_source", f"{address.source!r} is what an adapter or the routes are called: take another word"
        )
    whole = replace(incoming, payload=_whole(incoming))
    request = _read(whole, most_bytes)
    attributes = _attributes_of(whole.payload)
    _check(request, attributes, address)
    now = utc_now()
    event = Event(
        id=_id(request.id, attributes.source or "", address.source),
        source="/" + address.source,
        type=f"{TYPE}.{address.kind}",
        subject=request.subject or UNSET,
        time=_instant(request.time) if request.time else now,
        observed=now,
        owner=address.owner,
        hops=max(0, request.hops),
        causationid=request.causation or UNSET,
        correlationid=attributes.correlationid or UNSET,
        traceparent=attributes.traceparent or UNSET,
        data=request.data,
    )
    return event, _reply_address(incoming, request)


def _read(incoming: Incoming, most_bytes: int) -> requests.Request:
    try:
        return read(incoming, "event", most_bytes=most_bytes)
    except RefusedError as error:
        if error.code != "invalid":
            raise
        raise RefusedError("invalid", f"{error}{_suggestion(incoming.payload)}") from error


def _whole(incoming: Incoming) -> bytes:
    """Return the payload, of a CloudEvent in binary mode together with its attributes, which are user properties.

    Source: CloudEvents 1.0.2, MQTT protocol binding, section 3.1.
    """
    attributes: dict[str, object] = {name: text for name, text in incoming.properties if name in _NAMED}
    if not attributes.keys() >= _REQUIRED or incoming.content_type.startswith(cloudevents.CONTENT_TYPE):
        return incoming.payload
    data = incoming.payload.strip() or bytes(EMPTY)
    try:
        content = _any(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return incoming.payload
    if not isinstance(content, dict) or "specversion" in content:
        return incoming.payload
    hops = str(attributes.pop("hops", "0"))
    return _encode(attributes | {"hops": int(hops) if _COUNT.fullmatch(hops) else hops, "data": Raw(data)})


def _suggestion(payload: bytes) -> str:
    """Return how somebody who handed in a bare value can hand it in."""
    if len(payload) > _LONGEST_SHOWN or payload[:1] in b"{[":
        return ""
    try:
        text = payload.decode()
        value = _any(payload)
    except UnicodeDecodeError:
        return ""
    except msgspec.DecodeError:
        value = text
    return f"; put it into one: {_encode({'value': value}).decode()}"


def _attributes_of(payload: bytes) -> _Attributes:
    """Return the attributes of what is JSON and, unless it is empty, an object."""
    if not payload.strip() or _form(payload).specversion is UNSET:
        return _Attributes()
    try:
        attributes = _attributes(payload)
    except msgspec.DecodeError as error:
        raise RefusedError("invalid", f"expected a CloudEvent: {error}") from error
    if attributes.specversion != "1.0":
        raise RefusedError("invalid", f"specversion is {attributes.specversion!r}: only CloudEvents '1.0' are known")
    return attributes


def _check(request: requests.Request, attributes: _Attributes, address: InboxTopic) -> None:
    if request.owner not in ("", address.owner):
        raise RefusedError("foreign_owner", f"the payload says owner {request.owner!r}, the topic {address.owner!r}")
    if request.type not in ("", address.kind, f"{TYPE}.{address.kind}"):
        raise RefusedError(
            "foreign_type",
            f"the payload says type {request.type[:_LONGEST_SHOWN]!r}, the topic {address.kind!r}: "
            "the last level of the topic is the type",
        )
    if request.hops > MAX_HOPS:
        raise RefusedError("loop", f"it was caused through more than {MAX_HOPS} events: a loop")
    for text in (request.causation, attributes.correlationid, attributes.traceparent):
        if text is not None and len(text) > LONGEST_NAME:
            raise RefusedError(
                "invalid", f"causationid, correlationid and traceparent have at most {LONGEST_NAME} characters"
            )


def _id(claimed: str, source: str, word: str) -> str:
    """Return the id of an event that claims one: that of its own source where this is not the word of the topic."""
    if not claimed:
        return new_id()
    if len(claimed) > LONGEST_NAME or not claimed.isprintable():
        raise RefusedError("invalid", f"an id has at most {LONGEST_NAME} characters, all of them printable")
    return claimed if source in ("", word, "/" + word) else derived_id(source, claimed)


def _instant(text: str) -> str:
    """Return an instant as the bus writes it; raises RefusedError when it is none of RFC 3339."""
    try:
        if _RFC_3339.fullmatch(text.upper()):
            return rfc3339(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError):
        pass
    raise RefusedError(
        "invalid", f"time {text[:_LONGEST_SHOWN]!r} is not like 2026-11-21T05:41:00Z or …+01:00 (RFC 3339)"
    )


def asker(incoming: Incoming) -> ReplyAddress:
    """Return where whoever handed in something that is refused is told so."""
    try:
        request = read(incoming, "event", most_bytes=MOST_BYTES)
    except RefusedError:
        request = requests.Request()
    return _reply_address(incoming, request) or ReplyAddress(correlation=incoming.correlation)


def _reply_address(incoming: Incoming, request: requests.Request) -> ReplyAddress | None:
    if not (incoming.response_topic or request.client or request.transaction):
        return None
    return ReplyAddress(
        client=request.client or "_",
        transaction=request.transaction or "_",
        response_topic=incoming.response_topic,
        correlation=incoming.correlation,
    )
