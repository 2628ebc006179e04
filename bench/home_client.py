"""A small websocket client of a real Home Assistant: it asks, it sets, and it waits until the house runs."""

import asyncio
import time
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from bench.lab import LabError

ANSWER_SECONDS: Final = 30.0
IN_FLIGHT: Final = 64
RETRY_SECONDS: Final = 0.1


class HomeClient:
    """One authenticated websocket; open it with ``async with``. Losing the connection is an OSError."""

    def __init__(self, url: str, token: str) -> None:
        self._origin = url.rstrip("/")
        self._token = token
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            self._socket = await self._session.ws_connect(f"{self._origin}/api/websocket", max_msg_size=0)
            await self._socket.receive_json()
            await self._socket.send_json({"type": "auth", "access_token": self._token})
            answer = await self._socket.receive_json()
        except (aiohttp.ClientError, TypeError) as error:
            await self._session.close()
            raise ConnectionError(str(error)) from error
        if answer["type"] != "auth_ok":
            await self._session.close()
            message = f"Home Assistant refuses the token: {answer.get('message')}"
            raise LabError(message)
        self._reader = asyncio.create_task(self._read(), name="home client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._session.close()

    async def ask(self, kind: str, **fields: object) -> Any:  # noqa: ANN401 - whatever Home Assistant answers
        """Return the result of a command."""
        async with asyncio.timeout(ANSWER_SECONDS), self._room:
            self._number += 1
            answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
            try:
                await self._socket.send_json({"id": self._number, "type": kind, **fields})
            except aiohttp.ClientError as error:
                raise ConnectionError(str(error)) from error
            return await answer

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return every state by entity id."""
        return {state["entity_id"]: state for state in await self.ask("get_states")}

    async def call(self, domain: str, service: str, entity: str, **data: object) -> None:
        """Call a service on an entity; returns when it is done, raises LabError when it is refused."""
        await self.ask("call_service", domain=domain, service=service, service_data=data, target={"entity_id": entity})

    async def set_number(self, entity: str, value: int) -> None:
        """Set an input_number."""
        await self.call("input_number", "set_value", entity, value=value)

    async def picture(self, path: str) -> bytes:
        """Return what an `entity_picture` leads to; raises LabError when there is nothing."""
        async with asyncio.timeout(ANSWER_SECONDS), self._session.get(self._origin + path) as answer:
            if answer.status != HTTPStatus.OK:
                message = f"Home Assistant has no picture: {answer.status}"
                raise LabError(message)
            return await answer.read()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                answer = message.json()
                waiting = self._answers.pop(answer.get("id"), None)
                if waiting is None or waiting.done():
                    continue
                if answer.get("success"):
                    waiting.set_result(answer.get("result"))
                else:
                    waiting.set_exception(LabError(f"Home Assistant: {answer.get('error')}"))
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("Home Assistant has closed the connection"))
                    waiting.exception()


async def running(url: str, token: str, *, within: float) -> HomeClient:
    """Return a client, to be opened, once Home Assistant says that it is RUNNING; raises LabError."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            async with HomeClient(url, token) as client:
                while time.monotonic() < deadline:
                    if (await client.ask("get_config"))["state"] == "RUNNING":
                        return HomeClient(url, token)
                    await asyncio.sleep(RETRY_SECONDS)
        except (OSError, LabError):
            await asyncio.sleep(RETRY_SECONDS)
    message = f"Home Assistant at {url} was not running within {within:.0f} s"
    raise LabError(message)
