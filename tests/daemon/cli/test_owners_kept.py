"""`jitney owners usage` and `export`, with a running daemon and with the files of one that was stopped."""

import asyncio
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from jitney.adapters.secret import Secret
from jitney.daemon.cli import main
from jitney.daemon.service import holdings
from jitney.topics import State
from tests.daemon.running import Daemon, config, running, tick
from tests.fakes.mosquitto import Broker

Shown = pytest.CaptureFixture[str]
EVENTS = 700


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """Return the configuration of a bus whose state is in the folder ``state``."""
    path = tmp_path / "config.toml"
    path.write_text(f'version = 1\n[bus]\nstate_dir = "{tmp_path / "state"}"\n[owners.alice]\n[owners.bob]\n')
    return path


async def lived(daemon: Daemon, broker: Broker, folder: Path) -> None:
    """Let alice and bob have something of everything; the broker goes, so that their events wait."""
    context = daemon.context()
    await daemon.connected()
    for owner in ("alice", "bob"):
        context.set_state(State(owner, "light", Raw(b'{"whose":"%s"}' % owner.encode())))
        await context.save(f"note/{owner}/1", f"kept of {owner}".encode())
        await context.save(f"bytes/{owner}", bytes([255, 0]))
        await context.vault.put(owner, "token", Secret(f"secret-of-{owner}"))
        photo = context.folder(owner) / "sub" / "photo.jpg"
        photo.parent.mkdir(parents=True)
        photo.write_bytes(bytes(range(256)) * 1200)
    await daemon.drained()
    await asyncio.to_thread(broker.kill)
    await context.emit(*(tick(number, owner=owner) for number in range(EVENTS) for owner in ("alice", "bob")))
    assert (folder / "owners").is_dir()


def lines(folder: Path, table: str) -> list[dict[str, Any]]:
    path = folder / f"{table}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def hidden(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


def check(folder: Path) -> None:
    """Check that an export has everything of alice, and nothing of bob."""
    assert {line["payload"]["id"] for line in lines(folder, "outbox")} == {f"played-alice-{n}" for n in range(EVENTS)}
    assert len(lines(folder, "seen")) == EVENTS
    kept = {line["key"]: line["value"] for line in lines(folder, "kept")}
    assert kept == {"note/alice/1": "kept of alice", "bytes/alice": {"base64": "/wA="}}
    assert lines(folder, "vault") == [{"adapter": "played", "name": "token"}]
    assert {"whose": "alice"} in [line["payload"] for line in lines(folder, "retained")]
    assert (folder / "files" / "played" / "sub" / "photo.jpg").read_bytes() == bytes(range(256)) * 1200
    assert json.loads((folder / "about.json").read_text())["owner"] == "alice"
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"bob" not in everything
    assert b"secret-of" not in everything
    modes = {path.stat().st_mode & 0o077 for path in folder.rglob("*")}
    assert modes == {0}


async def test_a_running_bus_tells_all_that_it_keeps_of_one_owner(
    broker: Broker, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "PAGE_BYTES", 20_000)
    settings = config(broker.url, durable=True)
    async with running(settings, tmp_path / "state") as daemon:
        await lived(daemon, broker, tmp_path / "state")
    await asyncio.to_thread(broker.start)
    async with running(settings, tmp_path / "state") as daemon:
        await daemon.connected()
        await daemon.drained()
        asked = ("--mqtt", broker.url)
        assert await asyncio.to_thread(main, ["owners", "usage", "--json", *asked]) == 0
        usage = json.loads(capsys.readouterr().out.splitlines()[-1])["owners"]
        assert usage["alice"]["files"] == {"rows": 1, "bytes": 256 * 1200}
        assert usage["alice"]["seen"]["rows"] == EVENTS
        assert usage["alice"]["vault"]["rows"] == usage["bob"]["vault"]["rows"] == 1
        assert await asyncio.to_thread(main, ["owners", "usage", "alice", *asked]) == 0
        out = capsys.readouterr().out
        assert out.startswith("alice: ")
        assert "  1 secret " in out
        assert "bob" not in out
        target = tmp_path / "alice"
        assert await asyncio.to_thread(main, ["owners", "export", "alice", str(target), *asked]) == 0
        assert len(lines(target, "seen")) == EVENTS
        assert (target / "files" / "played" / "sub" / "photo.jpg").read_bytes() == bytes(range(256)) * 1200
        assert {"whose": "alice"} in [line["payload"] for line in lines(target, "retained")]
        assert b"bob" not in b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())


async def test_of_a_bus_that_was_stopped_the_files_are_read(
    broker: Broker, tmp_path: Path, written: Path, capsys: Shown
) -> None:
    async with running(config(broker.url, durable=True), tmp_path / "state") as daemon:
        await lived(daemon, broker, tmp_path / "state")
    here = ("-c", str(written))
    assert await asyncio.to_thread(main, ["owners", "usage", *here]) == 0
    out = capsys.readouterr().out
    assert f"  {EVENTS} events on disk, waiting for the broker" in out
    packed = tmp_path / "alice.tar.gz"
    assert await asyncio.to_thread(main, ["owners", "export", "alice", str(packed), *here]) == 0
    assert packed.stat().st_mode & 0o777 == 0o600
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path / "out", filter="tar")
    check(tmp_path / "out" / "jitney-alice")
    assert await asyncio.to_thread(main, ["owners", "export", "alice", str(tmp_path / "folder"), *here]) == 0
    check(tmp_path / "folder")
    assert await asyncio.to_thread(main, ["owners", "export", "alice", str(packed), *here]) == 2
    assert not hidden(tmp_path)


async def test_what_is_asked_wrongly_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        handlers = daemon.app.parts.administration.handlers
        photo = daemon.context().folder("bob")
        photo.mkdir(parents=True)
        photo.joinpath("x.jpg").touch()
        wrong = [
            ("owner_usage", {"owner": "Alice"}),
            ("owner_export", {"owner": "alice", "table": "sqlite_master"}),
            ("owner_export", {"owner": "alice", "table": "outbox", "after": "x"}),
            ("owner_export", {"owner": "alice", "table": "files", "after": 3}),
            ("owner_file", {"owner": "alice", "name": "../bob/played/x.jpg"}),
            ("owner_file", {"owner": "alice", "name": "/etc/passwd"}),
            ("owner_file", {"owner": "alice", "name": "nothing"}),
            ("owner_file", {"owner": "bob", "name": "played"}),
        ]
        for name, data in wrong:
            with pytest.raises(holdings.RefusedError):
                await handlers[name](Raw(json.dumps(data).encode()))
        found = await handlers["owner_file"](Raw(b'{"owner":"bob","name":"played/x.jpg"}'))
        assert found == holdings.Part("", 0)
