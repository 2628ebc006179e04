"""HTTP for adapters: whatever is below ``/{adapter}/`` goes to the adapter of that name."""

import asyncio
from typing import Final

from aiohttp import web

from jitney.adapters.base import HttpRequest
from jitney.daemon.log import Tally, get
from jitney.daemon.supervision.doors import Doors
from jitney.topics import JitneyError

MOST_BYTES: Final = 65_536
"""The largest body."""

PATIENCE: Final = 10.0
"""Seconds within which a request has to arrive and to be answered."""

MOST_AT_ONCE: Final = 2048
"""Requests to one adapter that are under way; more are told to come back."""

_log = get("web")


class AdapterPages:
    """Hands requests to the adapters that serve."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._under_way: dict[str, int] = {}
        self._tally = Tally(_log)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request; 503 when the adapter does not serve now, is slow or has too many."""
        name = request.match_info["adapter"]
        if name not in self._doors.adapters:
            return web.Response(status=404)
        if self._under_way.get(name, 0) >= MOST_AT_ONCE:
            return _come_back()
        self._under_way[name] = self._under_way.get(name, 0) + 1
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._doors.answer(name, await _read(request))
                if answer is None:
                    return _come_back()
        except TimeoutError:
            self._tally.add("a request was not answered in time", key=name, adapter=name)
            return _come_back()
        except JitneyError as error:
            self._tally.add("a request was not answered", key=name, adapter=name, reason=str(error))
            return _come_back()
        finally:
            self._under_way[name] -= 1
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type, headers=answer.headers
        )


async def _read(request: web.Request) -> HttpRequest:
    query = {key: request.query.getone(key) for key in request.query}
    body = await request.read()
    return HttpRequest(request.method, request.match_info["path"], query, body, request.content_type)


def _come_back() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "30"})
