"""One websocket as Home Assistant serves it: sign-in, coalesced frames, a queue whose slow reader is cut off."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import WSMessage, WSMsgType, web
from msgspec import Struct

from tests.fakes.homeassistant.record import Record
from tests.fakes.homeassistant.schema import auth_refusal
from tests.fakes.homeassistant.world import VERSION, World

if TYPE_CHECKING:
    from tests.fakes.homeassistant.users import User

_HEARTBEAT_SECONDS: Final = 55
_FORCE_FRAME: Final = 256
_LEFT: Final = {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Limits(Struct, frozen=True):
    """Home Assistant's own numbers, in seconds, messages and bytes; a test may want smaller ones.

    ``auth``: until when the token must be there. A client is cut off with ``pending`` messages waiting, or after
    ``peak_time`` over ``peak``. ``frame``: the longest frame of a client. ``patience`` is not Home Assistant's:
    who offers a refused token again within that time misbehaves.
    """

    auth: float = 10.0
    pending: int = 4096
    peak: int = 1024
    peak_time: float = 10.0
    frame: int = 4 * 1024 * 1024
    close: float = 2.0
    patience: float = 60.0


class _Raw(Struct, frozen=True):
    """A frame to send as it is, alone."""

    payload: bytes
    kind: WSMsgType


class Connection:
    """A client's websocket, first frame to last; ``handle`` is called with each message of a signed-in user."""

    def __init__(
        self,
        number: int,
        *,
        world: World,
        record: Record,
        limits: Limits,
        going: asyncio.Event,
        handle: Callable[["Connection", Any], None],
    ) -> None:
        self.number = number
        self.user: User | None = None
        self.token = ""
        self.last_id = 0
        self.coalesce = False
        self.subscriptions: dict[int, tuple[str, Callable[[], None]]] = {}
        """By the id of the command: what it is for, and how to end it."""
        self._world = world
        self._record = record
        self._limits = limits
        self._going = going
        self._handle = handle
        self._queue: deque[bytes | _Raw] = deque()
        self._queued = asyncio.Event()
        self._over_peak: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._writing = 0
        self._transport: asyncio.Transport | None = None
        self._socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_SECONDS, timeout=limits.close, max_msg_size=limits.frame
        )

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the client until it leaves or is cut off."""
        self._transport = request.transport
        await self._socket.prepare(request)
        try:
            async with self._group:
                self.run(self._read(), "reader")
        except* ConnectionError:
            pass
        except* Exception as errors:  # noqa: BLE001 - what fails in the fake must fail the test, not only its log
            self._record.failures.extend(repr(error) for error in errors.exceptions)
        self._end()
        await self._socket.close()
        return self._socket

    def run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run ``work`` until it is done or the connection ends."""
        task = self._group.create_task(work, name=f"fake Home Assistant connection {self.number} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, message: object) -> None:
        """Queue a message, which may be JSON already. The client is cut off when too many wait."""
        self._put(message if isinstance(message, bytes) else _encode(message))

    def send_raw(self, payload: bytes, *, binary: bool = False) -> None:
        """Queue a frame as it is, whatever is in it."""
        self._put(_Raw(payload, WSMsgType.BINARY if binary else WSMsgType.TEXT))

    def blame(self, what: str) -> None:
        """Note what a correct client never does."""
        self._record.blame(self.number, what.replace("\n", "; "))

    def cut(self) -> None:
        """Close with code 1000, Home Assistant's for every reason; what is queued is not sent."""
        self._closing = True
        self._queue.clear()
        self._watch_peak()
        for task in list(self._tasks):
            task.cancel()

    def abort(self) -> None:
        """End as by a cut cable."""
        if self._transport is not None:
            self._transport.abort()

    def freeze(self, *, frozen: bool) -> None:
        """Stop or go on reading the socket."""
        if self._transport is not None and not self._transport.is_closing():
            if frozen:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def subscribed(self) -> list[str]:
        """Return what it is subscribed to."""
        return [wanted for wanted, _ in self.subscriptions.values()]

    @property
    def waiting(self) -> int:
        """How many messages have not been written yet."""
        return len(self._queue) + self._writing

    async def _read(self) -> None:
        if await self._sign_in():
            self.run(self._write(), "writer")
            self._record.signed_in()
            while (message := await self._socket.receive()).type not in _LEFT:
                await self._going.wait()
                if not self._take(message):
                    break
        self.cut()

    async def _sign_in(self) -> bool:
        """Play the sign-in; False when the client has to go."""
        await self._going.wait()
        if self._closing:
            return False
        await self._socket.send_frame(_encode({"type": "auth_required", "ha_version": VERSION}), WSMsgType.TEXT)
        try:
            message = await self._socket.receive(self._limits.auth)
        except TimeoutError:
            if self._going.is_set():
                self.blame(f"sent no token within {self._limits.auth:g} s")
            return False
        await self._going.wait()
        if message.type in _LEFT:
            return False
        content = self._parsed(message)
        if content is None:
            return False
        refusal = auth_refusal(content[0])
        if refusal:
            self.blame(f"sent a sign-in that is none: {refusal}")
            await self._refuse(f"Auth message incorrectly formatted: {refusal}")
            return False
        return await self._check(content[0].get("access_token", ""))

    async def _check(self, token: str) -> bool:
        self.user, self.token = self._world.users.who(token), token
        if self.user is None:
            self._record.refused(self.number, token)
            await self._refuse("Invalid access token or password")
            return False
        await self._socket.send_frame(_encode({"type": "auth_ok", "ha_version": VERSION}), WSMsgType.TEXT)
        return True

    async def _refuse(self, message: str) -> None:
        await self._socket.send_frame(_encode({"type": "auth_invalid", "message": message}), WSMsgType.TEXT)

    def _parsed(self, message: WSMessage) -> tuple[Any] | None:
        """Return the JSON of a frame in a tuple, None when it has none."""
        if message.type is WSMsgType.TEXT:
            try:
                return (_decode(message.data),)
            except (msgspec.DecodeError, RecursionError):
                self.blame(f"sent invalid JSON: {message.data[:200]!r}")
        else:
            self.blame(f"sent a frame of type {message.type.name}: {message.data!r:.200}")
        return None

    def _take(self, message: WSMessage) -> bool:
        """Handle one frame of a signed-in client; False when it has to go."""
        parsed = self._parsed(message)
        if parsed is None:
            return message.type is WSMsgType.BINARY and len(message.data) > 0
        for content in parsed[0] if isinstance(parsed[0], list) else parsed:
            self._handle(self, content)
        return True

    def _put(self, message: "bytes | _Raw") -> None:
        if self._closing:
            return
        self._queue.append(message)
        self._queued.set()
        self._watch_peak()
        if len(self._queue) >= self._limits.pending:
            self.cut()

    def _watch_peak(self) -> None:
        if self._closing or len(self._queue) <= self._limits.peak:
            if self._over_peak is not None:
                self._over_peak.cancel()
                self._over_peak = None
        elif self._over_peak is None:
            loop = asyncio.get_running_loop()
            self._over_peak = loop.call_later(self._limits.peak_time, self.cut)

    async def _write(self) -> None:
        while True:
            self._queued.clear()
            if not self._queue:
                await self._queued.wait()
            await self._gather()
            await self._going.wait()
            frame, self._writing = self._next_frame(), 1
            await self._socket.send_frame(frame.payload, frame.kind)
            self._writing = 0
            self._watch_peak()
            self._record.changed()

    async def _gather(self) -> None:
        """Wait for what else comes in this turn of the loop, until no more does or a frame is full."""
        seen = 0
        while self.coalesce and seen < len(self._queue) < _FORCE_FRAME:
            seen = len(self._queue)
            await asyncio.sleep(0)

    def _next_frame(self) -> _Raw:
        first = self._queue.popleft()
        if isinstance(first, _Raw):
            return first
        messages = [first]
        while self.coalesce and self._queue and isinstance(self._queue[0], bytes):
            messages.append(self._queue.popleft())  # type: ignore[arg-type]
        payload = messages[0] if len(messages) == 1 else b"[" + b",".join(messages) + b"]"
        return _Raw(payload, WSMsgType.TEXT)

    def _end(self) -> None:
        for _, stop in self.subscriptions.values():
            stop()
        self.subscriptions.clear()
        self._record.changed()
