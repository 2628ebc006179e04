"""Measure how fast Strava is answered in a burst, and whether an owner feels a flood of strangers.

    python -m bench.strava_burst                        both ways of writing, 32 and 200 deliveries at once, the flood
    python -m bench.strava_burst --rounds 1 --events 50

A burst is deliveries of ten athletes through two apps, each on a connection of its own as Strava's are. The same
bodies go to a server that does nothing and answers 200, before each burst to the daemon, which has them on disk before
it answers. Then an athlete goes on while nobody else does anything, and again while strangers post as fast as they are
answered: how long until each of the athlete's deliveries is answered, and until its event is at a subscriber. Exit
status 1 when a delivery was not answered 200 within 2 s, or more than 1 in 100 not within 0.1 s; of more than 32 at
once only the first is asked, because this program itself keeps them waiting.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

from bench.lab import REPOSITORY, LabError, Mosquitto
from bench.record import Recorder
from tests.at_strava import House, process
from tests.fakes.strava import Attempt, FakeStrava
from tests.fakes.strava.callbacks import Callbacks

PEOPLE: Final = {f"owner{number}": "one" if number % 2 else "two" for number in range(10)}
EDITS: Final = 4
"""Deliveries of one activity besides that of its creation."""

LIMIT_MILLISECONDS: Final = 100.0
LIMIT_AT_ONCE: Final = 32
BETWEEN_SECONDS: Final = 0.05
"""Between two doings of the athlete who goes on."""

PATIENCE_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0


class Figures(Struct, frozen=True):
    """How long some things took: all in milliseconds, and how many there were in a second."""

    p50: float
    p99: float
    most: float
    rate: float = 0.0


class Burst(Struct, frozen=True, kw_only=True):
    """One burst, to the server that does nothing and to the daemon."""

    bare: Figures
    daemon: Figures
    refused: int


class Going(Struct, frozen=True, kw_only=True):
    """An athlete who goes on: until the answers, and until the events."""

    answers: Figures
    events: Figures
    refused: int


def figures(seconds: Iterable[float], *, took: float = 0.0) -> Figures:
    """Return the figures of durations in seconds, which came within ``took`` seconds."""
    ordered = sorted(seconds)
    if not ordered:
        message = "nothing was measured"
        raise LabError(message)
    p99 = ordered[-(-len(ordered) * 99 // 100) - 1]
    rate = len(ordered) / took if took else 0.0
    return Figures(median(ordered) * 1000, p99 * 1000, ordered[-1] * 1000, rate)


def middle(found: list[Figures]) -> Figures:
    """Return the medians of several rounds, and the highest of all."""
    return Figures(
        median(one.p50 for one in found),
        median(one.p99 for one in found),
        max(one.most for one in found),
        median(one.rate for one in found),
    )


async def send(callbacks: Callbacks, told: list[tuple[str, bytes]], *, at_once: int) -> tuple[list[Attempt], float]:
    """Post bodies to their addresses, ``at_once`` at a time; returns how each went, and the seconds of all."""
    turns = asyncio.Semaphore(at_once)

    async def post(url: str, body: bytes) -> Attempt:
        async with turns:
            return await callbacks.post(url, body)

    began = time.monotonic()
    made = await asyncio.gather(*(post(url, body) for url, body in told))
    return made, time.monotonic() - began


def pending(strava: FakeStrava) -> list[tuple[str, bytes]]:
    """Take the deliveries that wait: each with its address."""
    told = [(one.subscription.callback_url, msgspec.json.encode(one.event)) for one in strava.pending_deliveries]
    strava.pending_deliveries.clear()
    return told


def live(house: House, deliveries: int) -> list[tuple[str, bytes]]:
    """Let everybody do and edit so much that so many deliveries come of it, the same from everyone; return them."""
    for athlete in house.athletes.values():
        for _ in range(max(1, deliveries // len(PEOPLE) // (1 + EDITS))):
            ride = athlete.add_activity(seconds=600)
            for edit in range(EDITS):
                ride.edit(name=f"Edit {edit}")
    return pending(house.strava)


async def burst(house: House, bare: str, *, deliveries: int, at_once: int) -> Burst:
    """Send one burst to both, and wait until the daemon has made its events of it."""
    told = live(house, deliveries)
    callbacks = house.strava.callbacks
    nothing, nothing_took = await send(callbacks, [(bare, body) for _, body in told], at_once=at_once)
    made, took = await send(callbacks, told, at_once=at_once)
    for owner in PEOPLE:
        await house.digested(owner, seconds=PATIENCE_SECONDS)
    return Burst(
        bare=figures((one.seconds for one in nothing), took=nothing_took),
        daemon=figures((one.seconds for one in made), took=took),
        refused=sum(not one.good for one in made),
    )


async def go_on(house: House, broker: int, *, owner: str, events: int) -> Going:
    """Let an owner do one thing after the other, and wait for every event."""
    arrived: dict[str, float] = {}
    began: dict[str, float] = {}
    made: list[Attempt] = []

    def take(_: str, payload: bytes) -> None:
        arrived.setdefault(msgspec.json.decode(payload)["subject"], time.monotonic())

    async with Recorder(broker, f"jitney/{owner}/event/strava/activity.created", take) as recorder:
        for _ in range(events):
            ride = house.athletes[owner].add_activity(seconds=600)
            began[f"activity/{ride.id}"] = time.monotonic()
            sent, _took = await send(house.strava.callbacks, pending(house.strava), at_once=1)
            made += sent
            await asyncio.sleep(BETWEEN_SECONDS)
        await recorder.until(lambda: arrived.keys() >= began.keys(), patience=PATIENCE_SECONDS)
    missing = began.keys() - arrived.keys()
    if missing:
        message = f"{len(missing)} events of {owner} never arrived"
        raise LabError(message)
    return Going(
        answers=figures(one.seconds for one in made),
        events=figures(arrived[subject] - at for subject, at in began.items()),
        refused=sum(not one.good for one in made),
    )


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run a module of this folder until left; yields the first line that it prints."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(STOP_SECONDS):
            line = await child.stdout.readline()
        yield line.decode().strip(), child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def flooded(house: House, broker: int, *, owner: str, asked: argparse.Namespace) -> tuple[Going, str]:
    """Let an owner go on while strangers come; returns in words what the strangers were answered, too."""
    url = house.strava.callbacks.reach(house.callback(owner))
    subscription = house.strava.event(house.app(owner), 1)["subscription_id"]
    async with program("bench.strangers", str(asked.strangers), url, str(subscription)) as (_, flood):
        began = time.monotonic()
        found = await go_on(house, broker, owner=owner, events=asked.events)
        flood.terminate()
        seconds = time.monotonic() - began
        assert flood.stdout is not None
        async with asyncio.timeout(STOP_SECONDS):
            answers: dict[str, int] = json.loads(await flood.stdout.readline())
        each = ", ".join(f"{number} times {status}" for status, number in sorted(answers.items()))
        return found, f"{each}, {sum(answers.values()) / seconds:.0f} in a second"


def row(name: str, found: Figures, *, bare: Figures | None = None, refused: int = 0) -> None:
    """Print one line of a table."""
    ratio = f"{found.p50 / bare.p50:9.2f} {found.p99 / bare.p99:9.2f}" if bare is not None else f"{'':9} {'':9}"
    rate = f"{found.rate:9.0f}" if found.rate else f"{'':9}"
    print(f"{name:32} {found.p50:8.1f} {found.p99:8.1f} {found.most:8.1f} {rate} {ratio} {refused:8}", flush=True)


async def measure(synchronous: str, asked: argparse.Namespace) -> bool:
    """Run everything with one way of writing; tells whether every promise was kept."""
    folder = Path(tempfile.mkdtemp(prefix="jitney-strava-"))
    kept = True
    async with (
        Mosquitto(folder) as broker,
        FakeStrava(automatic=False) as strava,
        process(strava, broker.port, folder, people=PEOPLE, log_level="warning", synchronous=synchronous) as (house, _),
        program("bench.bare_web") as (port, _),
    ):
        for number, owner in enumerate(PEOPLE, start=2001):
            await house.connect(owner, number)
        bare = f"http://127.0.0.1:{port}/"
        await burst(house, bare, deliveries=asked.deliveries, at_once=LIMIT_AT_ONCE)
        for at_once in asked.at_once:
            found = [
                await burst(house, bare, deliveries=asked.deliveries, at_once=at_once) for _ in range(asked.rounds)
            ]
            nothing, ours = middle([one.bare for one in found]), middle([one.daemon for one in found])
            refused = sum(one.refused for one in found)
            row(f"nothing, {at_once} at once", nothing)
            row(f"{synchronous}, {at_once} at once", ours, bare=nothing, refused=refused)
            kept = kept and not refused and (at_once > LIMIT_AT_ONCE or ours.p99 < LIMIT_MILLISECONDS)
        quiet = await go_on(house, broker.port, owner="owner1", events=asked.events)
        storm, answers = await flooded(house, broker.port, owner="owner1", asked=asked)
        row(f"{synchronous}, answers, quiet", quiet.answers, refused=quiet.refused)
        row("  … in the flood", storm.answers, bare=quiet.answers, refused=storm.refused)
        row(f"{synchronous}, events, quiet", quiet.events)
        row("  … in the flood", storm.events, bare=quiet.events)
        print(f"  the strangers were answered {answers}", flush=True)
        kept = kept and not quiet.refused + storm.refused and storm.answers.p99 < LIMIT_MILLISECONDS
    shutil.rmtree(folder)
    return kept


async def main() -> int:
    """Measure what was asked for; returns the exit status."""
    asked = arguments()
    print(f"{asked.deliveries} deliveries a burst, {asked.rounds} rounds; milliseconds, and ratios to the line above")
    print(f"{'':32} {'p50':>8} {'p99':>8} {'most':>8} {'per s':>9} {'p50':>9} {'p99':>9} {'not 200':>8}", flush=True)
    kept = [await measure(synchronous, asked) for synchronous in asked.synchronous]
    print("All 200, 99 of 100 within 0.1 s." if all(kept) else "A delivery was not answered 200, or too late.")
    return int(not all(kept))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=1000, help="in one burst (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="bursts of each kind (default 5)")
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=[32, 200], help="deliveries under way (default 32 200)"
    )
    parser.add_argument("--synchronous", nargs="+", choices=["normal", "full"], default=["normal", "full"])
    parser.add_argument("--events", type=int, default=200, help="of the athlete who goes on (default 200)")
    parser.add_argument("--strangers", type=int, default=32, help="requests of strangers under way (default 32)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except LabError as error:
        sys.exit(f"bench.strava_burst: {error}")
