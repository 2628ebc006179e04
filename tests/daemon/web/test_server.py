"""Health over HTTP: for a load balancer, for a person, and nothing for a stranger."""

import asyncio
from pathlib import Path

import pytest

from jitney.daemon.app import App
from jitney.daemon.web.port import PortError
from tests.daemon.running import config, running, tick
from tests.daemon.web.looking import free_address, get, online
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture
def free() -> str:
    return free_address()


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
        await until(lambda: daemon.app.parts.connection.health.state == "offline")
        assert await get(free, "/ready") == (200, {"ready": True})
        status, plain = await get(free, "/health")
        assert (status, plain["status"], plain["broker"], plain["waiting"]) == (200, "degraded", "offline", 2)
        _, detailed = await get(free, "/health/detailed")
        assert "is the broker running" in detailed["broker"]["reason"]
        assert detailed["queues"]["in_memory"] == 2


async def test_the_plain_page_names_nobody(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path) as daemon:
        await online(daemon)
        _, plain = await get(free, "/health")
        numbers = {"adapters_online", "adapters", "waiting", "actions", "limited"}
        assert set(plain) == {"status", "since", "text", "broker", "store", *numbers}
        assert not {"alice", "played"} & set(str(plain).replace("'", " ").split())


async def test_a_port_that_is_taken_is_an_error_with_the_remedy(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path / "one"):
        with pytest.raises(PortError, match=r"http\.listen: cannot open .* choose another port"):
            async with App(config(broker.url, http=free), state_dir=tmp_path / "two"):
                pass
