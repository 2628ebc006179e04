"""A busy house whose configuration changes while it is measured: some sources come and go, others must not notice."""

import asyncio
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from bench.fake_home import MARK, TOKEN, FakeHome
from bench.lab import Daemon, LabError, Mosquitto, free_port, resident_mb
from bench.record import Arrivals, Recorder, client_of
from bench.ticker import accepted
from bench.verdict import Delivery, Lane, delivery

PATIENCE_SECONDS: Final = 30.0
POST_SECONDS: Final = 0.02
SCRAPE_SECONDS: Final = 2.0
CYCLE: Final = 4
"""So many configurations follow one another."""

_OBSERVED: Final = re.compile(rb'"observed":"([^"]+)"')

_BASE: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "warning"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[http]
listen = "127.0.0.1:{http}"
metrics = true
[owners.alice]
[owners.bob]
[owners.carol]
[adapters.ticker]
type = "ticker"
owner = "alice"
rate = {ticks}
accepted = {accepted}
stop = {stop}
[adapters.home]
type = "homeassistant"
owner = "bob"
url = "http://127.0.0.1:{home}"
token = "{token}"
[adapters.front]
type = "lab"
owner = "alice"
[[routes]]
name = "count"
owner = "alice"
on = "ticker.tick"
do = [{{ set = "n", value = "{{{{ data.number }}}}" }}]
[[routes]]
name = "now and then"
owner = "alice"
on = "ticker.tick"
throttle = 1
do = [{{ publish = "now", data = {{ n = "{{{{ data.number }}}}" }} }}]
"""

_EXTRA: Final = """
[[routes]]
name = "extra"
owner = "bob"
on = "homeassistant.state_changed"
debounce = {seconds}
do = [{{ publish = "extra" }}]
"""


def changing(step: int) -> str:
    """Return what follows the unchanging part of the configuration in one step of the cycle."""
    back = f'[adapters.back]\ntype = "lab"\nowner = "alice"\nslow = {0.01 * (step % 2)}\n'
    dora = '[owners.dora]\n[adapters.demo]\ntype = "demo"\nowner = "dora"\n'
    match step % CYCLE:
        case 0:
            return back + "[discovery]\n"
        case 1:
            return back + dora + "rate = 20.0\n[discovery]\n" + _EXTRA.format(seconds=1)
        case 2:
            return back + dora + "rate = 10.0\n[discovery]\n" + _EXTRA.format(seconds=2)
        case _:
            return back + '[owners.dora]\n[adapters.other]\ntype = "demo"\nowner = "carol"\nrate = 20.0\n'


class Census:
    """What a process has of the things that can leak."""

    def __init__(self, pid: int) -> None:
        self.files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names are enough
        self.threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
        self.megabytes = resident_mb(pid)


class Busy:
    """The broker, the sources, those who count, and the daemon; ``async with`` it.

    ``rate`` are the events a second of the two sources that must not notice anything, half of them durable.
    """

    def __init__(self, folder: Path, *, rate: float) -> None:
        self.folder = folder
        self.broker = Mosquitto(folder)
        self.home = FakeHome(["bob"])
        self.arrivals = Arrivals(mark=re.compile(rb'"(?:number|%s)":\s*(\d+)' % MARK.encode()))
        self.recorder = Recorder(self.broker.port, "jitney/+/event/+/+", self._take)
        self.latencies: list[tuple[float, float]] = []
        """When an event of the two sources arrived, and how long after the bus had heard of it, in seconds."""
        self.posted: dict[Lane, list[int]] = defaultdict(list)
        self.refused: list[str] = []
        self.answers: list[float] = []
        self.scrapes = 0
        self.step = 0
        self._rate = rate
        self._http = free_port()
        self._noted, self._stop = folder / "accepted", folder / "stop"
        self._config = folder / "config.toml"

    async def __aenter__(self) -> Self:
        plugins = self.folder / "plugins"
        about = plugins / "jitney_bench-0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jitney-bench\nVersion: 0\n", encoding="ascii")
        points = "[jitney.adapters]\nticker = bench.ticker:Ticker\nlab = tests.fakes.lab_adapter:Lab\n"
        (about / "entry_points.txt").write_text(points, encoding="ascii")
        await self.broker.__aenter__()
        await self.recorder.__aenter__()
        await self.home.__aenter__()
        self.daemon = Daemon(self.folder, self._text(), import_path=plugins)
        await self.daemon.__aenter__()
        await self.home.subscribed(within=PATIENCE_SECONDS)
        self._client = client_of(self.broker.port, "asks")
        await self._client.__aenter__()
        await self._client.subscribe("jitney/_bus/main/response/reload", qos=1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)
        for part in (self.daemon, self.home, self.recorder, self.broker):
            await part.__aexit__(kind, error, trace)

    @contextmanager
    def sources(self, group: asyncio.TaskGroup) -> Iterator[None]:
        """Let everything happen meanwhile."""
        work: tuple[Any, ...] = (self.home.run(self._rate / 2), self._post("front"), self._post("back"), self._scrape())
        tasks = [group.create_task(one, name=f"busy {number}") for number, one in enumerate(work)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def reload(self) -> float:
        """Put the next configuration in force; returns the seconds until the bus has said so."""
        self.step += 1
        beside = self._config.with_suffix(".new")
        beside.write_text(self._text(), encoding="utf-8")
        beside.replace(self._config)
        began = time.monotonic()
        await self._client.publish("jitney/_bus/main/request/reload", b"{}", qos=1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            reply = await anext(aiter(self._client.messages))
        told = json.loads(str(reply.payload, "utf-8") if isinstance(reply.payload, bytes) else "{}")
        if told["status"] != "ok":
            message = f"a reload was refused: {told}"
            raise LabError(message)
        return time.monotonic() - began

    def census(self) -> Census:
        """Count what the daemon has now."""
        self.daemon.must_run()
        return Census(self.daemon.pid)

    async def settled(self) -> Delivery:
        """End the counting, wait until everything accepted has arrived or nothing comes any more, and compare."""
        self._stop.touch()
        await asyncio.sleep(1.0)
        await self.recorder.until(lambda: not self._compared().lost, patience=5.0)
        return self._compared()

    def _compared(self) -> Delivery:
        wanted = {(owner, "ticker"): numbers for owner, numbers in accepted(self._noted).items()}
        wanted["bob", "home"] = list(range(1, self.home.sent + 1))
        # What is posted at the same time has no order among itself.
        posted = {lane: sorted(found, key=lambda one: one.seq) for lane, found in self.arrivals.lanes.items()}
        ordered = {lane: found for lane, found in posted.items() if lane in wanted}
        loose = delivery(self.posted, {lane: self.arrivals.lanes[lane] for lane in self.posted})
        found = delivery(wanted, {lane: self.arrivals.lanes[lane] for lane in ordered})
        found.accepted += loose.accepted
        found.arrived += loose.arrived
        found.lost += loose.lost
        found.clashes += loose.clashes
        return found

    def _take(self, topic: str, payload: bytes) -> None:
        self.arrivals.take(topic, payload)
        if "/ticker/" in topic or "/home/" in topic:
            seen = _OBSERVED.search(payload)
            if seen is not None:
                now = time.time()
                self.latencies.append((time.monotonic(), now - datetime.fromisoformat(seen[1].decode()).timestamp()))

    async def _post(self, name: str) -> None:
        """Post numbers to an adapter for ever; what was answered 200 is accepted."""
        url, number = f"http://127.0.0.1:{self._http}/{name}/hook", 0
        async with aiohttp.ClientSession() as http:
            while True:
                number += 1
                began = time.monotonic()
                async with http.post(url, data=str(number)) as response:
                    if response.status == 200:
                        self.posted["alice", name].append(number)
                    else:
                        self.refused.append(f"{name}: {response.status}")
                self.answers.append(time.monotonic() - began)
                await asyncio.sleep(POST_SECONDS)

    async def _scrape(self) -> None:
        """Read the metrics and the health for ever."""
        async with aiohttp.ClientSession() as http:
            while True:
                for path in ("metrics", "health/detailed"):
                    async with http.get(f"http://127.0.0.1:{self._http}/{path}") as response:
                        await response.read()
                        self.scrapes += response.status == 200
                await asyncio.sleep(SCRAPE_SECONDS)

    def _text(self) -> str:
        return _BASE.format(
            state=json.dumps(str(self.folder / "state")),
            port=self.broker.port,
            http=self._http,
            ticks=self._rate / 2,
            accepted=json.dumps(str(self._noted)),
            stop=json.dumps(str(self._stop)),
            home=self.home.port,
            token=TOKEN,
        ) + changing(self.step)


def slope(points: list[tuple[float, float]]) -> float:
    """Return by how much the second number grows with the first, by least squares."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def percentile(values: list[float], part: float) -> float:
    """Return the value below which a part of all lies, in milliseconds."""
    found = sorted(values)
    return 1000 * found[min(len(found) - 1, int(part * len(found)))] if found else 0.0
