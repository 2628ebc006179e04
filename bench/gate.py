"""The only road from the daemon to the broker: it can be closed, cut, and made to lie."""

import asyncio
from types import TracebackType
from typing import Final, Self

from bench.packets import packets, publish

_READ_BYTES: Final = 65_536
_PUBLISH_QOS_1: Final = 0x32
_RETAIN: Final = 0x01
_TYPE_AND_QOS: Final = 0xF6


class Gate:
    """A TCP proxy to ``target`` on a port of its own; open it with ``async with``.

    With ``lie`` N it loses every Nth event published through it and acknowledges it in the broker's name: a
    program that measures loss has to notice that.
    """

    def __init__(self, target: int, *, lie: int = 0) -> None:
        self.port = 0
        self.lies = 0
        self._target = target
        self._lie = lie
        self._events = 0
        self._open = False
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def open(self) -> None:
        """Let connections through from now on."""
        self._open = True

    def close(self) -> None:
        """Cut what there is and let nothing through."""
        self._open = False
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as if a cable were pulled; new ones may come at once."""
        for writer in self._links:
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = {writer}
        try:
            if self._open:
                to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
                ends.add(to_writer)
                self._links |= ends
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._up(reader, to_writer, writer, ends), name="gate up")
                    both.create_task(_pump(to_reader, writer, ends), name="gate down")
        except OSError:
            pass
        finally:
            self._links -= ends
            _abort(ends)
            await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
            self._tasks.discard(task)

    async def _up(
        self,
        reader: asyncio.StreamReader,
        to_writer: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        ends: set[asyncio.StreamWriter],
    ) -> None:
        if not self._lie:
            await _pump(reader, to_writer, ends)
            return
        rest = b""
        try:
            while data := await reader.read(_READ_BYTES):
                rest += data
                for packet in packets(rest):
                    rest = rest[len(packet) :]
                    if self._swallows(packet):
                        writer.write(b"\x40\x02" + publish(packet)[1])
                    else:
                        to_writer.write(packet)
                await to_writer.drain()
            to_writer.close()
        except OSError:
            _abort(ends)

    def _swallows(self, packet: bytes) -> bool:
        if packet[0] & _TYPE_AND_QOS != _PUBLISH_QOS_1 or packet[0] & _RETAIN:
            return False
        self._events += 1
        if self._events % self._lie:
            return False
        self.lies += 1
        return True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: set[asyncio.StreamWriter]) -> None:
    try:
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()
    except OSError:
        _abort(ends)


def _abort(ends: set[asyncio.StreamWriter]) -> None:
    for writer in ends:
        writer.transport.abort()
