"""Sessions for tests: a listener that keeps what it is told, and a broker that plays a script."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any, Protocol

from msgspec.structs import replace

from jitney.daemon.broker.session import ConnectOptions, Incoming, Listener, Message, Session

DEADLINE = 30.0

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_311 = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connect(Protocol):
    """``connect5`` or ``connect311``."""

    async def __call__(self, options: ConnectOptions, listener: Listener) -> Session:
        """Return a session."""


class Recorder:
    """Keeps what a session tells it, in order. ``told`` holds the names of the calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.acks: list[tuple[int, int]] = []
        self.messages: list[Incoming] = []
        self.ends: list[Exception | None] = []
        self.on_received: Callable[[Incoming], None] | None = None
        self._changed = asyncio.Event()

    def acked(self, packet_id: int, reason: int) -> None:
        self._tell("acked")
        self.acks.append((packet_id, reason))

    def flushed(self) -> None:
        self._tell("flushed")

    def received(self, incoming: Incoming) -> None:
        self._tell("received")
        self.messages.append(incoming)
        if self.on_received is not None:
            self.on_received(incoming)

    def lost(self, error: Exception | None) -> None:
        self._tell("lost")
        self.ends.append(error)

    async def until(self, condition: Callable[["Recorder"], Any]) -> None:
        """Wait until something is true of what was told."""
        async with asyncio.timeout(DEADLINE):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def messages_until(self, number: int) -> list[Incoming]:
        await self.until(lambda told: len(told.messages) >= number)
        return self.messages

    async def acks_until(self, number: int) -> list[tuple[int, int]]:
        await self.until(lambda told: len(told.acks) >= number)
        return self.acks

    async def end(self) -> Exception | None:
        await self.until(lambda told: told.ends)
        return self.ends[0]

    def _tell(self, what: str) -> None:
        assert not self.ends, f"{what} after lost"
        self.told.append(what)
        self._changed.set()


def options(url: str, client_id: str = "jitney", **more: object) -> ConnectOptions:
    """Return options with a will on ``will/<client id>``."""
    will = Message(f"will/{client_id}", b'{"state":"offline"}')
    return replace(ConnectOptions(url=url, client_id=client_id, will=will), **more)


@asynccontextmanager
async def connected(
    connect: Connect, url: str, client_id: str = "jitney", **more: object
) -> AsyncIterator[tuple[Session, Recorder]]:
    """Give a session and its listener; nothing of it is left afterwards."""
    recorder = Recorder()
    session = await connect(options(url, client_id, **more), recorder)
    try:
        yield session, recorder
    finally:
        async with asyncio.timeout(DEADLINE):
            await session.close()
        assert recorder.told.count("lost") == 1


@asynccontextmanager
async def scripted(handler: Handler) -> AsyncIterator[str]:
    """Serve each connection with ``handler`` and give the URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(serve(reader, writer), name="scripted broker"))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        await server.wait_closed()


async def packet(reader: asyncio.StreamReader) -> bytes:
    """Read one packet of either version, whole."""
    head = await reader.readexactly(2)
    while head[-1] & 0x80:
        head += await reader.readexactly(1)
    length = sum((byte & 0x7F) << 7 * index for index, byte in enumerate(head[1:]))
    return head + await reader.readexactly(length)


def answering(connack: bytes, after: bytes = b"") -> Handler:
    """Return a handler that accepts one CONNECT, sends ``after`` and reads until the end."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(connack + after)
        await reader.read()

    return handle


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the handshake of a websocket."""
    head = await reader.readuntil(b"\r\n\r\n")
    (key,) = (line[18:].strip() for line in head.splitlines() if line.lower().startswith(b"sec-websocket-key:"))
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


async def frame(reader: asyncio.StreamReader) -> bytes:
    """Read one frame of a websocket's client; only its first bytes are decoded."""
    length = (await reader.readexactly(2))[1] & 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(length)
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked[:64])) + masked[64:]
