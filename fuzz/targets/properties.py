"""Response topics, correlation data and user properties: from the bytes of a message to those of its answer."""

from collections.abc import Iterable
from typing import Final

import mqtt5
from hypothesis import strategies as st

from fuzz.fields import apart, joined
from fuzz.household import HOUSEHOLD
from fuzz.oracle import check
from jitney.daemon.broker.session import Incoming
from jitney.daemon.broker.sessions.packets5 import MalformedPacketError, PacketReader
from jitney.daemon.broker.sessions.session5 import taken

WORDS: Final = (
    b"\x01\x01",
    b"\x02\x00\x00\x00\x05",
    b"\x02\xff\xff\xff\xff",
    b"\x03\x00\x10application/json",
    b"\x03\x00\x1capplication/cloudevents+json",
    b"\x08\x00\x16jitney/alice/reply/a/1",
    b"\x08\x00\x14jitney/bob/reply/a/1",
    b"\x08\x00\x18jitney/alice/reply/a/%2F",
    b"\x08\x00\x18jitney/alice/command/a/b",
    b"\x08\x00\x01#",
    b"\x09\x00\x04\x00\xff\x1e\x1f",
    b"\x0b\x07",
    b"\x26\x00\x05owner\x00\x03bob",
    b"\x26\x00\x0bspecversion\x00\x031.0",
    b"\x26\x00\x02id\x00\x017",
    b"\x26\x00\x06source\x00\x02/x",
    b"\x26\x00\x04type\x00\x04bell",
    b"\x26\x00\x04hops\x00\x0299",
    b"\x23\x00\x01",
)
_PARTS: Final = 3
_TOPICS: Final = ("jitney/alice/command/played/echo", "jitney/alice/inbox/desk/bell", "jitney/_bus/main/request/trace")
_QOS_1: Final = 0x32
_MOST: Final = 60_000


def one(data: bytes) -> None:
    """Feed which topic it is, a payload, and the properties as they are on the wire."""
    which, payload, properties = apart(data, _PARTS)
    incoming = _read(_TOPICS[len(which) % len(_TOPICS)], payload[:_MOST], properties[:_MOST])
    if incoming is None:
        return
    for message in HOUSEHOLD.get().receive(incoming):
        packet = mqtt5.PublishPacket(
            message.topic,
            message.payload,
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=1,
            message_expiry_interval=message.expiry or None,
            content_type=message.content_type,
            correlation_data=message.correlation or None,
            user_properties=message.properties,
        )
        again, _ = mqtt5.read(memoryview(packet.write()))
        check(isinstance(again, mqtt5.PublishPacket) and again.topic == message.topic, "an answer cannot be written")
        if "/reply/" in message.topic:
            given = incoming.response_topic
            right = {incoming.correlation} if given else {incoming.correlation, b""}
            check(message.correlation in right, "an answer has other correlation data than its question")
            own = given.startswith("jitney/alice/reply/")
            check(message.topic != given or own, f"an answer went to {given[:200]!r}")


def _read(topic: str, payload: bytes, properties: bytes) -> Incoming | None:
    """Return the message with these properties as the session reads it; None for one that ends the connection."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + b"\x00\x01" + _length(len(properties)) + properties + payload
    reader = PacketReader()
    reader.feed(memoryview(bytes([_QOS_1]) + _length(len(body)) + body))
    try:
        packet = reader.take()
    except MalformedPacketError as error:
        check(str(error), "an error without words")
        return None
    if not isinstance(packet, mqtt5.PublishPacket) or not packet.topic:
        return None
    return taken(packet)


def _length(number: int) -> bytes:
    """Return a variable byte integer (MQTT 5 section 1.5.5)."""
    found = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        found.append(low | (0x80 if number else 0))
        if not number:
            return bytes(found)


def seeds() -> Iterable[bytes]:
    """Return each property alone and all together, on each topic."""
    event = b"".join(WORDS[13:17])
    for which in ("", "1", "22"):
        yield from (joined(which, b"{}", word) for word in WORDS)
        yield joined(which, b'{"n":1}', b"".join((WORDS[1], WORDS[5], WORDS[10], WORDS[12])))
    yield joined("1", b"{}", event)
    yield joined("1", b"{}", event + WORDS[17] + WORDS[6])


def inputs() -> st.SearchStrategy[bytes]:
    """Return properties in any order, most of them well-formed."""
    properties = st.lists(st.sampled_from(WORDS) | st.binary(max_size=6), max_size=8).map(b"".join)
    payloads = st.sampled_from([b"{}", b'{"data":{},"transaction":"t"}', b"", b"["])
    return st.builds(joined, st.sampled_from(["", "1", "22"]), payloads, properties)
