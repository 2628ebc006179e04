"""Measure against a real Home Assistant: is anything lost, is the order kept, is the state right after a restart.

    python -m bench.real_homeassistant --peer FOLDER
    python -m bench.real_homeassistant --peer FOLDER --restart-command 'systemctl restart home-assistant'

FOLDER holds a peer.json with the url and an admin_token of a running Home Assistant that has the helpers
input_number.seq, input_number.num_00 to num_09 (0 to 1000000000) and input_boolean.storm_000, and the persons alice
and bob. The daemon and its broker are started here. First every counter counts, all together 20 000 steps at 500 a
second: each step must arrive as an event, in order per entity, under the owner that the rules give it. Then, under
load, the restart command is run (a shell command of yours: a restart, or a kill and a start) and the retained states
must become equal to what Home Assistant has; no event may tell a change that was none. Exit status 1 when any of this
does not hold.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from bench.home_client import HomeClient, running
from bench.lab import Daemon, LabError, Mosquitto
from bench.record import Recorder, retained

COUNTERS: Final = ["input_number.seq", *(f"input_number.num_{number:02}" for number in range(10))]
SETTLED: Final = ("input_", "person.", "zone.")
"""Entities that only change when somebody changes them: the start of Home Assistant is no such thing."""
NOTHING: Final = {"unavailable", "unknown"}
PATIENCE_SECONDS: Final = 20.0
RESTART_SECONDS: Final = 180.0
EQUAL_SECONDS: Final = 60.0
MUST_BE_EQUAL_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
[mqtt]
url = "mqtt://127.0.0.1:{port}"
topic_root = "jitney"
[http]
listen = ""
[owners.alice]
homeassistant = {{ person = "person.alice", entities = ["input_number.*"] }}
[owners.bob]
homeassistant = {{ person = "person.bob", entities = ["input_boolean.*"] }}
[adapters.home]
type = "homeassistant"
url = {url}
token = {token}
"""


class Change(Struct, frozen=True, gc=False):
    """What an event of a changed state tells."""

    entity_id: str
    state: str | None
    old_state: str | None
    missed: bool = False


class _Event(Struct, gc=False):
    data: Raw


class Told:
    """Everything that the bus told about changed states, by owner and entity, in order."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, Change]] = []
        self._event = msgspec.json.Decoder(_Event).decode
        self._change = msgspec.json.Decoder(Change).decode

    def take(self, topic: str, payload: bytes) -> None:
        """Keep one event."""
        self.changes.append((topic.split("/")[1], self._change(self._event(payload).data)))

    def counts(self) -> dict[str, list[int]]:
        """Return the values of every counter in the order in which they arrived."""
        found = defaultdict[str, list[int]](list)
        for _, change in self.changes:
            if change.entity_id in COUNTERS and change.state not in {None, *NOTHING}:
                found[change.entity_id].append(int(float(change.state or 0)))
        return found


class Bench:
    """The running parts and what was found wrong so far."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.broker = Mosquitto(folder)
        self.told = Told()
        self.recorder = Recorder(self.broker.port, "jitney/+/event/home/state_changed", self.told.take)
        self.violations: list[str] = []
        self.url = url
        self.token = token
        config = CONFIG.format(
            state=json.dumps(str(folder / "state")),
            port=self.broker.port,
            url=json.dumps(url),
            token=json.dumps(token),
        )
        self.daemon = Daemon(folder, config)

    async def equal(self, client: HomeClient) -> tuple[float, list[str]]:
        """Return after how many seconds the retained states were those of Home Assistant, and what is not."""
        begin = time.monotonic()
        while True:
            found = await retained(self.broker.port, "jitney/+/state/home")
            differences = differing(await client.states(), found)
            seconds = time.monotonic() - begin
            if not differences or seconds > EQUAL_SECONDS:
                return seconds, differences
            self.daemon.must_run()
            await asyncio.sleep(POLL_SECONDS)

    async def count(self, client: HomeClient, events: int, rate: float) -> None:
        """Let all counters count and compare what arrived with what was set."""
        first = await next_value(client)
        already = len(self.told.changes)
        begin = time.monotonic()
        await storm(client, first, events, rate)
        seconds = time.monotonic() - begin
        await self.recorder.until(lambda: len(self.told.changes) - already >= events, patience=PATIENCE_SECONDS)
        lost = misordered = 0
        for number, entity in enumerate(COUNTERS):
            wanted = [value for value in range(first, first + events) if value % len(COUNTERS) == number]
            got = [value for value in self.told.counts()[entity] if value >= first]
            lost += len(set(wanted) - set(got))
            misordered += sum(later < earlier for earlier, later in pairwise(got))
        owners = {owner for owner, change in self.told.changes[already:] if change.entity_id in COUNTERS}
        extra = len(self.told.changes) - already - events
        print(f"{events} changes at {events / seconds:.0f}/s: {lost} lost, {misordered} out of order, {extra:+} others")
        if lost or misordered:
            self.violations.append(f"{lost} events lost, {misordered} out of order")
        if owners != {"alice"}:
            self.violations.append(f"the counters are alice's by rule, but their events went to {sorted(owners)}")

    async def restart(self, command: str, rate: float) -> None:
        """Run the command under load, wait until the house runs, and compare."""
        client = HomeClient(self.url, self.token)
        async with client, asyncio.TaskGroup() as group:
            load = group.create_task(storm_until_it_breaks(client, await next_value(client), rate), name="storm")
            await asyncio.sleep(2)
            began = time.monotonic()
            process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
            await load
            before = len(self.told.changes)
            if await process.wait():
                message = f"the restart command failed with exit status {process.returncode}"
                raise LabError(message)
        again = await running(self.url, self.token, within=RESTART_SECONDS)
        up = time.monotonic() - began
        async with again:
            seconds, differences = await self.equal(again)
        heard = noise([change for _, change in self.told.changes], before)
        print(f"restarted under load: running again after {up:.1f} s, states equal {seconds:.2f} s after that")
        print(f"  {len(self.told.changes) - before} events since it was gone, {len(heard)} of them noise")
        self.violations += differences[:5] + heard[:5]
        if seconds > MUST_BE_EQUAL_SECONDS:
            self.violations.append(f"the states were equal only after {seconds:.1f} s")


def noise(changes: Sequence[Change], since: int) -> list[str]:
    """Return which of the changes from ``since`` on tell of something that did not change, in words."""
    last: dict[str, str | None] = {}
    found = []
    for index, change in enumerate(changes):
        if index >= since and change.entity_id.startswith(SETTLED):
            from_nothing = {change.state, change.old_state} & {None, *NOTHING}
            if from_nothing or last.get(change.entity_id) == change.state:
                found.append(f"start-up noise: {change}")
        last[change.entity_id] = change.state
    return found


def differing(states: dict[str, dict[str, Any]], found: dict[str, bytes]) -> list[str]:
    """Return how the retained states differ from those of Home Assistant, in words."""
    published = {topic.split("/")[-1]: json.loads(payload) for topic, payload in found.items()}
    result = [f"not retained: {entity}" for entity in sorted(states.keys() - published.keys())]
    result += [f"retained, but gone: {entity}" for entity in sorted(published.keys() - states.keys())]
    for entity in sorted(states.keys() & published.keys()):
        for key in ("state", "attributes", "last_updated"):
            if states[entity][key] != published[entity][key]:
                result.append(f"{entity} {key}: retained {published[entity][key]!r}, really {states[entity][key]!r}")
    return result


async def next_value(client: HomeClient) -> int:
    """Return a value that no counter has reached."""
    states = await client.states()
    return int(max(float(states[entity]["state"]) for entity in COUNTERS)) + 1


async def storm(client: HomeClient, first: int, events: int, rate: float) -> None:
    """Give the counters in turn the values from ``first`` on, at ``rate`` a second, each with its own call."""
    begin = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for value in range(first, first + events):
            late = time.monotonic() - begin - (value - first) / rate
            if late < 0:
                await asyncio.sleep(-late)
            entity = COUNTERS[value % len(COUNTERS)]
            group.create_task(client.set_number(entity, value), name=f"set {value}")


async def storm_until_it_breaks(client: HomeClient, first: int, rate: float) -> None:
    """Keep the counters counting until Home Assistant is gone."""
    try:
        await storm(client, first, 1_000_000, rate)
    except* (OSError, LabError):
        pass


async def main() -> int:
    """Measure; returns the exit status."""
    asked = arguments()
    peer = json.loads((asked.peer / "peer.json").read_text(encoding="utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="jitney-home-"))
    bench = Bench(folder, peer["url"], peer["admin_token"])
    print(f"Home Assistant {peer.get('version', '')} at {peer['url']}", flush=True)
    async with bench.broker, bench.recorder, bench.daemon:
        async with await running(bench.url, bench.token, within=RESTART_SECONDS) as client:
            seconds, differences = await bench.equal(client)
            print(f"states equal {seconds:.2f} s after the start of the daemon", flush=True)
            bench.violations += differences[:5] + await owners(bench.broker.port)
            await bench.count(client, asked.events, asked.rate)
        if asked.restart_command:
            await bench.restart(asked.restart_command, asked.rate)
        bench.daemon.must_run()
        status = await bench.daemon.stop()
    if status:
        bench.violations.append(f"the daemon ended with exit status {status} on SIGTERM")
    for violation in bench.violations:
        print(f"  VIOLATION: {violation}")
    if bench.violations:
        print(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
        print("No violation.")
    return int(bool(bench.violations))


async def owners(port: int) -> list[str]:
    """Return which retained states lie under another owner than the rules say, in words."""
    rules = {
        "input_number.seq": "alice",
        "input_boolean.storm_000": "bob",
        "person.alice": "alice",
        "person.bob": "bob",
    }
    under = {topic.split("/")[-1]: topic.split("/")[1] for topic in await retained(port, "jitney/+/state/home")}
    return [
        f"{entity} is {owner}'s, but its state is under {under.get(entity)}"
        for entity, owner in rules.items()
        if under.get(entity) != owner
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, metavar="FOLDER", help="the folder with peer.json")
    parser.add_argument("--events", type=int, default=20_000, help="steps of all counters together (default 20000)")
    parser.add_argument("--rate", type=float, default=500, help="steps a second (default 500)")
    parser.add_argument("--restart-command", default="", metavar="COMMAND", help="what restarts Home Assistant")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except* LabError as errors:
        sys.exit(f"bench.real_homeassistant: {errors.exceptions[0]}")
