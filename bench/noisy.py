"""What a noisy owner costs another one.

    python -m bench.noisy
    python -m bench.noisy --only inbox --only all --seconds 10 --pairs 3

Bob has ten events a second of an adapter of his own, and hands in ten a second more through his inbox. In every other
phase there is also a noisy owner, each time another one, who has not come to a limit before: a client floods the inbox
with 10 000 messages a second (`inbox`) or asks for 1000 commands a second (`commands`), a token is broken and tried ten
times a second (`token`), twenty routes fire one another without end (`loop`), states are set and large events emitted
without end (`quota`), or all of it at once (`all`). Latency counts from when an event of Bob was due until a subscriber
has it. The table has medians over the pairs of a quiet phase and the noisy one after it, and how often the noisy
owners were told that it was too much. Exit status 1 when p99 in noise is more than 1.5 times what it is in quiet, or
anything of Bob is missing.

The clients that flood are other devices in a real house. Here they share two cores with what they flood, so they run
with a lower priority; the broker, which has to take what they send, does not.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct

from bench.lab import Daemon, LabError
from bench.noisy_lab import Upstream, flooding, install
from bench.record import Recorder, client_of
from bench.routes_lab import PromptMosquitto
from bench.routes_noise import p99

LIMIT: Final = 1.5
RATE: Final = 10.0
"""Events a second of Bob, both of his adapter and through his inbox."""

INBOX_RATE: Final = 10_000
COMMAND_RATE: Final = 1000
CLIENTS: Final = 4
"""They share the rate of the inbox."""

ROUTES: Final = 20
PATIENCE: Final = 30.0
REST: Final = 1.0
"""Seconds between two phases."""

KINDS: Final = ("inbox", "commands", "token", "loop", "quota", "all")

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "warning"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[http]
listen = ""
[owners.bob]
[adapters.steady]
type = "steady"
owner = "bob"
rate = {rate}
{noisy}
"""

NOISY: Final = """
[owners.{owner}]
limits = {{ states = 100, outbox_mb = 1, event_burst = 1000{limits} }}
[adapters.hoard-{owner}]
type = "hoard"
owner = "{owner}"
[adapters.broken-{owner}]
type = "broken"
owner = "{owner}"
url = "http://127.0.0.1:{upstream}/{owner}"
retry = {{ first = 0.1, longest = 0.1, unauthorised = 0.1 }}
"""

LOOP: Final = """
[[routes]]
name = "loop {number} of {owner}"
owner = "{owner}"
on = ["inbox.noise", "route.again"]
do = [{{ publish = "again", data = {{ n = 1 }} }}]
"""


class Seen(Struct, gc=False):
    """The data of an event of Bob."""

    n: int
    due: float


class Envelope(Struct, gc=False):
    """An event on the wire."""

    data: Seen


class Latency(Struct):
    """Seconds of the events of Bob's adapter and through his inbox in one phase."""

    own: list[float] = msgspec.field(default_factory=list)
    inbox: list[float] = msgspec.field(default_factory=list)


class Ratio(Struct, frozen=True):
    """Medians over the pairs: p99 in quiet and in noise, and how many times; of both roads."""

    own: tuple[float, float, float]
    inbox: tuple[float, float, float]


class Found(Struct, frozen=True):
    """What came of one kind of noise."""

    ratio: Ratio
    missing: int
    alerts: int


class House:
    """The daemon with Bob and the noisy owners, and what a subscriber has of it."""

    def __init__(self, daemon: Daemon, broker: PromptMosquitto, upstream: Upstream) -> None:
        self.daemon = daemon
        self.arrived: dict[str, dict[int, tuple[float, float]]] = {"steady": {}, "phone": {}}
        self.handed = 0
        self.alerts: set[str] = set()
        self._broker = broker
        self._upstream = upstream
        self._decode = msgspec.json.Decoder(Envelope).decode

    def take(self, topic: str, payload: bytes) -> None:
        """Note an event of Bob: when it was due, and how long it took."""
        now = monotonic()
        source = topic.split("/")[3]
        seen = self._decode(payload).data
        self.arrived[source].setdefault(seen.n, (seen.due, now - seen.due))

    def take_alert(self, topic: str, payload: bytes) -> None:
        """Note that somebody was told something."""
        if payload:
            self.alerts.add(topic)

    async def hand_in(self) -> None:
        """Hand in events of Bob through his inbox until cancelled."""
        begin = monotonic()
        async with client_of(self._broker.port, "phone") as client:
            while True:
                due = begin + self.handed / RATE
                if (pause := due - monotonic()) > 0:
                    await asyncio.sleep(pause)
                said = json.dumps({"n": self.handed, "due": due})
                await client.publish("jitney/bob/inbox/phone/said", said, qos=1)
                self.handed += 1

    async def phase(self, seconds: float, noise: Iterable[str], owner: str) -> tuple[float, float]:
        """Let a phase pass, and return when it was."""
        async with AsyncExitStack() as noises:
            for kind in noise:
                await noises.enter_async_context(self._noise(kind, owner, seconds))
            begin = monotonic()
            while monotonic() < begin + seconds:
                self.daemon.must_run()
                await asyncio.sleep(0.1)
            end = monotonic()
        await asyncio.sleep(REST)
        return begin, end

    async def everything(self) -> int:
        """Wait until all of Bob has arrived or nothing comes any more; returns how much is missing."""
        deadline = monotonic() + PATIENCE
        steady = max(self.arrived["steady"], default=0)
        while monotonic() < deadline:
            missing = steady + 1 - len([n for n in self.arrived["steady"] if n <= steady])
            missing += self.handed - len(self.arrived["phone"])
            if not missing:
                break
            await asyncio.sleep(0.1)
        return missing

    def latency(self, begin: float, end: float) -> Latency:
        """Return what was due in a stretch of time."""
        own, inbox = (
            [took for due, took in self.arrived[source].values() if begin <= due < end]
            for source in ("steady", "phone")
        )
        return Latency(own, inbox)

    @asynccontextmanager
    async def _noise(self, kind: str, owner: str, seconds: float) -> AsyncIterator[None]:
        port = self._broker.port
        match kind:
            case "inbox":
                floods = [(f"jitney/{owner}/inbox/flow{number}/x", INBOX_RATE / CLIENTS) for number in range(CLIENTS)]
                async with flooding(port, floods):
                    yield
            case "commands":
                async with flooding(port, [(f"jitney/{owner}/command/hoard-{owner}/nothing", COMMAND_RATE)]):
                    yield
            case "loop":
                async with flooding(port, [(f"jitney/{owner}/inbox/flow/noise", 2 * RATE)]):
                    yield
            case "token":
                self._upstream.refuse(owner)
                yield
            case _:
                async with client_of(port, "go") as client:
                    go = json.dumps({"seconds": seconds})
                    await client.publish(f"jitney/{owner}/command/hoard-{owner}/go", go, qos=1)
                yield


def config(folder: Path, owners: Iterable[str], *, port: int, upstream: int, limits: str) -> str:
    """Return the configuration of the house."""
    noisy = [
        NOISY.format(owner=owner, upstream=upstream, limits=f", {limits}" if limits else "")
        + "".join(LOOP.format(owner=owner, number=number) for number in range(ROUTES))
        for owner in owners
    ]
    return CONFIG.format(state=json.dumps(str(folder / "state")), port=port, rate=RATE, noisy="".join(noisy))


async def measure(kind: str, folder: Path, asked: argparse.Namespace) -> Found:
    """Return what came of the pairs of a quiet phase and the noisy one after it; the first pair is to warm up."""
    install(folder / "plugins")
    owners = [f"noisy{number}" for number in range(asked.pairs + 1)]
    noise = KINDS[:-1] if kind == "all" else (kind,)
    upstream = Upstream()
    async with PromptMosquitto(folder) as broker, upstream.running():
        text = config(folder, owners, port=broker.port, upstream=upstream.port, limits=asked.limits)
        async with Daemon(folder, text, import_path=folder / "plugins") as daemon:
            house = House(daemon, broker, upstream)
            async with (
                Recorder(broker.port, "jitney/bob/event/#", house.take) as recorder,
                Recorder(broker.port, "jitney/+/alert/+", house.take_alert, name="bench-alerts"),
            ):
                if not await recorder.until(lambda: bool(house.arrived["steady"]), patience=PATIENCE):
                    daemon.must_run()
                    raise LabError("the daemon did not come online")
                handing = asyncio.create_task(house.hand_in(), name="phone")
                try:
                    spans = []
                    for owner in owners:
                        spans.append(await house.phase(asked.seconds, (), owner))
                        spans.append(await house.phase(asked.seconds, noise, owner))
                finally:
                    handing.cancel()
                    await asyncio.wait([handing])
                missing = await house.everything()
            daemon.must_run()
    phases = [house.latency(begin, end) for begin, end in spans]
    pairs = [pair for number, pair in enumerate(pairwise(phases)) if number % 2 == 0]
    return Found(compared(pairs[1:]), missing, len(house.alerts))


def compared(pairs: list[tuple[Latency, Latency]]) -> Ratio:
    """Compare the noisy phases with the quiet ones."""
    own = [(p99(quiet.own), p99(noisy.own)) for quiet, noisy in pairs]
    inbox = [(p99(quiet.inbox), p99(noisy.inbox)) for quiet, noisy in pairs]
    return Ratio(_medians(own), _medians(inbox))


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    return (
        median(quiet for quiet, _ in pairs),
        median(noisy for _, noisy in pairs),
        median(noisy / quiet if quiet else 0.0 for quiet, noisy in pairs),
    )


def violations(found: dict[str, Found], *, limit: float) -> Iterator[str]:
    """Yield what was promised and did not happen, in words."""
    for kind, one in found.items():
        if one.missing:
            yield f"{kind}: {one.missing} events of Bob never arrived"
        for road, (quiet, _, ratio) in (("his adapter", one.ratio.own), ("his inbox", one.ratio.inbox)):
            if not quiet:
                yield f"{kind}: nothing came of {road} in quiet, so nothing was measured"
            elif ratio > limit:
                yield f"{kind}: p99 of {road} is {ratio:.2f} times the quiet one, the limit is {limit:g}"
        if not one.alerts and kind in {"inbox", "commands", "loop", "all"}:
            yield f"{kind}: nobody was told that it was too much, so there was no noise"


def main() -> int:
    """Measure, print the table, and return the exit status."""
    asked = arguments()
    found: dict[str, Found] = {}
    print(f"p99 in ms of {RATE:g} events/s of an adapter and {RATE:g} through the inbox,")
    print(f"of {asked.pairs} pairs of {asked.seconds:g} s:\n")
    print("| noise | adapter, quiet | noisy | ratio | inbox, quiet | noisy | ratio | missing | alerts |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in asked.only or KINDS:
        with tempfile.TemporaryDirectory(prefix="jitney-noisy-") as folder:
            one = found[kind] = asyncio.run(measure(kind, Path(folder), asked))
        cells = [
            cell
            for quiet, noisy, ratio in (one.ratio.own, one.ratio.inbox)
            for cell in (f"{quiet * 1e3:.1f}", f"{noisy * 1e3:.1f}", f"**{ratio:.2f}**")
        ]
        print(f"| {' | '.join([kind, *cells, str(one.missing), str(one.alerts)])} |", flush=True)
    broken = list(violations(found, limit=asked.limit))
    print()
    for violation in broken:
        print(f"VIOLATION: {violation}")
    if not broken:
        print(f"No violation: p99 of Bob is within {asked.limit:g} times the quiet one, and nothing is missing.")
    return int(bool(broken))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=KINDS, help="this noise; can be given several times")
    parser.add_argument("--seconds", type=float, default=12, help="of each phase (default 12)")
    parser.add_argument("--pairs", type=int, default=5, help="of a quiet and a noisy phase (default 5)")
    parser.add_argument("--limits", default="", help="limits of the noisy owners, like 'inbox_burst = 300'")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"the highest ratio of p99 (default {LIMIT})")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench.noisy: {error}")
