"""What publishing one message costs, beside libmosquitto in C.

    python -m bench.publish
    python -m bench.publish --messages 50000 --rounds 9

Messages of 400 bytes with QoS 1, to a mosquitto with one subscriber. The publishers take turns, and the table shows
medians: of the CPU time of the publisher per message, and of its ratios to two programs in C in the same round: `bare`
is MQTT 3.1.1 without properties, `same job` is MQTT 5 with the same ten user properties. Once with a window of 20,
which is what mosquitto offers by default, and once with 100. Exit status 1 when the session of MQTT 5 takes more than
1.4 times the CPU of the C program that does the same job, or when a message is lost.
"""

import argparse
import asyncio
import gc
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from msgspec import Struct

from bench.lab import REPOSITORY, LabError, free_port
from jitney.daemon.broker.session import REFUSED, ConnectOptions, Incoming, Message, Session
from jitney.daemon.broker.sessions.dial import dial
from jitney.daemon.broker.window import Window

LIMIT: Final = 1.4
"""How many times the CPU of libmosquitto a message may cost."""

TOPIC: Final = "jitney/alice/event/home/state_changed"
PAYLOAD_BYTES: Final = 400
EXPIRY: Final = 86_400
WAIT_SECONDS: Final = 120.0
# All properties but the first: as long as those of an event.
PROPERTIES: Final = [
    ("specversion", "1.0"),
    ("source", "/home"),
    ("type", "homeassistant.state_changed"),
    ("subject", "light.kitchen"),
    ("time", "2026-11-21T05:41:00.120Z"),
    ("observed", "2026-11-21T05:41:00.480Z"),
    ("owner", "alice"),
    ("seq", "1842"),
    ("datacontenttype", "application/json"),
]


class Publisher(Struct, frozen=True):
    """One of those that take turns. ``version`` is that of the C program, or the session's protocol."""

    title: str
    version: str
    c: bool = False


BARE: Final = Publisher("libmosquitto (C), 3.1.1, no properties", "4", c=True)
SAME_JOB: Final = Publisher("libmosquitto (C), MQTT 5, ten user properties", "5", c=True)
OURS: Final = Publisher("jitney, MQTT 5, ten user properties", "5")
PUBLISHERS: Final = (BARE, SAME_JOB, OURS, Publisher("jitney, 3.1.1, no properties", "3.1.1"))


class Cost(Struct, frozen=True):
    """What one run took, per message."""

    cpu_us: float
    rate: float


class Load:
    """Publishes messages that are there already as fast as the window allows; a listener."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.session: Session | None = None
        self.window = Window(1)
        self._messages = messages
        self._total = len(messages)
        self._launched = 0
        self._confirmed = 0
        self._over = asyncio.get_running_loop().create_future()

    async def run(self, session: Session, window: int) -> Cost:
        """Publish everything and wait for the last confirmation."""
        self.session = session
        self.window = Window(window)
        began, used = time.perf_counter(), time.process_time()
        self.flushed()
        await self._over
        took, spent = time.perf_counter() - began, time.process_time() - used
        return Cost(spent / self._total * 1e6, self._total / took)

    def acked(self, packet_id: int, reason: int) -> None:
        """Count a confirmation."""
        if reason >= REFUSED:
            self._over.set_exception(LabError(f"the broker refused a message: 0x{reason:02x}"))
        self._confirmed += self.window.land(packet_id) is not None

    def flushed(self) -> None:
        """Fill the window."""
        messages = self._messages[self._launched : self._launched + self.window.room]
        if messages and self.session is not None:
            self._launched += len(messages)
            self.session.send(self.window.launch(messages))
        elif self._confirmed == self._total and not self._over.done():
            self._over.set_result(None)

    def received(self, incoming: Incoming) -> None:
        """Nothing was subscribed."""

    def lost(self, error: Exception | None) -> None:
        """Fail when the session ends too early."""
        if not self._over.done():
            self._over.set_exception(error or LabError("the session was closed"))


def main() -> int:
    """Measure and print the table; the exit status says whether the limit was kept."""
    arguments = _arguments()
    if arguments.session:
        return asyncio.run(_publish(arguments))
    try:
        with tempfile.TemporaryDirectory(prefix="jitney-bench-") as folder:
            program = _build(Path(folder))
            ratios = [_measure(Path(folder), program, window=window, arguments=arguments) for window in (20, 100)]
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    worst = max(ratios)
    print(
        f"The session of MQTT 5 takes up to {worst:.2f} times the CPU of the same job in C; the limit is {LIMIT:.2f}."
    )
    return int(worst > LIMIT)


def _measure(folder: Path, program: Path, *, window: int, arguments: argparse.Namespace) -> float:
    """Let the publishers take turns and print their table; returns our ratio to the same job in C."""
    costs: dict[Publisher, list[Cost]] = {publisher: [] for publisher in PUBLISHERS}
    with _broker(folder, window) as port:
        for _ in range(arguments.rounds):
            for publisher in PUBLISHERS:
                costs[publisher].append(_run(publisher, program, port=port, window=window, total=arguments.messages))
    print(f"Window {window}, {arguments.messages} messages, median of {arguments.rounds} rounds:\n")
    print(f"{'publisher':46} {'CPU us':>7} {'to bare':>8} {'to same job':>12} {'messages/s':>11}")
    for publisher, runs in costs.items():
        cpu, rate = median(run.cpu_us for run in runs), median(run.rate for run in runs)
        to_bare, to_same_job = _ratio(runs, costs[BARE]), _ratio(runs, costs[SAME_JOB])
        print(f"{publisher.title:46} {cpu:7.1f} {to_bare:8.2f} {to_same_job:12.2f} {rate:11,.0f}")
    print()
    return _ratio(costs[OURS], costs[SAME_JOB])


def _ratio(runs: Sequence[Cost], yardstick: Sequence[Cost]) -> float:
    """Return the median of the ratios of each round."""
    return median(run.cpu_us / other.cpu_us for run, other in zip(runs, yardstick, strict=True))


def _run(publisher: Publisher, program: Path, *, port: int, window: int, total: int) -> Cost:
    """Run one publisher and a subscriber that must get everything."""
    common = [str(port), str(total)]
    command = [str(program), *common, str(window), publisher.version]
    if not publisher.c:
        command = [sys.executable, "-m", "bench.publish", "--session", *common, str(window), publisher.version]
    subscriber = subprocess.Popen([str(program), *common, "0", "0"], stdout=subprocess.PIPE, text=True)
    try:
        if subscriber.stdout is None or subscriber.stdout.readline() != "listening\n":
            message = "the subscriber did not get to the broker"
            raise LabError(message)
        run = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=WAIT_SECONDS, check=True
        )
        subscriber.communicate(timeout=WAIT_SECONDS)
    except subprocess.CalledProcessError as error:
        message = f"{publisher.title}: ended with exit status {error.returncode}"
        raise LabError(message) from None
    except subprocess.TimeoutExpired:
        message = f"{publisher.title}: not all of {total} messages arrived within {WAIT_SECONDS:.0f} s"
        raise LabError(message) from None
    finally:
        subscriber.kill()
        subscriber.communicate()
    took, spent = (float(word) for word in run.stdout.split())
    return Cost(spent / total * 1e6, total / took)


async def _publish(arguments: argparse.Namespace) -> int:
    """Be one of our publishers; prints what the C program prints."""
    port, total, window, version = arguments.session
    load = Load([_message(number) for number in range(int(total))])
    gc.collect()
    gc.freeze()
    options = ConnectOptions(
        url=f"mqtt://127.0.0.1:{port}",
        client_id=f"bench-{os.getpid()}",
        session_expiry=0,
        will=Message("jitney/will", b""),
    )
    session = await dial(options, load, protocol=version)
    cost = await load.run(session, min(int(window), session.limits.receive_max))
    await session.close()
    print(f"{int(total) / cost.rate:.6f} {cost.cpu_us * int(total) / 1e6:.6f}")
    return 0


def _message(number: int) -> Message:
    beginning = b'{"number":%d,"padding":"' % number
    return Message(
        TOPIC,
        beginning + b"x" * (PAYLOAD_BYTES - len(beginning) - 2) + b'"}',
        expiry=EXPIRY,
        content_type="application/cloudevents+json",
        properties=[("id", f"01JD7Z6Q1V9K3M{number:012d}"), *PROPERTIES],
    )


def _build(folder: Path) -> Path:
    """Compile the C program."""
    source, program = REPOSITORY / "bench" / "libmosquitto_publisher.c", folder / "libmosquitto_publisher"
    compiler = shutil.which("cc")
    if compiler is None:
        message = "there is no C compiler here: on Debian  sudo apt install gcc libmosquitto-dev"
        raise LabError(message)
    command = [compiler, "-O2", "-D_GNU_SOURCE", str(source), "-o", str(program), "-lmosquitto"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        message = f"{built.stderr}libmosquitto cannot be used: on Debian  sudo apt install libmosquitto-dev"
        raise LabError(message)
    return program


@contextmanager
def _broker(folder: Path, window: int) -> Iterator[int]:
    """Run a mosquitto that offers a receive maximum of ``window``; gives its port."""
    binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        message = "there is no mosquitto here: on Debian  sudo apt install mosquitto"
        raise LabError(message)
    port, settings = free_port(), folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {pwd.getpwuid(os.getuid()).pw_name}\n"
        f"max_inflight_messages {window}\nmax_queued_messages 0\nlog_type error\n",
        encoding="ascii",
    )
    broker = subprocess.Popen([binary, "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_answers(port))
        yield port
    finally:
        broker.kill()
        broker.wait()


async def _answers(port: int) -> None:
    """Wait until somebody listens."""
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return
    except TimeoutError:
        message = "mosquitto did not start"
        raise LabError(message) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="messages in each run")
    parser.add_argument("--rounds", type=int, default=5, help="how often each publisher has its turn")
    parser.add_argument("--session", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
