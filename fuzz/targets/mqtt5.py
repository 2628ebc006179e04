"""What a hostile broker sends over MQTT 5: packets, or the end of the connection; told once, with words."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from hypothesis import strategies as st

from fuzz.looping import LOOP
from fuzz.oracle import check
from fuzz.wire import OPTIONS, Heard, Wire, greeting, pieces, publishes, turns
from jitney.daemon.broker.session import Message, Subscription
from jitney.daemon.broker.sessions.packets5 import LARGEST_PACKET
from jitney.daemon.broker.sessions.session5 import Session5
from jitney.topics import JitneyError

WORDS = (
    b"\x20\x03\x00\x00\x00",
    b"\x30",
    b"\x32",
    b"\x34",
    b"\x40\x02\x00\x01",
    b"\x40\x03\x00\x01\x87",
    b"\x90\x04\xea\x61\x00\x01",
    b"\xb0",
    b"\xd0\x00",
    b"\xe0\x00",
    b"\xe0\x02\x8e\x00",
    b"\xf0",
    b"\xff\xff\xff\x7f",
    b"\x08\x00\x16jitney/alice/reply/a/1",
    b"\x09\x00\x02\x00\xff",
    b"\x26\x00\x01a\x00\x01b",
    b"\x0b\x80\x80\x80\x80",
    b"\x23\x00\x01",
    b"\x21\x00\x00",
)
_GREETED = 0x80
_ROOM = 1 << 17


def one(data: bytes) -> None:
    """Feed a byte (whether a CONNACK comes first, and how many bytes come at a time) and what the broker sends."""
    mode = data[0] if data else 0
    LOOP.get().run(_one((greeting() if mode & _GREETED else b"") + data[1:], mode & ~_GREETED))


async def _one(data: bytes, size: int) -> None:
    heard = Heard()
    session = Session5(OPTIONS, heard)
    wire = Wire(session)
    session.connection_made(wire)
    greets = asyncio.create_task(session.greet(), name="greeting")
    await turns(1)
    asks: asyncio.Task[list[int]] | None = None
    for piece in pieces(data, size):
        if wire.is_closing():
            break
        buffer = session.get_buffer(len(piece))
        buffer[: len(piece)] = piece
        session.buffer_updated(len(piece))
        held = len(session._packets._partial) + len(session._packets._data)
        check(held <= LARGEST_PACKET + _ROOM, f"{held} bytes are held of a packet")
        if greets.done() and asks is None and greets.exception() is None:
            asks = asyncio.create_task(session.subscribe([Subscription("a/#")]), name="subscription")
            session.send([(1, Message("jitney/alice/event/a/b", b"{}"))])
        await turns(2)
    await turns()
    session.abort()
    wire.close()
    await turns()
    for task in filter(None, (greets, asks)):
        task.cancel()
        with suppress(JitneyError, asyncio.CancelledError):
            await task
    if session._begun:
        check(heard.ends == 1, f"the end was told {heard.ends} times")


def seeds() -> Iterable[bytes]:
    """Return packets that a broker sends, whole and in pieces, with and without a greeting, and the wrong ones."""
    packets = publishes()
    for mode in (_GREETED, _GREETED | 1, _GREETED | 7):
        yield bytes([mode]) + b"".join(packets)
        yield from (bytes([mode]) + packet for packet in packets)
    for packet in (
        greeting(),
        b"\x20\x02\x00\x05",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x10\x00",
        b"\x20\xff\xff\xff\x7f",
    ):
        yield b"\x00" + packet
    yield bytes([_GREETED]) + b"\xe0\x02\x8e\x00" + packets[0]
    yield bytes([_GREETED]) + b"\x30\xff\xff\xff\x7f" + b"a" * 300
    yield bytes([_GREETED]) + b"\x30\x80\x80\x80\x80\x80"


def inputs() -> st.SearchStrategy[bytes]:
    """Return packets with right lengths and any content."""
    bodies = st.lists(st.sampled_from(WORDS) | st.binary(max_size=12), max_size=6).map(b"".join)
    packets = st.builds(
        lambda head, body: bytes([head, len(body)]) + body,
        st.integers(0, 255),
        bodies.filter(lambda body: len(body) < 128),
    )
    stream = st.lists(packets | st.sampled_from(publishes()), max_size=5).map(b"".join)
    return st.builds(lambda mode, rest: bytes([mode]) + rest, st.sampled_from([0, 1, 5, 128, 129, 133]), stream)
