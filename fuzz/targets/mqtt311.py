"""What a hostile broker sends over MQTT 3.1.1, through paho and a real socket."""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress

from hypothesis import strategies as st

from fuzz.looping import LOOP
from fuzz.oracle import check
from fuzz.wire import OPTIONS, Heard, pieces, turns
from jitney.daemon.broker.sessions.opening311 import new_client
from jitney.daemon.broker.sessions.session311 import Session311
from jitney.topics import JitneyError

WORDS = (
    b"\x20\x02\x00\x00",
    b"\x30\x04\x00\x01ab",
    b"\x32\x07\x00\x01a\x00\x07{}",
    b"\x34\x05\x00\x01a\x00\x07",
    b"\x40\x02\x00\x01",
    b"\x50\x02\x00\x01",
    b"\x62\x02\x00\x01",
    b"\x90\x03\x00\x01\x80",
    b"\xb0\x02\x00\x01",
    b"\xd0\x00",
    b"\xff\xff\xff\x7f",
    b"\xed\xa0\x80",
)
_GREETED = 0x80
_CONNACK = b"\x20\x02\x00\x00"


def one(data: bytes) -> None:
    """Feed a byte (whether a CONNACK comes first, and how many bytes come at a time) and what the broker sends."""
    mode = data[0] if data else 0
    LOOP.get().run(_one((_CONNACK if mode & _GREETED else b"") + data[1:], mode & ~_GREETED))


async def _one(data: bytes, size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        theirs.settimeout(0)
        heard = Heard()
        client = await new_client(OPTIONS)
        client._create_socket = lambda: ours  # type: ignore[method-assign] # as open_client does with what it has opened
        client.connect("127.0.0.1", 1, keepalive=0)
        session = Session311(OPTIONS, heard, client=client)
        greets = asyncio.create_task(session.greet(ours), name="greeting")
        await turns(1)
        for piece in pieces(data, size):
            with suppress(OSError):
                theirs.send(piece)
            await turns(2)
            if session._ended:
                break
        await turns()
        session.abort()
        await turns()
        greets.cancel()
        with suppress(JitneyError, asyncio.CancelledError):
            await greets
        if session._begun:
            check(heard.ends == 1, f"the end was told {heard.ends} times")


def seeds() -> Iterable[bytes]:
    """Return packets that a broker sends, and wrong ones."""
    packets = [word for word in WORDS if word[0] != 0xFF]
    for mode in (_GREETED, _GREETED | 1):
        yield bytes([mode]) + b"".join(packets[1:])
        yield from (bytes([mode]) + packet for packet in packets)
    for packet in (b"\x20\x02\x00\x05", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\xff\xff\xff\x7f" + b"a" * 99):
        yield b"\x00" + packet


def inputs() -> st.SearchStrategy[bytes]:
    """Return packets with right lengths and any content."""
    bodies = st.binary(max_size=20)
    packets = st.builds(lambda head, body: bytes([head, len(body)]) + body, st.integers(0, 255), bodies)
    stream = st.lists(packets | st.sampled_from(WORDS), max_size=5).map(b"".join)
    return st.builds(lambda mode, rest: bytes([mode]) + rest, st.sampled_from([0, 1, 128, 129]), stream)
