"""What every answer says and does not say, what can be asked of a path, and by whom."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from jitney import __version__
from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.daemon.config.schema import HttpSettings
from jitney.daemon.web import adapters, guesses
from tests.daemon.running import Daemon, Played, config, running
from tests.daemon.web.raw import request, say
from tests.fakes.mosquitto import Broker
from tests.waiting import until

PAGE = HttpResponse(200, b"<p>hello</p>", "text/html", {"Content-Security-Policy": "default-src 'none'; img-src *"})
PROXIED = {"X_Forwarded_For": "203.0.113.7"}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HttpRequest]]:
    """Let the played adapter have a page, a webhook that knows a secret, and nothing else."""
    requests: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> HttpResponse:
        requests.append(request)
        if request.path == "page":
            return PAGE if request.method == "GET" else HttpResponse(405, headers={"Allow": "GET"})
        if request.path == "webhook/secret":
            return HttpResponse(200 if request.method == "POST" else 405, b"{}")
        return HttpResponse(404, b"{}")

    async def act(_: Played, ctx: Context) -> None:
        ctx.serve(answer)
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    return requests


@asynccontextmanager
async def bus(broker: Broker, folder: Path, **http: object) -> AsyncIterator[tuple[Daemon, int]]:
    settings = config(broker.url)
    settings = replace(settings, http=HttpSettings(listen="127.0.0.1:0", metrics=True, **http))  # type: ignore[arg-type]
    async with running(settings, folder) as daemon:
        await until(lambda: bool(daemon.app.parts.doors.handlers))
        yield daemon, daemon.app.parts.doors.port


def turned_away(daemon: Daemon, reason: str) -> int:
    return daemon.app.parts.health.parts.counters.total("turned_away", reason=reason)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/nothing"),
        ("GET", "/played/page"),
        ("GET", "/played/nothing"),
        ("POST", "/played/webhook/secret"),
        ("POST", "/health"),
        ("OPTIONS", "/health"),
        ("TRACE", "/played/page"),
        ("GET", "/played/%2e%2e/health"),
    ],
)
async def test_every_answer_is_careful_and_does_not_say_what_runs_here(
    broker: Broker, tmp_path: Path, method: str, path: str
) -> None:
    async with bus(broker, tmp_path) as (_, port):
        answer = await say(port, request(method, path))
    assert answer.status
    assert answer.headers["server"] == "jitney"
    for word in (b"aiohttp", b"Python", __version__.encode()):
        assert word not in answer.raw
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "strict-transport-security" not in answer.headers


async def test_what_an_adapter_says_of_its_page_counts(broker: Broker, tmp_path: Path) -> None:
    async with bus(broker, tmp_path) as (_, port):
        answer = await say(port, request("GET", "/played/page"))
    assert answer.headers["content-security-policy"] == "default-src 'none'; img-src *; frame-ancestors 'none'"
    assert answer.body == b"<p>hello</p>"


async def test_behind_https_browsers_are_told_to_stay_there(broker: Broker, tmp_path: Path) -> None:
    async with bus(broker, tmp_path, public_url="https://bus.example.org") as (_, port):
        answer = await say(port, request("GET", "/health"))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("path", ["/health", "/health/detailed", "/ready", "/metrics"])
async def test_our_own_pages_can_be_read_and_no_more(broker: Broker, tmp_path: Path, path: str) -> None:
    async with bus(broker, tmp_path) as (_, port):
        whole, head = await say(port, request("GET", path)), await say(port, request("HEAD", path))
        assert (whole.status, head.status, head.body) == (200, 200, b"")
        assert whole.headers["content-type"] == head.headers["content-type"]
        options = await say(port, request("OPTIONS", path))
        assert (options.status, options.headers["allow"], options.body) == (204, "GET, HEAD, OPTIONS", b"")
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            refused = await say(port, request(method, path))
            assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_an_adapter_says_itself_what_can_be_asked_of_it(
    broker: Broker, tmp_path: Path, asked: list[HttpRequest]
) -> None:
    async with bus(broker, tmp_path) as (_, port):
        options = await say(port, request("OPTIONS", "/played/page"))
        assert (options.status, options.headers["allow"]) == (204, "GET, OPTIONS")
        refused = await say(port, request("DELETE", "/played/page"))
        assert (refused.status, refused.headers["allow"]) == (405, "GET")
        before = len(asked)
        for method in ("TRACE", "CONNECT", "PROPFIND"):
            assert (await say(port, request(method, "/played/page"))).status in (404, 405)
        assert len(asked) == before


@pytest.mark.parametrize(
    "path",
    [
        "/played/../health/detailed",
        "/played/%2e%2e/%2e%2e/etc/passwd",
        "/played/..%2fhealth",
        "/played/%2e/page",
        "/played/a%5c..%5cb",
        "/played/%00",
        "/played/page%0d%0aX:%20y",
        "/played%2fpage",
        "/PLAYED/page",
        "//played/page",
        "/%70layed%2e/page",
    ],
)
async def test_a_path_that_is_another_way_of_writing_one_reaches_nobody(
    broker: Broker, tmp_path: Path, asked: list[HttpRequest], path: str
) -> None:
    async with bus(broker, tmp_path) as (_, port):
        assert (await say(port, request("GET", path))).status == 404
    assert asked == []


async def test_a_body_that_is_packed_is_not_unpacked(broker: Broker, tmp_path: Path, asked: list[HttpRequest]) -> None:
    async with bus(broker, tmp_path) as (daemon, port):
        for encoding in ("gzip", "deflate", "br", "zstd"):
            packed = request("POST", "/played/webhook/secret", gzip.compress(bytes(1000)), Content_Encoding=encoding)
            assert (await say(port, packed)).status == 415
        assert turned_away(daemon, "body") == 4
    assert asked == []


async def test_a_body_is_not_read_that_says_it_is_too_large(broker: Broker, tmp_path: Path) -> None:
    async with bus(broker, tmp_path) as (_, port):
        head = b"POST /played/webhook/secret HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"
        answer = await say(port, head)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_a_body_that_grows_too_large_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with bus(broker, tmp_path) as (_, port):
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        head = b"POST /played/webhook/secret HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await say(port, head + chunk * 5)
    assert answer.status == 413


async def test_a_body_that_does_not_come_in_time_is_refused(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "BODY_SECONDS", 0.1)
    async with bus(broker, tmp_path) as (daemon, port):
        answer = await say(port, b"POST /played/webhook/secret HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert (answer.status, turned_away(daemon, "slow_body")) == (408, 1)


@pytest.mark.parametrize("path", ["/health/detailed", "/metrics"])
async def test_names_are_for_this_machine_and_for_nobody_behind_a_proxy(
    broker: Broker, tmp_path: Path, path: str
) -> None:
    async with bus(broker, tmp_path) as (_, port):
        assert (await say(port, request("GET", path))).status == 200
        refused = await say(port, request("GET", path, **PROXIED))
        assert (refused.status, b"alice" in refused.raw, b"played" in refused.raw) == (403, False, False)
        assert b"`details` in [http]" in refused.body


@pytest.mark.parametrize("path", ["/health/detailed", "/metrics"])
async def test_names_are_for_those_whom_the_configuration_names(broker: Broker, tmp_path: Path, path: str) -> None:
    async with bus(broker, tmp_path, details=("203.0.113.0/24",), trusted_proxies=("127.0.0.1",)) as (_, port):
        assert (await say(port, request("GET", path))).status == 403
        assert (await say(port, request("GET", path, **PROXIED))).status == 200
        assert (await say(port, request("GET", path, X_Forwarded_For="198.51.100.1"))).status == 403


async def test_who_guesses_has_to_wait_and_the_others_have_not(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[HttpRequest]
) -> None:
    monkeypatch.setattr(guesses, "BURST", 5.0)
    monkeypatch.setattr(guesses, "PER_SECOND", 0.001)
    async with bus(broker, tmp_path, trusted_proxies=("127.0.0.1",)) as (daemon, port):
        for number in range(5):
            path = ("/nothing", "/nobody/x", "/played/webhook/guess")[number % 3]
            assert (await say(port, request("GET", path, **PROXIED))).status == 404
        before = len(asked)
        for path in ("/nothing", "/nobody/x", "/played/page", "/played/webhook/guess"):
            answer = await say(port, request("GET", path, **PROXIED))
            assert answer.status == 429
            assert int(answer.headers["retry-after"]) > 1
        assert len(asked) == before
        assert (await say(port, request("POST", "/played/webhook/guess", b"{}", **PROXIED))).status == 429
        assert (await say(port, request("POST", "/played/webhook/secret", b"{}", **PROXIED))).status == 200
        assert (await say(port, request("GET", "/played/page", X_Forwarded_For="198.51.100.1"))).status == 200
        assert (await say(port, request("GET", "/health", **PROXIED))).status == 200
        assert turned_away(daemon, "rate_limited") == 5


async def test_what_proves_itself_never_counts_as_a_guess(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "BURST", 2.0)
    monkeypatch.setattr(guesses, "PER_SECOND", 0.001)
    async with bus(broker, tmp_path) as (_, port):
        for _ in range(10):
            assert (await say(port, request("POST", "/played/webhook/secret", b"{}"))).status == 200
        assert (await say(port, request("GET", "/played/page"))).status == 200


@pytest.mark.parametrize("prefix", ["", "/jitney", "/a/b"])
async def test_the_path_of_the_public_address_may_stand_before_every_other(
    broker: Broker, tmp_path: Path, asked: list[HttpRequest], prefix: str
) -> None:
    async with bus(broker, tmp_path, public_url=f"https://bus.example.org{prefix}/") as (daemon, port):
        assert daemon.context().public_url == f"https://bus.example.org{prefix}/played"
        for before in {"", prefix}:
            assert (await say(port, request("GET", f"{before}/health"))).status == 200
            assert (await say(port, request("POST", f"{before}/played/webhook/secret", b"{}"))).status == 200
        assert {one.path for one in asked} == {"webhook/secret"}
        assert (await say(port, request("GET", "/elsewhere/played/page"))).status == 404
        detailed = await say(port, request("GET", f"{prefix}/health/detailed", **PROXIED))
        assert detailed.status == 403
