"""What is told of the port and the public address, each a real server."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from jitney.daemon.config.schema import Config, HttpSettings
from jitney.daemon.service.doctor import web as doctor
from tests.daemon.running import Played, config, running
from tests.daemon.service.doctor.examined import case, looked, texts


@asynccontextmanager
async def somebody(status: int = 404, body: str = "{}", **headers: str) -> AsyncIterator[str]:
    """Serve the same answer at every address, as what stands before the port may, and yield its address."""

    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def told(url: str = "", *, listen: str = "127.0.0.1:0", **options: bool) -> list[tuple[str, str]]:
    settings = Config(http=HttpSettings(listen=listen, public_url=url))
    return [(one.level, one.text) for one in await looked(doctor.look, case(settings, **options))]


async def test_a_port_that_is_free_can_be_opened() -> None:
    assert await told() == [
        ("ok", "127.0.0.1:0 can be opened"),
        ("ok", "no public address is wanted: nothing from outside can come"),
    ]


async def test_a_port_of_another_program_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        found = await looked(doctor.look, case(Config(http=HttpSettings(listen=listen))))
    assert (found[0].level, found[0].text) == ("problem", f"{listen} is taken by another program")
    assert "ss -ltnp" in found[0].remedy


async def test_an_address_that_is_not_of_this_machine_is_a_problem() -> None:
    ((level, text), _) = await told(listen="192.0.2.1:8077")
    assert (level, text.startswith("192.0.2.1:8077 cannot be opened")) == ("problem", True)


async def test_no_port_is_no_problem() -> None:
    assert await told(listen="") == [("ok", "no port is wanted")]


async def test_the_port_of_a_running_daemon_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    Played.act = None
    settings = config("mqtt://127.0.0.1:1", http=listen)
    async with running(settings, tmp_path):
        found = await looked(doctor.look, case(settings, state=tmp_path))
    assert texts(found)[0] == f"{listen} answers"


async def test_a_public_address_that_leads_to_the_port_itself_shows_more_than_it_should(tmp_path: Path) -> None:
    Played.act = None
    async with running(config("mqtt://127.0.0.1:1", http="127.0.0.1:0"), tmp_path) as daemon:
        url = f"http://127.0.0.1:{daemon.app.parts.doors.port}"
        settings = Config(http=HttpSettings(listen="127.0.0.1:0", public_url=url))
        found = await looked(doctor.look, case(settings, state=tmp_path))
    assert ("ok", f"{url} leads here") in [(one.level, one.text) for one in found]
    assert texts(found, "warning") == [
        f"{url} is not encrypted",
        f"{url}/health/detailed is open to everybody",
    ]


@pytest.mark.parametrize(
    ("answer", "level", "says"),
    [
        ((404, "{}"), "ok", "leads here"),
        ((503, "", {"Retry_After": "30"}), "note", "an adapter that does not answer now"),
        ((502, ""), "note", "does not reach Jitney"),
        ((302, "", {"Location": "https://login.example.org/?token=canary"}), "problem", "leads elsewhere (HTTP 302)"),
        ((401, ""), "problem", "a login stands before"),
        ((403, ""), "problem", "a login stands before"),
        ((200, "<html>"), "problem", "somebody else's (HTTP 200)"),
        ((404, "<html>not found"), "problem", "somebody else's (HTTP 404)"),
    ],
)
async def test_what_stands_at_the_public_address_is_told_apart(
    answer: tuple[int, str, dict[str, str]], level: str, says: str
) -> None:
    status, body, *headers = answer
    async with somebody(status, body, **(headers[0] if headers else {})) as url:
        found = await told(url)
    assert [one for one in found if says in one[1] and one[0] == level]
    assert "canary" not in str(found)


async def test_an_address_where_nobody_is_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert ("problem", f"{url} is not reached from here: Connection refused") in await told(url)


async def test_an_address_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert ("problem", f"{url} is not reached from here: no answer within 0.2 s") in await told(url)


async def test_a_clock_that_differs_is_a_warning() -> None:
    async with somebody(Date=formatdate(time.time() - 3600, usegmt=True)) as url:
        found = await told(url)
    assert any(text.startswith("the clock differs by 3") for level, text in found if level == "warning")


async def test_offline_the_public_address_is_not_tried() -> None:
    assert ("note", "https://bus.example.org was not tried: --offline") in await told(
        "https://bus.example.org", offline=True
    )
