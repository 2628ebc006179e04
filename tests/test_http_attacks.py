"""A whole daemon as a process of its own, and somebody who wants to keep Strava from it over raw sockets."""

import asyncio
import gzip
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec import Struct

from tests.at_strava import Process, process
from tests.daemon.web.raw import Answer, request, say
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import FakeStrava
from tests.waiting import DEADLINE

MANY = 400
"""Connections of somebody who means harm."""

FILES = 512
"""Files that the daemon may have open: with those of the attack it would have used up all."""

MOST_MB = 40.0
"""By how much the daemon may grow, whatever is done to it."""


class Target(Struct):
    """The daemon, its port and where only Strava finds its webhook."""

    daemon: Process
    port: int
    path: str

    def megabytes(self) -> float:
        assert self.daemon._child is not None
        status = Path(f"/proc/{self.daemon._child.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def log(self) -> str:
        return self.daemon.log.read_text(encoding="utf-8", errors="replace")

    async def deliver(self, number: int) -> int:
        """Deliver as Strava does, and return the status."""
        told = {
            "object_type": "activity", "object_id": number, "aspect_type": "create", "event_time": 1_795_262_400,
            "owner_id": 42, "subscription_id": 1, "updates": {},
        }  # fmt: skip
        answer = await say(self.port, request("POST", self.path, json.dumps(told).encode()))
        return answer.status


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let what is started from now on have few files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def target(broker: Broker, folder: Path) -> AsyncIterator[Target]:
    async with (
        FakeStrava() as strava,
        process(strava, broker.port, folder, people={"alice": "main"}) as (house, daemon),
    ):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
        await house.connect("alice", 42)
        found = Target(daemon, int(urlsplit(daemon._url).port or 0), urlsplit(house.callback("alice")).path)
        yield found
        assert "Traceback" not in found.log()


@asynccontextmanager
async def holding(port: int, begin: bytes, *, addresses: int) -> AsyncIterator[None]:
    """Hold as many connections as there can be, from so many addresses, each after it has said how it begins."""
    writers = []
    for number in range(MANY):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(f"127.0.9.{number % addresses + 1}", 0)
            )
            writer.write(begin)
            writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


@pytest.mark.usefixtures("few_files")
@pytest.mark.parametrize("addresses", [1, 200])
async def test_strava_is_heard_while_somebody_holds_all_the_connections_they_can(
    broker: Broker, tmp_path: Path, addresses: int
) -> None:
    async with target(broker, tmp_path) as it:
        before = it.megabytes()
        body = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" % it.path.encode() + b"x" * 50_000
        for begin in (b"", b"GET / HTTP/1.1\r\nX-A: " + b"a" * 4000, body):
            async with holding(it.port, begin, addresses=addresses):
                assert [await it.deliver(number) for number in range(1, 11)] == [200] * 10
        assert it.megabytes() - before < MOST_MB
        assert "out of system resource" not in it.log()


async def test_bodies_without_measure_cost_nothing(broker: Broker, tmp_path: Path) -> None:
    async with target(broker, tmp_path) as it:
        before = it.megabytes()
        bomb = gzip.compress(bytes(100_000_000))
        assert (await say(it.port, request("POST", it.path, bomb, Content_Encoding="gzip"))).status == 415
        head = f"POST {it.path} HTTP/1.1\r\nHost: x\r\n"
        large = await say(it.port, f"{head}Content-Length: 104857600\r\n\r\n".encode())
        assert large.status == 413
        flood = await say(it.port, f"{head}Content-Length: 104857600\r\n\r\n".encode(), b"x" * 104_857_600)
        assert flood.status in (0, 413)
        assert await _endless(it.port, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()) < 100_000_000
        assert await it.deliver(1) == 200
        assert it.megabytes() - before < MOST_MB


async def _endless(port: int, head: bytes) -> int:
    """Send chunks without end, and return how many bytes were taken."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    sent = 0
    async with asyncio.timeout(DEADLINE):
        with suppress(ConnectionError):
            while sent < 100_000_000:
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
                sent += 65_536
    writer.transport.abort()
    return sent


async def test_whoever_guesses_the_webhook_has_to_wait_and_strava_has_not(broker: Broker, tmp_path: Path) -> None:
    async with target(broker, tmp_path) as it:

        async def guess(number: int) -> Answer:
            return await say(it.port, request("POST", f"/strava/webhook/main/guess-{number}", b"{}"))

        answers = [await guess(number) for number in range(100)]
        assert {answer.status for answer in answers} == {404, 429}
        assert answers[-1].headers["retry-after"].isdigit()
        assert (await say(it.port, request("GET", "/strava/callback?state=guess"))).status == 429
        assert await it.deliver(1) == 200
        assert (await say(it.port, request("GET", "/health"))).status == 200
