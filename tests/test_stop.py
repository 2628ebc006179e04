"""A stop takes five seconds at most, whatever hangs; it leaves nothing running, and nothing accepted is lost."""

import asyncio
import json
import os
import signal
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha1
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from jitney.topics import cloudevents
from tests.at_meshtastic import House as Mesh
from tests.at_strava import PUBLIC, REPOSITORY, registered, rows, write
from tests.at_strava import House as AtStrava
from tests.daemon.running import Observer, observing, payload
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Handshake, Radio
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.fakes.strava import FakeStrava, trouble
from tests.waiting import DEADLINE, until

PROMPT: Final = 5.0
"""Seconds that a stop may take: what systemd and a person at the terminal are promised."""

SOME: Final = 50

TICKS: Final = '[adapters.ticks]\ntype = "demo"\nowner = "bob"\nrate = 100.0\n'
ENDLESS: Final = """
from jitney.daemon.scripts import Bus, Event, route

@route(on="demo.*", owner="bob", ttl=60)
async def stuck(event: Event, bus: Bus) -> None:
    print("spinning now", flush=True)
    while True:
        pass
"""
SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)
AUTH_REQUIRED: Final = b'\x81\x36{"type": "auth_required", "ha_version": "2026.11.0"  }'
_WEBSOCKET: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NO_ANSWER_OF_NAMES: Final = """
import socket, time
known = socket.getaddrinfo

def getaddrinfo(host, *rest, **more):
    if str(host).endswith(".slow.example"):
        print("asked for", host, flush=True)
        time.sleep(60)
    return known(host, *rest, **more)

socket.getaddrinfo = getaddrinfo
"""


class Process:
    """A `jitney run`; ``offspring`` are the processes that it has started, as far as they were looked for."""

    def __init__(self, child: asyncio.subprocess.Process, log: Path) -> None:
        self.log = log
        self._child = child
        self._asked = 0.0

    async def stop(self, *numbers: signal.Signals) -> None:
        """Send the signals, and check that it ends as it should."""
        offspring = _offspring(self._child.pid)
        for number in numbers or (signal.SIGTERM,):
            self._child.send_signal(number)
        try:
            async with asyncio.timeout(PROMPT):
                status = await self._child.wait()
        except TimeoutError:
            raise AssertionError(f"it still runs after {PROMPT:g} s:\n{self.written()[-3000:]}") from None
        assert status == 0, self.written()[-3000:]
        assert "Traceback" not in self.written(), self.written()[-3000:]
        await until(lambda: not any(map(_lives, offspring)))

    async def kill(self) -> None:
        if self._child.returncode is None:
            self._child.kill()
        async with asyncio.timeout(DEADLINE):
            await self._child.wait()

    def waits(self, seconds: float) -> bool:
        """Tell whether so many seconds have passed since this was asked first."""
        self._asked = self._asked or time.monotonic()
        return time.monotonic() - self._asked >= seconds

    def written(self) -> str:
        return self.log.read_text(errors="replace")


@asynccontextmanager
async def jitney(path: Path) -> AsyncIterator[Process]:
    """Start the daemon with a file."""
    log = path.with_name("daemon.log")
    with log.open("ab") as out:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=REPOSITORY,
        )
    process = Process(child, log)
    try:
        yield process
    finally:
        await process.kill()


def _offspring(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in _words(task / "children")]
    return [*children, *(one for child in children for one in _offspring(child))]


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Deaf:
    """A server that takes connections and what is written to them, and says nothing but ``greeting``."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.port = 0
        self.heard: list[bytes] = []
        self._greeting = greeting
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(65_536):
                self.heard.append(data)
                if self._greeting and b"Sec-WebSocket-Key: " in data:
                    key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
                    accept = b64encode(sha1(key + _WEBSOCKET, usedforsecurity=False).digest())
                    writer.write(self._greeting.replace(b"%s", accept))
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def deaf(greeting: bytes = b"") -> AsyncIterator[Deaf]:
    made = Deaf(greeting)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.close()
        await server.wait_closed()


def configured(broker: str, folder: Path, *sections: str) -> Path:
    """Write a configuration with two people and these sections."""
    path = folder / "config.toml"
    state = json.dumps(str(folder / "state"))
    bus = f'[bus]\nstate_dir = {state}\nlog_level = "debug"\nlog_format = "json"\n'
    usual = f'{bus}[mqtt]\nurl = "{broker}"\n[http]\nlisten = ""\n[owners.alice]\n[owners.bob]\n'
    path.write_text("\n".join([usual, *sections]), encoding="utf-8")
    return path


def home(url: str) -> str:
    return f'[adapters.home]\ntype = "homeassistant"\nurl = "{url}"\ntoken = "{"a" * 40}"\n'


def radio_at(connection: str) -> str:
    return f'[adapters.base]\ntype = "meshtastic"\nowner = "alice"\nconnection = "{connection}"\n'


def hook(port: int) -> str:
    url = f"http://127.0.0.1:{port}/hook"
    allowed = f'webhooks = ["{url}"]\n'
    return f'{allowed}[[routes]]\nname = "hook"\nowner = "bob"\non = "demo.*"\ndo = [{{ webhook = "{url}" }}]\n'


def endless(folder: Path) -> str:
    (folder / "endless.py").write_text(ENDLESS, encoding="ascii")
    return 'python = ["endless.py"]\npython_seconds = 60.0\n'


class Ticks:
    """The sequence numbers of the ticks that have arrived."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._read = 0
        self._numbers: set[int] = set()

    @property
    def numbers(self) -> set[int]:
        news = self._observer.messages[self._read :]
        self._read += len(news)
        told = [one for one in news if "/event/ticks/" in str(one.topic)]
        self._numbers |= {cloudevents.decode(payload(one)).seq or 0 for one in told}
        return self._numbers

    async def begun(self) -> None:
        """Wait until some have come."""
        await self._observer.until(lambda: len(self.numbers) > SOME)

    async def nothing_is_missing(self, path: Path) -> None:
        """Start the daemon again where everything is well, and check that every event arrives."""
        before = max(self.numbers) + kept(path.parent)
        async with jitney(path) as again:
            await self._observer.until(lambda: max(self.numbers) > before and self._complete())
            await again.stop()
        await self._observer.until(self._complete)

    def _complete(self) -> bool:
        return len(self.numbers) == max(self.numbers)


def kept(folder: Path) -> int:
    """Return how many events are in the outbox on disk."""
    return int(rows(folder, "SELECT count(*) FROM outbox")[0][0])


@pytest.mark.parametrize("durable", ["true", "false"])
async def test_with_a_hung_broker_and_events_that_it_has_not_confirmed(
    broker: Broker, tmp_path: Path, durable: str
) -> None:
    path = configured(broker.url, tmp_path, TICKS, f"durable = {durable}\n")
    async with observing(broker.port) as observer:
        ticks = Ticks(observer)
        async with jitney(path) as process:
            await ticks.begun()
            broker.freeze()
            try:
                await until(lambda: process.waits(1.0))
                await process.stop()
            finally:
                broker.thaw()
        assert kept(tmp_path) > SOME
        await ticks.nothing_is_missing(path)


async def test_with_a_radio_that_stalls_in_the_handshake(broker: Broker, tmp_path: Path) -> None:
    async with Radio() as radio:
        radio.handshake = Handshake.UNFINISHED
        async with jitney(configured(broker.url, tmp_path, radio_at(radio.connection))) as process:
            await radio.until(lambda: radio.client and radio.client.asked)
            radio.stall()
            await process.stop()
        radio.unstall()
        await radio.disconnected()


async def test_with_a_radio_that_stalls_while_a_text_is_sent(broker: Broker, tmp_path: Path) -> None:
    async with Radio() as radio, observing(broker.port) as observer:
        mesh = Mesh(observer)
        async with jitney(configured(broker.url, tmp_path, radio_at(radio.connection))) as process:
            await mesh.until(lambda: mesh.status("alice", "base") == "online")
            await texts_into_the_void(radio, observer, tmp_path)
            await process.stop()
        radio.unstall()
        await radio.disconnected()


async def texts_into_the_void(radio: Radio, observer: Observer, folder: Path) -> None:
    """Stall a radio and have it send texts; returns when they are under way."""
    radio.stall()
    for number in range(4):
        body = json.dumps({"data": {"text": f"text {number}", "wait": "delivered"}, "transaction": f"text {number}"})
        await observer.publish("jitney/alice/command/base/send_text", body.encode())
    await until(lambda: rows(folder, "SELECT count(*) FROM command") > [(3,)])


@pytest.mark.parametrize("says", [b"", SWITCHING, SWITCHING + AUTH_REQUIRED], ids=["nothing", "switching", "auth"])
async def test_with_a_home_assistant_that_does_not_go_on(broker: Broker, tmp_path: Path, says: bytes) -> None:
    async with deaf(says) as server:
        path = configured(broker.url, tmp_path, home(f"http://127.0.0.1:{server.port}"))
        async with jitney(path) as process:
            await until(lambda: bool(server.heard))
            await process.stop()


async def test_with_a_home_assistant_that_answers_no_service_call(broker: Broker, tmp_path: Path) -> None:
    async with FakeHomeAssistant() as house, observing(broker.port) as observer:
        house.set_state("input_boolean.alice_guest", "off")
        path = configured(broker.url, tmp_path, home(house.url).replace("a" * 40, house.token))
        async with jitney(path) as process:
            house.pause_results("call_service")
            await call_a_service(observer)
            await house.received("call_service")
            await process.stop()


async def call_a_service(observer: Observer) -> None:
    target = {"entity_id": "input_boolean.alice_guest"}
    body = json.dumps({"domain": "input_boolean", "service": "turn_on", "target": target})
    await observer.until(lambda: observer.on("jitney/alice/status/home"))
    await observer.until(lambda: b"online" in bytes(observer.on("jitney/alice/status/home")[-1].payload))
    await observer.publish("jitney/alice/command/home/call_service", body.encode())


@pytest.mark.parametrize("where", ["/oauth/token", "/activities/*"])
async def test_with_a_strava_that_hangs(broker: Broker, tmp_path: Path, where: str) -> None:
    async with FakeStrava() as strava, observing(broker.port) as observer:
        house, path = at_strava(strava, broker, tmp_path, observer)
        async with jitney(path) as process:
            held = await strava_hangs(house, strava, where)
            await process.stop()
            held.cut()


def at_strava(strava: FakeStrava, broker: Broker, folder: Path, observer: Observer) -> tuple[AtStrava, Path]:
    """Write the configuration of a household with Strava."""
    people = {"alice": "main", "bob": "main"}
    apps, port = registered(strava, people), free_port()
    path = write(folder, strava, broker=broker.port, port=port, apps=apps, people=people)
    strava.lead(PUBLIC, f"http://127.0.0.1:{port}")
    return AtStrava(strava, observer, apps=apps, people=people), path


async def strava_hangs(house: AtStrava, strava: FakeStrava, where: str) -> trouble.Playing:
    """Let alice ride, and Strava hang when it is asked for what she did."""
    await house.observer.until(lambda: house.observer.on("jitney/alice/status/strava"))
    athlete = await house.connect("alice", 2001)
    held = strava.play(trouble.hang(), where, times=1000)
    strava.spoil(house.app("alice"), athlete)
    if where != "/oauth/token":
        strava.grant(house.app("alice"), athlete)
    athlete.add_activity()
    await strava.deliver_all()
    await strava.until(lambda: held.waiting > 0)
    return held


async def test_with_a_webhook_of_a_route_that_is_not_answered(broker: Broker, tmp_path: Path) -> None:
    async with (
        deaf() as server,
        jitney(configured(broker.url, tmp_path, TICKS, "[routing]", hook(server.port))) as process,
    ):
        await until(lambda: bool(server.heard))
        await process.stop()


async def test_with_a_python_route_that_does_not_end(broker: Broker, tmp_path: Path) -> None:
    async with jitney(configured(broker.url, tmp_path, TICKS, "[routing]", endless(tmp_path))) as process:
        await until(lambda: "spinning now" in process.written())
        await process.stop()


async def test_with_a_request_whose_body_does_not_end(broker: Broker, tmp_path: Path) -> None:
    async with FakeStrava() as strava, observing(broker.port) as observer:
        _, path = at_strava(strava, broker, tmp_path, observer)
        async with jitney(path) as process, unending_requests(observer, strava):
            await process.stop()


@asynccontextmanager
async def unending_requests(observer: Observer, strava: FakeStrava) -> AsyncIterator[None]:
    """Begin requests to the adapter, of which one says who it is and no more, and one nothing at all."""
    await observer.until(lambda: observer.on("jitney/alice/status/strava"))
    target = urlsplit(strava.callbacks.hosts[PUBLIC])
    writers = []
    for beginning in (b"POST /strava/hook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", b"POST /strava/", b""):
        _, writer = await asyncio.open_connection(target.hostname, target.port)
        writer.write(beginning)
        await writer.drain()
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


async def test_with_a_name_server_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names_are_slow(tmp_path, monkeypatch)
    sections = (home("http://home.slow.example"), radio_at("tcp://radio.slow.example"))
    async with jitney(configured("mqtt://broker.slow.example", tmp_path, *sections)) as process:
        await until(lambda: all(f"asked for {name}.slow" in process.written() for name in ("home", "broker", "radio")))
        await process.stop()


def names_are_slow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sitecustomize.py").write_text(NO_ANSWER_OF_NAMES, encoding="ascii")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(REPOSITORY)]))


async def test_with_all_of_them_at_once(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names_are_slow(tmp_path, monkeypatch)
    async with (
        FakeStrava() as strava,
        FakeHomeAssistant() as house,
        Radio() as radio,
        Radio(0xA0000002) as silent,
        deaf() as server,
        observing(broker.port) as observer,
        observing(broker.port, "jitney/+/+/strava/#", "jitney/+/reply/#") as at_home,
    ):
        house.set_state("input_boolean.alice_guest", "off")
        silent.handshake = Handshake.UNFINISHED
        at, path = at_strava(strava, broker, tmp_path, at_home)
        sections = [
            TICKS,
            home(house.url).replace("a" * 40, house.token),
            home(f"http://127.0.0.1:{server.port}").replace(".home", ".away"),
            home("http://home.slow.example").replace(".home]", ".far]"),
            radio_at(radio.connection),
            radio_at(silent.connection).replace(".base", ".attic"),
            "[routing]",
            endless(tmp_path) + hook(server.port),
        ]
        path.write_text("\n".join([path.read_text(), *sections]), encoding="utf-8")
        ticks = Ticks(observer)
        async with jitney(path) as process:
            mesh = Mesh(observer)
            await ticks.begun()
            await mesh.until(lambda: mesh.status("alice", "base") == "online")
            held = await strava_hangs(at, strava, "/oauth/token")
            house.pause_results("call_service")
            await call_a_service(observer)
            await house.received("call_service")
            await until(lambda: "spinning now" in process.written() and len(server.heard) > 1)
            await texts_into_the_void(radio, observer, tmp_path)
            async with unending_requests(observer, strava):
                broker.freeze()
                try:
                    await until(lambda: process.waits(1.0))
                    await process.stop()
                finally:
                    broker.thaw()
            held.cut()
        assert kept(tmp_path) > SOME
        assert rows(tmp_path, "SELECT count(*) FROM action") > [(0,)]
        path.write_text(path.read_text().replace(endless(tmp_path) + hook(server.port), ""), encoding="utf-8")
        radio.unstall()
        await ticks.nothing_is_missing(path)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_somebody_who_is_impatient_changes_nothing(
    broker: Broker, tmp_path: Path, second: signal.Signals
) -> None:
    path = configured(broker.url, tmp_path, TICKS)
    async with observing(broker.port) as observer:
        ticks = Ticks(observer)
        async with jitney(path) as process:
            await ticks.begun()
            broker.freeze()
            try:
                await until(lambda: process.waits(1.0))
                await process.stop(signal.SIGTERM, *[second] * 20)
            finally:
                broker.thaw()
        await ticks.nothing_is_missing(path)
