"""Webhooks: sent to allowed places, briefly, and with secrets that lie nowhere else."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.runtime import Runtimes
from jitney.daemon.routes.actions import SecretName, Webhook
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routing import outgoing_http
from jitney.daemon.routing.failures import FailedError, judge
from jitney.daemon.routing.secrets import Secrets
from jitney.daemon.routing.webhooks import Webhooks
from jitney.topics import JitneyError
from tests.daemon.routing.hooks import hooks
from tests.waiting import until


async def vault(name: str) -> Secret | None:
    return Secret("from the vault") if name == "hook" else None


@asynccontextmanager
async def sending(*patterns: str, folder: Path | None = None) -> AsyncIterator[Webhooks]:
    secrets = Secrets(environ={"TOKEN": "Bearer abc"}, folder=folder or Path("/nowhere"), vault=vault)
    webhooks = Webhooks(AllowList(map(Pattern.parse, patterns)), secrets.fetch, Runtimes())
    try:
        yield webhooks
    finally:
        await webhooks.close()


def post(url: str, **fields: Any) -> Webhook:  # noqa: ANN401
    return Webhook(**{"method": "POST", "url": url, "body": Raw(b'{"a":1}'), **fields})


async def failing(webhooks: Webhooks, webhook: Webhook) -> JitneyError:
    with pytest.raises((RefusedError, FailedError)) as raised:
        await webhooks.send(webhook, owner="alice")
    return raised.value


async def test_a_webhook_arrives_as_it_was_asked_for() -> None:
    async with hooks() as server, sending(f"{server.url}/*") as webhooks:
        secret = {"x-token": SecretName("env", "TOKEN")}
        await webhooks.send(post(f"{server.url}/a%20b?c=d", headers={"X-Kind": "é"}, secrets=secret), owner="alice")
        (got,) = server.requests
        assert (got.method, got.path, got.body) == ("POST", "/a%20b?c=d", b'{"a":1}')
        assert (got.headers["content-type"], got.headers["x-token"]) == ("application/json", "Bearer abc")
        assert got.headers["user-agent"].startswith("jitney/")
        await webhooks.send(Webhook(method="GET", url=f"{server.url}/plain"), owner="alice")
        assert (server.requests[1].body, server.requests[1].headers.get("content-type")) == (b"", None)


async def test_nobody_is_asked_who_is_not_on_the_list() -> None:
    async with hooks() as server, sending(f"{server.url}/in/*", "http://*/*") as webhooks:
        for url in (
            f"{server.url}/out",
            f"{server.url}/in/../out",
            f"{server.url}/in/%2e%2e/out",
            server.url.replace("127.0.0.1", "localhost") + "/in/x",
            server.url.replace("127.0.0.1", "127.1") + "/in/x",
            server.url.replace("127.0.0.1", "2130706433") + "/in/x",
            f"http://[::ffff:127.0.0.1]:{server.port}/in/x",
        ):
            assert judge(await failing(webhooks, post(url))).code == "not_allowed"
        assert server.requests == []


async def test_a_list_that_names_nobody_lets_nobody_into_the_house() -> None:
    async with hooks() as server, sending(f"http://*:{server.port}/*") as webhooks:
        for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]"):
            error = await failing(webhooks, post(f"http://{host}:{server.port}/x"))
            assert judge(error).final, host
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://127.0.0.1/",
        "http://alice:secret@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://",
        "http://127.0.0.1/" + "x" * 3000,
    ],
)
async def test_what_is_no_address_is_never_tried_again(url: str) -> None:
    async with sending("http://127.0.0.1/*") as webhooks:
        failure = judge(await failing(webhooks, post(url)))
        assert failure.final
        assert "secret" not in failure.reason


async def test_a_name_of_the_world_that_leads_into_the_house_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hooks() as server:
        look_up = socket.getaddrinfo
        places = {"hooks.example.org": "127.0.0.1", "nodered.local": "127.0.0.1"}
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: look_up(places[host], *rest, **more))
        named = [f"http://{name}:{server.port}/*" for name in places]
        async with sending(*named) as webhooks:
            error = await failing(webhooks, post(f"http://hooks.example.org:{server.port}/x"))
            assert judge(error).code == "not_allowed"
            assert "hooks.example.org is at 127.0.0.1" in str(error)
            assert server.requests == []
            await webhooks.send(post(f"http://nodered.local:{server.port}/x"), owner="alice")
            assert len(server.requests) == 1
        async with sending(*named, f"{server.url}/nothing") as webhooks:
            await webhooks.send(post(f"http://hooks.example.org:{server.port}/x"), owner="alice")
            assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (302, "redirected", True),
        (400, "rejected", True),
        (401, "rejected", True),
        (404, "rejected", True),
        (408, "slow", False),
        (429, "busy", False),
        (500, "failed", False),
        (503, "unavailable", False),
    ],
)
async def test_an_answer_says_whether_to_try_again(status: int, code: str, *, final: bool) -> None:
    async with hooks() as server, sending(f"{server.url}/*") as webhooks:
        server.answers = [(status, {"Location": f"{server.url}/elsewhere", "Retry-After": "7"})]
        failure = judge(await failing(webhooks, post(f"{server.url}/secret?token=secret")))
        assert (failure.code, failure.final) == (code, final)
        assert failure.after == (0 if final else 7)
        assert failure.reason.startswith(f"{code}: {server.url} answered {status}")
        assert "secret" not in failure.reason
        assert len(server.requests) == 1


async def test_whoever_does_not_answer_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_http, "SECONDS", 0.1)
    async with hooks() as server, sending(f"{server.url}/*", "http://127.0.0.1:9/*") as webhooks:
        server.hold = True
        slow = judge(await failing(webhooks, post(f"{server.url}/x")))
        away = judge(await failing(webhooks, post("http://127.0.0.1:9/x")))
        assert [slow.code, away.code] == ["no_response", "unreachable"]
        assert not slow.final and not away.final  # noqa: PT018 - both or none


async def test_a_name_that_nobody_knows_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with sending("http://hooks.example.org/*") as webhooks:
        assert judge(await failing(webhooks, post("http://hooks.example.org/x"))).code == "unreachable"


async def test_many_that_hang_do_not_hold_up_one_that_answers() -> None:
    async with hooks() as slow, hooks() as quick, sending(f"{slow.url}/*", f"{quick.url}/*") as webhooks:
        slow.hold = True
        async with asyncio.TaskGroup() as group:
            hanging = [
                group.create_task(webhooks.send(post(f"{slow.url}/x"), owner="alice"), name="hangs") for _ in range(150)
            ]
            await until(lambda: len(slow.requests) == len(hanging))
            await webhooks.send(post(f"{quick.url}/x"), owner="alice")
            for task in hanging:
                task.cancel()
        assert len(quick.requests) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"body": Raw(b'"' + b"x" * 65_536 + b'"')},
        {"method": "CONNECT"},
        {"method": "post"},
        {"headers": {"Host": "evil.example.org"}},
        {"headers": {"content-length": "1"}},
        {"headers": {"X-A": "a\r\nX-B: b"}},
        {"headers": {"X A": "b"}},
    ],
)
async def test_what_must_not_be_sent_is_not_sent(fields: dict[str, Any]) -> None:
    async with hooks() as server, sending(f"{server.url}/*") as webhooks:
        assert judge(await failing(webhooks, post(f"{server.url}/x", **fields))).final
        assert server.requests == []


async def test_secrets_come_from_where_the_configuration_says(tmp_path: Path) -> None:
    tmp_path.joinpath("hook.txt").write_text("from a file\n")
    async with hooks() as server, sending(f"{server.url}/*", folder=tmp_path) as webhooks:
        secrets = {"X-A": SecretName("vault", "hook"), "X-B": SecretName("file", "hook.txt")}
        await webhooks.send(post(f"{server.url}/x", secrets=secrets), owner="alice")
        headers = server.requests[0].headers
        assert (headers["x-a"], headers["x-b"]) == ("from the vault", "from a file")


@pytest.mark.parametrize(
    "where",
    [
        SecretName("vault", "none"),
        SecretName("env", "NONE"),
        SecretName("file", "none.txt"),
        SecretName("file", "."),
        SecretName("credential", "none"),
    ],
)
async def test_a_secret_that_is_not_there_can_still_be_put_there(tmp_path: Path, where: SecretName) -> None:
    async with hooks() as server, sending(f"{server.url}/*", folder=tmp_path) as webhooks:
        failure = judge(await failing(webhooks, post(f"{server.url}/x", secrets={"X-A": where})))
        assert (failure.code, failure.final, server.requests) == ("no_secret", False, [])


async def test_no_cookie_of_one_request_is_in_another() -> None:
    async with hooks() as server:
        url = server.url.replace("127.0.0.1", "localhost")  # no cookies are kept of addresses
        async with sending(f"{url}/*") as webhooks:
            server.answers = [(200, {"Set-Cookie": "a=b"})]
            for _ in range(2):
                await webhooks.send(post(f"{url}/x"), owner="alice")
        assert "cookie" not in server.requests[1].headers
