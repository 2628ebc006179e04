"""The tables of the state file."""

import sqlite3
from typing import Final, Literal

DATABASE: Final = "jitney.db"
"""What the state file is called in the state folder."""

VERSION: Final = 4

_VAULT: Final = """
CREATE TABLE vault (
    adapter TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, key_id TEXT NOT NULL, nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL, PRIMARY KEY (adapter, owner, name)
) WITHOUT ROWID;
"""

_ROUTES: Final = """
CREATE TABLE action (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, route TEXT NOT NULL, due REAL NOT NULL, until REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE route_memory (
    owner TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, until REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, route, key)
) WITHOUT ROWID;
CREATE INDEX dead_owner ON dead (owner);
"""
"""The rows of ``action`` are numbered as they come, which is their order where ``due`` is the same."""

_AUDIT: Final = """
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, what TEXT NOT NULL, adapter TEXT NOT NULL, outcome TEXT NOT NULL,
    times INTEGER NOT NULL, owner TEXT, who TEXT, detail TEXT, salt BLOB, personal BLOB NOT NULL, hash BLOB NOT NULL,
    erased INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER audit_grows BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE number >= new.number)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
WHEN (new.number, new.time, new.what, new.adapter, new.outcome, new.times, new.personal, new.hash) IS NOT
    (old.number, old.time, old.what, old.adapter, old.outcome, old.times, old.personal, old.hash)
    OR coalesce(new.owner, new.who, new.detail, new.salt) IS NOT NULL
    OR old.erased <> 0
    OR NOT EXISTS (SELECT 1 FROM audit WHERE number = new.erased AND what = 'erase' AND owner = old.owner)
BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'audit_anchor' AND CAST(value AS INTEGER) >= old.number)
BEGIN SELECT RAISE(ABORT, 'the audit log is not shortened'); END;
"""
"""Triggers keep mistakes off; whoever can write the file can remove them, which the chain of hashes does not mind.

What has an older number than there is is left out rather than refused, because a refusal would take along what is
committed together with it.
"""

_TABLES: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lane (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, seq INTEGER NOT NULL,
    UNIQUE (owner, adapter)
);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX outbox_lane ON outbox (lane, id);
CREATE TABLE seen (lane INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL);
CREATE TABLE retained (
    topic TEXT PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, payload BLOB, until REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE dead (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, adapter TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    reason TEXT NOT NULL, time TEXT NOT NULL, kind TEXT NOT NULL DEFAULT 'event'
);
CREATE TABLE command (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE kept (adapter TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (adapter, key))
    WITHOUT ROWID;
{_VAULT}{_ROUTES}{_AUDIT}"""
"""``until`` of a table is when a value is no longer kept, in Unix seconds; 0: never."""

_MIGRATIONS: Final = {
    1: f"ALTER TABLE retained ADD COLUMN until REAL NOT NULL DEFAULT 0; {_VAULT}",
    2: f"ALTER TABLE dead ADD COLUMN kind TEXT NOT NULL DEFAULT 'event'; {_ROUTES}",
    3: _AUDIT,
}
"""What makes the next version of a version."""


def prepare(db: sqlite3.Connection, *, synchronous: Literal["normal", "full"]) -> None:
    """Set the pragmas of a fresh connection and make the tables of a new file."""
    if version_of(db) == 0:
        # Only before anything is written: pages that are free can then be given back step by step.
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    # A checkpoint writes and syncs what is in the log: rarely, because most of it has been deleted again by then.
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA journal_size_limit = 16777216")
    db.execute("PRAGMA cache_size = -1024")
    # What is deleted is overwritten where that costs no further page: tokens and keys do not linger in free space.
    db.execute("PRAGMA secure_delete = FAST")
    _make_current(db)


def _make_current(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older version to this one: all of it or nothing.

    Raises sqlite3.NotSupportedError for a newer version.
    """
    version = version_of(db)
    if version > VERSION:
        message = f"made by a newer Jitney (state version {version}, this one knows {VERSION})"
        raise sqlite3.NotSupportedError(message)
    if version < VERSION:
        steps = [_MIGRATIONS[step] for step in range(version, VERSION)] if version else [_TABLES]
        try:
            db.executescript(f"BEGIN IMMEDIATE; {''.join(steps)} PRAGMA user_version = {VERSION}; COMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of the tables of a state file, 0 when it has none yet."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)
