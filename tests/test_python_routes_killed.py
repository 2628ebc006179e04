"""kill -9 of the whole daemon while Python routes run: each event is answered, and no process is left."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import pytest

from tests.at_strava import Process, rows
from tests.daemon.running import Observer, observing, payload
from tests.daemon.scripts.hosting import running
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.waiting import until

CONFIG: Final = """\
version = 1
[bus]
state_dir = {state}
log_level = "debug"
log_format = "json"
[mqtt]
url = "{broker}"
[http]
listen = "127.0.0.1:{port}"
[owners.alice]
[routing]
python = ["routes/alice.py"]
"""

FILE: Final = """\
import os, time
from jitney.daemon.scripts import Bus, Event, route

NOTES = {notes}

@route(on="inbox.go", owner="alice")
async def count(event: Event, bus: Bus) -> None:
    number = event.data["n"]
    with open(NOTES, "a") as notes:
        print(os.getpid(), number, file=notes)
    while event.data.get("wait") and not os.path.exists(NOTES + ".go"):
        time.sleep(0.01)
    bus.set("numbers", [*bus.get("numbers", []), number])
    await bus.publish("counted", {{"n": number}})
    await bus.state("numbers", {{"all": bus.get("numbers")}})
"""


class House:
    """A daemon that is killed and started again; its route notes which process answers which event."""

    def __init__(self, daemon: Process, observer: Observer, folder: Path) -> None:
        self.daemon = daemon
        self.observer = observer
        self._folder = folder

    async def hand_in(self, number: int, *, wait: bool = False) -> None:
        data = {"n": number, "wait": wait}
        body = {"specversion": "1.0", "id": f"go-{number}", "source": "/desk", "type": "go", "data": data}
        await self.observer.publish("jitney/alice/inbox/desk/go", json.dumps(body).encode())

    async def accepted(self, number: int) -> None:
        topic = "jitney/alice/event/desk/go"
        await self.observer.until(lambda: f"go-{number}" in [event.id for event in self.observer.events(topic)])

    def noted(self) -> list[tuple[int, int]]:
        """Return (process, number of an event) for every time that one was begun."""
        notes = self._folder / "notes"
        lines = notes.read_text(encoding="ascii").splitlines() if notes.exists() else []
        return [(int(pid), int(number)) for pid, number in (line.split() for line in lines)]

    def go(self) -> None:
        (self._folder / "notes.go").touch()

    async def kill(self) -> None:
        """Kill the daemon, and wait until nothing of it is left."""
        self.daemon.kill()
        await self.daemon.ended()
        await until(lambda: not any(running(pid) for pid, _ in self.noted()))

    async def done(self) -> None:
        await until(lambda: not rows(self._folder, "SELECT id FROM action"), seconds=60)
        assert not rows(self._folder, "SELECT * FROM dead")

    def counted(self) -> list[int]:
        events = self.observer.events("jitney/alice/event/route/counted")
        return [msgspec.json.decode(event.data)["n"] for event in events]

    def numbers(self) -> list[int]:
        """Return what the variable has come to, as far as it was told."""
        told = self.observer.on("jitney/alice/state/route/numbers")
        return list(msgspec.json.decode(payload(told[-1]))["all"]) if told else []


@asynccontextmanager
async def living(broker: Broker, folder: Path) -> AsyncIterator[House]:
    port = free_port()
    path = folder / "config.toml"
    path.write_text(CONFIG.format(state=json.dumps(str(folder / "state")), broker=broker.url, port=port))
    (folder / "routes").mkdir()
    (folder / "routes" / "alice.py").write_text(FILE.format(notes=repr(str(folder / "notes"))))
    daemon = Process(path, port=port)
    async with observing(broker.port) as observer:
        await daemon.start()
        await observer.message("jitney/_bus/main/info")
        house = House(daemon, observer, folder)
        try:
            yield house
            assert await daemon.stop() == 0
        finally:
            await house.kill()


async def test_what_was_accepted_before_a_kill_is_answered_after_it_and_no_process_outlasts_the_bus(
    broker: Broker, tmp_path: Path
) -> None:
    async with living(broker, tmp_path) as house:
        for number in range(4):
            await house.hand_in(number, wait=True)
            await house.accepted(number)
        await until(lambda: len(house.noted()) == 1)
        (first,) = house.noted()
        await house.kill()
        assert house.counted() == []
        house.go()
        await house.daemon.start()
        await house.done()
        await house.observer.until(lambda: len(house.counted()) == len(house.numbers()) == 4)
        assert [number for _, number in house.noted()] == [0, 0, 1, 2, 3]
        assert house.noted()[1][0] != first[0]
        assert (house.counted(), house.numbers()) == ([0, 1, 2, 3], [0, 1, 2, 3])


@pytest.mark.parametrize("seed", [7, 8])
async def test_over_many_kills_each_event_is_answered_in_order_and_counts_once(
    broker: Broker, tmp_path: Path, *, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - the same moments each time
    async with living(broker, tmp_path) as house:
        last = -1
        for _ in range(8):
            for _ in range(7):
                last += 1
                await house.hand_in(last)
            await house.accepted(last - random.randrange(7))
            await house.kill()
            await house.daemon.start()
        await house.done()
        await house.observer.until(lambda: last in house.counted())
        assert sorted(set(house.counted())) == list(range(last + 1))
        await house.observer.until(lambda: len(house.numbers()) == last + 1)
        assert house.numbers() == list(range(last + 1))
