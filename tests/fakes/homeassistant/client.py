"""A client that says what a test tells it to, right or wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp
import pytest
from aiohttp import WSMsgType

from tests.fakes.homeassistant import FakeHomeAssistant

WITHIN: Final = 10.0
"""Seconds that every answer may take."""


class Client:
    """A websocket to Home Assistant, message by message; ``frames`` are what came, as it came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[str] = []
        self._messages: list[Any] = []
        self._id = 0

    async def say(self, message: object) -> None:
        """Send a message of any kind; ``ask`` goes on with the next id."""
        for command in message if isinstance(message, list) else [message]:
            if isinstance(command, dict) and isinstance(command.get("id"), int):
                self._id = max(self._id, command["id"])
        await self.socket.send_str(json.dumps(message))

    async def next(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the next message; raises ConnectionError with the close code when the socket is closed."""
        while not self._messages:
            frame = await self.socket.receive(WITHIN)
            if frame.type is not WSMsgType.TEXT:
                raise ConnectionError(self.socket.close_code)
            self.frames.append(frame.data)
            content = json.loads(frame.data)
            self._messages += content if isinstance(content, list) else [content]
        return self._messages.pop(0)

    async def sign_in(self, token: str) -> Self:
        """Offer a good token."""
        assert (await self.next())["type"] == "auth_required"
        await self.say({"type": "auth", "access_token": token})
        assert (await self.next())["type"] == "auth_ok"
        return self

    async def ask(self, kind: str, /, **fields: object) -> Any:  # noqa: ANN401 - any JSON
        """Send a command and return its answer, which must come next."""
        number = self._id + 1
        await self.say({"id": number, "type": kind, **fields})
        answer = await self.next()
        assert answer["id"] == number
        return answer

    async def code(self, kind: str, /, **fields: object) -> str:
        """Send a command and return the code of its error."""
        answer = await self.ask(kind, **fields)
        assert answer["success"] is False
        return str(answer["error"]["code"])

    async def ping(self) -> int:
        """Send a ping and return its id; the pong comes behind everything that was sent before it."""
        number = self._id + 1
        await self.say({"id": number, "type": "ping"})
        return number

    def pause(self) -> None:
        """Stop reading the socket, so that the server's buffers fill."""
        self._transport().pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._transport().resume_reading()

    async def event(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the event that must come next."""
        message = await self.next()
        assert message["type"] == "event"
        return message["event"]

    async def closed(self) -> int | None:
        """Return the close code; nothing else may come before it."""
        with pytest.raises(ConnectionError):
            await self.next()
        return self.socket.close_code

    async def rest(self) -> list[Any]:
        """Return every message up to the close."""
        messages = []
        while True:
            try:
                messages.append(await self.next())
            except ConnectionError:
                return messages

    def _transport(self) -> asyncio.Transport:
        connection = self.socket._response.connection
        assert connection is not None
        assert isinstance(connection.transport, asyncio.Transport)
        return connection.transport


@asynccontextmanager
async def stranger(ha: FakeHomeAssistant) -> AsyncIterator[Client]:
    """Open a websocket and say nothing."""
    url, patience = f"{ha.url}/api/websocket", aiohttp.ClientWSTimeout(ws_close=0.1)
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, max_msg_size=0, timeout=patience) as socket,
    ):
        yield Client(socket)


@asynccontextmanager
async def signed_in(ha: FakeHomeAssistant, token: str = "", *, coalesce: bool = False) -> AsyncIterator[Client]:
    """Open a websocket and sign in, as the daemon's own user unless another token is given."""
    async with stranger(ha) as client:
        await client.sign_in(token or ha.token)
        if coalesce:
            await client.ask("supported_features", features={"coalesce_messages": 1})
        yield client
