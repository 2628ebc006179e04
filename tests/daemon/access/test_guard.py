"""The guard in a whole daemon: what is open is an alert of the house, and goes when it is mended."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.access import guard
from jitney.daemon.access.guard import BOARD, Guard
from jitney.daemon.access.render import render
from jitney.daemon.config.schema import AccessLogin, AccessSettings, Config
from jitney.daemon.supervision.status import StatusBoard
from tests.conftest import StartBroker
from tests.daemon.running import Daemon, running
from tests.fakes.walled import Walled, household, with_a_file
from tests.waiting import until

ALERT = "jitney/_house/alert/_access.walls"


def watching(config: Config, walled: Walled, verify: str = "daily", password: Secret | None = None) -> Config:
    login = walled.logins["alice"]
    given = AccessLogin(username=login.username, password=password or login.password)
    return (
        replace(config, access=msgspec.convert({"verify": verify}, AccessSettings))
        if verify == "off"
        else replace(
            config,
            access=AccessSettings(verify=verify, logins={"alice": given}),  # type: ignore[arg-type]
        )
    )


@asynccontextmanager
async def guarded(config: Config, state: Path) -> AsyncIterator[tuple[Daemon, Guard]]:
    """Run a daemon, and beside it a guard built as the daemon builds its own."""
    async with running(config, state) as daemon:
        app = daemon.app
        board = StatusBoard(app.parts.tree, app.parts.ledger, adapter=BOARD, owners=())
        one = Guard(config, board, ready=app.parts.connection.reconciled.wait, counters=app.parts.bus._counters)
        task = asyncio.create_task(one.run(), name="guard")
        try:
            yield daemon, one
        finally:
            task.cancel()
            await asyncio.wait([task])


def message(daemon: Daemon) -> str:
    line = daemon.app.parts.ledger.lines.get(ALERT)
    return str(msgspec.json.decode(line.payload)["message"]) if line is not None and line.payload else ""


async def test_what_is_open_is_an_alert_of_the_house_until_it_is_mended(
    mosquitto: StartBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "DAY", 0.2)
    hole = "\nuser alice\ntopic read jitney/bob/event/#\n"
    walled = with_a_file(mosquitto, tmp_path, household(["alice", "bob"]), more=hole)
    async with guarded(watching(walled.config, walled), tmp_path / "state") as (daemon, _):
        await until(lambda: "alice: read the tree of bob" in message(daemon))
        assert "the broker does not keep owners apart" in message(daemon)
        (tmp_path / "rules").write_text(render(walled.model, "mosquitto-acl", {}).text)
        walled.broker._signal(signal.SIGHUP)
        await until(lambda: not message(daemon))
        assert daemon.app.parts.bus._counters.total("walls") >= 1


async def test_a_proof_that_cannot_be_made_is_told_too(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, household(["alice", "bob"]))
    config = watching(walled.config, walled, "start", Secret("wrong"))
    async with guarded(config, tmp_path / "state") as (daemon, _):
        await until(lambda: "it cannot be proved that the broker keeps owners apart" in message(daemon))
        assert "wrong" not in message(daemon)


async def test_it_begins_when_a_changed_configuration_wants_it(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, household(["alice", "bob"]))
    async with guarded(watching(walled.config, walled, "off"), tmp_path / "state") as (daemon, one):
        await daemon.connected()
        await daemon.drained()
        assert not message(daemon)
        one.use(watching(walled.config, walled, "start", Secret("wrong")))
        await until(lambda: "it cannot be proved" in message(daemon))
        one.use(watching(walled.config, walled, "start"))
        await until(lambda: not message(daemon))


async def test_a_proof_that_cannot_be_made_again_and_again_is_told_once_and_its_end_with_how_long_it_took(
    mosquitto: StartBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "AGAIN", 0.05)
    walled = with_a_file(mosquitto, tmp_path, household(["alice", "bob"]))
    async with guarded(watching(walled.config, walled, "off"), tmp_path / "state") as (daemon, one):
        one.use(watching(walled.config, walled, "daily", Secret("wrong")))
        await until(lambda: daemon.app.parts.bus._counters.total("walls") >= 3)
        one.use(watching(walled.config, walled))
        await until(lambda: not message(daemon))
    lines = capsys.readouterr().out.splitlines()
    assert (
        len([line for line in lines if "[warning" in line and "the walls between owners are not proved" in line]) == 1
    )
    (over,) = [line for line in lines if "the walls between owners are proved again" in line]
    assert "after_seconds" in over
