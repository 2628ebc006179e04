"""A web server that takes webhooks and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct


class Request(Struct, frozen=True):
    """What arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Hooks:
    """Keeps what arrives; the answers are used up one by one, then everything is fine. ``hold`` answers never."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.hold = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Request(request.method, request.path_qs, headers, await request.read()))
        if self.hold:
            await asyncio.Event().wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def hooks() -> AsyncIterator[Hooks]:
    """Run a server on a free port."""
    served = Hooks()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (address,) = runner.addresses
        served.port = int(address[1])
        yield served
    finally:
        await runner.cleanup()
