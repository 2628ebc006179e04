"""The rows of the vault, in real files."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from jitney.daemon.store import secrets as rows
from jitney.daemon.store import tables
from jitney.daemon.store.secrets import Entry, OtherKeyError, Sealed
from jitney.daemon.store.store import Store

ALICE = Entry("strava", "alice", "token")
BOB = Entry("strava", "bob", "token")
HOUSE = Entry("", "_house", "strava/main")


def sealed(entry: Entry, ciphertext: bytes = b"sealed", *, key: str = "k1") -> Sealed:
    return Sealed(entry, key, b"nonce", ciphertext)


def connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    tables.prepare(db, synchronous="normal")
    return db


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connected(tmp_path / "jitney.db")) as db:
        yield db


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_row_is_there_until_it_is_replaced_or_erased(db: sqlite3.Connection) -> None:
    assert rows.get(db, ALICE) is None
    assert not rows.put(db, sealed(ALICE))
    assert rows.put(db, sealed(ALICE, b"newer"))
    assert rows.get(db, ALICE) == sealed(ALICE, b"newer")
    assert rows.delete(db, adapter="strava", owner="alice", name="token") == 1
    assert rows.get(db, ALICE) is None
    assert rows.delete(db, adapter="strava", owner="alice", name="token") == 0


def test_what_is_erased_is_what_was_named(db: sqlite3.Connection) -> None:
    other = Entry("strava", "alice", "refresh")
    elsewhere = Entry("komoot", "alice", "token")
    for entry in (ALICE, BOB, HOUSE, other, elsewhere):
        rows.put(db, sealed(entry))
    assert rows.delete(db, adapter="strava", owner="alice", name="refresh") == 1
    assert rows.entries(db) == [HOUSE, elsewhere, ALICE, BOB]
    assert rows.delete(db, adapter="strava", owner="alice") == 1
    assert rows.entries(db) == [HOUSE, elsewhere, BOB]
    rows.put(db, sealed(ALICE))
    assert rows.delete(db, owner="alice") == 2
    assert rows.entries(db) == [HOUSE, BOB]
    assert rows.delete(db) == 2
    assert rows.entries(db) == []


def test_a_row_of_another_key_is_never_written_beside_those_that_are_there(db: sqlite3.Connection) -> None:
    rows.put(db, sealed(ALICE))
    with pytest.raises(OtherKeyError) as caught:
        rows.put(db, sealed(BOB, key="k2"))
    assert caught.value.key_ids == {"k1"}
    assert rows.key_ids(db) == {"k1"}
    assert rows.get(db, BOB) is None


def test_all_rows_are_replaced_or_none(db: sqlite3.Connection) -> None:
    rows.put(db, sealed(ALICE))
    rows.put(db, sealed(BOB))

    def fail_at_bob(old: Sealed) -> Sealed:
        if old.entry == BOB:
            raise ZeroDivisionError
        return sealed(old.entry, key="k2")

    with pytest.raises(ZeroDivisionError):
        rows.replace_all(db, fail_at_bob)
    assert rows.key_ids(db) == {"k1"}
    assert rows.replace_all(db, lambda old: sealed(old.entry, key="k2")) == 2
    assert rows.key_ids(db) == {"k2"}


def test_what_is_erased_is_neither_in_the_file_nor_in_its_log(db: sqlite3.Connection, tmp_path: Path) -> None:
    many = [Entry("strava", f"owner{number}", "token") for number in range(40)]
    for entry in many:
        rows.put(db, sealed(entry, b"canary-" + entry.owner.encode() * 40))
    assert b"canary-owner7owner7" in on_disk(tmp_path)
    rows.delete(db, owner="owner7")
    assert b"canary-owner7owner7" not in on_disk(tmp_path)
    assert b"canary-owner8owner8" in on_disk(tmp_path)
    rows.delete(db)
    assert b"canary" not in on_disk(tmp_path)


def test_a_reader_beside_does_not_keep_a_row_from_being_erased(db: sqlite3.Connection, tmp_path: Path) -> None:
    rows.put(db, sealed(ALICE))
    with closing(sqlite3.connect(tmp_path / "jitney.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert rows.key_ids(reader) == {"k1"}
        assert rows.delete(db, owner="alice") == 1
        assert rows.get(db, ALICE) is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_connection_is_afterwards_as_it_was(db: sqlite3.Connection, *, fails: bool) -> None:
    names = ("synchronous", "secure_delete", "busy_timeout", "journal_mode")
    before = [db.execute(f"PRAGMA {name}").fetchone() for name in names]
    rows.put(db, sealed(ALICE))
    if fails:
        with pytest.raises(OtherKeyError):
            rows.put(db, sealed(ALICE, key="k2"))
    else:
        rows.delete(db)
    assert not db.in_transaction
    assert [db.execute(f"PRAGMA {name}").fetchone() for name in names] == before


async def test_a_write_beside_the_daemon_delays_its_commit_and_loses_nothing(tmp_path: Path) -> None:
    begun = Event()
    async with Store(tmp_path / "jitney.db") as store:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as beside:
            beside.execute("BEGIN IMMEDIATE")
            await store.read(lambda db: db.set_trace_callback(lambda _: begun.set()))
            store.write("INSERT INTO meta (key, value) VALUES (?, ?)", [("a", "1")])
            commit = asyncio.create_task(store.committed(), name="commit")
            assert await asyncio.to_thread(begun.wait, 10)
            beside.execute("INSERT INTO vault VALUES ('', '_house', 'x', 'k1', x'00', x'00')")
            assert not commit.done()
            beside.execute("COMMIT")
            await commit
            assert not store.failure
            assert await store.read(rows.entries) == [Entry("", "_house", "x")]
            assert beside.execute("SELECT value FROM meta WHERE key = 'a'").fetchone() == ("1",)
