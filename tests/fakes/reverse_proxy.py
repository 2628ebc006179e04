"""A reverse proxy over HTTP, as a household has one before its port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from yarl import URL

_OF_THE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"})


@asynccontextmanager
async def reverse_proxy(target: str, *, prefix: str = "", strip: bool = True) -> AsyncIterator[str]:
    """Pass on what comes below ``prefix``, which is taken away or not, and yield the proxy's origin.

    Whom it asks for it says in X-Forwarded-For, after what the client had said there.
    """

    async def forward(request: web.Request) -> web.Response:
        path = request.raw_path
        if not path.startswith(f"{prefix}/"):
            return web.Response(status=404, text="the proxy knows nothing of it")
        url = target + (path[len(prefix) :] if strip else path)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_THE_HOP}
        said = request.headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = f"{said}, {request.remote}" if said else str(request.remote)
        async with http.request(
            request.method, URL(url, encoded=True), headers=headers, data=await request.read(), allow_redirects=False
        ) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OF_THE_HOP]
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
