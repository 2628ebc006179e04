"""The tables of a new file, and those of an older one brought to the same shape."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from jitney.daemon.store import tables
from jitney.daemon.store.store import Store, StoreError

FIRST: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lane (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, seq INTEGER NOT NULL,
    UNIQUE (owner, adapter)
);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX outbox_lane ON outbox (lane, id);
CREATE TABLE seen (lane INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL);
CREATE TABLE retained (topic TEXT PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, payload BLOB)
    WITHOUT ROWID;
CREATE TABLE dead (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    reason TEXT NOT NULL, time TEXT NOT NULL
);
CREATE TABLE command (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE kept (adapter TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (adapter, key))
    WITHOUT ROWID;
INSERT INTO meta VALUES ('client_id', 'jitney-main-1');
INSERT INTO lane VALUES (1, 'alice', 'home', 7);
INSERT INTO outbox VALUES (1, 1, 'jitney/alice/event/home/x', x'7b7d');
INSERT INTO retained VALUES ('jitney/alice/state/home/x', 'alice', 'home', x'7b7d');
INSERT INTO kept VALUES ('home', 'cursor', x'01');
PRAGMA user_version = 1;
"""
"""A state file as the first version of Jitney made it."""


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[str], sqlite3.Connection]]:
    opened: list[sqlite3.Connection] = []

    def connect(name: str) -> sqlite3.Connection:
        opened.append(sqlite3.connect(tmp_path / name, isolation_level=None))
        return opened[-1]

    yield connect
    for db in opened:
        db.close()


def shape(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
    return {name: db.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in names}


def test_an_older_file_gets_the_tables_of_a_new_one(connect: Callable[[str], sqlite3.Connection]) -> None:
    old, new = connect("old.db"), connect("new.db")
    old.executescript(FIRST)
    tables.prepare(old, synchronous="normal")
    tables.prepare(new, synchronous="normal")
    assert tables.version_of(old) == tables.version_of(new) == tables.VERSION
    assert shape(old) == shape(new)


async def test_an_older_file_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / tables.DATABASE
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST)
    async with Store(path) as store:
        assert await store.read(lambda db: db.execute("SELECT value FROM meta").fetchall()) == [("jitney-main-1",)]
        assert await store.read(lambda db: db.execute("SELECT seq FROM lane").fetchall()) == [(7,)]
        assert await store.read(lambda db: db.execute("SELECT payload FROM outbox").fetchall()) == [(b"{}",)]
        assert await store.read(lambda db: db.execute("SELECT payload, until FROM retained").fetchall()) == [(b"{}", 0)]
        assert await store.read(lambda db: db.execute("SELECT value FROM kept").fetchall()) == [(b"\1",)]
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM vault").fetchall()) == [(0,)]


def test_a_file_that_is_current_is_left_as_it_is(connect: Callable[[str], sqlite3.Connection]) -> None:
    db = connect("jitney.db")
    tables.prepare(db, synchronous="normal")
    (before,) = db.execute("PRAGMA schema_version").fetchone()
    tables.prepare(db, synchronous="normal")
    assert db.execute("PRAGMA schema_version").fetchone() == (before,)


async def test_a_file_of_the_third_version_gets_the_audit_log_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / tables.DATABASE
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables.prepare(db, synchronous="normal")
        whole = shape(db)
        db.executescript("DROP TABLE audit; INSERT INTO meta VALUES ('client_id', 'x'); PRAGMA user_version = 3")
    async with Store(path) as store:
        assert await store.read(tables.version_of) == tables.VERSION
        assert await store.read(shape) == whole
        assert await store.read(lambda db: db.execute("SELECT value FROM meta").fetchall()) == [("x",)]
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        assert await store.read(lambda db: db.execute(triggers).fetchall()) == [(3,)]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / tables.DATABASE
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST)
        db.execute("CREATE TABLE vault (in_the_way)")
    with pytest.raises(StoreError, match="table vault already exists"):
        async with Store(path):
            pass
    with closing(sqlite3.connect(path)) as db:
        assert tables.version_of(db) == 1
        assert "until" not in str(shape(db)["retained"])
