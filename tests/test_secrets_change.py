"""A secret changes where it lies, and the running bus takes it; what it does not concern goes on."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jitney.adapters.secret import Secret
from jitney.daemon import reloading
from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import examine
from jitney.daemon.config.watched import look
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.reloading import Reloading
from jitney.daemon.service.notify import Notifier
from jitney.topics import JitneyError
from tests.daemon.running import Daemon, Observer, observing, payload, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.mosquitto import Broker
from tests.waiting import DEADLINE, until

CONFIG = """
version = 1
[bus]
state_dir = "{state}"
[mqtt]
url = "{broker}"
{mqtt}
[http]
listen = ""
[owners.alice]
[adapters.home]
type = "homeassistant"
url = "{home}"
token = {token}
[adapters.ticks]
type = "demo"
owner = "alice"
"""


class House:
    """A daemon in this process that follows its files, fast; ``home`` is its Home Assistant."""

    def __init__(self, daemon: Daemon, home: FakeHomeAssistant, folder: Path, observer: Observer) -> None:
        self.home = home
        self.folder = folder
        self.daemon = daemon
        self.observer = observer
        self.ticks: asyncio.Task[None] | None = None

    @property
    def refused(self) -> str:
        return " ".join(self.daemon.app.parts.health.info().refused)

    def rotated(self) -> str:
        """Return another token of the same user."""
        return self.home.users.issue(self.home.jitney)

    async def signed_in(self, number: int) -> None:
        """Wait until the adapter has signed in so often, and check that nothing else began anew."""
        await self.home.connected(number)
        await until(lambda: self.daemon.app.parts.fleet.runners["home"].context.is_online)
        ticks = self.daemon.app.parts.fleet._tasks["ticks"]
        self.ticks = self.ticks or ticks
        assert self.ticks is ticks


@asynccontextmanager
async def at_home(broker: Broker, folder: Path, token: str, *, mqtt: str = "") -> AsyncIterator[House]:
    async with FakeHomeAssistant() as home, observing(broker.port) as observer:
        (folder / "token").write_text(home.token)
        await asyncio.to_thread(HouseSecrets(folder / "state", environ={}).put, "home", Secret(home.token))
        path = folder / "config.toml"
        path.write_text(CONFIG.format(state=folder / "state", broker=broker.url, home=home.url, token=token, mqtt=mqtt))
        loaded = examine(path, environ={}, vault=from_vault)
        seen = {**look(path, loaded.config.files), **loaded.marks}
        async with running(loaded.config, folder / "state") as daemon, asyncio.TaskGroup() as group:
            notifier, wanted = Notifier({}, pid=0), asyncio.Event()
            follower = Reloading(
                daemon.app, path, environ={}, vault=from_vault, notifier=notifier, wanted=wanted, seen=seen
            )
            task = group.create_task(follower.run(), name="reloading")
            house = House(daemon, home, folder, observer)
            await house.signed_in(1)
            yield house
            task.cancel()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "LOOK", 0.02)


async def test_a_secret_in_a_file_that_is_half_written_keeps_the_old_one_and_says_so(
    broker: Broker, tmp_path: Path
) -> None:
    async with at_home(broker, tmp_path, '{ file = "token" }') as house:
        file, token = tmp_path / "token", house.rotated()
        file.write_text("")
        await until(lambda: "adapters.home.token: the file is empty" in house.refused)
        file.unlink()
        await until(lambda: "adapters.home.token: there is no such file" in house.refused)
        assert house.home.record.authenticated == 1
        assert house.daemon.app.parts.fleet.runners["home"].context.is_online
        file.write_text(f"{token}\n")
        await house.signed_in(2)
        await until(lambda: not house.refused)
        assert house.home.connections[0].token == token


async def test_a_file_that_is_named_before_it_is_written_is_waited_for(broker: Broker, tmp_path: Path) -> None:
    async with at_home(broker, tmp_path, '{ file = "token" }') as house:
        config = tmp_path / "config.toml"
        config.write_text(config.read_text().replace('"token"', '"newer"'))
        await until(lambda: "there is no such file" in house.refused)
        (tmp_path / "newer").write_text(house.rotated())
        await house.signed_in(2)
        assert not house.refused


async def test_a_file_that_is_written_while_its_absence_is_told_is_taken(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Reloading._told

    def told_late(self: Reloading, error: JitneyError) -> None:
        (tmp_path / "newer").write_text(token)
        told(self, error)

    async with at_home(broker, tmp_path, '{ file = "token" }') as house:
        config, token = tmp_path / "config.toml", house.rotated()
        monkeypatch.setattr(Reloading, "_told", told_late)
        config.write_text(config.read_text().replace('"token"', '"newer"'))
        await house.signed_in(2)


async def test_a_secret_in_the_vault_that_is_set_is_taken(broker: Broker, tmp_path: Path) -> None:
    async with at_home(broker, tmp_path, '{ vault = "home" }') as house:
        token = house.rotated()
        vault = HouseSecrets(tmp_path / "state", environ={})
        await asyncio.to_thread(vault.put, "home", Secret(token))
        await house.signed_in(2)
        assert house.home.connections[0].token == token
        await asyncio.to_thread(vault.remove, "home")
        await until(lambda: "adapters.home.token: the vault has nothing of that name" in house.refused)
        await house.signed_in(2)


async def test_a_password_of_the_broker_counts_from_the_next_start_on_and_that_is_said(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "mqtt").write_text("first-password")
    mqtt = 'username = "jitney"\npassword = { file = "mqtt" }'
    async with at_home(broker, tmp_path, '{ file = "token" }', mqtt=mqtt) as house:
        session = house.daemon.app.parts.connection.session
        told: list[object] = []
        house.daemon.app.tell_configuration = lambda **_: told.append(1)  # type: ignore[method-assign]
        (tmp_path / "mqtt").write_text("second-password")
        await until(lambda: bool(told))
        assert house.daemon.app.parts.connection.session is session
        assert house.daemon.app.config.mqtt.password == Secret("first-password")
        await house.signed_in(1)


async def test_a_rotated_token_is_taken_by_a_daemon_without_a_command(broker: Broker, tmp_path: Path) -> None:
    async with FakeHomeAssistant() as home, observing(broker.port) as observer:
        (tmp_path / "token").write_text(home.token)
        path, log = tmp_path / "config.toml", tmp_path / "log"
        values = {"state": tmp_path / "state", "broker": broker.url, "home": home.url, "mqtt": ""}
        path.write_text(CONFIG.format(token='{ file = "token" }', **values))
        with log.open("wb") as written:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(path)), stderr=written, env=os.environ
            )
        try:
            await home.connected(1)
            ticks = await observer.message("jitney/alice/status/ticks")
            began = await newest(observer, "jitney/alice/status/ticks")
            token = home.users.issue(home.jitney)
            beside = tmp_path / "token.new"
            beside.write_text(token)
            beside.replace(tmp_path / "token")
            await home.connected(2)
            await until(lambda: bool(home.connections) and home.connections[0].token == token)
            await until(lambda: "adapters.home changed: token" in log.read_text())
            assert await newest(observer, "jitney/alice/status/ticks") == began
            assert token not in log.read_text()
            assert ticks
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(DEADLINE):
                await process.wait()


async def newest(observer: Observer, topic: str) -> str:
    """Wait until an adapter is online, and return since when."""

    def online() -> str:
        status = msgspec.json.decode(payload(observer.on(topic)[-1]))
        return str(status["since"]) if status["state"] == "online" else ""

    since: str = await observer.until(online)
    return since
