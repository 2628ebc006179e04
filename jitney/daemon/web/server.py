"""What is answered over HTTP: health, and the pages of adapters."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from jitney.daemon.supervision.doors import Doors
from jitney.daemon.web.adapters import MOST_BYTES, AdapterPages
from jitney.daemon.web.health import Health
from jitney.daemon.web.port import Port, opened


def _json(value: object, *, well: bool) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=200 if well else 503, content_type="application/json")


@asynccontextmanager
async def serve(
    listen: str, health: Health, doors: Doors, *, handed: Sequence[socket.socket] = (), metrics: bool = False
) -> AsyncIterator[Port]:
    """Answer /health, /health/detailed, /ready and /{adapter}/… on sockets that were handed over, else ``host:port``.

    Raises PortError.

    /health and /health/detailed answer 503 when the bus is without its broker or disk for long or stuck, else 200 with
    the status in words (``verdict``); /ready answers 200 as soon as events can be accepted. /health has no name of a
    person or thing. With ``metrics`` there is /metrics for Prometheus.
    """

    async def plain(_: web.Request) -> web.Response:
        return _json(health.plain(), well=not health.verdict.failing())

    async def detailed(_: web.Request) -> web.Response:
        return _json(health.detailed(), well=not health.verdict.failing())

    async def ready(_: web.Request) -> web.Response:
        return _json({"ready": health.ready()}, well=health.ready())

    app = web.Application(client_max_size=MOST_BYTES)
    app.add_routes([web.get("/health", plain), web.get("/health/detailed", detailed), web.get("/ready", ready)])
    if metrics:
        from jitney.daemon.web.metrics import Metrics  # noqa: PLC0415 - costs memory where nobody wants it

        app.router.add_get("/metrics", Metrics(health).answer)
    app.router.add_route("*", "/{adapter}/{path:.*}", AdapterPages(doors).answer)
    async with opened(app, listen, handed) as port:
        doors.open(port.number)
        try:
            yield port
        finally:
            doors.port = 0
