"""The store: groups of writes that are on disk, or an error that says why not."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from jitney.daemon.store.meta import client_id
from jitney.daemon.store.store import Store, StoreError

PUT = "INSERT INTO meta (key, value) VALUES (?, ?)"


def rows(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        found = db.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
    db.close()
    return found


async def test_what_is_committed_can_be_read_by_another_process_at_once(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        store.write(PUT, [("a", "1"), ("b", "2")])
        await store.committed()
        assert rows(store.path) == [("a", "1"), ("b", "2")]


async def test_writes_of_one_turn_share_a_commit_and_keep_their_order(tmp_path: Path) -> None:
    told: list[str] = []
    async with Store(tmp_path / "jitney.db") as store:
        store.write(PUT, [("a", "1")], lambda _: told.append("first"))
        store.write("DELETE FROM meta WHERE key = ?", [("a",)], lambda _: told.append("second"))
        store.write(PUT, [("a", "2")], lambda _: told.append("third"))
        await store.committed()
        assert told == ["first", "second", "third"]
        assert rows(store.path) == [("a", "2")]


async def test_a_cancelled_waiter_neither_stops_the_commit_nor_the_other_waiters(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        store.write(PUT, [("a", "1")])
        impatient = asyncio.create_task(store.committed(), name="impatient")
        patient = asyncio.create_task(store.committed(), name="patient")
        await asyncio.sleep(0)
        impatient.cancel()
        await patient
        assert rows(store.path) == [("a", "1")]


async def test_leaving_the_store_commits_what_is_pending(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        store.write(PUT, [("a", "1")])
    assert rows(tmp_path / "jitney.db") == [("a", "1")]


async def test_a_full_disk_refuses_what_asked_to_know_and_keeps_the_rest_until_there_is_room(tmp_path: Path) -> None:
    told: list[bool] = []
    async with Store(tmp_path / "jitney.db") as store:
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
        store.write(PUT, [(str(number), "x" * 4000) for number in range(50)], told.append)
        store.write(PUT, [("kept", "1")])
        with pytest.raises(StoreError, match="the disk is full: free some space"):
            await store.committed()
        assert told == [False]
        assert store.failure
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 10000").fetchall())
        store.write(PUT, [("new", "1")], told.append)
        await store.committed()
        assert told == [False, True]
        assert not store.failure
        assert rows(store.path) == [("kept", "1"), ("new", "1")]


async def test_a_second_daemon_on_the_same_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db"):
        with pytest.raises(StoreError, match="another Jitney is running"):
            async with Store(tmp_path / "jitney.db"):
                pass
    async with Store(tmp_path / "jitney.db"):
        pass


async def test_a_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "jitney.db"
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(StoreError, match="move it away"):
        async with Store(path):
            pass
    assert path.read_bytes() == b"precious" * 1000


async def test_a_file_of_a_newer_jitney_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jitney.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer Jitney"):
        async with Store(path):
            pass


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"bus\.state_dir"):
        async with Store(tmp_path / "file" / "jitney.db"):
            pass


async def test_the_state_file_is_only_for_its_owner(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        assert store.path.stat().st_mode & 0o777 == 0o600


async def test_the_client_id_is_made_once(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        assert await client_id(store, "first") == "first"
    async with Store(tmp_path / "jitney.db") as store:
        assert await client_id(store, "second") == "first"
