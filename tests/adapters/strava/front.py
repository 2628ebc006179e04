"""The HTTP of the daemon: what is below ``/strava/`` goes to the handler that a context was given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from jitney.adapters.base import HttpRequest
from tests.fakes.context import RecordingContext


@asynccontextmanager
async def front(ctx: RecordingContext) -> AsyncIterator[str]:
    """Serve on a free port and yield the address of the adapter's pages; 503 while nothing is served."""

    async def answer(request: web.Request) -> web.Response:
        if ctx.handler is None:
            return web.Response(status=503)
        asked = HttpRequest(
            request.method,
            request.match_info["path"],
            {key: request.query.getone(key) for key in request.query},
            await request.read(),
            request.content_type,
        )
        told = await ctx.handler(asked)
        return web.Response(status=told.status, body=told.body, content_type=told.content_type, headers=told.headers)

    app = web.Application()
    app.router.add_route("*", "/strava/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/strava"
    finally:
        await runner.cleanup()
