"""Requests to the outside, for webhooks: to allowed places only, briefly, and never further than asked."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import UNSET
from yarl import URL

from jitney import __version__
from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import Webhook
from jitney.daemon.routes.allowed import LONGEST, AllowList
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.planned import place
from jitney.daemon.routing.secrets import Fetch

SECONDS: Final = 10.0
"""How long a request may take, from the look-up of the name to the answer."""

MOST_BYTES: Final = 65_536
"""The longest body."""

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

OUR_HEADERS: Final = frozenset({"connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"})
"""Headers that no route sets: they say where the request goes and where it ends."""

_LOOKUPS: Final = 4
_NAMES_ONLY: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_PASSING: Final = {408: "slow", 425: "slow", 429: "busy"}
_AWAY: Final = frozenset({502, 503, 504})
_REDIRECTS: Final = range(300, 400)
_REFUSALS: Final = range(400, 500)
_FAULTS: Final = range(500, 600)


class OutgoingHttp:
    """Sends the webhooks of one owner; what was opened for it is closed by ``close``."""

    def __init__(self, allowed: AllowList, fetch: Fetch) -> None:
        self._allowed = allowed
        self._fetch = fetch
        self._session: aiohttp.ClientSession | None = None
        self._resolver: _Resolver | None = None

    async def send(self, webhook: Webhook, *, traceparent: str = "") -> None:
        """Send a request; returns when it was answered well. A header of the route wins over ``traceparent``.

        Raises RefusedError when it must not be sent, or when the answer is that it is wrong (4xx) or elsewhere (3xx);
        FailedError when nobody answers or the answer is that it cannot be done now.
        """
        url = self._url(webhook)
        body = None if webhook.body is UNSET else bytes(webhook.body)
        if body is not None and len(body) > MOST_BYTES:
            raise RefusedError("too_large", f"the body has {len(body)} bytes: at most {MOST_BYTES}")
        headers = ({"Traceparent": traceparent} if traceparent else {}) | await self._headers(webhook)
        try:
            async with self._opened().request(
                webhook.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                _judge(response, where=place(webhook.url))
        except TimeoutError:
            raise FailedError("no_response", f"{place(webhook.url)} did not answer within {SECONDS:g} s") from None
        except aiohttp.InvalidURL:
            raise RefusedError("invalid", f"{place(webhook.url)} is no address") from None
        except (aiohttp.ClientError, OSError) as error:
            # Their texts may hold the whole URL, and that a secret.
            raise FailedError("unreachable", f"{place(webhook.url)}: {type(error).__name__}") from None
        except ValueError:
            raise RefusedError("invalid", "a header has a line break or is not one") from None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()
        self._session = self._resolver = None

    def _url(self, webhook: Webhook) -> URL:
        if webhook.method not in METHODS:
            raise RefusedError(
                "invalid", f"there is no method {webhook.method[:20]!r} here: use {', '.join(sorted(METHODS))}"
            )
        try:
            url = URL(webhook.url) if len(webhook.url) <= LONGEST else URL()
            host, port = url.raw_host, url.port
        except ValueError:
            host = port = None
        if not (host and port) or url.raw_user or url.raw_password:
            raise RefusedError("invalid", f"{place(webhook.url)} is no address that a webhook can have")
        if not self._allowed.permits(url.scheme, host, port, path=url.raw_path_qs):
            message = f"{place(webhook.url)} is not allowed with this path: add it to webhooks in [routing]"
            raise RefusedError("not_allowed", message)
        if _is_address(host):
            _check(self._allowed, host, port, address=host)
        return url

    async def _headers(self, webhook: Webhook) -> dict[str, str]:
        headers = {"User-Agent": f"jitney/{__version__}"}
        if webhook.body is not UNSET:
            headers["Content-Type"] = "application/json"
        given = {name.title(): value for name, value in webhook.headers.items()}
        for name, where in webhook.secrets.items():
            given[name.title()] = (await self._fetch(where)).reveal()
        if ours := OUR_HEADERS.intersection(map(str.lower, given)):
            raise RefusedError("invalid", f"the header {min(ours)} cannot be set")
        return headers | given

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = _Resolver(self._allowed)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._resolver, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                trust_env=False,
            )
        return self._session


class _Resolver(AbstractResolver):
    """Looks names up in threads of its own, and refuses what leads where it must not."""

    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="jitney-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        )
        results = [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=_NAMES_ONLY
            )
            for kind, _, protocol, _, address in found
        ]
        for result in results:
            _check(self._allowed, host, port, address=result["host"])
        return results

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check(allowed: AllowList, host: str, port: int, *, address: str) -> None:
    if not allowed.reaches(host, port, address):
        message = f"{host} is at {address}, which is a private address: name that itself in webhooks of [routing]"
        raise RefusedError("not_allowed", message)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _judge(response: aiohttp.ClientResponse, *, where: str) -> None:
    status = response.status
    answered = f"{where} answered {status}"
    if status in _REDIRECTS:
        raise RefusedError("redirected", f"{answered}: give the address to which it leads")
    if status in _PASSING:
        raise FailedError(_PASSING[status], answered, after=_seconds(response.headers.get("Retry-After", "")))
    if status in _REFUSALS:
        raise RefusedError("rejected", answered)
    if status in _FAULTS:
        code = "unavailable" if status in _AWAY else "failed"
        raise FailedError(code, answered, after=_seconds(response.headers.get("Retry-After", "")))


def _seconds(text: str) -> float:
    """Return the seconds of a Retry-After header, 0 for a date, which hardly anybody sends (RFC 9110, 10.2.3)."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0.0  # noqa: PLR2004
