"""A TCP proxy to cut: between the daemon and what it talks to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

PUBACK = 0x40
LENGTH_BYTES = 4
CONTINUED = 0x80


class Proxy:
    """Forwards connections to ``target`` until told otherwise.

    ``deaf`` swallows what the target answers, ``unconfirming`` only its PUBACKs.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cuts = 0
        self.deaf = False
        self.unconfirming = False
        self.refusing = False
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection at once, with whatever was on its way."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, onward, answers=False), name="proxy up")
                group.create_task(self._copy(there, writer, answers=True), name="proxy down")
        finally:
            self._writers -= {writer, onward}
            for side in (writer, onward):
                side.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await source.read(65_536):
                passed = self._passed(data) if answers else data
                if passed:
                    sink.write(passed)
                    await sink.drain()
        except OSError:
            pass
        sink.transport.abort()

    def _passed(self, data: bytes) -> bytes:
        """Return what is let through of an answer: what came together with a PUBACK goes on without it."""
        if self.deaf:
            return b""
        return b"".join(one for one in packets(data) if one[0] != PUBACK) if self.unconfirming else data


def packets(data: bytes) -> Iterator[bytes]:
    """Return the packets of what came at once; brokers write whole ones (MQTT 5, 2.1.4: how long each is)."""
    while data:
        length = used = 0
        for byte in data[1 : 1 + LENGTH_BYTES]:
            length |= (byte & ~CONTINUED) << 7 * used
            used += 1
            if byte < CONTINUED:
                break
        end = 1 + used + length
        yield data[:end]
        data = data[end:]


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of this machine, on a free port."""
    made = Proxy(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await server.wait_closed()
