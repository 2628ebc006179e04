"""A reload in whose midst the state cannot be read: what could not be done is done as soon as it can."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jitney.daemon import reloading
from jitney.daemon.config.load import load
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.daemon.config.watched import look
from jitney.daemon.reloading import Reloading
from jitney.daemon.service.notify import Notifier
from jitney.daemon.store.store import Store, StoreError
from tests.daemon.running import Daemon, observing, retained, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

CONFIG = """
[bus]
state_dir = "{state}"
[mqtt]
url = "{url}"
[http]
listen = ""
[owners.alice]
[adapters.played]
type = "demo"
owner = "alice"
rate = 20.0
"""
MORE = """
[adapters.other]
type = "demo"
owner = "alice"
[discovery]
[[routes]]
name = "each"
on = "demo.*"
do = [{ publish = "each" }]
"""


class Disk:
    """What becomes of everything that is read from the state, ``failing`` or not."""

    def __init__(self) -> None:
        self.failing = False
        self.refused = 0

    def over(self, read: Callable[..., Any]) -> Callable[..., Any]:
        async def reading(store: Store, query: Callable[..., Any]) -> Any:  # noqa: ANN401
            if self.failing:
                self.refused += 1
                raise StoreError("state file: disk I/O error", passing=True)
            return await read(store, query)

        return reading


class House:
    """A daemon that follows a file, on a ``disk``."""

    def __init__(self, daemon: Daemon, path: Path, follower: Reloading, disk: Disk) -> None:
        self.daemon = daemon
        self.path = path
        self.follower = follower
        self.disk = disk

    @property
    def refused(self) -> list[str]:
        return list(self.daemon.app.parts.health.info().refused)

    async def answers(self, broker: Broker) -> None:
        """Check that a route answers, and that Home Assistant is shown what there is."""
        async with observing(broker.port) as observer:
            await observer.until(lambda: observer.on("jitney/alice/event/route/each"))
        await self.daemon.drained()
        await until(lambda: any(one.startswith("homeassistant/") for one in self.daemon.app.parts.ledger.lines))
        await self.daemon.drained()
        assert await retained(broker.port, "homeassistant/#")


@pytest.fixture
async def house(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    disk = Disk()
    monkeypatch.setattr(reloading, "LOOK", 0.02)
    monkeypatch.setattr(reloading, "AGAIN", 0.05)
    monkeypatch.setattr(Store, "read", disk.over(Store.read))
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(state=tmp_path / "state", url=broker.url), encoding="utf-8")
    settings = load(path, environ={})
    async with running(settings, tmp_path / "state") as daemon, asyncio.TaskGroup() as group:
        follower = Reloading(
            *(daemon.app, path),
            environ={},
            vault=None,
            notifier=Notifier({}, pid=0),
            wanted=asyncio.Event(),
            seen=look(path, settings.files),
        )
        task = group.create_task(follower.run(), name="reloading")
        await daemon.connected()
        await until(lambda: daemon.context().is_online)
        yield House(daemon, path, follower, disk)
        task.cancel()


async def test_routes_and_discovery_that_could_not_be_begun_are_tried_until_they_are(
    house: House, broker: Broker
) -> None:
    house.disk.failing = True
    house.path.write_text(house.path.read_text() + MORE, encoding="utf-8")
    await until(lambda: house.refused == ["state file: disk I/O error"])
    app = house.daemon.app
    assert app.unfinished
    assert "other" in app.parts.fleet.runners
    assert app.parts.routes.routing is None
    seen = house.disk.refused
    await until(lambda: house.disk.refused > seen + 5)
    assert app.unfinished
    house.disk.failing = False
    await until(lambda: not app.unfinished and not house.refused)
    await house.answers(broker)


async def test_it_is_done_also_when_the_file_is_wrong_by_then(house: House, broker: Broker) -> None:
    house.disk.failing = True
    good = house.path.read_text() + MORE
    house.path.write_text(good, encoding="utf-8")
    await until(lambda: house.daemon.app.unfinished)
    house.path.write_text(good + "nonsense = 1\n", encoding="utf-8")
    await until(lambda: "nonsense" in " ".join(house.refused))
    house.disk.failing = False
    await until(lambda: not house.daemon.app.unfinished)
    assert "nonsense" in " ".join(house.refused)
    await house.answers(broker)


async def test_whoever_asks_is_told_and_asking_again_finishes_it(house: House, broker: Broker) -> None:
    house.disk.failing = True
    house.path.write_text(house.path.read_text() + MORE, encoding="utf-8")
    with pytest.raises(StoreError):
        await house.follower.reload()
    house.disk.failing = False
    outcome = await house.follower.reload()
    assert outcome.done
    assert not house.daemon.app.unfinished
    await house.answers(broker)


async def test_a_secret_that_cannot_be_read_for_a_moment_is_tried_again_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine, tries = reloading.examine, list[int]()

    def failing(path: Path, **how: Any) -> Any:  # noqa: ANN401
        tries.append(1)
        if len(tries) < 4:
            raise ConfigError([Problem(str(path), 4, "mqtt.password", "the disk is full")], passing=True)
        return examine(path, **how)

    monkeypatch.setattr(reloading, "examine", failing)
    house.path.write_text(house.path.read_text() + MORE, encoding="utf-8")
    await until(lambda: "other" in house.daemon.app.parts.fleet.runners)
    await until(lambda: not house.refused)
    assert len(tries) >= 4
