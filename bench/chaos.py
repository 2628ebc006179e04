"""Break it under load, again and again, and count what was lost.

    python -m bench.chaos                 100 kills of the daemon, then kills of the broker, then cut links
    python -m bench.chaos --kills 10 --broker-kills 0 --wipes 0 --cuts 0
    python -m bench.chaos --lie 500       the link loses one event in 500: this must end as a violation

A durable event counts as accepted when its source was told so: the ticker (an adapter inside the daemon) when
`emit` returned, the inbox (a client outside) when the broker had confirmed its message; the inbox is not used where
the broker itself is killed. Every accepted event must arrive at a subscriber, first deliveries in order per owner
and source, and in the end the broker must hold exactly the retained messages of the bus's ledger, with the newest
values, and none that was planted by somebody else. Exit status 1 when any of this does not hold.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from msgspec import Struct

from bench.gate import Gate
from bench.lab import Daemon, LabError, Mosquitto
from bench.record import Arrivals, Recorder, client_of, ledger, retained
from bench.ticker import accepted
from bench.verdict import Delivery, Lane, delivery, tree_differences

ROOT: Final = "jitney"
BACK_SECONDS: Final = 60.0
"""How long after a fault the next event may take before it counts as not having come back."""
QUIET_SECONDS: Final = 0.1
"""How long without news until all that a dead daemon sent has been seen."""
INBOX: Final = "test"

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "warning"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
topic_root = "jitney"
[http]
listen = ""
{owners}
[adapters.ticker]
type = "ticker"
rate = {rate}
accepted = {accepted}
stop = {stop}
"""


class Options(Struct, frozen=True, kw_only=True):
    """How hard it is tried."""

    rate: float
    owners: int
    lie: int
    seed: int
    patience: float

    def names(self) -> list[str]:
        """Return the owners' ids."""
        return [f"u{number:02}" for number in range(self.owners)]


class Result(Struct, kw_only=True):
    """What one scenario showed."""

    name: str
    faults: int
    seconds: float
    delivery: Delivery
    back: list[float]
    topics: int
    violations: list[str]


class Scene:
    """One broker, gate, recorder and daemon with its two sources, in a folder of their own."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.options = options
        self.random = Random(options.seed)  # noqa: S311 - repeatable, not secret
        self.broker = Mosquitto(folder)
        self.gate = Gate(self.broker.port, lie=options.lie)
        self.arrivals = Arrivals()
        self.recorder = Recorder(self.broker.port, f"{ROOT}/+/event/+/+", self.arrivals.take)
        self.inbox: dict[Lane, list[int]] = defaultdict(list)
        self.back: list[float] = []
        self._stop = folder / "stop"
        self._noted = folder / "accepted"
        _install_ticker(folder / "plugins")

    def daemon(self) -> Daemon:
        """Return the daemon, to be started when the gate has its port."""
        config = CONFIG.format(
            state=json.dumps(str(self.folder / "state")),
            port=self.gate.port,
            owners="\n".join(f"[owners.{name}]" for name in self.options.names()),
            rate=self.options.rate,
            accepted=json.dumps(str(self._noted)),
            stop=json.dumps(str(self._stop)),
        )
        return Daemon(self.folder, config, import_path=self.folder / "plugins")

    async def came_back(self, daemon: Daemon, count: int) -> None:
        """Wait for the first event after ``count``, and note how long it took from now."""
        begin = time.monotonic()
        try:
            await self.recorder.more_than(count, within=BACK_SECONDS)
        except TimeoutError:
            daemon.must_run()
            message = f"no event for {BACK_SECONDS:.0f} s after a fault, see {daemon.log}"
            raise LabError(message) from None
        self.back.append(time.monotonic() - begin)

    async def feed_inbox(self) -> None:
        """Publish numbered events to every owner's inbox until cancelled, and note what the broker confirmed."""
        numbers = dict.fromkeys(self.options.names(), 0)
        async with client_of(self.broker.port, "inbox") as client:
            while True:
                for owner in numbers:
                    numbers[owner] += 1
                    payload = json.dumps({"number": numbers[owner]})
                    await client.publish(f"{ROOT}/{owner}/inbox/{INBOX}/tick", payload, qos=1)
                    self.inbox[owner, INBOX].append(numbers[owner])
                    await asyncio.sleep(2 / self.options.rate)

    async def settle(self) -> Delivery:
        """Stop counting, wait until everything accepted has arrived or nothing comes any more, and compare."""
        self._stop.touch()
        await self.recorder.until(lambda: not self._missing(), patience=self.options.patience)
        return delivery(self._accepted(), self.arrivals.lanes)

    async def tree(self) -> tuple[int, list[str]]:
        """Compare the broker's retained messages with the ledger and with what the ticker last said."""
        deadline = time.monotonic() + self.options.patience
        while True:
            expected = ledger(self.folder / "state")
            for owner, numbers in accepted(self._noted).items():
                expected[f"{ROOT}/{owner}/state/ticker/count"] = b'{"count":%d}' % max(numbers)
            found = await retained(self.broker.port, ROOT)
            differences = tree_differences(expected, found)
            if not differences or time.monotonic() > deadline:
                return len(found), differences
            await asyncio.sleep(0.5)

    async def plant_orphan(self) -> None:
        """Leave a retained state that nobody speaks for, as an earlier life of the bus might have."""
        topic = f"{ROOT}/{self.options.names()[0]}/state/ticker/ghost"
        async with client_of(self.broker.port, "ghost") as client:
            await client.publish(topic, b'{"ghost":true}', qos=1, retain=True)

    def _accepted(self) -> dict[Lane, list[int]]:
        ticker = {(owner, "ticker"): numbers for owner, numbers in accepted(self._noted).items()}
        return ticker | dict(self.inbox)

    def _missing(self) -> bool:
        return any(set(numbers) - self.arrivals.numbers[lane] for lane, numbers in self._accepted().items())


async def kill_daemon(scene: Scene, daemon: Daemon, kills: int) -> None:
    """SIGKILL the daemon while both sources are busy; every eighth time already while it starts."""
    feed = asyncio.create_task(scene.feed_inbox(), name="inbox")
    try:
        for number in range(kills):
            await asyncio.sleep(scene.random.uniform(0.05, 0.4))
            await daemon.kill()
            if number % 8 == 7:
                await daemon.start()
                await asyncio.sleep(scene.random.uniform(0.05, 0.8))
                await daemon.kill()
            await scene.recorder.quiet(QUIET_SECONDS)
            count = scene.recorder.count
            await daemon.start()
            await scene.came_back(daemon, count)
            if feed.done():
                feed.result()
    finally:
        feed.cancel()
        await asyncio.wait([feed])


async def kill_broker(scene: Scene, daemon: Daemon, kills: int, *, wipe: bool) -> None:
    """SIGKILL the broker under load, and start it again on what it kept or on nothing at all."""
    for _ in range(kills):
        await asyncio.sleep(scene.random.uniform(0.2, 1.5))
        scene.gate.close()
        await scene.broker.kill()
        if wipe:
            scene.broker.wipe()
        scene.recorder.subscribed.clear()
        await asyncio.sleep(scene.random.uniform(0.0, 1.0))
        await scene.broker.start()
        await scene.recorder.ready()
        await scene.plant_orphan()
        count = scene.recorder.count
        scene.gate.open()
        await scene.came_back(daemon, count)


async def cut_link(scene: Scene, daemon: Daemon, cuts: int) -> None:
    """Cut the connection between the daemon and a healthy broker."""
    for _ in range(cuts):
        await asyncio.sleep(scene.random.uniform(0.2, 1.0))
        scene.gate.close()
        await scene.plant_orphan()
        await asyncio.sleep(scene.random.uniform(0.0, 0.5))
        count = scene.recorder.count
        scene.gate.open()
        await scene.came_back(daemon, count)


async def scenario(
    name: str, faults: int, options: Options, break_it: Callable[[Scene, Daemon], Awaitable[None]]
) -> Result:
    """Run one kind of fault from a clean start to its verdict; the folder stays when something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="jitney-chaos-"))
    scene = Scene(folder, options)
    begin = time.monotonic()
    async with scene.broker, scene.gate, scene.recorder:
        scene.gate.open()
        async with scene.daemon() as daemon:
            await scene.came_back(daemon, 0)
            scene.back.clear()
            await break_it(scene, daemon)
            compared = await scene.settle()
            topics, differences = await scene.tree()
            daemon.must_run()
            status = await daemon.stop()
    violations = compared.violations() + differences
    if status:
        violations.append(f"the daemon ended with exit status {status} on SIGTERM")
    if violations:
        violations.append(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return Result(
        name=name,
        faults=faults,
        seconds=time.monotonic() - begin,
        delivery=compared,
        back=scene.back,
        topics=topics,
        violations=violations,
    )


def show(result: Result) -> None:
    """Print one line of the table, and the violations below it."""
    found = result.delivery
    back = f"{median(result.back):5.2f} {max(result.back):6.2f}" if result.back else "    -      -"
    print(
        f"{result.name:22} {result.faults:6} {found.accepted:9} {len(found.lost):5} {found.misordered:9} "
        f"{found.duplicates:10} {result.topics:9} {back} {result.seconds:8.0f}",
        flush=True,
    )
    for violation in result.violations:
        print(f"  VIOLATION: {violation}", flush=True)


async def main() -> int:
    """Run the scenarios that were asked for; returns the exit status."""
    asked = arguments()
    options = Options(rate=asked.rate, owners=asked.owners, lie=asked.lie, seed=asked.seed, patience=asked.patience)
    plan: list[tuple[str, int, Callable[[Scene, Daemon], Awaitable[None]]]] = [
        ("daemon killed", asked.kills, lambda scene, daemon: kill_daemon(scene, daemon, asked.kills)),
        ("broker killed", asked.broker_kills, lambda s, d: kill_broker(s, d, asked.broker_kills, wipe=False)),
        ("broker killed, wiped", asked.wipes, lambda s, d: kill_broker(s, d, asked.wipes, wipe=True)),
        ("link cut", asked.cuts, lambda scene, daemon: cut_link(scene, daemon, asked.cuts)),
    ]
    print(f"{asked.rate:g} events/s for {asked.owners} owners, seed {asked.seed}; back: seconds until the next event")
    print(
        f"{'':22} {'faults':>6} {'accepted':>9} {'lost':>5} {'misorder':>9} {'duplicates':>10} {'retained':>9} "
        f"{'back':>5} {'worst':>6} {'seconds':>8}",
        flush=True,
    )
    violated = False
    for name, faults, break_it in plan:
        if faults:
            result = await scenario(name, faults, options, break_it)
            show(result)
            violated = violated or bool(result.violations)
    print("A guarantee was violated." if violated else "No violation.")
    return int(violated)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs of the daemon (default 100)")
    parser.add_argument("--broker-kills", type=int, default=10, help="SIGKILLs of the broker (default 10)")
    parser.add_argument("--wipes", type=int, default=10, help="the same with all it kept removed (default 10)")
    parser.add_argument("--cuts", type=int, default=10, help="cuts of the link (default 10)")
    parser.add_argument(
        "--rate",
        type=float,
        default=500,
        help="events a second of the ticker, the inbox adds half as many (default 500)",
    )
    parser.add_argument("--owners", type=int, default=5, help="people (default 5)")
    parser.add_argument("--lie", type=int, default=0, metavar="N", help="lose every Nth event on purpose")
    parser.add_argument("--patience", type=float, default=30, help="seconds without news until the rest is lost")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeat the faults of a run")
    return parser.parse_args()


def _install_ticker(folder: Path) -> None:
    """Make the ticker an adapter type that the daemon finds as it finds every third party's: by entry point."""
    about = folder / "jitney_bench-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jitney-bench\nVersion: 0\n", encoding="ascii")
    (about / "entry_points.txt").write_text("[jitney.adapters]\nticker = bench.ticker:Ticker\n", encoding="ascii")


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except LabError as error:
        sys.exit(f"bench.chaos: {error}")
