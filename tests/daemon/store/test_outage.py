"""A disk that takes nothing for a while: what is refused, what is kept, what the log says, and the end of it."""

import asyncio
import io
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jitney.daemon import log
from jitney.daemon.store import pending, store, trouble
from jitney.daemon.store.pending import Pending, Write
from jitney.daemon.store.store import Store, StoreError, told
from tests.waiting import until

PUT = "INSERT OR REPLACE INTO kept (adapter, key, value) VALUES ('a', ?, ?)"
COUNT = "SELECT count(*) FROM kept"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    async with Store(folder / "jitney.db") as opened:
        yield opened


async def switch(target: Store, *, writable: bool) -> None:
    """Let SQLite refuse every write, as on a file system that was remounted read-only, or take them again."""
    await target.read(lambda db: db.execute(f"PRAGMA query_only = {not writable}").fetchall())


async def number(target: Store) -> int:
    (found,) = await target.read(lambda db: db.execute(COUNT).fetchone())
    return int(found)


async def refused(target: Store, key: str) -> None:
    target.write(PUT, [(key, b"x")], told)
    with pytest.raises(StoreError, match="it is read-only: check the permissions and the mount"):
        await target.committed()


async def test_it_finds_out_by_itself_that_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.02)
    async with opened(tmp_path) as target:
        await switch(target, writable=False)
        await refused(target, "1")
        assert not await target.writable(0.01)
        await switch(target, writable=True)
        assert await target.writable(10)
        assert target.failure == ""
        assert await number(target) == 0
        (left,) = await target.read(lambda db: db.execute("SELECT count(*) FROM meta").fetchone())
        assert left == 0


async def test_who_waits_is_answered_soon_also_while_nothing_works(tmp_path: Path) -> None:
    async with opened(tmp_path) as target:
        await switch(target, writable=False)
        for key in ("1", "2", "3"):
            await refused(target, key)
        target.write(PUT, [("kept", b"x")])
        await refused(target, "4")
        await switch(target, writable=True)
        target.write(PUT, [("5", b"x")], told)
        await target.committed()
        assert await number(target) == 2


async def test_who_joins_a_commit_that_fails_learns_that_it_did(tmp_path: Path) -> None:
    async with opened(tmp_path) as target:
        await switch(target, writable=False)
        gate = threading.Event()
        held = asyncio.create_task(target.read(lambda _: gate.wait()), name="held")
        await until(target._thread._work_queue.empty)
        target.write(PUT, [("1", b"x")], told)
        first = asyncio.create_task(target.committed(), name="first")
        await until(lambda: not target._thread._work_queue.empty())
        second = asyncio.create_task(target.committed(), name="second")
        gate.set()
        results = await asyncio.gather(held, first, second, return_exceptions=True)
        assert [type(result) for result in results] == [bool, StoreError, StoreError]


async def test_an_outage_is_told_once_and_so_is_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log.configure("json", "info", stream=stream)
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(store, "REFUSE_SECONDS", 0.005)
    monkeypatch.setattr(trouble, "STEADY", 0.05)
    try:
        async with Store(tmp_path / "jitney.db") as target:
            for _ in range(5):
                await switch(target, writable=False)
                for key in range(3):
                    await refused(target, str(key))
                await switch(target, writable=True)
                assert await target.writable(10)
            await until(lambda: "the state is written again" in stream.getvalue())
    finally:
        log.reset()
    first, last = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["event"][:31]) == ("warning", "the state cannot be written: du")
    assert (last["level"], last["failures"] >= 15) == ("info", True)


async def test_of_a_value_that_changes_all_the_time_only_the_last_is_kept_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.1)
    async with opened(tmp_path) as target:
        await switch(target, writable=False)
        await refused(target, "0")
        for value in range(1000):
            target.write(PUT, [("state", str(value).encode())], key="state")
        assert len(target._pending) == 1
        await refused(target, "0")
        target.write(PUT, [("state", b"last")], key="state")
        assert len(target._pending) == 1
        await switch(target, writable=True)
        await target.committed()
        rows = await target.read(lambda db: db.execute("SELECT key, value FROM kept").fetchall())
        assert rows == [("state", b"last")]


def test_what_is_kept_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_ROWS", 100)
    waiting = Pending()
    waiting.add(Write("new", [(1,)], told))
    waiting.add(Write("keyed", [(1,)], None, key="k"))
    waiting.put_back([Write("keyed", [(0,)], None, key="k"), *(Write(f"{n}", [(n,)], None) for n in range(300))])
    taken = waiting.take()
    assert [write.sql for write in taken] == [*(f"{n}" for n in range(201, 300)), "new", "keyed"]
    assert waiting.given_up == 201
    assert not waiting


def test_what_is_kept_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_BYTES", 100_000)
    waiting = Pending()
    waiting.put_back([Write("put", [(n, b"x" * 10_000)], None) for n in range(20)])
    assert [write.rows[0][0] for write in waiting.take()] == list(range(11, 20))


def test_a_mistake_in_one_write_does_not_stop_those_after_it(tmp_path: Path) -> None:
    async def tried() -> None:
        async with opened(tmp_path) as target:
            target.write("INSERT INTO nowhere VALUES (1)", [()], told)
            with pytest.raises(StoreError, match="no such table"):
                await target.committed()
            target.write(PUT, [("1", b"x")], told)
            await target.committed()
            assert await number(target) == 1

    asyncio.run(tried())
    with sqlite3.connect(tmp_path / "jitney.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
