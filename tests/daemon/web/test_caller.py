"""Connections that take their time, or say what is no HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from jitney.daemon.counters import Counters
from jitney.daemon.web import caller
from jitney.daemon.web.addresses import Addresses
from jitney.daemon.web.lobby import Lobby
from jitney.daemon.web.port import opened
from tests.daemon.web.raw import Answer, request, say
from tests.waiting import DEADLINE, until

GET = request("GET", "/")
MALFORMED = [
    b"\x00\x01\x02\xff\xfe\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET / HTTP/1.1\r\nHost: x\r\nFo o: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(100)) + b"\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://a:999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
]


class Place:
    """A port that answers every request, and how many it turned away."""

    def __init__(self, port: int, lobby: Lobby) -> None:
        self.port = port
        self.lobby = lobby

    def turned_away(self, reason: str) -> int:
        return self.lobby.counters.total("turned_away", reason=reason)

    async def say(self, *parts: bytes) -> Answer:
        return await say(self.port, *parts)


@asynccontextmanager
async def place(**limits: int) -> AsyncIterator[Place]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/read":
            await request.read()
        if request.path == "/large":
            return web.Response(body=b"x" * 20_000_000)
        if request.path == "/broken":
            raise ZeroDivisionError
        return web.Response(text="done")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    lobby = Lobby(Counters(), addresses=Addresses(), **limits)
    with socket.create_server(("127.0.0.1", 0)) as held:
        async with opened(app, "", [held.dup()], lobby=lobby) as port:
            yield Place(port.number, lobby)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every step end soon."""
    for name in ("FIRST_SECONDS", "HEADER_SECONDS", "REQUEST_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(caller, name, 0.1)
    return


@pytest.mark.parametrize("raw", MALFORMED)
async def test_what_is_no_http_gets_a_short_400_and_one_line_that_nobody_need_read(
    raw: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(caller, "_log", lines)
    async with place() as here:
        answer = await here.say(raw)
        assert here.turned_away("malformed") == 1
    assert (answer.status, answer.body) == (400, b"400: Bad Request\n")
    assert answer.headers["server"] == "jitney"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [call.method_name for call in lines.calls] == ["debug"]
    assert [record for record in caplog.records if record.exc_info] == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200))
async def test_any_noise_ends_the_connection_and_is_no_error(noise: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with place() as here:
        answer = await here.say(noise, b"\r\n\r\n\r\n\r\n")
        assert answer.status in (0, 200, 400) or not answer.raw
        assert (await here.say(GET)).status == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.usefixtures("hurry")
async def test_who_says_nothing_is_cut() -> None:
    async with place() as here:
        assert (await here.say()).raw == b""
        assert here.turned_away("silent") == 1


@pytest.mark.usefixtures("hurry")
async def test_headers_that_do_not_end_are_cut_however_steadily_they_come() -> None:
    async with place() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        reading = asyncio.create_task(reader.read(), name="read")

        async def drip() -> bool:
            if not reading.done():
                writer.write(b"X: a\r\n")
            return reading.done()

        await until(drip)
        await asyncio.gather(reading, return_exceptions=True)
        writer.transport.abort()
        assert here.turned_away("slow_headers") == 1


async def test_headers_that_are_too_much_in_all_are_cut() -> None:
    async with place() as here:
        lines = (b"X-%d: " % number + b"a" * 4000 + b"\r\n" for number in range(20))
        answer = await here.say(b"GET / HTTP/1.1\r\n", *lines)
        assert answer.status in (0, 400)
        await until(lambda: here.turned_away("headers") == 1)


@pytest.mark.usefixtures("hurry")
async def test_a_body_that_never_comes_holds_a_request_for_so_long_and_no_longer() -> None:
    async with place() as here:
        answer = await here.say(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert answer.raw == b""
        assert here.turned_away("slow_request") == 1


@pytest.mark.usefixtures("hurry")
async def test_who_does_not_take_the_answer_is_cut() -> None:
    async with place() as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.port, limit=1)
        writer.transport.pause_reading()
        writer.write(request("GET", "/large"))
        await until(lambda: here.turned_away("slow_request") == 1)
        await until(lambda: not len(here.lobby))
        writer.transport.abort()


@pytest.mark.usefixtures("hurry")
async def test_a_connection_that_waits_for_another_request_ends_and_is_not_counted() -> None:
    async with place() as here:
        answer = await here.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.status == 200
        assert here.lobby.counters.items() == []


async def test_one_connection_serves_request_after_request() -> None:
    async with place() as here:
        answer = await here.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + GET)
        assert answer.raw.count(b"HTTP/1.1 200 OK") == 4


async def test_a_body_without_end_that_nobody_reads_is_soon_cut() -> None:
    async with place() as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        async with asyncio.timeout(DEADLINE):
            with suppress(ConnectionError):
                while sent < 50_000_000:
                    writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                    sent += 65_536
                    await writer.drain()
        assert sent < 50_000_000


async def test_a_fault_of_our_own_is_logged_and_told_in_no_words(caplog: pytest.LogCaptureFixture) -> None:
    async with place() as here:
        answer = await here.say(request("GET", "/broken"))
    assert answer.status == 500
    assert b"ZeroDivisionError" not in answer.raw
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_who_holds_many_connections_does_not_keep_the_others_out() -> None:
    async with place(most=40, of_one=8) as here:
        held = [
            await asyncio.open_connection("127.0.0.1", here.port, local_addr=(f"127.0.7.{number + 1}", 0))
            for number in range(60)
        ]
        for _, writer in held:
            writer.write(b"GET / HTTP/1.1\r\n")
        await until(lambda: here.turned_away("connections") == 20)
        assert (await here.say(GET)).status == 200
        assert len(here.lobby) <= 40
        for _, writer in held:
            writer.transport.abort()


async def test_one_address_has_its_share_of_connections_and_is_still_answered() -> None:
    async with place(of_one=8) as here:
        held = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(30)]
        await until(lambda: here.turned_away("address") == 22)
        assert len(here.lobby) == 8
        assert (await here.say(GET)).status == 200
        for _, writer in held:
            writer.transport.abort()
