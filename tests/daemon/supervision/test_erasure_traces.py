"""What was erased of somebody is not in the files any more, not even where nobody but a program looks."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Raw

from jitney.adapters.secret import Secret
from jitney.daemon.store import outbox, space
from jitney.daemon.store.tables import DATABASE
from jitney.topics import State
from tests.daemon.running import Daemon, Played, config, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

CANARY = "canary5f0e"


def traces(folder: Path, word: str) -> list[str]:
    """Return the names of the files in which a word stands."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in files if word.encode() in path.read_bytes()]


async def live(daemon: Daemon, owner: str, word: str) -> None:
    """Let everything that is kept of somebody have a word in it."""
    context = daemon.context()
    for start in range(0, 1000, 100):
        await context.emit(*(tick(number, owner=owner, id=f"{word}-{number}") for number in range(start, start + 100)))
    for number in range(100):
        context.set_state(State(owner, f"{word}-{number}", Raw(b'{"text":"%s"}' % (word.encode() * 20))))
    await context.save_all({f"note/{owner}/{number}": f"{word} {number}".encode() * 50 for number in range(100)})
    await context.vault.put(owner, f"{word}-token", Secret("s"))
    folder = context.folder(owner)
    folder.mkdir(parents=True)
    folder.joinpath(f"{word}.txt").write_text(word)
    store = daemon.app.parts.store
    dead = "INSERT INTO dead (owner, adapter, topic, payload, reason, time) VALUES (?, 'played', 't', ?, 'r', '2')"
    store.write(dead, [(owner, f"{word} {number}".encode()) for number in range(100)])
    store.write("INSERT INTO action VALUES (?, ?, 'r', 0, 0, ?)", [(f"{word}-a", owner, word.encode())])
    store.write("INSERT INTO route_memory VALUES (?, 'r', ?, ?, 0)", [(owner, word, word.encode())])
    await store.committed()


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    async def erase(adapter: Played, owner: str) -> None:
        context = contexts[adapter.adapter].context()
        await context.save_all(dict.fromkeys(await context.load_all(f"note/{owner}/")))

    contexts: dict[str, Daemon] = {}
    monkeypatch.setattr(Played, "erase", erase, raising=False)
    monkeypatch.setattr(Played, "daemons", contexts, raising=False)


def known(daemon: Daemon) -> None:
    Played.daemons["played"] = daemon  # type: ignore[attr-defined]


async def settled(daemon: Daemon) -> None:
    """Let go what only routes forget: this daemon has none."""
    store = daemon.app.parts.store
    for table in ("action", "route_memory"):
        store.write(f"DELETE FROM {table} WHERE owner = 'alice'", [()])  # noqa: S608 - ours
    await store.committed()


async def test_nothing_is_found_in_the_files_after_an_erasure_and_nothing_of_another_is_gone(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url, durable=True), tmp_path) as daemon:
        known(daemon)
        await daemon.connected()
        await live(daemon, "alice", CANARY)
        await live(daemon, "bob", "bobsword")
        await daemon.drained()
        assert len(traces(tmp_path, CANARY)) > 1
        await settled(daemon)
        erased = await daemon.app.parts.erasure.erase("alice")
        assert not erased.traces
        assert traces(tmp_path, CANARY) == []
        assert DATABASE in traces(tmp_path, "bobsword")
        await daemon.context().emit(tick(1))
    assert traces(tmp_path, CANARY) == []
    assert "bobsword.txt" in traces(tmp_path, "bobsword")


async def test_without_a_broker_the_rest_is_swept_at_a_later_start(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, durable=True)
    async with running(settings, tmp_path) as daemon:
        known(daemon)
        await daemon.connected()
        await live(daemon, "alice", CANARY)
        await asyncio.to_thread(broker.kill)
        await live_on(daemon)
        await settled(daemon)
        assert (await daemon.app.parts.erasure.erase("alice")).traces
    await asyncio.to_thread(broker.start)
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.drained()
        await until(lambda: rows_gone(daemon))
        await daemon.app.parts.retention.tidy()
    assert traces(tmp_path, CANARY) == []


async def rows_gone(daemon: Daemon) -> bool:
    return not await daemon.app.parts.store.read(lambda db: outbox.waiting(db, "alice"))


async def live_on(daemon: Daemon) -> None:
    await daemon.context().emit(*(tick(number, id=f"{CANARY}-late-{number}") for number in range(500)))


async def test_a_large_file_is_swept_at_the_next_start(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(broker.url, durable=True)
    monkeypatch.setattr(space, "MOST_SWEPT", 5)
    async with running(settings, tmp_path) as daemon:
        known(daemon)
        await daemon.connected()
        await live(daemon, "alice", CANARY)
        await daemon.drained()
        await settled(daemon)
        assert (await daemon.app.parts.erasure.erase("alice")).traces
    async with running(settings, tmp_path):
        assert traces(tmp_path, CANARY) == []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert not space.is_due(db)


async def test_what_an_adapter_has_kept_that_is_not_there_any_more_goes_too(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        rows = [
            (adapter, key, b"x") for adapter in ("played", "gone") for key in ("grant/alice", "grant/bob", "alice/x")
        ]
        daemon.app.parts.store.write("INSERT INTO kept VALUES (?, ?, ?)", rows)
        known(daemon)
        await daemon.app.parts.erasure.erase("alice")
        left = await daemon.app.parts.store.read(lambda db: db.execute("SELECT adapter, key FROM kept").fetchall())
        assert set(left) == {
            ("gone", "alice/x"),
            ("gone", "grant/bob"),
            *(("played", key) for key in ("grant/alice", "grant/bob", "alice/x")),
        }
