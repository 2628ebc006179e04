"""CloudEvents 1.0 over MQTT, structured JSON, with the attributes repeated as MQTT 5 user properties.

Specification: CloudEvents 1.0.2, JSON event format and MQTT protocol binding.
"""

from operator import itemgetter
from typing import Final

import msgspec

from jitney.topics.errors import InvalidPayloadError
from jitney.topics.levels import MAX_TEXT_BYTES, carriable
from jitney.topics.messages import Event

CONTENT_TYPE: Final = "application/cloudevents+json"

_SHORT: Final = MAX_TEXT_BYTES // 4
"""Texts of so many characters together are short enough each, whatever is in them."""

_VALUE = itemgetter(1)

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


def decode(payload: bytes) -> Event:
    """Return the event of a structured payload; raises InvalidPayloadError. Unknown extensions are ignored."""
    try:
        return _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"not an event of this bus: {error}"
        raise InvalidPayloadError(message) from error


def properties(event: Event) -> list[tuple[str, str]]:
    """Return the attributes as MQTT 5 user properties: lower-case names, canonical texts.

    Characters that MQTT does not carry (MQTT 5 section 1.5.4) become U+FFFD, lest the broker cut us off; an attribute
    longer than a property can be is left out. The payload has both as they are.
    """
    pairs = [
        ("specversion", "1.0"),
        ("id", event.id),
        ("source", event.source),
        ("type", event.type),
        ("time", event.time),
        ("owner", event.owner),
        ("seq", str(event.seq)),
        ("hops", str(event.hops)),
    ]
    if event.subject:
        pairs.append(("subject", event.subject))
    if event.observed:
        pairs.append(("observed", event.observed))
    if event.actor:
        pairs.append(("actor", event.actor))
    if event.causationid:
        pairs.append(("causationid", event.causationid))
    if event.correlationid:
        pairs.append(("correlationid", event.correlationid))
    if event.traceparent:
        pairs.append(("traceparent", event.traceparent))
    texts = "".join(map(_VALUE, pairs))
    if texts.isprintable() and len(texts) <= _SHORT:
        return pairs
    return [(name, text) for name, value in pairs if len((text := carriable(value)).encode()) <= MAX_TEXT_BYTES]
