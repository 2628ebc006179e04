"""The port over a restart: nobody who calls is turned away."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.daemon.app import App
from jitney.daemon.web.port import Port, opened
from tests.daemon.running import Played, config, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """Give the test a listening socket, as somebody holds it who outlives the daemon."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(16)
        yield one


def address(held: socket.socket) -> str:
    return f"http://127.0.0.1:{held.getsockname()[1]}"


def answering(started: asyncio.Event | None = None, go: asyncio.Event | None = None) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        if started is not None and go is not None:
            started.set()
            await go.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", answer)
    return app


async def fetch(session: aiohttp.ClientSession, url: str) -> tuple[int, str, str]:
    async with session.get(url) as answer:
        return answer.status, await answer.text(), answer.headers.get("Connection", "")


async def test_a_socket_that_was_handed_over_counts_instead_of_the_configured_port(held: socket.socket) -> None:
    async with opened(answering(), "127.0.0.1:1", [held.dup()]) as port, aiohttp.ClientSession() as session:
        assert port.number == held.getsockname()[1]
        assert (await fetch(session, address(held)))[:2] == (200, "done")


async def test_who_calls_while_nobody_is_there_is_answered_by_the_next(held: socket.socket) -> None:
    async with aiohttp.ClientSession() as session:
        async with opened(answering(), "", [held.dup()]):
            assert (await fetch(session, address(held)))[0] == 200
        calling = asyncio.create_task(fetch(session, address(held)), name="call")
        async with opened(answering(), "", [held.dup()]):
            assert (await calling)[0] == 200


async def test_what_is_under_way_is_answered_and_told_that_it_is_the_last(held: socket.socket) -> None:
    started, go = asyncio.Event(), asyncio.Event()
    async with aiohttp.ClientSession() as session, opened(answering(started, go), "", [held.dup()]) as port:
        calling = asyncio.create_task(fetch(session, address(held)), name="call")
        await started.wait()
        closing = asyncio.create_task(port.close(), name="close")
        await until(lambda: port.closing)
        go.set()
        assert await calling == (200, "done", "close")
        await closing


async def test_whoever_was_let_in_in_the_same_moment_is_answered(held: socket.socket) -> None:
    async with opened(answering(), "", [held.dup()]) as port:
        callers = [await asyncio.open_connection(*held.getsockname()) for _ in range(8)]
        closing = asyncio.create_task(port.close(), name="close")
        await until(lambda: port.closing)
        for _, writer in callers:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with opened(answering(), "", [held.dup()]):
            for reader, writer in callers:
                assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
                writer.close()
        await closing


async def test_closing_twice_is_closing_once(held: socket.socket) -> None:
    async with opened(answering(), "", [held.dup()]) as port:
        await asyncio.gather(port.close(), port.close())
        assert isinstance(port, Port)
        await port.close()


async def test_a_request_that_comes_before_its_adapter_has_begun_waits_for_it(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = asyncio.Event()

    async def answer(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=b"{}")

    async def act(_: Played, ctx: Context) -> None:
        await begin.wait()
        ctx.serve(answer)
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    async with running(config(broker.url, http="127.0.0.1:0"), tmp_path) as daemon, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{daemon.app.parts.doors.port}/played/x"
        calling = asyncio.create_task(fetch(session, url), name="call")
        await until(lambda: daemon.app._port is not None and bool(daemon.app._port._server.connections))
        begin.set()
        assert (await calling)[0] == 200


async def test_a_stop_answers_what_is_under_way_before_it_ends_the_adapters(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: socket.socket
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(_: HttpRequest) -> HttpResponse:
        asked.set()
        await go.wait()
        return HttpResponse(body=b"{}")

    async def act(_: Played, ctx: Context) -> None:
        ctx.serve(answer)
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    app = App(config(broker.url), state_dir=tmp_path, handed=[held.dup()])
    async with app, aiohttp.ClientSession() as session:
        stopping = asyncio.create_task(app.run(), name="daemon")
        calling = asyncio.create_task(fetch(session, f"{address(held)}/played/x"), name="call")
        await asked.wait()
        stopping.cancel()
        await until(lambda: app._port is not None and app._port.closing)
        go.set()
        assert (await calling)[0] == 200
        await asyncio.wait([stopping])
