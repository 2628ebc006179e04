"""What a thousand routes cost an event in the whole daemon.

    python -m bench.routes_cost
    python -m bench.routes_cost --events 20000 --rounds 15

Daemons with the same fifty owners at one mosquitto, one without routes and the others with a thousand, get the same
bursts of events in turn. CPU is that of the daemon's process, wall the time from the command until a subscriber has
the last event. The ratios are to the daemon without routes in the same round; the table has the medians. `others'
types`: no route is for the type of the events. `others' subjects`: all are for it, each for another subject. `one
looks`: one route of each owner decodes the data and finds that its condition does not hold; `twenty look`: all do.
`one in a hundred is answered`: with an event of the owner's. Exit status 1 when CPU or wall of a case with a limit is
more than 1.3 times what it is without routes.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from msgspec import Struct

from bench.lab import Daemon, LabError
from bench.record import Recorder, client_of
from bench.routes_feed import LAST
from bench.routes_lab import PromptMosquitto, cpu_seconds, install_feed

LIMIT: Final = 1.3
OWNERS: Final = [f"owner{number:02}" for number in range(50)]
ROUTES_EACH: Final = 20
PATIENCE: Final = 30.0
REST: Final = 0.3
"""Seconds after a burst until its CPU is read: what was written is on disk by then."""

TEXT: Final = "{{ owner.name }} rode {{ (data.distance / 1000) | round(1) }} km"
ELSEWHERE: Final = 'on = ["strava.activity.*", "meshtastic.*"]'
HERE: Final = 'on = "feed.changed"'
FAR: Final = 'when = { "data.distance" = { gt = 20000 } }'

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "warning"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
topic_root = "{root}"
[http]
listen = ""
[adapters.feed]
type = "feed"
{owners}
{routes}
"""

ROUTE: Final = """
[[routes]]
name = "{owner} {number}"
owner = "{owner}"
{matches}
do = [{{ publish = "told", data = {{ text = "{text}" }} }}]
"""


class Case(Struct, frozen=True):
    """A daemon: ``first`` is what its owners' first routes match, ``others`` the rest; ``{n}`` numbers the routes."""

    root: str
    title: str
    first: str = ""
    others: str = ""
    limited: bool = False


FAN: Final = f'{HERE}\nwhen = {{ subject = "fan.{{n}}" }}'
WITHOUT: Final = Case("without", "no routes")
CASES: Final = (
    WITHOUT,
    Case("types", "others' types", ELSEWHERE, ELSEWHERE, limited=True),
    Case("subjects", "others' subjects", FAN, FAN, limited=True),
    Case("one", "one looks", f"{HERE}\n{FAR}", ELSEWHERE, limited=True),
    Case("twenty", "twenty look", f"{HERE}\n{FAR}", f"{HERE}\n{FAR}"),
    Case("answers", "one in a hundred is answered", f'{HERE}\nwhen = {{ subject = "{LAST}" }}', ELSEWHERE),
)


class Cost(Struct, frozen=True):
    """Seconds of one event: of CPU in the daemon, and on the clock."""

    cpu: float
    wall: float


class Subject:
    """One daemon that is measured."""

    def __init__(self, case: Case, daemon: Daemon, broker: PromptMosquitto) -> None:
        self.case = case
        self.daemon = daemon
        self.online = False
        self.seen = 0
        self.last = 0.0
        self._broker = broker

    def see(self) -> None:
        """Note that an event has arrived."""
        self.seen += 1
        self.last = time.monotonic()

    async def burst(self, events: int, recorder: Recorder) -> Cost:
        """Let so many events happen; returns what one has cost."""
        begin, spent = time.monotonic(), cpu_seconds(self.daemon.pid)
        wanted = self.seen + events
        async with client_of(self._broker.port, f"ask-{self.case.root}") as client:
            topic = f"{self.case.root}/{OWNERS[0]}/command/feed/burst"
            await client.publish(topic, json.dumps({"events": events}), qos=1)
        if not await recorder.until(lambda: self.seen >= wanted, patience=PATIENCE):
            self.daemon.must_run()
            raise LabError(f"{wanted - self.seen} events of {self.case.title!r} never arrived")
        wall = self.last - begin
        await asyncio.sleep(REST)
        return Cost((cpu_seconds(self.daemon.pid) - spent) / events, wall / events)


def config(case: Case, folder: Path, port: int) -> str:
    """Return the configuration of a daemon."""
    routes = [
        ROUTE.format(
            owner=owner,
            number=number,
            matches=(case.others if number else case.first).replace("{n}", str(number)),
            text=TEXT,
        )
        for owner in OWNERS
        for number in range(ROUTES_EACH if case.first else 0)
    ]
    return CONFIG.format(
        state=json.dumps(str(folder / "state")),
        port=port,
        root=case.root,
        owners="\n".join(f'[owners.{owner}]\nname = "{owner.title()}"' for owner in OWNERS),
        routes="".join(routes),
    )


@asynccontextmanager
async def subjects_of(folder: Path) -> AsyncIterator[tuple[list[Subject], Recorder]]:
    """Run a daemon for each case; gives them once all are online, and who listens to them."""
    plugins = folder / "plugins"
    install_feed(plugins)
    subjects: dict[str, Subject] = {}

    def take(topic: str, payload: bytes) -> None:
        root, *levels = topic.split("/")
        if levels[-2:] == ["feed", "changed"]:
            subjects[root].see()
        elif levels[1:] == ["status", "feed"] and b'"online"' in payload:
            subjects[root].online = True

    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(PromptMosquitto(folder))
        recorder = await stack.enter_async_context(Recorder(broker.port, "#", take))
        for case in CASES:
            own = folder / case.root
            own.mkdir()
            daemon = Daemon(own, config(case, own, broker.port), import_path=plugins)
            await stack.enter_async_context(daemon)
            subjects[case.root] = Subject(case, daemon, broker)
        found = list(subjects.values())
        online = await recorder.until(lambda: all(subject.online for subject in found), patience=PATIENCE)
        for subject in found:
            subject.daemon.must_run()
        if not online:
            raise LabError("not every daemon came online")
        yield found, recorder
        for subject in found:
            subject.daemon.must_run()


async def measure(folder: Path, asked: argparse.Namespace) -> dict[str, list[Cost]]:
    """Return what one event has cost in each round, by case."""
    costs: dict[str, list[Cost]] = {case.title: [] for case in CASES}
    async with subjects_of(folder) as (subjects, recorder):
        for number in range(asked.rounds + 1):
            for subject in subjects:
                cost = await subject.burst(asked.events, recorder)
                if number:  # the first is to warm up
                    costs[subject.case.title].append(cost)
    return costs


def ratios(found: list[Cost], without: list[Cost]) -> Cost:
    """Return how many times the CPU and the time it took without, the medians of the rounds."""
    pairs = list(zip(found, without, strict=True))
    return Cost(
        median(one.cpu / other.cpu for one, other in pairs), median(one.wall / other.wall for one, other in pairs)
    )


def violations(costs: dict[str, list[Cost]], *, limit: float) -> list[str]:
    """Return what was promised and did not happen, in words."""
    found = []
    for case in CASES:
        ratio = ratios(costs[case.title], costs[WITHOUT.title])
        for what, value in (("CPU", ratio.cpu), ("time", ratio.wall)):
            if case.limited and value > limit:
                times = f"{value:.2f} times the {what} without routes, the limit is {limit:g}"
                found.append(f"{case.title}: an event costs {times}")
    return found


def main() -> int:
    """Measure, print the table, and return the exit status."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="jitney-routes-") as folder:
        costs = asyncio.run(measure(Path(folder), asked))
    print(
        f"{len(OWNERS) * ROUTES_EACH} routes of {len(OWNERS)} owners, {asked.events} events, {asked.rounds} rounds:\n"
    )
    print("| routes | CPU us | wall us | CPU ratio | wall ratio |\n| --- | --- | --- | --- | --- |")
    for case in CASES:
        found = costs[case.title]
        ratio = ratios(found, costs[WITHOUT.title])
        cpu, wall = (median(getattr(one, name) for one in found) * 1e6 for name in ("cpu", "wall"))
        bold = "**" if case.limited else ""
        print(f"| {case.title} | {cpu:.1f} | {wall:.1f} | {bold}{ratio.cpu:.2f}{bold} | {bold}{ratio.wall:.2f}{bold} |")
    broken = violations(costs, limit=asked.limit)
    print()
    for violation in broken:
        print(f"VIOLATION: {violation}")
    if not broken:
        print(f"No violation: within {asked.limit:g} times the cost without routes.")
    return int(bool(broken))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events of each burst (default 10 000)")
    parser.add_argument("--rounds", type=int, default=9, help="bursts of each daemon (default 9)")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"the highest ratio (default {LIMIT})")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench.routes_cost: {error}")
