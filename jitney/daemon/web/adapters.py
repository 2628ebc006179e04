"""HTTP for adapters: whatever is below ``/{adapter}/`` goes to the adapter of that name."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Final

from aiohttp import web

from jitney.adapters.base import HttpRequest, HttpResponse
from jitney.daemon.log import Tally, get
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.web.addresses import Address
from jitney.daemon.web.caller import Caller
from jitney.daemon.web.guesses import Guesses
from jitney.daemon.web.lobby import Lobby
from jitney.topics import JitneyError

MOST_BYTES: Final = 65_536
"""The largest body."""

BODY_SECONDS: Final = 10.0
"""Seconds within which a body has to arrive."""

PATIENCE: Final = 10.0
"""Seconds within which a request has to be answered."""

MOST_AT_ONCE: Final = 2048
"""Requests to one adapter that are under way; more are told to come back."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What an adapter can be asked."""

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_METHOD_NOT_ALLOWED: Final = 405

_log = get("web")


class AdapterPages:
    """Hands requests to the adapters that serve.

    Whoever asks too often for what is not there has to wait: pages are refused to them, while what is sent is looked at
    all the same, and refused when the adapter does not take it. So what proves itself passes, whoever else guesses from
    the same address.
    """

    def __init__(self, doors: Doors, lobby: Lobby, *, guesses: Guesses | None = None) -> None:
        self._doors = doors
        self._lobby = lobby
        self._guesses = guesses if guesses is not None else Guesses()
        self._under_way: dict[str, int] = {}
        self._tally = Tally(_log)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request; 503 when the adapter does not serve now, is slow or has too many."""
        client = self.client(request)
        found = self._place(request)
        if found is None:
            return self.nothing(client)
        answer = self._refusal(request, client) or await self._asked(request, *found)
        if isinstance(answer, web.Response):
            return answer
        if _is_guess(request.method, answer.status) and (seconds := self._guesses.take(client)):
            return self._too_many(seconds)
        return _written(request.method, answer)

    def peer(self, request: web.BaseRequest) -> Address:
        """Return who is at the other end of the connection."""
        return _caller(request).peer

    def client(self, request: web.BaseRequest) -> Address:
        """Return who asks, maybe through a proxy."""
        return self._lobby.addresses.client(self.peer(request), request.headers)

    def nothing(self, client: Address) -> web.Response:
        """Answer somebody who asks for what is not there."""
        seconds = self._guesses.take(client)
        return self._too_many(seconds) if seconds else web.Response(status=404)

    def _place(self, request: web.Request) -> tuple[str, str] | None:
        """Return the adapter and the path below it; None for nobody's, and for one that means something else.

        The path of the public address may stand before it: not every proxy takes it away.
        """
        name, path = request.match_info["adapter"], request.match_info["path"]
        if name not in self._doors.adapters and self._doors.prefix:
            whole = f"/{name}/{path}"
            if whole.startswith(f"{self._doors.prefix}/"):
                name, _, path = whole[len(self._doors.prefix) + 1 :].partition("/")
        return (name, path) if name in self._doors.adapters and is_plain(path) else None

    def _refusal(self, request: web.Request, client: Address) -> web.Response | None:
        """Return the answer to what no adapter is asked."""
        if request.method not in METHODS:
            return web.Response(status=_METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(METHODS)})
        if request.method in _READING and (seconds := self._guesses.wait(client)):
            return self._too_many(seconds)
        status = _unwanted(request)
        if status:
            self._lobby.count("body")
        return _closing(status) if status else None

    async def _asked(self, request: web.Request, name: str, path: str) -> HttpResponse | web.Response:
        """Return the answer of an adapter, or ours in its place."""
        if self._under_way.get(name, 0) >= MOST_AT_ONCE:
            return _come_back()
        self._under_way[name] = self._under_way.get(name, 0) + 1
        try:
            body = await self._body(request)
            return body if isinstance(body, web.Response) else await self._answer(request, name, path=path, body=body)
        finally:
            self._under_way[name] -= 1

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """Return what was sent, or the answer to whoever sends too much or too slowly."""
        try:
            with self._reading(request):
                async with asyncio.timeout(BODY_SECONDS):
                    return await request.read()
        except TimeoutError:
            self._lobby.count("slow_body")
            return _closing(web.HTTPRequestTimeout.status_code)
        except web.HTTPRequestEntityTooLarge:
            self._lobby.count("body")
            return _closing(web.HTTPRequestEntityTooLarge.status_code)

    async def _answer(self, request: web.Request, name: str, *, path: str, body: bytes) -> HttpResponse | web.Response:
        query = {key: request.query.getone(key) for key in request.query}
        try:
            async with asyncio.timeout(PATIENCE):
                asked = HttpRequest(request.method, path, query, body, request.content_type)
                return await self._doors.answer(name, asked) or _come_back()
        except TimeoutError:
            self._tally.add("a request was not answered in time", key=name, adapter=name)
        except JitneyError as error:
            self._tally.add("a request was not answered", key=name, adapter=name, reason=str(error))
        return _come_back()

    @contextmanager
    def _reading(self, request: web.Request) -> Iterator[None]:
        """Let the lobby know that a body is on its way, where one is."""
        caller = _caller(request)
        if request.content.is_eof():
            yield
            return
        self._lobby.reads(caller, self.client(request))
        try:
            yield
        finally:
            self._lobby.has_read(caller)

    def _too_many(self, seconds: float) -> web.Response:
        self._lobby.count("rate_limited")
        return web.Response(status=429, headers={"Retry-After": str(ceil(seconds))})


def is_plain(path: str) -> bool:
    """Tell whether a decoded path is no other way of writing one, and can be printed."""
    return path.isprintable() and "\\" not in path and not {".", ".."} & set(path.split("/"))


def _caller(request: web.BaseRequest) -> Caller:
    caller = request.protocol
    if not isinstance(caller, Caller):
        raise TypeError("the port makes no other connections")
    return caller


def _unwanted(request: web.Request) -> int:
    """Return with which status a body is refused that is not even read, 0 for none."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return web.HTTPUnsupportedMediaType.status_code
    return web.HTTPRequestEntityTooLarge.status_code if (request.content_length or 0) > MOST_BYTES else 0


def _closing(status: int) -> web.Response:
    """Return an answer after which the connection ends, for what is still on its way is not wanted."""
    response = web.Response(status=status)
    response.force_close()
    return response


def _is_guess(method: str, status: int) -> bool:
    """Tell whether a request counts as one: a page, and whatever its sender got wrong."""
    return method in _READING or 400 <= status < 500  # noqa: PLR2004 - 4xx


def _written(method: str, answer: HttpResponse) -> web.Response:
    allowed = next((value for name, value in answer.headers.items() if name.lower() == "allow"), "")
    if method == "OPTIONS" and answer.status == _METHOD_NOT_ALLOWED and allowed:
        return web.Response(status=204, headers={"Allow": f"{allowed}, OPTIONS"})
    return web.Response(
        status=answer.status, body=answer.body, content_type=answer.content_type, headers=answer.headers
    )


def _come_back() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "30"})
