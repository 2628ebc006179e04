"""Take the broker away while a busy house goes on, and watch the memory; then bring it back and count.

    python -m bench.memory                    five minutes with a frozen broker, five with none at all
    python -m bench.memory --mode killed --seconds 60

A fake Home Assistant sends 500 state changes a second all the time. "Frozen" is a broker that has been stopped in its
tracks: connections stay open and nobody answers; "killed" is no broker. The daemon's resident memory must stay below
the limit, it must go on reading, and when the broker is back everything must arrive, in order. Exit status 1
when any of this does not hold.
"""

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.fake_home import MARK, TOKEN, FakeHome
from bench.gate import Gate
from bench.lab import Daemon, LabError, Mosquitto, resident_mb
from bench.record import Arrivals, Recorder
from bench.verdict import Delivery, delivery

OWNERS: Final = ["alice", "bob", "carol", "dora", "emil"]
PATIENCE_SECONDS: Final = 30.0
REPORT_SECONDS: Final = 10
FALLEN_BEHIND: Final = 0.97
"""The share of the rate that the house must have got rid of, else the daemon has stopped reading."""

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
[adapters.home]
type = "homeassistant"
url = "http://127.0.0.1:{home}"
token = "{token}"
"""


class Outcome(Struct, kw_only=True):
    """What one mode showed."""

    mode: str
    before: float
    most: float
    sent: int
    rate: float
    drained: float
    delivery: Delivery
    violations: list[str]


class House:
    """Everything that runs, and the memory of the daemon over time."""

    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder)
        self.gate = Gate(self.broker.port)
        self.home = FakeHome(OWNERS)
        self.arrivals = Arrivals(mark=re.compile(rb'"%s":\s*(\d+)' % MARK.encode()))
        self.recorder = Recorder(self.broker.port, "jitney/+/event/home/+", self.arrivals.take)
        self.most = 0.0
        self._folder = folder

    def daemon(self) -> Daemon:
        """Return the daemon, to be started when the gate and the house have their ports."""
        owners = (f'[owners.{name}]\nhomeassistant = {{ entities = ["*.{name}_*"] }}' for name in OWNERS)
        config = CONFIG.format(
            state=json.dumps(str(self._folder / "state")),
            port=self.gate.port,
            home=self.home.port,
            token=TOKEN,
            owners="\n".join(owners),
        )
        return Daemon(self._folder, config)

    async def watch(self, daemon: Daemon) -> None:
        """Keep the highest memory seen, until cancelled; show the memory now and then."""
        begin = time.monotonic()
        shown = -1
        while True:
            daemon.must_run()
            now = resident_mb(daemon.pid)
            self.most = max(self.most, now)
            seconds = int(time.monotonic() - begin)
            if seconds // REPORT_SECONDS != shown:
                shown = seconds // REPORT_SECONDS
                print(
                    f"  {seconds:5} s {now:7.1f} MB {self.home.sent:8} sent {self.recorder.count:8} arrived", flush=True
                )
            await asyncio.sleep(0.5)

    async def take_broker_away(self, mode: str) -> None:
        """Freeze or kill the broker."""
        if mode == "frozen":
            self.broker.freeze()
        else:
            self.gate.close()
            await self.broker.kill()

    async def bring_broker_back(self, mode: str) -> None:
        """Thaw or start the broker; who counts is there before the daemon."""
        if mode == "frozen":
            self.broker.thaw()
            return
        self.recorder.subscribed.clear()
        await self.broker.start()
        await self.recorder.ready()
        self.gate.open()

    def complete(self) -> bool:
        """Tell whether everything that was sent has arrived."""
        return sum(map(len, self.arrivals.numbers.values())) >= self.home.sent

    def compared(self) -> Delivery:
        """Compare what was sent with what arrived; who owns a number is known from where it arrived."""
        arrived = self.arrivals.numbers
        nowhere = set(range(1, self.home.sent + 1)).difference(*arrived.values())
        return delivery({**arrived, ("?", "home"): nowhere}, self.arrivals.lanes)


async def measure(mode: str, seconds: float, rate: float, limit: float) -> Outcome:
    """Run one mode from a clean start to its verdict; the folder stays when something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="jitney-memory-"))
    house = House(folder)
    async with house.broker, house.gate, house.recorder, house.home:
        house.gate.open()
        async with house.daemon() as daemon:
            await house.home.subscribed(within=PATIENCE_SECONDS)
            async with asyncio.TaskGroup() as group:
                feed = group.create_task(house.home.run(rate), name="fake home")
                await house.recorder.more_than(int(rate), within=PATIENCE_SECONDS)
                before = resident_mb(daemon.pid)
                watch = group.create_task(house.watch(daemon), name="watch")
                await house.take_broker_away(mode)
                sent, begin = house.home.sent, time.monotonic()
                await asyncio.sleep(seconds)
                reached = (house.home.sent - sent) / (time.monotonic() - begin)
                feed.cancel()
                print("  the broker comes back", flush=True)
                begin = time.monotonic()
                await house.bring_broker_back(mode)
                await house.recorder.until(house.complete, patience=PATIENCE_SECONDS)
                drained = house.recorder.at - begin
                watch.cancel()
            status = await daemon.stop()
    compared = house.compared()
    violations = compared.violations()
    if house.most >= limit:
        violations.append(f"the memory reached {house.most:.1f} MB, the limit is {limit:g} MB")
    if reached < rate * FALLEN_BEHIND:
        violations.append(f"the daemon took only {reached:.0f} of {rate:g} events/s while the broker was away")
    if status:
        violations.append(f"the daemon ended with exit status {status} on SIGTERM")
    if violations:
        violations.append(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return Outcome(
        mode=mode,
        before=before,
        most=house.most,
        sent=house.home.sent,
        rate=reached,
        drained=drained,
        delivery=compared,
        violations=violations,
    )


async def main() -> int:
    """Run the modes that were asked for; returns the exit status."""
    asked = arguments()
    outcomes = []
    for mode in ("frozen", "killed") if asked.mode == "both" else (asked.mode,):
        print(f"broker {mode} for {asked.seconds:g} s at {asked.rate:g} events/s", flush=True)
        outcomes.append(await measure(mode, asked.seconds, asked.rate, asked.limit_mb))
    print(
        f"\n{'broker':8} {'MB before':>9} {'MB most':>8} {'sent':>8} {'taken/s':>8} {'lost':>6} {'misorder':>9} "
        f"{'duplicates':>10} {'back s':>7}"
    )
    for outcome in outcomes:
        found = outcome.delivery
        print(
            f"{outcome.mode:8} {outcome.before:9.1f} {outcome.most:8.1f} {outcome.sent:8} {outcome.rate:8.0f} "
            f"{len(found.lost):6} {found.misordered:9} {found.duplicates:10} {outcome.drained:7.1f}"
        )
        for violation in outcome.violations:
            print(f"  VIOLATION: {violation}")
    return int(any(outcome.violations for outcome in outcomes))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["frozen", "killed", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=300, help="without the broker (default 300)")
    parser.add_argument("--rate", type=float, default=500, help="events a second (default 500)")
    parser.add_argument("--limit-mb", type=float, default=120, help="resident memory allowed (default 120)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except* LabError as errors:
        sys.exit(f"bench.memory: {errors.exceptions[0]}")
