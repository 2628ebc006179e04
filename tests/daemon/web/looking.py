"""A daemon with a port, and somebody who looks at it over HTTP."""

from typing import Any

import aiohttp

from tests.daemon.running import Daemon
from tests.fakes.ports import free_port
from tests.waiting import until


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


async def get(address: str, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.json()


async def read(address: str, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def online(daemon: Daemon) -> None:
    """Wait until the broker knows everything and the first adapter is online."""
    await daemon.connected()
    await until(lambda: daemon.app.parts.runners["played"].context.is_online)
