"""A collector of traces on a real socket: OTLP over HTTP, decoded with the protocol's own messages."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import DEADLINE


class Collector:
    """Keeps what it gets. ``status`` is what it answers, ``headers`` with what; while ``slow`` it does not answer."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.heard: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.attempts = 0
        self.url = ""
        self.port = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    async def until(self, done: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Wait until something is so; looks at each request."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not (found := done()):
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            names = [span.name for span in self.spans]
            raise AssertionError(f"not told in time; {self.attempts} attempts, spans {names}") from None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        self.go_on.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        self.attempts += 1
        self._news.set()
        body = await request.read()
        await self.go_on.wait()
        if self.status == 200:
            self.paths.append(request.path)
            self.heard.append(dict(request.headers))
            plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            self.requests.append(ExportTraceServiceRequest.FromString(plain))
            self._news.set()
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(
            status=self.status, body=answer, content_type="application/x-protobuf", headers=self.headers
        )


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    await collector.start()
    try:
        yield collector
    finally:
        await collector.stop()
