"""What is told of the daemon, as a real one tells a real broker."""

import asyncio
from pathlib import Path

import msgspec
import pytest

import jitney
from jitney.adapters.base import Context, Found
from jitney.adapters.errors import UnauthorisedError
from jitney.daemon.config.schema import Config
from jitney.daemon.service.doctor import running, visit
from jitney.daemon.service.doctor.broker import look as look_at_broker
from jitney.daemon.service.doctor.case import Heard
from tests.daemon.running import Daemon, Played, config, observing
from tests.daemon.running import running as daemon
from tests.daemon.service.doctor.examined import case, looked, texts
from tests.fakes.mosquitto import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "QUIET", 0.1)


async def told(settings: Config, state: Path) -> list[Found]:
    """Return what is told after the broker was asked."""
    of = case(settings, state=state)
    await looked(look_at_broker, of)
    return await looked(running.look, of)


async def settled(running: Daemon, port: int, *topics: str) -> None:
    """Wait until the broker has what a daemon retains."""
    await running.connected()
    async with observing(port) as observer:
        for topic in topics:
            await observer.message(topic)


async def test_a_daemon_that_runs_and_its_adapters_are_told(broker: Broker, tmp_path: Path) -> None:
    Played.act = None
    settings = config(broker.url)
    async with daemon(settings, tmp_path) as running:
        await settled(running, broker.port, "jitney/_bus/main/info", "jitney/bob/status/played")
        found = await told(settings, tmp_path)
    assert {one.level for one in found} == {"ok"}
    assert found[0].text.endswith(f"version {jitney.__version__}")
    assert found[1].text == "played is online"


async def test_an_adapter_that_is_otherwise_for_one_owner_is_told_with_reason_and_what_to_do(
    broker: Broker, tmp_path: Path
) -> None:
    async def act(_: Played, ctx: Context) -> None:
        ctx.online()
        ctx.owner_status("bob", "reauth", "the permission has ended: jitney strava connect bob")
        await asyncio.Event().wait()

    Played.act = act
    settings = config(broker.url)
    async with daemon(settings, tmp_path) as running:
        await settled(running, broker.port)
        async with observing(broker.port) as observer:
            await observer.until(lambda: any(b"reauth" in m.payload for m in observer.on("jitney/bob/status/played")))
        found = await told(settings, tmp_path)
    assert texts(found, "problem") == ["played for bob is reauth: the permission has ended: jitney strava connect bob"]
    assert "played for _house, alice is online" in texts(found, "ok")


async def test_what_a_person_has_to_do_is_told(broker: Broker, tmp_path: Path) -> None:
    async def act(_: Played, ctx: Context) -> None:
        del ctx
        raise UnauthorisedError("the token is refused", remedy="make a new one")

    Played.act = act
    settings = config(broker.url)
    async with daemon(settings, tmp_path) as running:
        await settled(running, broker.port, "jitney/_house/alert/played.reauth")
        found = await told(settings, tmp_path)
    assert "_house has to do something: the token is refused: make a new one" in texts(found, "warning")


async def test_a_daemon_of_another_configuration_or_folder_is_told(broker: Broker, tmp_path: Path) -> None:
    Played.act = None
    async with daemon(config(broker.url), tmp_path / "theirs") as running:
        await settled(running, broker.port, "jitney/_bus/main/info")
        found = await told(config(broker.url, adapters={"played": "_house", "porch": "alice"}), tmp_path / "ours")
    assert "it was started with another configuration: porch" in texts(found, "warning")
    assert "porch has told nobody how it is" in texts(found, "warning")
    assert any("does not keep its state in" in text for text in texts(found, "note"))


async def test_a_daemon_that_was_stopped_is_told_apart_from_one_that_never_was(broker: Broker, tmp_path: Path) -> None:
    Played.act = None
    settings = config(broker.url)
    assert "never been seen" in (await told(settings, tmp_path))[0].text
    async with daemon(settings, tmp_path) as running:
        await running.connected()
    (found,) = await told(settings, tmp_path)
    assert (found.level, "has been stopped" in found.text) == ("note", True)


async def test_a_daemon_here_that_the_broker_does_not_know_is_a_problem(broker: Broker, tmp_path: Path) -> None:
    Played.act = None
    async with daemon(config("mqtt://127.0.0.1:1"), tmp_path):
        (found,) = await told(config(broker.url), tmp_path)
    assert found.level == "problem"
    assert "journalctl" in found.remedy


async def test_without_the_broker_only_the_lock_tells(tmp_path: Path) -> None:
    Played.act = None
    settings = config("mqtt://127.0.0.1:1")
    async with daemon(settings, tmp_path):
        (here,) = await looked(running.look, case(settings, state=tmp_path), Heard())
    (gone,) = await looked(running.look, case(settings, state=tmp_path), Heard())
    assert (here.level, gone.level) == ("ok", "note")


async def test_a_daemon_of_another_version_is_a_warning() -> None:
    state = msgspec.json.encode({"state": "online", "boot": "2026-01-01T00:00:00Z", "version": "9.9"})
    heard = Heard(reached=True, retained={"jitney/_bus/main/state": state})
    found = await looked(running.look, case(), heard)
    assert any("of version 9.9" in text for text in texts(found, "warning"))


async def test_whatever_lies_on_our_topics_is_no_fault() -> None:
    junk = {
        "jitney/_bus/main/state": b'{"state":"online"}',
        "jitney/_bus/main/info": b"[1,2]",
        "jitney/_bus/main/health": b"\xff\xfe",
        "jitney/alice/status/played": b'{"state":"dancing","since":""}',
        "jitney/alice/alert/x": b"no",
        "jitney/ALICE/status/played": b"{}",
        "elsewhere": b"{}",
    }
    found = await looked(running.look, case(config("mqtt://127.0.0.1:1")), Heard(reached=True, retained=junk))
    assert "played has told nobody how it is" in texts(found, "warning")
