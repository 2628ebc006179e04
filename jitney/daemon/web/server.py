"""The one place that opens a port: health over HTTP, and the pages of adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from jitney.daemon.supervision.doors import Doors
from jitney.daemon.web.adapters import MOST_BYTES, AdapterPages
from jitney.daemon.web.health import Health
from jitney.topics import JitneyError

SHUTDOWN_SECONDS: Final = 2.0
"""How long a stop waits for requests that are under way."""


class PortError(JitneyError):
    """The port of `http.listen` cannot be opened."""


def _json(value: object, *, well: bool) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=200 if well else 503, content_type="application/json")


@asynccontextmanager
async def serve(listen: str, health: Health, doors: Doors) -> AsyncIterator[str]:
    """Answer /health, /health/detailed, /ready and /{adapter}/… on ``host:port``; yields the address.

    Raises PortError.

    /health and /health/detailed answer 200 when all is well and 503 when something is not; /ready answers 200 as
    soon as events can be accepted. /health has no name of a person or thing.
    """

    async def plain(_: web.Request) -> web.Response:
        report = health.plain()
        return _json(report, well=report.status == "ok")

    async def detailed(_: web.Request) -> web.Response:
        report = health.detailed()
        return _json(report, well=report.status == "ok")

    async def ready(_: web.Request) -> web.Response:
        return _json({"ready": health.ready()}, well=health.ready())

    app = web.Application(client_max_size=MOST_BYTES)
    app.add_routes([web.get("/health", plain), web.get("/health/detailed", detailed), web.get("/ready", ready)])
    app.router.add_route("*", "/{adapter}/{path:.*}", AdapterPages(doors).answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]") or None, int(port))
        await site.start()
        doors.port = runner.addresses[0][1]
        yield str(site.name)
    except (OSError, ValueError) as error:
        message = f'http.listen: cannot open {listen!r}: {error}; choose another port, or "" for none'
        raise PortError(message) from error
    finally:
        doors.port = 0
        await runner.cleanup()
