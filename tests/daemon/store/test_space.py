"""Room that is given back, and limits of what the tables hold."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from jitney.daemon.store import dead, outbox, space
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE

PUT: Final = "INSERT INTO kept VALUES ('a', ?, ?)"
CLEAR: Final = "DELETE FROM kept"
DEAD: Final = (
    "INSERT INTO dead (owner, adapter, topic, payload, reason, time, kind) VALUES (?, 'a', 't', ?, 'r', '2', ?)"
)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "WORTH_IT", 20)
    monkeypatch.setattr(space, "STEP", 50)


async def filled(store: Store) -> None:
    """Write a megabyte and delete it again."""
    store.write(PUT, [(str(number), b"x" * 10_000) for number in range(100)])
    await store.committed()
    store.write(CLEAR, [()])
    await store.committed()


async def pages(store: Store) -> int:
    (number,) = await store.read(lambda db: db.execute("PRAGMA page_count").fetchone())
    return int(number)


async def test_room_is_given_back_step_by_step_while_it_runs(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        await filled(store)
        before = await pages(store)
        steps = 0
        while await store.read(space.give_back):
            steps += 1
        assert steps >= 3
        assert await pages(store) < before / 2
        assert not await store.read(space.give_back)


async def test_a_file_that_is_used_is_left_as_it_is(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        store.write(PUT, [(str(number), b"x" * 10_000) for number in range(100)])
        await store.committed()
        before = await pages(store)
        assert not await store.read(space.give_back)
        assert await pages(store) == before


async def test_an_older_file_is_written_anew_at_the_start_and_gives_back_from_then_on(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        await store.read(lambda db: db.executescript("PRAGMA auto_vacuum = NONE; VACUUM"))
        await filled(store)
        assert not await store.read(space.give_back)
        before = await pages(store)
    async with Store(tmp_path / DATABASE) as store:
        assert await pages(store) < before / 5
        await filled(store)
        assert await store.read(space.give_back)


async def test_nothing_can_be_swept_while_somebody_else_reads_and_it_is_due(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        await filled(store)
        await store.read(lambda db: db.execute("PRAGMA busy_timeout = 10").fetchall())
        with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM kept").fetchall()
            assert not await store.read(space.sweep)
            assert await store.read(space.is_due)
        assert await store.read(space.sweep)
        assert not await store.read(space.is_due)


async def test_each_owner_keeps_so_many_dead_events_and_none_of_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_DEAD", 5)
    async with Store(tmp_path / DATABASE) as store:
        for owner, number in (("bob", 2), ("alice", 20)):
            store.write(DEAD, [(owner, str(n).encode(), "event") for n in range(number)])
        store.write(DEAD, [("alice", b"deed", "action")])
        store.write(outbox.BURY, [("alice", outbox.MOST_DEAD)])
        await store.committed()
        letters = await store.read(lambda db: list(dead.newest(db, "", 100)))
        found = [(one.owner, one.payload) for one in reversed(letters)]
        assert found == [
            ("bob", b"0"),
            ("bob", b"1"),
            *(("alice", str(n).encode()) for n in range(15, 20)),
            ("alice", b"deed"),
        ]


async def test_dead_letters_have_so_many_bytes_together_and_the_oldest_go(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        store.write(DEAD, [("alice", b"x" * 100, "event") for _ in range(20)])
        store.write(outbox.BURY_LARGE, [(1050,)])
        await store.committed()
        assert await store.read(lambda db: [one.id for one in dead.newest(db, "", 100)]) == list(range(20, 10, -1))
        store.write(outbox.BURY_LARGE, [(1050,)])
        await store.committed()
        assert await store.read(lambda db: len(list(dead.newest(db, "", 100)))) == 10
