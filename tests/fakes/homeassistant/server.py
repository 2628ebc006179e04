"""The server: a world on a real port, with everything that can go wrong between it and a client."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.fakes.homeassistant.commands import Commands
from tests.fakes.homeassistant.connection import Connection, Limits
from tests.fakes.homeassistant.record import Command, Record
from tests.fakes.homeassistant.services import ServiceCall
from tests.fakes.homeassistant.world import World

DEADLINE: Final = 10.0
_HOST: Final = "127.0.0.1"
_WEBSOCKET: Final = "/api/websocket"
_SHUTDOWN_SECONDS: Final = 0.5
_encode = msgspec.json.Encoder().encode
_T = TypeVar("_T")


class FakeHomeAssistant(World):
    """A Home Assistant that is up and RUNNING inside ``async with``; it keeps its port over restarts.

    Leaving raises AssertionError when a client did what a correct one never does, unless a pattern of ``allow`` is
    found in the sentence that says so. ``ban_after``: as many failed sign-ins in a row get the address banned.
    ``send_buffer``: bytes that the kernel takes for a client, few to have a slow client soon (0: its default).
    """

    def __init__(
        self, *, allow: Iterable[str] = (), limits: Limits | None = None, ban_after: int = 0, send_buffer: int = 0
    ) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self.record = Record(allow, patience=self.limits.patience)
        self.port = 0
        self.connections: list[Connection] = []
        """Those that are open, signed in or not."""
        self._commands = Commands(self, self.record)
        self._ban_after = ban_after
        self._send_buffer = send_buffer
        self._refusal = 0
        self._number = 0
        self._going = asyncio.Event()
        self._reserved: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        self.listeners.append(lambda _: self.record.changed())

    async def __aenter__(self) -> Self:
        self._reserved = _bound(0)
        self.port = self._reserved.getsockname()[1]
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop(killed=True)
        if self._reserved is not None:
            self._reserved.close()
        verdict = "\n".join(self.record.verdict())
        if verdict and error is None:
            message = f"a correct client of Home Assistant never does this:\n{verdict}"
            raise AssertionError(message)
        if verdict and error is not None:
            error.add_note(f"And the fake Home Assistant has seen:\n{verdict}")

    @property
    def url(self) -> str:
        """The address as a configuration wants it."""
        return f"http://{_HOST}:{self.port}"

    @property
    def misbehaviour(self) -> list[str]:
        """What clients did that a correct one never does, one sentence each."""
        return self.record.misbehaviour

    async def stop(self, *, killed: bool = False) -> None:
        """End the server: every socket is closed with 1000 (``killed``: torn), then connections are refused."""
        self.unhang()
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        for connection in list(self.connections):
            if killed:
                connection.abort()
            else:
                connection.cut()
        try:
            await self.disconnected(2 * self.limits.close)
        except AssertionError:
            self.kill()
        await runner.cleanup()

    async def start(self, *, missing: Iterable[str] | None = None, unavailable: Iterable[str] = ()) -> None:
        """Take connections again, NOT_RUNNING: ``World.boot`` says what is there. ``settle`` goes on to RUNNING."""
        self.boot(missing=missing, unavailable=unavailable)
        await self._open()

    async def restart(self, *, missing: Iterable[str] | None = None, unavailable: Iterable[str] = ()) -> None:
        """Stop and start in one go, up to RUNNING; for what is between use ``stop``, ``start`` and ``settle``."""
        await self.stop()
        await self.start(missing=missing, unavailable=unavailable)
        self.settle()

    def kill(self) -> None:
        """Tear every socket, as a cut cable does; new ones are accepted."""
        for connection in list(self.connections):
            connection.abort()

    def cut(self) -> None:
        """Close every socket with 1000; new ones are accepted."""
        for connection in list(self.connections):
            connection.cut()

    def hang(self) -> None:
        """Go on accepting connections, but neither read nor answer anything, as a stopped process does."""
        self._going.clear()
        for connection in self.connections:
            connection.freeze(frozen=True)

    def unhang(self) -> None:
        """Go on where ``hang`` stopped."""
        self._going.set()
        for connection in self.connections:
            connection.freeze(frozen=False)

    def ban(self) -> None:
        """Answer everything with 403, as to a banned address; sockets that are open stay so."""
        self.refuse(HTTPStatus.FORBIDDEN)

    def refuse(self, status: int) -> None:
        """Answer every request with this HTTP status, as a proxy does; 0 answers them again."""
        self._refusal = status

    def revoke(self, token: str) -> None:
        """Make a token invalid and close the sockets that use it."""
        self.users.revoke(token)
        for connection in list(self.connections):
            if connection.token == token:
                connection.cut()

    def send_raw(self, frame: str | bytes, *, binary: bool = False) -> None:
        """Send a frame as it is, whatever is in it, to everybody who subscribed to anything."""
        payload = frame.encode() if isinstance(frame, str) else frame
        for connection in self.connections:
            if connection.subscriptions:
                connection.send_raw(payload, binary=binary)

    def pause_results(self, *types: str) -> None:
        """Hold the answers to these types of commands (none given: to all) while events go on."""
        self._commands.held.update(types or ("*",))

    def resume_results(self) -> None:
        """Send what ``pause_results`` held."""
        self._commands.release()

    def forget_command(self, command: str) -> None:
        """Be too old to know a type of command: trying it is no misbehaviour."""
        self._commands.unknown.add(command)

    async def until(self, condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
        """Wait until ``condition`` holds; looked at whenever a client or this house does something."""
        await self.record.until(condition, what, deadline)

    async def connected(self, number: int = 1, deadline: float = DEADLINE) -> None:
        """Wait until as many connections have ever signed in."""
        await self.until(lambda: self.record.authenticated >= number, f"sign-in {number}", deadline)

    async def disconnected(self, deadline: float = DEADLINE) -> None:
        """Wait until no connection is open."""
        await self.until(lambda: not self.connections, "the end of every connection", deadline)

    async def attempted(self, number: int = 1, deadline: float = DEADLINE) -> None:
        """Wait until a websocket was asked for as many times, whatever came of it."""
        await self.until(lambda: len(self.record.attempts) >= number, f"attempt {number}", deadline)

    async def rejected(self, number: int = 1, deadline: float = DEADLINE) -> None:
        """Wait until as many sign-ins were refused."""
        await self.until(lambda: len(self.record.auth_failures) >= number, f"failed sign-in {number}", deadline)

    async def subscribed(self, event_type: str = "state_changed", deadline: float = DEADLINE) -> None:
        """Wait until an open connection has this subscription (``*``: all events; ``entities``: that command)."""

        def found() -> bool:
            return any(event_type in connection.subscribed() for connection in self.connections)

        await self.until(found, f"a subscription to {event_type}", deadline)

    async def received(self, command: str, deadline: float = DEADLINE, *, count: int = 1) -> Command:
        """Wait for the ``count``-th command of a type, over all connections, and return it."""

        def found() -> list[Command]:
            return [known for known in self.record.commands if known.type == command]

        return await self._nth(found, count, command, deadline)

    async def called(self, domain: str, service: str, deadline: float = DEADLINE, *, count: int = 1) -> ServiceCall:
        """Wait for the ``count``-th call of a service that was accepted, and return it."""

        def found() -> list[ServiceCall]:
            return [call for call in self.services.calls if (call.domain, call.service) == (domain, service)]

        return await self._nth(found, count, f"call of {domain}.{service}", deadline)

    async def drained(self, deadline: float = DEADLINE) -> None:
        """Wait until everything that was sent has been written to its socket."""
        await self.until(lambda: not any(connection.waiting for connection in self.connections), "writing", deadline)

    async def _nth(self, found: Callable[[], list[_T]], count: int, what: str, deadline: float) -> _T:
        await self.until(lambda: len(found()) >= count, f"{what} number {count}", deadline)
        return found()[count - 1]

    async def _open(self) -> None:
        self._going.set()
        app = web.Application(middlewares=[self._guard])
        app.router.add_get(_WEBSOCKET, self._websocket)
        app.router.add_get("/api/", self._rest)
        app.router.add_get("/api/config", self._rest)
        app.router.add_get("/api/states", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        listener = _bound(self.port)
        if self._send_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
        await web.SockSite(self._runner, listener).start()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == _WEBSOCKET:
            self.record.attempts.append(time.monotonic())
            self.record.changed()
        await self._going.wait()
        if self._ban_after and self.record.failures_in_a_row >= self._ban_after:
            self.ban()
        if self._refusal:
            return web.Response(status=self._refusal, text=f"{self._refusal}: {HTTPStatus(self._refusal).phrase}")
        return await handler(request)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self._number += 1
        connection = Connection(
            self._number,
            world=self,
            record=self.record,
            limits=self.limits,
            going=self._going,
            handle=self._commands.handle,
        )
        self.connections.append(connection)
        try:
            return await connection.serve(request)
        finally:
            self.connections.remove(connection)
            self.record.changed()

    async def _rest(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.users.who(token) is None:
            self.record.refused(0, token)
            return web.Response(status=HTTPStatus.UNAUTHORIZED, text="401: Unauthorized")
        answers = {"/api/": {"message": "API running."}, "/api/config": self.config()}
        answer = answers.get(request.path, list(self.states.values()))
        return web.Response(body=_encode(answer), content_type="application/json")


def _bound(port: int) -> socket.socket:
    """Return a socket on a port (0: a free one); two may be bound to it as long as one of them listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound
