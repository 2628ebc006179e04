"""What is below an adapter's own path is the adapter's to answer."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.daemon.config.schema import HttpSettings, RetrySettings
from jitney.daemon.web import adapters
from tests.daemon.running import Daemon, Played, config, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

ANY = "127.0.0.1:0"


async def answered(daemon: Daemon, path: str, *, body: bytes | None = None) -> tuple[int, bytes]:
    await until(lambda: bool(daemon.app.parts.doors.port))
    url = f"http://127.0.0.1:{daemon.app.parts.doors.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", url, data=body, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[HttpRequest]:
    """Let the played adapter serve, and return what it is asked."""
    requests: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> HttpResponse:
        requests.append(request)
        if request.path == "refused":
            raise RefusedError("not_kept", "the disk is full")
        if request.path == "slow":
            await asyncio.Event().wait()
        return HttpResponse(201, b"<p>done</p>", "text/html", {"Cache-Control": "no-store"})

    async def act(_: Played, ctx: Context) -> None:
        ctx.serve(answer)
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    return requests


async def test_an_adapter_gets_what_was_asked_below_its_name(
    broker: Broker, tmp_path: Path, asked: list[HttpRequest]
) -> None:
    async with running(config(broker.url, http=ANY), tmp_path) as daemon:
        await until(lambda: bool(daemon.app.parts.doors.handlers))
        assert await answered(daemon, "/played/a/b?x=1&y=%C3%A9&x=2", body=b"hello") == (201, b"<p>done</p>")
        (request,) = asked
        assert (request.method, request.path, request.query, request.body) == (
            "POST",
            "a/b",
            {"x": "1", "y": "é"},
            b"hello",
        )


@pytest.mark.usefixtures("asked")
async def test_what_cannot_be_answered_now_is_told_to_come_back(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "PATIENCE", 0.05)
    async with running(config(broker.url, http=ANY), tmp_path) as daemon:
        await until(lambda: bool(daemon.app.parts.doors.handlers))
        assert (await answered(daemon, "/played/refused"))[0] == 503
        assert (await answered(daemon, "/played/slow"))[0] == 503
        assert (await answered(daemon, "/nobody/x"))[0] == 404
        assert (await answered(daemon, "/played/x", body=b"x" * 70_000))[0] == 413


async def test_an_adapter_that_is_not_running_answers_nothing(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = asyncio.Event()

    async def answer(_: HttpRequest) -> HttpResponse:
        return HttpResponse()

    async def act(adapter: Played, ctx: Context) -> None:
        if adapter.attempts == 1:
            ctx.serve(answer)
            ctx.online()
            await gone.wait()
            raise DisconnectedError("gone")
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    settings = config(broker.url, http=ANY, retry=RetrySettings(first=0.01, longest=0.01))
    async with running(settings, tmp_path) as daemon:
        await until(lambda: bool(daemon.app.parts.doors.handlers))
        assert (await answered(daemon, "/played/x"))[0] == 200
        gone.set()
        await until(lambda: not daemon.app.parts.doors.handlers)
        assert (await answered(daemon, "/played/x"))[0] == 503


async def test_an_adapter_knows_where_it_is_reached(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, http=ANY)
    settings = type(settings)(
        mqtt=settings.mqtt,
        http=HttpSettings(listen=ANY, public_url="https://bus.example.org/"),
        owners=settings.owners,
        adapters=settings.adapters,
    )
    async with running(settings, tmp_path) as daemon:
        context = daemon.context()
        assert context.public_url == "https://bus.example.org/played"
        assert context.local_url == f"http://localhost:{daemon.app.parts.doors.port}/played"


async def test_without_a_port_an_adapter_is_not_reached_at_all(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        assert (daemon.context().public_url, daemon.context().local_url) == ("", "")
