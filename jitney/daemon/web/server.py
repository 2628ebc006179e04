"""What is answered over HTTP: health, and the pages of adapters."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from jitney.daemon.config.schema import HttpSettings
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.web.adapters import MOST_BYTES, AdapterPages
from jitney.daemon.web.addresses import Addresses
from jitney.daemon.web.health import Health
from jitney.daemon.web.lobby import Lobby
from jitney.daemon.web.port import Port, opened

ALLOW: Final = "GET, HEAD, OPTIONS"
"""What our own pages can be asked."""

NOT_FOR_YOU: Final = (
    "this page names people: it is for this machine, for those whom `details` in [http] names, and for nobody who comes"
    " through a proxy that `trusted_proxies` does not name\n"
)

_Answer = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serve(
    settings: HttpSettings, health: Health, doors: Doors, *, handed: Sequence[socket.socket] = ()
) -> AsyncIterator[Port]:
    """Answer /health, /health/detailed, /ready and /{adapter}/… on sockets that were handed over, else at ``listen``.

    Raises PortError.

    /health and /health/detailed answer 503 when the bus is without its broker or disk for long or stuck, else 200 with
    the status in words (``verdict``); /ready answers 200 as soon as events can be accepted. /health has no name of a
    person or thing. With ``metrics`` there is /metrics for Prometheus. What names people is not for everybody.
    """
    lobby = Lobby(
        health.parts.counters,
        addresses=Addresses(proxies=settings.trusted_proxies, near=settings.details),
        most=settings.connections,
        of_one=settings.connections_per_address,
    )
    pages = AdapterPages(doors, lobby)
    own = _own(health, metrics=settings.metrics)
    app = web.Application(client_max_size=MOST_BYTES)
    for prefix in {"", doors.prefix}:
        for path, answer in own.items():
            app.router.add_route("*", prefix + path, _reading(answer, pages, near=path in _NEAR, lobby=lobby))
    app.router.add_route("*", "/{adapter}/{path:.*}", pages.answer)
    app.router.add_route("*", "/{path:.*}", _nothing(pages))
    https = settings.public_url.startswith("https:")
    async with opened(app, settings.listen, handed, lobby=lobby, https=https) as port:
        doors.open(port.number)
        try:
            yield port
        finally:
            doors.port = 0


_NEAR: Final = frozenset({"/health/detailed", "/metrics"})
"""What names people."""


def _own(health: Health, *, metrics: bool) -> dict[str, _Answer]:
    async def plain(_: web.Request) -> web.Response:
        return _json(health.plain(), well=not health.verdict.failing())

    async def detailed(_: web.Request) -> web.Response:
        return _json(health.detailed(), well=not health.verdict.failing())

    async def ready(_: web.Request) -> web.Response:
        return _json({"ready": health.ready()}, well=health.ready())

    own: dict[str, _Answer] = {"/health": plain, "/health/detailed": detailed, "/ready": ready}
    if metrics:
        from jitney.daemon.web.metrics import Metrics  # noqa: PLC0415 - costs memory where nobody wants it

        own["/metrics"] = Metrics(health).answer
    return own


def _reading(answer: _Answer, pages: AdapterPages, *, near: bool, lobby: Lobby) -> _Answer:
    """Return what answers a page of our own: it can be read, and if it is ``near`` not by everybody."""

    async def read(request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": ALLOW})
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": ALLOW})
        if near and not lobby.addresses.may_see(pages.peer(request), request.headers):
            return web.Response(status=403, text=NOT_FOR_YOU)
        return await answer(request)

    return read


def _nothing(pages: AdapterPages) -> _Answer:
    async def nothing(request: web.Request) -> web.Response:
        return pages.nothing(pages.client(request))

    return nothing


def _json(value: object, *, well: bool) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=200 if well else 503, content_type="application/json")
