"""The tables of the state file."""

import sqlite3
from typing import Final, Literal

VERSION: Final = 1

_TABLES: Final = """
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
"""


def prepare(db: sqlite3.Connection, *, synchronous: Literal["normal", "full"]) -> None:
    """Set the pragmas of a fresh connection and make the tables of a new file."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    # A checkpoint writes and syncs what is in the log: rarely, because most of it has been deleted again by then.
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA journal_size_limit = 16777216")
    db.execute("PRAGMA cache_size = -1024")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        message = f"made by a newer Jitney (state version {version}, this one knows {VERSION})"
        raise sqlite3.NotSupportedError(message)
