"""The port for HTTP, and whether the public address leads to it and to nothing that is nobody's business."""

import asyncio
import errno
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from jitney import __version__
from jitney.adapters.base import Found
from jitney.daemon.service.doctor.case import Case

SECONDS: Final = 8.0
"""How long an answer may take."""

SKEW: Final = 60.0
"""Seconds by which the clock may differ from that of whoever answers."""

MOST_BYTES: Final = 4096

UNIT: Final = "jitney.socket"
_NO_PORT_FOR_ALL: Final = 1024


class _Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


async def look(case: Case) -> AsyncIterator[Found]:
    """Yield how the port and the public address are."""
    if not case.config.http.listen:
        yield Found("ok", "no port is wanted")
        return
    runs = case.runs_here()
    async with aiohttp.ClientSession(headers={"User-Agent": f"jitney/{__version__}"}) as http:
        yield await _port(http, case.config.http.listen, runs=runs)
        async for found in _public(http, case, runs=runs):
            yield found


async def _port(http: aiohttp.ClientSession, listen: str, *, runs: bool) -> Found:
    host, _, number = listen.rpartition(":")
    if runs and number != "0":
        answer = await _fetch(http, f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{number}/ready")  # noqa: S104
        if isinstance(answer, _Answer) and b'"ready"' in answer.body:
            return Found("ok", f"{listen} answers")
        text = f"the daemon runs, and {listen} does not answer as Jitney does"
        return Found("problem", text, "was it started with another configuration? Restart it")
    fault = await asyncio.to_thread(_fault, host.strip("[]"), int(number))
    if fault is None:
        return Found("ok", f"{listen} can be opened" if not runs else f"{listen}: any free port")
    if fault.errno == errno.EADDRINUSE:
        if await _is_held():
            return Found("ok", f"{listen} is held open by systemd ({UNIT})")
        return Found("problem", f"{listen} is taken by another program", f"find it: sudo ss -ltnp 'sport = :{number}'")
    remedy = (
        "ports below 1024 are root's: take another one" if int(number) < _NO_PORT_FOR_ALL else "correct http.listen"
    )
    return Found("problem", f"{listen} cannot be opened: {fault.strerror or fault}", remedy)


def _fault(host: str, port: int) -> OSError | None:
    """Return why a port cannot be opened, None when it can."""
    try:
        for family, sort, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, sort, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        return error
    return None


async def _is_held() -> bool:
    """Tell whether systemd holds the port; asking the port itself would start the service."""
    program = shutil.which("systemctl")
    if program is None:
        return False
    process = await asyncio.create_subprocess_exec(
        program, "is-active", "--quiet", UNIT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SECONDS):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


async def _public(http: aiohttp.ClientSession, case: Case, *, runs: bool) -> AsyncIterator[Found]:
    url = case.config.http.public_url.rstrip("/")
    if not url:
        yield Found("ok", "no public address is wanted: nothing from outside can come")
        return
    if case.offline:
        yield Found("note", f"{url} was not tried: --offline")
        return
    if urlsplit(url).scheme != "https":
        yield Found("warning", f"{url} is not encrypted", "put a proxy with a certificate before it: https://")
    adapter = next((one.name for one in case.config.adapters.values() if one.enabled), "jitney")
    asked = f"{url}/{adapter}/webhook/doctor-{token_hex(4)}"
    answer, exposed = await asyncio.gather(_fetch(http, asked), _fetch(http, f"{url}/health/detailed"))
    if isinstance(answer, str):
        remedy = "try it from elsewhere too: some routers do not lead from inside to their own public address"
        yield Found("problem", f"{url} is not reached from here: {answer}", remedy)
        return
    yield _reached(url, answer, runs=runs)
    for found in _clock(answer, time.time()):
        yield found
    if isinstance(exposed, _Answer) and b'"adapters"' in exposed.body:
        remedy = f"let the proxy pass nothing but /{adapter}/: that page has the names of your people"
        yield Found("warning", f"{url}/health/detailed is open to everybody", remedy)


def _reached(url: str, answer: _Answer, *, runs: bool) -> Found:
    status, login = answer.status, "exempt the paths of webhooks and sign-in from the login: docs/strava.md"
    match status:
        case HTTPStatus.NOT_FOUND if answer.body.strip() in (b"", b"{}"):
            found = Found("ok", f"{url} leads here")
        case HTTPStatus.SERVICE_UNAVAILABLE if "Retry-After" in answer.headers:
            found = Found("ok" if runs else "note", f"{url} leads here, to an adapter that does not answer now")
        case HTTPStatus.BAD_GATEWAY | HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.GATEWAY_TIMEOUT:
            text = f"{url} leads to a proxy that does not reach Jitney (HTTP {status})"
            remedy = "let the proxy pass it to the port of http.listen" if runs else "start Jitney"
            found = Found("problem" if runs else "note", text, remedy)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            found = Found("problem", f"a login stands before {url} (HTTP {status}), which no webhook passes", login)
        case _ if status // 100 == 3:  # noqa: PLR2004 - 3xx
            found = Found("problem", f"{url} leads elsewhere (HTTP {status}), which no webhook follows", login)
        case _:
            remedy = "let the proxy or tunnel pass it to the port of http.listen, without the path of public_url"
            found = Found("problem", f"{url} is somebody else's (HTTP {status})", remedy)
    return found


def _clock(answer: _Answer, now: float) -> Iterator[Found]:
    """Yield by how much the clock differs from that of whoever answered (RFC 9110, 6.6.1)."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:
        return
    if abs(theirs - now) > SKEW:
        text = f"the clock differs by {abs(theirs - now):.0f} s from that of the public address"
        yield Found("warning", text, "let it be set over the network: sudo timedatectl set-ntp true")


async def _fetch(http: aiohttp.ClientSession, url: str) -> _Answer | str:
    """Return an answer, or why there is none in words that have nothing of the address in them."""
    try:
        async with http.get(url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=SECONDS)) as response:
            return _Answer(response.status, response.headers, await response.content.read(MOST_BYTES))
    except TimeoutError:
        return f"no answer within {SECONDS:g} s"
    except aiohttp.ClientConnectorCertificateError:
        return "its certificate is not trusted, or is for another name"
    except aiohttp.ClientConnectorDNSError:
        return "its name is not known to the name server"
    except aiohttp.ClientConnectorError as error:
        return os.strerror(error.errno) if error.errno else "no connection"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return type(error).__name__
