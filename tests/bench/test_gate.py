import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bench.gate import Gate

PUBLISH = b"\x32\x07\x00\x01t\x00\x05ab"
RETAINED = b"\x33\x07\x00\x01t\x00\x06ab"
PING = b"\xc0\x00"


@asynccontextmanager
async def echo_through(gate_lies: int) -> AsyncIterator[tuple[Gate, asyncio.StreamReader, asyncio.StreamWriter]]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with asyncio.timeout(10), server, Gate(server.sockets[0].getsockname()[1], lie=gate_lies) as gate:
        gate.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        yield gate, reader, writer
        writer.close()


async def test_an_honest_gate_passes_everything() -> None:
    async with echo_through(0) as (_, reader, writer):
        writer.write(PUBLISH + PING)
        assert await reader.readexactly(len(PUBLISH + PING)) == PUBLISH + PING


async def test_a_lying_gate_loses_every_nth_event_and_acknowledges_it() -> None:
    async with echo_through(2) as (gate, reader, writer):
        writer.write(PUBLISH)
        assert await reader.readexactly(len(PUBLISH)) == PUBLISH
        writer.write(PUBLISH)
        assert await reader.readexactly(4) == b"\x40\x02\x00\x05"
        assert gate.lies == 1


async def test_a_lying_gate_finds_packets_however_they_are_cut() -> None:
    async with echo_through(1) as (gate, reader, writer):
        for byte in PING + PUBLISH + RETAINED:
            writer.write(bytes([byte]))
            await writer.drain()
        answer = await reader.readexactly(len(PING) + 4 + len(RETAINED))
        assert sorted(answer) == sorted(PING + b"\x40\x02\x00\x05" + RETAINED)
        assert gate.lies == 1


async def test_a_cut_ends_every_connection_and_a_closed_gate_lets_none_through() -> None:
    async with echo_through(0) as (gate, reader, writer):
        writer.write(PING)
        await reader.readexactly(2)
        gate.close()
        assert await ended(reader)
        again, other = await asyncio.open_connection("127.0.0.1", gate.port)
        assert await ended(again)
        other.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
