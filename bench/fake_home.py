"""A Home Assistant that never rests: its websocket sends numbered state changes at a fixed rate."""

import asyncio
import json
import time
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import WSMsgType, web

TOKEN: Final = "bench-token"  # noqa: S105 - of a server that exists for minutes
MARK: Final = "bench_number"
SENSORS: Final = 120
PAUSE_SECONDS: Final = 0.02
_TIME: Final = "2025-03-14T08:15:00.000000+00:00"


class FakeHome:
    """The server on a free port, with sensors ``sensor.{owner}_{n}``; open it with ``async with``."""

    def __init__(self, owners: list[str]) -> None:
        self.port = 0
        self.sent = 0
        """Numbers 1 to ``sent`` have been written to every subscriber."""
        self.connections = 0
        self._entities = [f"sensor.{owners[index % len(owners)]}_{index:03}" for index in range(SENSORS)]
        self._subscribers: dict[web.WebSocketResponse, int] = {}
        self._subscribed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/websocket", self._websocket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def subscribed(self, *, within: float) -> None:
        """Wait until somebody listens; raises TimeoutError."""
        async with asyncio.timeout(within):
            await self._subscribed.wait()

    async def run(self, rate: float) -> None:
        """Send ``rate`` events a second until cancelled, never more than a second's worth late."""
        begin, number = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - begin) * rate)
            if due - number > rate:
                begin, number = time.monotonic(), 0
                continue
            while number < due:
                number += 1
                await self._send(self.sent + 1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, number: int) -> None:
        entity = self._entities[number % len(self._entities)]
        event = {
            "event_type": "state_changed",
            "data": {
                "entity_id": entity,
                "old_state": _state(entity, None),
                "new_state": _state(entity, number),
            },
            "origin": "LOCAL",
            "time_fired": _TIME,
            "context": _context(number),
        }
        for socket, subscription in list(self._subscribers.items()):
            await socket.send_str(json.dumps({"type": "event", "event": event, "id": subscription}))
        self.sent = number

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_json({"type": "auth_required", "ha_version": "2026.2.3"})
        if (await socket.receive_json()).get("access_token") != TOKEN:
            await socket.send_json({"type": "auth_invalid", "message": "Invalid access token or password"})
            return socket
        await socket.send_json({"type": "auth_ok", "ha_version": "2026.2.3"})
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    commands = json.loads(message.data)
                    for command in commands if isinstance(commands, list) else [commands]:
                        await self._answer(socket, command)
        finally:
            self._subscribers.pop(socket, None)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, command: dict[str, Any]) -> None:
        kind, number = command["type"], command["id"]
        if kind == "ping":
            await socket.send_json({"id": number, "type": "pong"})
            return
        await socket.send_json({"id": number, "type": "result", "success": True, "result": self._result(kind)})
        if kind == "subscribe_events" and command.get("event_type", "state_changed") == "state_changed":
            self._subscribers[socket] = number
            self._subscribed.set()

    def _result(self, kind: str) -> object:
        return {
            "get_states": [_state(entity, None) for entity in self._entities],
            "get_config": {"version": "2026.2.3", "state": "RUNNING", "components": [], "time_zone": "UTC"},
            "auth/current_user": {"id": "0" * 32, "name": "bench", "is_owner": True, "is_admin": True},
            "person/list": {"storage": [], "config": []},
        }.get(kind, [])


def _context(number: int) -> dict[str, str | None]:
    return {"id": f"01JP{number:022X}", "parent_id": None, "user_id": None}


def _state(entity: str, number: int | None) -> dict[str, Any]:
    """Return a state of the size that a multisensor has, about 600 bytes; None: from before the counting."""
    mark = {} if number is None else {MARK: number}
    return {
        "entity_id": entity,
        "state": str(number or 0),
        "attributes": {
            "state_class": "measurement",
            "unit_of_measurement": "lx",
            "device_class": "illuminance",
            "friendly_name": f"Multisensor {entity}",
            **mark,
            "battery_level": 87,
            "linkquality": 112,
            "voltage": 2985,
            "update": {"state": "idle", "installed_version": 587765297, "latest_version": 587765297},
        },
        "last_changed": _TIME,
        "last_reported": _TIME,
        "last_updated": _TIME,
        "context": _context(number or 0),
    }
