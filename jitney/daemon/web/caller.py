"""One HTTP connection: how long each of its steps may take, and what is said to whoever does not speak HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from jitney.daemon.log import get
from jitney.daemon.web.addresses import HERE, Address, of_peer
from jitney.daemon.web.answers import PLAIN
from jitney.daemon.web.lobby import Lobby

FIRST_SECONDS: Final = 10.0
"""How long a new connection may say nothing."""

HEADER_SECONDS: Final = 10.0
"""How long the headers of a request may take from their first byte on."""

REQUEST_SECONDS: Final = 25.0
"""How long a request may take from its headers until its answer is taken: the adapters' part has limits of its own."""

IDLE_SECONDS: Final = 150.0
"""How long a connection may wait for another request: longer than a proxy keeps one, so that none uses one that ends.

Whoever waits so makes room when it is needed.
"""

MOST_HEADER_BYTES: Final = 32_768
"""Of a request line and all headers together."""

MOST_UNWANTED_BYTES: Final = 1_048_576
"""Of a body that nobody reads, taken so that the answer can be; the connection ends with it."""

UNWANTED_SECONDS: Final = 2.0

READ_BYTES: Final = 16_384
"""Taken from a connection at once. asyncio's 256 KiB would leave as much of the heap in pieces for each slow body."""

_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "keepalive_timeout": IDLE_SECONDS,
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
    "lingering_time": 0.5,
    "read_bufsize": READ_BYTES,
    "auto_decompress": False,
}

_log = get("web")


class Caller(web.RequestHandler):
    """aiohttp's connection with a deadline for every step, counted by a lobby."""

    __slots__ = ("_bytes", "_deadline", "_lobby", "_out", "_phase", "_timer", "peer")

    def __init__(self, server: web.Server, lobby: Lobby) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **_OPTIONS)
        self.peer: Address = HERE
        self._lobby = lobby
        self._phase = "silent"
        self._bytes = 0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._out = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in, or be cut."""
        self.peer = of_peer(transport.get_extra_info("peername"))
        if not self._lobby.enter(self, self.peer):
            self._out = True
            if isinstance(transport, asyncio.Transport):
                transport.abort()
            return
        if hasattr(transport, "max_size"):
            transport.max_size = READ_BYTES
        super().connection_made(transport)
        self._expect(FIRST_SECONDS, "silent")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave."""
        self._lobby.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; headers that never end are the end of the connection."""
        if self._phase in ("silent", "idle"):
            self._bytes = 0
            self._expect(HEADER_SECONDS, "slow_headers")
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            return
        self._bytes += len(data)
        if self._phase == "slow_headers" and self._bytes > MOST_HEADER_BYTES:
            self._lobby.count("headers")
            self.turn_out()
        elif self._phase == "unwanted" and self._bytes > MOST_UNWANTED_BYTES:
            self.turn_out()

    def turn_out(self) -> None:
        """Cut the connection, now."""
        self._out = True
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or ends too early, in few words; what is our own fault is logged as such."""
        if status != web.HTTPBadRequest.status_code and not isinstance(
            exc, HttpProcessingError | web.RequestPayloadError | ConnectionError
        ):
            return super().handle_error(request, status, exc, message)
        self._lobby.count("malformed")
        _log.debug("a request was not understood", sort=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        response = web.Response(status=400, text="400: Bad Request\n", headers=PLAIN)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        """Log what is a fault of ours; that somebody goes while we read is none."""
        error = kw.get("exc_info")
        if self.transport is None and isinstance(error, RuntimeError | ConnectionError):
            _log.debug("somebody has gone without the answer", sort=type(error).__name__)
            return
        super().log_exception(*args, **kw)

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self._lobby.served(self)
        self._expect(REQUEST_SECONDS, "slow_request")
        try:
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            if self.transport is not None:
                self._lobby.waits(self)
                self._bytes = 0
                if request.content.is_eof():
                    self._expect(IDLE_SECONDS, "idle")
                else:
                    self._expect(UNWANTED_SECONDS, "unwanted")

    def _expect(self, seconds: float, phase: str) -> None:
        """Begin a phase that may last so long; a timer that is set too early looks again when it rings."""
        self._phase = phase
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() <= self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self.transport is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
            return
        if self._phase not in ("idle", "unwanted"):
            self._lobby.count(self._phase)
        self.turn_out()
