"""What the routes of one owner cost the other owners.

    python -m bench.routes_noise
    python -m bench.routes_noise --only loop --only block --seconds 20

Ten owners have events at a steady pace, and routes that answer some of them by another event. In every other phase
there are also events of one more owner, whose twenty routes then do their worst, another one of these at a time: they
fire one another without end (`loop`), fail (`throw`), command what is refused (`refused`), call a server that takes the
request and never answers (`block`), answer everything (`everything`), or search in ways that take as long as is allowed
(`spin`). In each noisy phase they are other routes, which a reload puts in the place of those before, so that none has
been stopped yet; only those that spin are the same, because they are stopped for what they have done to the others.
Latency counts from when an event was due inside
the daemon until a subscriber has it, or its answer. The ratio is that of a noisy phase to the quiet one before; the
table has medians. Exit status 1 when p99 of the others' events in noise is more than 1.5 times what it is in quiet, or
one of them is missing.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct

from bench.lab import Daemon, LabError
from bench.record import Recorder, client_of
from bench.routes_lab import PromptMosquitto, install_feed

LIMIT: Final = 1.5
QUIET: Final = [f"owner{number:02}" for number in range(10)]
LOUD: Final = "owner99"
ROUTES: Final = 20
"""Of the loud owner in each phase."""

PATIENCE: Final = 30.0
REST: Final = 0.5
"""Seconds between two phases."""

CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "warning"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[http]
listen = ""
[routing]
webhooks = ["http://127.0.0.1:{blocked}/*"]
[adapters.feed]
type = "feed"
{owners}
{routes}
"""

ANSWER: Final = """
[[routes]]
name = "answer {ask}"
owner = {quiet}
on = "feed.changed"
when = {{ "data.ask" = {ask} }}
do = [{{ publish = "answer", data = {{ due = "{{{{ data.due }}}}", phase = "{{{{ data.phase }}}}" }} }}]
"""

NOISY: Final = """
[[routes]]
name = "noise {phase} {number}"
owner = "{loud}"
on = {on}
{keys}
"""

SEARCH: Final = " or ".join(f"data.text | regex_search('a+a+{end}')" for end in "bcdef")


class Kind(Struct, frozen=True):
    """What the loud owner's routes do; ``on`` are the types they are for. ``fresh``: others in each phase."""

    keys: str
    on: str = '"feed.noise"'
    routes: int = ROUTES
    fresh: bool = True


KINDS: Final = {
    "loop": Kind('do = [{{ publish = "again", data = {{ phase = {phase} }} }}]', '["feed.noise", "route.again"]'),
    "throw": Kind('do = [{{ state = "x", data = {{ x = "{{{{ data.due | from_json }}}}" }} }}]'),
    "refused": Kind('do = [{{ command = "feed.nonsense", data = {{ x = "{{{{ data.due }}}}" }} }}]'),
    "block": Kind(
        'do = [{{ webhook = "http://127.0.0.1:{blocked}/{number}", data = {{ x = "{{{{ data.due }}}}" }} }}]'
    ),
    "everything": Kind(
        'do = [{{ state = "n{number}", data = {{ x = "{{{{ data | to_json }}}}" }} }}, {{ set = "n", value = 1 }}]',
        '"*"',
    ),
    "spin": Kind(f'if = "{SEARCH}"\ndo = [{{{{ drop = true }}}}]', routes=4, fresh=False),
}


class Latency(Struct):
    """Seconds of the others' events and of their answers in one phase."""

    events: list[float] = msgspec.field(default_factory=list)
    answers: list[float] = msgspec.field(default_factory=list)


class Seen(Struct, gc=False):
    """The data of an event that says when it was due."""

    due: float
    phase: int


class Envelope(Struct, gc=False):
    """An event on the wire."""

    data: Seen


def p99(times: list[float]) -> float:
    """Return what 99 of 100 stay below."""
    return sorted(times)[int(len(times) * 0.99)] if times else 0.0


class House:
    """The daemon with all owners, and what a subscriber has of it."""

    def __init__(self, daemon: Daemon, broker: PromptMosquitto) -> None:
        self.daemon = daemon
        self.online = False
        self.reloads = 0
        self.phases: dict[int, Latency] = defaultdict(Latency)
        self.decode = msgspec.json.Decoder(Envelope).decode
        self._broker = broker

    def take(self, topic: str, payload: bytes) -> None:
        """Note a message."""
        now = monotonic()
        _, owner, *levels = topic.split("/")
        if levels == ["status", "feed"]:
            self.online = self.online or b'"online"' in payload
        elif levels[-2:] == ["response", "reload"]:
            self.reloads += 1
        elif owner != LOUD and levels[:1] == ["event"]:
            seen = self.decode(payload).data
            latency = self.phases[seen.phase]
            (latency.events if levels[1] == "feed" else latency.answers).append(now - seen.due)

    async def reload(self, config: str) -> None:
        """Put other routes in the place of those there are."""
        self.daemon.configure(config)
        before = self.reloads
        async with client_of(self._broker.port, "reload") as client:
            await client.publish("jitney/_bus/main/request/reload", b"{}", qos=1)
        deadline = monotonic() + PATIENCE
        while self.reloads == before and monotonic() < deadline:
            self.daemon.must_run()
            await asyncio.sleep(0.05)
        await asyncio.sleep(REST)

    async def phase(self, number: int, asked: argparse.Namespace, *, noise: float) -> Latency:
        """Let a phase pass and return what was measured in it."""
        pace = {"seconds": asked.seconds, "rate": asked.rate, "noise": noise, "phase": number}
        async with client_of(self._broker.port, "ask") as client:
            await client.publish(f"jitney/{LOUD}/command/feed/pace", json.dumps(pace), qos=1)
        wanted = int(asked.seconds * asked.rate)
        latency = self.phases[number]
        deadline = monotonic() + asked.seconds + PATIENCE
        while len(latency.events) < wanted and monotonic() < deadline:
            self.daemon.must_run()
            await asyncio.sleep(0.05)
        await asyncio.sleep(REST)
        return latency


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Run a server that takes connections and requests, and never answers; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while await reader.read(65_536):
                pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()


def config(kind: Kind, folder: Path, *, port: int, blocked: int, phase: int) -> str:
    """Return the configuration of a house with one kind of noise, for a phase."""
    answers = [ANSWER.format(ask=ask, quiet=json.dumps(QUIET)) for ask in range(5)]
    noisy = [
        NOISY.format(
            phase=phase,
            number=number,
            loud=LOUD,
            on=kind.on,
            keys=kind.keys.format(phase=phase, number=number, blocked=blocked),
        )
        for number in range(kind.routes)
    ]
    return CONFIG.format(
        state=json.dumps(str(folder / "state")),
        port=port,
        blocked=blocked,
        owners="\n".join(f"[owners.{owner}]" for owner in (*QUIET, LOUD)),
        routes="".join(answers + noisy),
    )


async def measure(kind: Kind, folder: Path, asked: argparse.Namespace) -> list[tuple[Latency, Latency]]:
    """Return the pairs of a quiet phase and the noisy one after it."""
    install_feed(folder / "plugins")
    phases = 2 * asked.pairs + 2
    async with PromptMosquitto(folder) as broker, silent() as blocked:
        text = partial(config, kind, folder, port=broker.port, blocked=blocked)
        async with Daemon(folder, text(phase=1), import_path=folder / "plugins") as daemon:
            house = House(daemon, broker)
            async with Recorder(broker.port, "#", house.take) as recorder:
                if not await recorder.until(lambda: house.online, patience=PATIENCE):
                    daemon.must_run()
                    raise LabError("the daemon did not come online")
                found = []
                for number in range(phases):
                    if number % 2 and kind.fresh:
                        await house.reload(text(phase=number))
                    found.append(await house.phase(number, asked, noise=asked.noise if number % 2 else 0.0))
            daemon.must_run()
    pairs = list(zip(found[::2], found[1::2], strict=True))
    return pairs[1:]  # the first is to warm up


class Ratio(Struct, frozen=True):
    """Medians over the pairs: p99 of events and answers in quiet and in noise, and how many times."""

    quiet: float
    noisy: float
    events: float
    answered_quiet: float
    answered_noisy: float
    answers: float
    missing: int


def compared(pairs: list[tuple[Latency, Latency]], *, wanted: int) -> Ratio:
    """Compare the noisy phases with the quiet ones."""
    events = [(p99(quiet.events), p99(noisy.events)) for quiet, noisy in pairs]
    answers = [(p99(quiet.answers), p99(noisy.answers)) for quiet, noisy in pairs]
    return Ratio(
        quiet=median(quiet for quiet, _ in events),
        noisy=median(noisy for _, noisy in events),
        events=median(noisy / quiet for quiet, noisy in events),
        answered_quiet=median(quiet for quiet, _ in answers),
        answered_noisy=median(noisy for _, noisy in answers),
        answers=median(noisy / quiet if quiet else 0.0 for quiet, noisy in answers),
        missing=sum(wanted - len(one.events) for pair in pairs for one in pair),
    )


def violations(found: dict[str, Ratio], *, limit: float) -> list[str]:
    """Return what was promised and did not happen, in words."""
    broken = []
    for name, ratio in found.items():
        if ratio.missing:
            broken.append(f"{name}: {ratio.missing} events of the others never arrived")
        if ratio.events > limit:
            broken.append(
                f"{name}: p99 of the others is {ratio.events:.2f} times the quiet one, the limit is {limit:g}"
            )
    return broken


def main() -> int:
    """Measure, print the table, and return the exit status."""
    asked = arguments()
    found: dict[str, Ratio] = {}
    print(f"{asked.rate:g} events/s of {len(QUIET)} owners, {asked.noise:g} of the loud one, p99 in ms")
    print(f"of {asked.pairs} pairs of {asked.seconds:g} s:\n")
    print("| noise | quiet | noisy | ratio | answers, quiet | noisy | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in asked.only or KINDS:
        with tempfile.TemporaryDirectory(prefix="jitney-noise-") as folder:
            pairs = asyncio.run(measure(KINDS[name], Path(folder), asked))
        one = found[name] = compared(pairs, wanted=int(asked.seconds * asked.rate))
        print(
            f"| {name} | {one.quiet * 1e3:.1f} | {one.noisy * 1e3:.1f} | **{one.events:.2f}** "
            f"| {one.answered_quiet * 1e3:.1f} | {one.answered_noisy * 1e3:.1f} | {one.answers:.2f} |",
            flush=True,
        )
    broken = violations(found, limit=asked.limit)
    print()
    for violation in broken:
        print(f"VIOLATION: {violation}")
    if not broken:
        print(f"No violation: p99 of the others is within {asked.limit:g} times the quiet one.")
    return int(bool(broken))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=KINDS, help="this noise; can be given several times")
    parser.add_argument("--seconds", type=float, default=8, help="of each phase (default 8)")
    parser.add_argument("--pairs", type=int, default=6, help="of a quiet and a noisy phase (default 6)")
    parser.add_argument("--rate", type=float, default=200, help="events a second of the others (default 200)")
    parser.add_argument("--noise", type=float, default=50, help="events a second of the loud owner (default 50)")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"the highest ratio of p99 (default {LIMIT})")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench.routes_noise: {error}")
