"""An authenticated connection: requests and their results, and a reader that only reads."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import aiohttp
import msgspec
from aiohttp import WSMsgType
from msgspec import Raw

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.backlog import Backlog
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.frames import Answer, Odd
from jitney.adapters.homeassistant.handshake import SOON, WebSocket, websocket
from jitney.topics import JitneyError

NOTHING: Final = Raw(b"null")

_TOO_BIG: Final = 1009
_TOO_BIG_AFTER: Final = 300.0
"""Seconds until the next attempt after a message that was too big: the next snapshot will not be smaller."""

_ANSWER_HINT: Final = b'"result"'

_encode = msgspec.json.encode


class RequestError(JitneyError):
    """Home Assistant does not carry out a request; ``code`` is its own word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoAnswerError(DisconnectedError):
    """Home Assistant has not answered a request in time."""


class Connection:
    """One connection to one Home Assistant."""

    def __init__(self, socket: WebSocket, config: Config, odd: Odd) -> None:
        self._socket = socket
        self._config = config
        self._odd = odd
        self._last_id = 0
        self._sending = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Raw]] = {}
        self._in_order = 0
        self._ended: DisconnectedError | None = None

    def is_in_order(self, answer: Answer) -> bool:
        """Tell whether an answer that was found in the backlog is the one that belongs there."""
        return answer.id == self._in_order and answer.success

    async def request(self, kind: str, *, patience: float | None = None, **fields: object) -> Raw:
        """Send a request and return its result.

        Raises RequestError when it is not carried out, DisconnectedError when the connection ends or no result comes
        within ``patience`` seconds (default: those of a step).
        """
        return await self._request(kind, fields, patience=patience, in_order=False)

    async def request_in_order(self, kind: str) -> Raw:
        """Send a request whose result goes into the backlog too, in its place among the events, one at a time.

        Returns the result, a view of its frame, when it has arrived there; raises as ``request`` does.
        """
        return await self._request(kind, {}, patience=None, in_order=True)

    async def read(self, backlog: Backlog) -> NoReturn:
        """Read until the connection ends; raises DisconnectedError, which says how it ended."""
        try:
            while True:
                message = await self._socket.receive()
                if message.type is not WSMsgType.TEXT and message.type is not WSMsgType.BINARY:
                    raise self._end(message.data)
                frame = message.data
                if self._waiting and _ANSWER_HINT in frame and not self._take_answers(frame):
                    continue
                while not backlog.offer(frame):
                    await backlog.make_room()
        except DisconnectedError as error:
            self._ended = error
            raise
        finally:
            self._ended = self._ended or DisconnectedError("the connection to Home Assistant was closed")
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(self._ended)

    async def _request(self, kind: str, fields: Mapping[str, object], *, patience: float | None, in_order: bool) -> Raw:
        wait = patience or self._config.timeout
        future: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        number = 0
        try:
            async with asyncio.timeout(wait):
                async with self._sending:
                    if self._ended is not None:
                        raise self._ended
                    number = self._last_id = self._last_id + 1
                    self._waiting[number] = future
                    if in_order:
                        self._in_order = number
                    await self._socket.send_frame(_encode({"id": number, "type": kind, **fields}), WSMsgType.TEXT)
                return await future
        except TimeoutError:
            message = f"Home Assistant has not answered {kind} within {wait:.3g} s"
            raise NoAnswerError(message) from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"the connection to Home Assistant is closing ({error})"
            raise DisconnectedError(message, within=SOON) from error
        finally:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled():
                # Whoever is cancelled in the moment of an answer does not look at it: asyncio would log it as lost.
                future.exception()

    def _take_answers(self, frame: bytes) -> bool:
        """Hand the results in a frame to whoever waits for them; tell whether the backlog needs the frame too.

        They overtake the events before them, which may have to wait until the bus takes them.
        """
        answers, needed = frames.answers(frame)
        for answer in answers:
            future = None if answer.id is None else self._waiting.get(answer.id)
            if future is None or future.done():
                self._note_stray(answer)
            elif not answer.success:
                future.set_exception(_failure(answer))
            elif answer.id == self._in_order:
                future.set_result(answer.result)
                needed = True
            else:
                future.set_result(answer.result.copy())
        return needed

    def _note_stray(self, answer: Answer) -> None:
        if answer.id is None:
            self._odd("result_without_id", answer.error.message if answer.error else "")
        elif answer.id > self._last_id:
            self._odd("unknown_id", f"a result for request {answer.id}, which was never sent")

    def _end(self, detail: object) -> DisconnectedError:
        """Return what the end of the connection means; ``detail`` is aiohttp's close code or exception."""
        error = detail if isinstance(detail, Exception) else self._socket.exception()
        code = self._socket.close_code
        if code == _TOO_BIG:
            limit = self._config.max_msg_size_mb
            message = f"Home Assistant sent a message of more than {limit} MB: raise max_msg_size_mb ({limit})"
            return DisconnectedError(message, after=_TOO_BIG_AFTER)
        if isinstance(error, aiohttp.ServerTimeoutError):
            message = f"Home Assistant gave no sign of life for {self._config.heartbeat * 1.5:g} s"
        elif error is not None:
            message = f"the connection to Home Assistant broke: {error or type(error).__name__}"
        else:
            message = f"Home Assistant closed the connection (code {code}): it stops, or the token was revoked"
        return DisconnectedError(message, within=SOON)


@asynccontextmanager
async def connect(config: Config, odd: Odd) -> AsyncIterator[Connection]:
    """Yield an authenticated connection; raises DisconnectedError, UnauthorisedError or MisconfiguredError."""
    async with websocket(config) as socket:
        yield Connection(socket, config, odd)


def _failure(answer: Answer) -> JitneyError:
    code, message = (answer.error.code, answer.error.message) if answer.error else ("unknown_error", "")
    if code == "id_reuse":
        text = "Home Assistant counts the requests of this connection differently: it is opened anew"
        return DisconnectedError(text)
    return RequestError(code, message or code)
