"""How long a packet takes from a radio's socket to MQTT, beside a naive bridge, and while another radio stalls.

    python -m bench.mesh
    python -m bench.mesh --seconds 20 --rate 100

Three simulated radios: `attic` and `boat` are the daemon's, each with an owner of its own, the third is that of a
naive bridge (`naive_mesh.py`), which gets the same packets half a step later. Latency is the time from the write into
the radio's socket until an observer has the message from the broker, CPU what the bridge's process took. First attic
has nothing to say; then it stalls with its connection open, is noticed and tried again, while boat goes on. Exit
status 1 when a packet of the daemon is lost or out of order, or when boat's p99 is above the limit in either phase.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.lab import REPOSITORY, Daemon, LabError, Mosquitto
from bench.naive_mesh import TOPIC
from bench.record import Recorder
from tests.fakes.meshtastic import Node, Radio

WARM_UP: Final = 50
"""Packets at the beginning that do not count."""

OUR_TOPIC: Final = "jitney/bob/event/boat/message"
PATIENCE: Final = 5.0
_MARK: Final = re.compile(rb"packet (\d+) of the mesh")
_START: Final = 20.0
_HEADING: Final = f"{'':34} {'p50':>8} {'p99':>8} {'worst':>8} {'CPU':>8} {'lost':>5} {'misordered':>11}"

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
[http]
listen = ""
[owners.alice]
[owners.bob]
[adapters.attic]
type = "meshtastic"
owner = "alice"
connection = "{attic}"
heartbeat = 5
timeout = 10
[adapters.boat]
type = "meshtastic"
owner = "bob"
connection = "{boat}"
"""


class Result(Struct, frozen=True):
    """Seconds from socket to observer, seconds of CPU for one packet, and what did not arrive as it should."""

    p50: float
    p99: float
    worst: float
    cpu: float
    lost: int
    misordered: int


class Flow:
    """The packets of one bridge: when each was written and when it was seen."""

    def __init__(self) -> None:
        self._written: dict[int, float] = {}
        self._seen: dict[int, float] = {}

    def write(self, number: int, at: float) -> None:
        """Note that a packet goes into the radio's socket."""
        self._written[number] = at

    def see(self, payload: bytes) -> None:
        """Note the message of a packet."""
        found = _MARK.search(payload)
        if found is not None:
            self._seen.setdefault(int(found[1]), time.perf_counter())

    def is_complete(self) -> bool:
        """Tell whether everything has been seen."""
        return len(self._seen) >= len(self._written)

    def result(self, first: int, *, cpu: float) -> Result:
        """Compare what was written with what was seen, from packet ``first`` on, which took ``cpu`` seconds."""
        wanted = [number for number in self._written if number >= first]
        arrived = [number for number in self._seen if number >= first]
        times = sorted(self._seen[number] - self._written[number] for number in arrived)
        if not times:
            raise LabError("nothing arrived")
        return Result(
            p50=times[len(times) // 2],
            p99=times[int(len(times) * 0.99)],
            worst=times[-1],
            cpu=cpu / len(wanted),
            lost=len(wanted) - len(arrived),
            misordered=sum(later < earlier for earlier, later in pairwise(arrived)),
        )


class Bridge:
    """Something that carries the packets of a node to MQTT, as the process ``pid``."""

    def __init__(self, node: Node, pid: int) -> None:
        self.flow = Flow()
        self._node = node
        self._pid = pid
        self._spent = 0.0
        self._first = 0

    def send(self, number: int) -> None:
        """Let the node send a packet."""
        self.flow.write(number, time.perf_counter())
        self._node.text(f"packet {number} of the mesh")

    def begin(self, first: int) -> None:
        """Count from a packet on."""
        self._first, self._spent = first, cpu_seconds(self._pid)

    def end(self) -> Result:
        """Return what there is since ``begin``."""
        return self.flow.result(self._first, cpu=cpu_seconds(self._pid) - self._spent)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """Both bridges at work; packets are numbered through all phases."""

    def __init__(self, ours: Bridge, naive: Bridge, *, rate: float) -> None:
        self._ours = ours
        self._naive = naive
        self._rate = rate
        self._next = 0

    async def phase(self, packets: int) -> tuple[Result, Result]:
        """Send so many packets to both; returns ours and the naive one."""
        await self._send(WARM_UP)
        for bridge in (self._ours, self._naive):
            bridge.begin(self._next)
        await self._send(packets)
        return self._ours.end(), self._naive.end()

    async def _send(self, packets: int) -> None:
        begin, step = time.perf_counter(), 1 / self._rate
        for number in range(packets):
            for bridge, offset in ((self._ours, 0.0), (self._naive, step / 2)):
                pause = begin + number * step + offset - time.perf_counter()
                await asyncio.sleep(max(0.0, pause))
                bridge.send(self._next)
            self._next += 1
        deadline = time.perf_counter() + PATIENCE
        while not (self._ours.flow.is_complete() and self._naive.flow.is_complete()):
            if time.perf_counter() > deadline:
                break
            await asyncio.sleep(0.05)


def violations(quiet: Result, stalled: Result, *, limit: float) -> list[str]:
    """Return what was promised and did not happen, in words."""
    found = []
    for phase, result in (("while attic was quiet", quiet), ("while attic stalled", stalled)):
        if result.lost:
            found.append(f"{result.lost} packets were lost {phase}")
        if result.misordered:
            found.append(f"{result.misordered} packets were out of order {phase}")
        if result.p99 > limit:
            found.append(f"p99 was {result.p99 * 1e3:.1f} ms {phase}: the limit is {limit * 1e3:g} ms")
    return found


def row(title: str, result: Result) -> str:
    """Return a line of the table."""
    times = " ".join(f"{seconds * 1e3:5.1f} ms" for seconds in (result.p50, result.p99, result.worst))
    return f"{title:34} {times} {result.cpu * 1e6:5.0f} us {result.lost:5} {result.misordered:11}"


def ratio(title: str, result: Result, other: Result) -> str:
    """Return a line with one result as parts of another."""
    pairs = ((result.p50, other.p50), (result.p99, other.p99), (result.worst, other.worst), (result.cpu, other.cpu))
    return f"{title:34} " + " ".join(f"{one / another if another else 0.0:8.2f}" for one, another in pairs)


@asynccontextmanager
async def naive_bridge(radio: Radio, broker: Mosquitto) -> AsyncIterator[int]:
    """Run the naive bridge; gives its process id."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.naive_mesh", str(radio.port), str(broker.port)), cwd=REPOSITORY
    )
    try:
        await radio.ready(deadline=_START)
        yield child.pid
    finally:
        child.kill()
        await child.wait()


async def measure(folder: Path, asked: argparse.Namespace) -> int:
    """Measure, print the table, and return the exit status."""
    packets = round(asked.seconds * asked.rate)
    async with (
        Radio(0xA0000001) as attic,
        Radio(0xA0000002) as boat,
        Radio(0xA0000003) as third,
        Mosquitto(folder) as broker,
    ):
        nodes = [radio.node(0xB0B00001, long_name="Bob") for radio in (boat, third)]
        config = CONFIG.format(
            state=json.dumps(str(folder / "state")),
            broker=broker.port,
            attic=attic.connection,
            boat=boat.connection,
        )
        async with Daemon(folder, config) as daemon, naive_bridge(third, broker) as naive_pid:
            for radio in (attic, boat):
                await radio.ready(deadline=_START)
            ours, naive = Bridge(nodes[0], daemon.pid), Bridge(nodes[1], naive_pid)
            flows = {OUR_TOPIC: ours.flow, TOPIC: naive.flow}

            def take(topic: str, payload: bytes) -> None:
                if topic in flows:
                    flows[topic].see(payload)

            async with Recorder(broker.port, "#", take):
                bench = Bench(ours, naive, rate=asked.rate)
                quiet, beside = await bench.phase(packets)
                attic.stall()
                stalled, _ = await bench.phase(packets)
                attic.unstall()
            daemon.must_run()
            status = await daemon.stop()
    print(f"{asked.rate:g} packets/s for {asked.seconds:g} s in each phase, CPU for one packet:\n")
    print(_HEADING)
    print(row("jitney", quiet))
    print(row("naive bridge", beside))
    print(ratio("  jitney to the naive bridge", quiet, beside))
    print(row("jitney, another radio stalled", stalled))
    print(ratio("  stalled to quiet", stalled, quiet), end="\n\n")
    found = violations(quiet, stalled, limit=asked.limit / 1e3)
    if status:
        found.append(f"the daemon ended with exit status {status} on SIGTERM")
    for violation in found:
        print(f"VIOLATION: {violation}")
    if not found:
        print(f"No violation: p99 {max(quiet.p99, stalled.p99) * 1e3:.1f} ms, the limit is {asked.limit:g} ms.")
    return int(bool(found))


def main() -> int:
    """Measure; returns the exit status."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="jitney-mesh-") as folder:
        return asyncio.run(measure(Path(folder), asked))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each of the two phases (default 60)")
    parser.add_argument("--rate", type=float, default=50, help="packets a second (default 50)")
    parser.add_argument("--limit", type=float, default=20, metavar="MS", help="of p99 (default 20)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench.mesh: {error}")
