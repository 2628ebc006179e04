"""The port for HTTP: opened, or taken over from systemd, and closed so that nobody who calls is turned away."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from aiohttp import web

from jitney.daemon.counters import Counters
from jitney.daemon.web.answers import finish
from jitney.daemon.web.caller import Caller
from jitney.daemon.web.lobby import Lobby
from jitney.topics import JitneyError

BACKLOG: Final = 1024
"""How many may wait to be let in: those of some seconds while the daemon starts again."""

AT_ONCE: Final = 32
"""How many are let in before it is looked who of them may stay: each of them takes a file that others need."""

FINISH_SECONDS: Final = 1.0
"""How long a stop waits for requests that are under way."""

FAREWELL_SECONDS: Final = 0.5
"""How long it leaves open connections without a request, for whoever has just come or is about to ask again."""

_LOOKS: Final = 50


class PortError(JitneyError):
    """The port of `http.listen` cannot be opened."""


class Port:
    """An open port; ``number`` is its number, 0 for a Unix socket."""

    def __init__(self, server: web.Server, listening: Sequence[asyncio.Server]) -> None:
        addresses = [one.getsockname() for part in listening for one in part.sockets]
        self.number = int(addresses[0][1]) if isinstance(addresses[0], tuple) else 0
        self.closing = False
        self._server = server
        self._listening = listening

    async def close(self) -> None:
        """Let nobody in any more and answer who is in; who calls from now on waits for the next daemon.

        Whatever answers has to be there still. Only the first call does anything.
        """
        if self.closing:
            return
        self.closing = True
        await self._shut_the_door()
        for _ in range(_LOOKS):
            if not self._server.connections:
                break
            await asyncio.sleep(FAREWELL_SECONDS / _LOOKS)
        self._server.pre_shutdown()
        await self._server.shutdown(FINISH_SECONDS)

    async def _shut_the_door(self) -> None:
        """Stop accepting, and let what was accepted already become a connection.

        A server that is closed at once drops what it has accepted in the same turn of the loop.
        """
        loop = asyncio.get_running_loop()
        for part in self._listening:
            for one in part.sockets:
                loop.remove_reader(one.fileno())
        for _ in range(3):
            await asyncio.sleep(0)
        for part in self._listening:
            part.close()


@asynccontextmanager
async def opened(
    app: web.Application,
    listen: str,
    handed: Sequence[socket.socket] = (),
    *,
    lobby: Lobby | None = None,
    https: bool = False,
) -> AsyncIterator[Port]:
    """Serve an application, through sockets that were handed over or else at ``host:port``, until left.

    Whoever comes is counted by ``lobby``; ``https``: browsers reach it through TLS. Raises PortError.
    """
    guests = lobby if lobby is not None else Lobby(Counters())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=FINISH_SECONDS)
    ports: list[Port] = []

    async def farewell(request: web.Request, response: web.StreamResponse) -> None:
        if (ports and ports[0].closing) or not request.content.is_eof():
            response.force_close()
            response.headers["Connection"] = "close"
        finish(response, https=https)

    app.on_response_prepare.append(farewell)
    await runner.setup()
    server = cast("web.Server", runner.server)  # it was set up
    try:
        port = Port(server, await _listen(lambda: Caller(server, guests), listen, handed))
        ports.append(port)
        try:
            yield port
        finally:
            await port.close()
    finally:
        await runner.cleanup()


async def _listen(
    caller: Callable[[], asyncio.Protocol], listen: str, handed: Sequence[socket.socket]
) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    if handed:
        return [_waiting_room(await loop.create_server(caller, sock=one, backlog=AT_ONCE)) for one in handed]
    host, _, port = listen.rpartition(":")
    try:
        return [_waiting_room(await loop.create_server(caller, host.strip("[]") or None, int(port), backlog=AT_ONCE))]
    except (OSError, ValueError) as error:
        message = f'http.listen: cannot open {listen!r}: {error}; choose another port, or "" for none'
        raise PortError(message) from error


def _waiting_room(server: asyncio.Server) -> asyncio.Server:
    """Let more wait than asyncio lets in at once, which for it is the same number."""
    for part in server.sockets:
        with part.dup() as one:
            one.listen(BACKLOG)
    return server
