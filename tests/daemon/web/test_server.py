"""Health over HTTP: for a load balancer, for a person, and nothing for a stranger."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jitney.daemon.app import App
from jitney.daemon.web.port import PortError
from tests.daemon.running import Daemon, config, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture
def free() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"127.0.0.1:{port}"


async def get(address: str, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.json()


async def test_when_all_is_well_every_page_says_so(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        assert await get(free, "/ready") == (200, {"ready": True})
        status, plain = await get(free, "/health")
        assert (status, plain["status"], plain["broker"]) == (200, "ok", "online")
        await daemon.context().emit(tick(1))
        status, detailed = await get(free, "/health/detailed")
        assert (status, detailed["broker"]["protocol"]) == (200, "5")
        assert detailed["adapters"]["played"]["events"] == 1
        assert detailed["adapters"]["played"]["state"] == "online"
        assert detailed["queues"]["on_disk"] == 0


async def test_without_a_broker_it_is_ready_but_not_well_and_tells_what_waits(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    await asyncio.to_thread(broker.kill)
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await daemon.context().emit(tick(1), tick(2))
        await until(lambda: daemon.app._connection.health.state == "offline")
        assert await get(free, "/ready") == (200, {"ready": True})
        status, plain = await get(free, "/health")
        assert (status, plain["status"], plain["broker"], plain["waiting"]) == (503, "degraded", "offline", 2)
        _, detailed = await get(free, "/health/detailed")
        assert "is the broker running" in detailed["broker"]["reason"]
        assert detailed["queues"]["in_memory"] == 2


async def test_the_plain_page_names_nobody(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        _, plain = await get(free, "/health")
        assert set(plain) == {"status", "broker", "adapters_online", "adapters", "waiting"}
        assert "alice" not in str(plain)


async def test_a_port_that_is_taken_is_an_error_with_the_remedy(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path / "one"):
        with pytest.raises(PortError, match=r"http\.listen: cannot open .* choose another port"):
            async with App(config(broker.url, http=free), state_dir=tmp_path / "two"):
                pass


async def online(daemon: Daemon) -> None:
    await daemon.connected()
    await until(lambda: daemon.app._runners["played"].context.is_online)
