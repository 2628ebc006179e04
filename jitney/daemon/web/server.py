"""The one place that opens a port: health over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from jitney.daemon.web.health import Health
from jitney.topics import JitneyError


class PortError(JitneyError):
    """The port of `http.listen` cannot be opened."""


def _json(value: object, *, well: bool) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=200 if well else 503, content_type="application/json")


@asynccontextmanager
async def serve(listen: str, health: Health) -> AsyncIterator[str]:
    """Answer /health, /health/detailed and /ready on ``host:port``; yields the address. Raises PortError.

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

    app = web.Application()
    app.add_routes([web.get("/health", plain), web.get("/health/detailed", detailed), web.get("/ready", ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]") or None, int(port))
        await site.start()
        yield str(site.name)
    except (OSError, ValueError) as error:
        message = f'http.listen: cannot open {listen!r}: {error}; choose another port, or "" for none'
        raise PortError(message) from error
    finally:
        await runner.cleanup()
