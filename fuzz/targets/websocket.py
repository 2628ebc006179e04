"""What a hostile broker sends through a websocket: aiohttp's parser, our transport and the session of MQTT 5."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import ClientSession, ClientWebSocketResponse, ClientWSTimeout
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import strategies as st

from fuzz.looping import LOOP
from fuzz.oracle import check
from fuzz.wire import OPTIONS, Heard, greeting, pieces, publishes, turns
from jitney.daemon.broker.sessions.session5 import Session5
from jitney.daemon.broker.sessions.websocket import WebSocketTransport
from jitney.topics import JitneyError

WORDS = (
    b"\x82\x05\x20\x03\x00\x00\x00",
    b"\x82\x7e\x00\x80",
    b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",
    b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x02\x01\x20",
    b"\x80\x04\x03\x00\x00\x00",
    b"\x81\x02hi",
    b"\x88\x02\x03\xe8",
    b"\x88\x00",
    b"\x89\x00",
    b"\x8a\x00",
    b"\xc2\x07\xca\x49\xe4\x05\x00\x00\x00",
    b"\xf2",
    b"\x82\x80\x00\x00\x00\x00",
)
_LARGEST_FRAME = 4 * 1024 * 1024
_BUFFER = 2**16
_BINARY = 0x82
_MEDIUM = 126
_LOTS = 1 << 16


class _Writer:
    """Where frames of ours go."""

    def __init__(self) -> None:
        self.sent = 0
        self._closing = False

    async def send_frame(self, message: bytes, opcode: int, compress: int | None = None) -> None:
        del opcode, compress
        self.sent += len(message)

    async def close(self, code: int = 1000, message: bytes = b"") -> None:
        del code, message


class _Web:
    """What has to be closed at the end."""

    async def close(self) -> None:
        """Do nothing."""


def one(data: bytes) -> None:
    """Feed a byte (compression, and how many bytes come at a time) and frames."""
    mode = data[0] if data else 0
    LOOP.get().run(_one(data[1:], mode & 0x7F, compressed=bool(mode & 0x80)))


async def _one(data: bytes, size: int, *, compressed: bool) -> None:
    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), _BUFFER, loop=loop)
    parser: Any = WebSocketReader(queue, _LARGEST_FRAME, compressed, True)  # noqa: FBT003 - aiohttp's order
    answer = SimpleNamespace(connection=None, close=lambda: None)
    frames = ClientWebSocketResponse(
        queue,
        cast("Any", _Writer()),
        "mqtt",
        cast("Any", answer),
        ClientWSTimeout(ws_close=0.0),
        True,  # noqa: FBT003 - aiohttp's order
        True,  # noqa: FBT003
        loop,
    )
    heard = Heard()
    session = Session5(OPTIONS, heard)
    transport = WebSocketTransport(cast("ClientSession", _Web()), frames, session)
    transport.start()
    greets = asyncio.create_task(session.greet(), name="greeting")
    await turns(2)
    for piece in pieces(data, size):
        done, _ = parser.feed_data(piece)
        await turns(2)
        if done or transport.is_closing():
            break
    await turns()
    queue.feed_eof()
    await turns(2)
    transport.abort()
    task = cast("asyncio.Task[None]", transport._task)
    await asyncio.wait([task], timeout=2.0)
    check(task.done(), "the transport does not end")
    if not task.cancelled():
        task.result()
    greets.cancel()
    with suppress(JitneyError, asyncio.CancelledError):
        await greets
    check(session._gone.is_set(), "the session was not told the end")
    if session._begun:
        check(heard.ends == 1, f"the end was told {heard.ends} times")


def _frame(payload: bytes, head: int = _BINARY) -> bytes:
    if len(payload) < _MEDIUM:
        return bytes([head, len(payload)]) + payload
    return bytes([head, _MEDIUM]) + len(payload).to_bytes(2) + payload


def seeds() -> Iterable[bytes]:
    """Return sessions in frames, whole and in fragments, and the wrong ones."""
    stream = greeting() + b"".join(publishes())
    yield b"\x00" + _frame(stream)
    yield b"\x03" + b"".join(_frame(piece) for piece in pieces(stream, 5))
    yield b"\x00" + _frame(greeting()) + b"\x02" + _frame(publishes()[0])[1:] + b"\x80\x00"
    yield b"\x80" + _frame(greeting()) + WORDS[11]
    yield from (b"\x00" + _frame(greeting()) + word for word in WORDS)
    yield b"\x01" + WORDS[2] + b"a" * 100


def inputs() -> st.SearchStrategy[bytes]:
    """Return frames of any kind with right lengths."""
    payloads = st.sampled_from([greeting(), *publishes()]) | st.binary(max_size=200)
    heads = st.sampled_from([0x82, 0x02, 0x80, 0x00, 0x81, 0x88, 0x89, 0xC2]) | st.integers(0, 255)
    stream = st.lists(st.builds(_frame, payloads, heads), max_size=6).map(b"".join)
    return st.builds(lambda mode, rest: bytes([mode]) + rest, st.sampled_from([0, 1, 4, 128, 132]), stream)
