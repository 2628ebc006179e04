"""Which adapter answers which HTTP path, and where a browser finds it."""

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from jitney.adapters.base import HttpHandler, HttpRequest, HttpResponse

SETTLE: Final = 5.0
"""Seconds after a start in which whoever calls waits for an adapter that has not begun to serve."""

FINISH: Final = 2.0
"""Seconds in which an adapter that is to end answers what it was asked."""


class Doors:
    """The adapters that serve HTTP now. The port is opened elsewhere, and ``port`` is told from there.

    ``prefix`` is the path of the public address, like ``/jitney``; empty where it has none.
    """

    def __init__(self, public_url: str, adapters: Collection[str]) -> None:
        self.port = 0
        self.adapters = adapters
        self.handlers: dict[str, HttpHandler] = {}
        self.prefix = urlsplit(public_url).path.rstrip("/")
        self._public_url = public_url.rstrip("/")
        self._settled = 0.0
        self._begun: set[str] = set()
        self._under_way: Counter[str] = Counter()
        self._news = asyncio.Event()

    def open(self, port: int) -> None:
        """Learn that the port is open: adapters are about to serve."""
        self.port = port
        self._settled = asyncio.get_running_loop().time() + SETTLE

    def serve(self, adapter: str, handler: "HttpHandler") -> None:
        """Answer the requests to an adapter by a handler, until it is taken out of ``handlers``."""
        self.handlers[adapter] = handler
        self._begun.add(adapter)
        self._news.set()

    def ended(self, adapter: str, handler: "HttpHandler | None") -> None:
        """Learn that a handler answers nothing any more; another one that took its place goes on."""
        if handler is not None and self.handlers.get(adapter) is handler:
            del self.handlers[adapter]

    async def close(self, adapter: str) -> None:
        """Let an adapter that is to end be asked nothing more, and wait until it has answered what it was asked.

        For some time whoever calls waits for its successor.
        """
        self.handlers.pop(adapter, None)
        self._begun.discard(adapter)
        self._settled = asyncio.get_running_loop().time() + SETTLE
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH):
                while self._under_way[adapter]:
                    self._news.clear()
                    await self._news.wait()

    async def answer(self, adapter: str, request: "HttpRequest") -> "HttpResponse | None":
        """Have an adapter answer a request, None when it does not serve; raises what it raises."""
        handler = await self.handler(adapter)
        if handler is None:
            return None
        self._under_way[adapter] += 1
        try:
            return await handler(request)
        finally:
            self._under_way[adapter] -= 1
            self._news.set()

    async def handler(self, adapter: str) -> "HttpHandler | None":
        """Return who answers the requests to an adapter, None for nobody; after a start it waits until it has begun."""
        if adapter not in self._begun:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._settled):
                    while adapter in self.adapters and adapter not in self._begun:
                        self._news.clear()
                        await self._news.wait()
        return self.handlers.get(adapter)

    def public_url(self, adapter: str) -> str:
        """Return where the outside reaches an adapter, empty when it cannot."""
        return f"{self._public_url}/{adapter}" if self._public_url and self.port else ""

    def local_url(self, adapter: str) -> str:
        """Return where a browser on this machine reaches an adapter, empty when no port is open."""
        return f"http://localhost:{self.port}/{adapter}" if self.port else ""
