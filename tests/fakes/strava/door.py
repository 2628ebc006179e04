"""The port: reads each request, leads it to the part that answers it, and spoils the answer when trouble is played."""

import asyncio
import socket
from collections.abc import Mapping
from email.utils import formatdate
from typing import Final

from aiohttp import hdrs, web

from tests.fakes.strava import answers
from tests.fakes.strava.asked import Asked, Room, read
from tests.fakes.strava.record import Call, Record
from tests.fakes.strava.trouble import Scene, Troubles
from tests.fakes.strava.world import World

API: Final = "/api/v3"
_HOST: Final = "127.0.0.1"
_SHUTDOWN_SECONDS: Final = 0.5
_HANDOVER_ROUNDS: Final = 5


class Door:
    """Serves ``rooms`` by the beginnings of their paths, the first that fits; it keeps its port over a pause."""

    def __init__(self, world: World, record: Record, rooms: Mapping[str, Room]) -> None:
        self.port = 0
        self.troubles = Troubles(record)
        self._world = world
        self._record = record
        self._rooms = rooms
        self._nowhere = _Nowhere(record)
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """The scheme, host and port."""
        return f"http://{_HOST}:{self.port}"

    def reserve(self) -> None:
        """Take a free port."""
        self._reserved = _bound(0)
        self.port = self._reserved.getsockname()[1]

    def leave(self) -> None:
        """Give the port back."""
        if self._reserved is not None:
            self._reserved.close()

    async def open(self) -> None:
        """Take connections."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        self._listener = _bound(self.port)
        await web.SockSite(self._runner, self._listener).start()

    async def close(self) -> None:
        """Refuse connections, and cut those that hang."""
        runner, self._runner = self._runner, None
        if runner is None or self._listener is None:
            return
        # asyncio hands an accepted connection over in a few rounds, and loses it when the server stops meanwhile.
        asyncio.get_running_loop().remove_reader(self._listener)
        for _ in range(_HANDOVER_ROUNDS):
            await asyncio.sleep(0)
        for site in list(runner.sites):
            await site.stop()
        self.troubles.end()
        await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(API) if request.path.startswith(f"{API}/") else request.path
        call = Call(request.method, path, dict(request.query), self._world.clock())
        try:
            response = await self._respond(request, call)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            self._record.failures.append(f"{call}: the fake broke: {error!r}")
            raise
        if request.transport is not None and not request.transport.is_closing():
            call.status = response.status
        self._record.changed()
        return response

    async def _respond(self, request: web.Request, call: Call) -> web.StreamResponse:
        room = next((room for start, room in self._rooms.items() if request.path.startswith(start)), self._nowhere)
        asked = await read(request, call)
        room.identify(asked)
        self._record.add(call)
        refusal = room.admit(asked)
        playing = self.troubles.pick(call)

        async def answer() -> web.Response:
            return refusal or await room.answer(asked)

        async def rehearse() -> web.Response:
            return refusal or await room.rehearse(asked)

        if playing is None:
            response: web.StreamResponse = await answer()
        else:
            response = await playing.trouble.act(Scene(asked, answer, rehearse, self.origin, playing))
        if isinstance(response, web.Response):
            room.finish(asked, response)
            response.headers[hdrs.DATE] = formatdate(self._world.clock(), usegmt=True)
        if playing is not None and playing.trouble.bare:
            for name in [name for name in response.headers if "ratelimit" in name.lower()]:
                del response.headers[name]
        return response


class _Nowhere(Room):
    """What is at no path of Strava's: asking for it is a fault."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def answer(self, asked: Asked) -> web.Response:
        self._record.blame(asked.call, "there is no such path")
        return answers.not_found("Path")


def _bound(port: int) -> socket.socket:
    """Return a socket on a port (0: a free one); two may be bound to it as long as one of them listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound
