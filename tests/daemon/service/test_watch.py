"""Loops that turn and loops that do not, and what is told of them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jitney.daemon.pulse import Pulse
from jitney.daemon.service.herald import Herald
from jitney.daemon.service.notify import Notifier
from jitney.daemon.service.watch import Watch
from tests.daemon.running import Daemon, config, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until


class Clock:
    """A clock that the test puts."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def overdue_after(seconds: float, watch: Watch, clock: Clock) -> list[str]:
    watch.overdue()
    clock.now += seconds
    return watch.overdue()


def test_a_loop_without_work_is_never_overdue() -> None:
    clock = Clock()
    watch = Watch([Pulse("outbox")], clock=clock)
    assert overdue_after(1e6, watch, clock) == []


def test_work_that_nobody_begins_is_overdue_when_the_patience_is_over() -> None:
    clock = Clock()
    watch = Watch([Pulse("outbox", waiting=lambda: True, patience=60)], clock=clock)
    assert overdue_after(60, watch, clock) == []
    assert overdue_after(1, watch, clock) == ["outbox for 61 s"]


def test_work_that_does_not_end_is_overdue_and_forgiven_when_it_does() -> None:
    clock = Clock()
    pulse = Pulse("outbox", patience=60)
    watch = Watch([pulse], clock=clock)
    with pulse:
        assert overdue_after(61, watch, clock) == ["outbox for 61 s"]
    assert watch.overdue() == []


def test_a_loop_that_has_always_work_and_turns_is_never_overdue() -> None:
    clock = Clock()
    pulse = Pulse("outbox", waiting=lambda: True, patience=60)
    watch = Watch([pulse], clock=clock)
    for _ in range(10):
        with pulse:
            clock.now += 50
        assert watch.overdue() == []


def test_a_turn_that_fails_is_a_turn() -> None:
    clock = Clock()
    pulse = Pulse("outbox", waiting=lambda: True, patience=60)
    watch = Watch([pulse], clock=clock)
    watch.overdue()
    clock.now += 61
    with pytest.raises(ZeroDivisionError), pulse:
        raise ZeroDivisionError
    assert watch.overdue() == []


def test_a_loop_that_comes_later_is_watched_too() -> None:
    clock = Clock()
    lives: list[Pulse] = []
    watch = Watch(lives, clock=clock)
    watch.overdue()
    lives.append(Pulse("routes", waiting=lambda: True, patience=60))
    assert overdue_after(61, watch, clock) == ["routes for 61 s"]


class Told:
    """What a herald has told."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.messages: list[str] = []

    def __contains__(self, text: str) -> bool:
        self.read()
        return any(text in message for message in self.messages)

    def read(self) -> int:
        """Take what has come; returns how often it has said that it lives."""
        while True:
            try:
                self.messages.append(self._listening.recv(4096).decode())
            except BlockingIOError:
                return sum("WATCHDOG=1" in message for message in self.messages)


@asynccontextmanager
async def heralded(daemon: Daemon, folder: Path, *, watchdog: float = 0.2) -> AsyncIterator[Told]:
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(0)
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": f"{watchdog * 1e6:.0f}"}
        herald = Herald(Notifier(environ, pid=1))
        async with herald.starting(), herald.telling(daemon.app.signs):
            yield Told(listening)


async def test_a_daemon_that_turns_says_that_it_lives_and_how_it_stands(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, heralded(daemon, tmp_path) as told:
        await until(lambda: told.read() >= 3)
        await until(lambda: "STATUS=mqtt up, 1/1 adapters, 0 queued" in told)
        assert "READY=1" in told


async def test_without_a_broker_it_says_since_when_and_why(tmp_path: Path) -> None:
    async with running(config("mqtt://127.0.0.1:1"), tmp_path) as daemon, heralded(daemon, tmp_path) as told:
        await until(lambda: "STATUS=mqtt down 0 s (mqtt://127.0.0.1:1 is not there" in told)
        assert told.read() > 0


async def test_a_store_that_hangs_is_a_reason_to_be_started_again(broker: Broker, tmp_path: Path) -> None:
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with running(config(broker.url), tmp_path) as daemon:
        daemon.app.signs.store.patience = 0.2
        hung = asyncio.create_task(
            daemon.app.parts.store.read(lambda _: asyncio.run_coroutine_threadsafe(hanging.wait(), loop).result()),
            name="hanging read",
        )
        async with heralded(daemon, tmp_path) as told:
            await until(lambda: "STATUS=stuck: store for" in told)
            told.messages.clear()
            await until(lambda: "STATUS=stuck: store for" in told)
            assert told.read() == 0
            hanging.set()
            await until(lambda: told.read() > 0)
        await hung
