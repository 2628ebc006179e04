"""The rows of the vault: what was sealed, and with which key.

All rows have the same key, so that whoever has one can read all. What changes rows is a transaction of its own that
is synced whatever the rest of the file does: a token that a source has just replaced must survive a power cut.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

from msgspec import Struct

_PUT: Final = "INSERT OR REPLACE INTO vault (adapter, owner, name, key_id, nonce, ciphertext) VALUES (?, ?, ?, ?, ?, ?)"
_GET: Final = "SELECT key_id, nonce, ciphertext FROM vault WHERE adapter = ? AND owner = ? AND name = ?"
_ALL: Final = "SELECT adapter, owner, name, key_id, nonce, ciphertext FROM vault ORDER BY adapter, owner, name"
_MARK: Final = "SELECT name, nonce FROM vault WHERE adapter = '' ORDER BY name"
_KEYS: Final = "SELECT DISTINCT key_id FROM vault"
_DELETE: Final = (
    "DELETE FROM vault WHERE adapter = ifnull(:adapter, adapter) AND owner = ifnull(:owner, owner)"
    " AND name = ifnull(:name, name)"
)


class Entry(Struct, frozen=True):
    """Which secret: the adapter that keeps it (empty: the configuration), whose it is, and its name."""

    adapter: str
    owner: str
    name: str


class Sealed(Struct, frozen=True):
    """An encrypted secret as it lies in the file."""

    entry: Entry
    key_id: str
    nonce: bytes
    ciphertext: bytes


class OtherKeyError(Exception):
    """There are rows of another key than the one a new row has; nothing was written. ``key_ids``: theirs."""

    def __init__(self, key_ids: frozenset[str]) -> None:
        super().__init__()
        self.key_ids = key_ids


def get(db: sqlite3.Connection, entry: Entry) -> Sealed | None:
    """Return the row of an entry, None when there is none."""
    row = db.execute(_GET, (entry.adapter, entry.owner, entry.name)).fetchone()
    return None if row is None else Sealed(entry, *row)


def entries(db: sqlite3.Connection) -> list[Entry]:
    """Return what there is, sorted."""
    return [sealed.entry for sealed in _all(db)]


def mark(db: sqlite3.Connection) -> tuple[int, ...]:
    """Return numbers that are others as soon as a secret of the configuration was kept or erased."""
    return tuple(crc32(nonce, crc32(name.encode())) for name, nonce in db.execute(_MARK))


def key_ids(db: sqlite3.Connection) -> frozenset[str]:
    """Return the ids of the keys that are needed to read the rows: one, or none when there are no rows."""
    return frozenset(key_id for (key_id,) in db.execute(_KEYS))


def put(db: sqlite3.Connection, sealed: Sealed) -> bool:
    """Write a row; returns whether it replaced one. Raises OtherKeyError."""
    with _lasting(db):
        others = key_ids(db) - {sealed.key_id}
        if others:
            raise OtherKeyError(others)
        replaced = get(db, sealed.entry) is not None
        db.execute(_PUT, _row(sealed))
    return replaced


def delete(
    db: sqlite3.Connection, *, adapter: str | None = None, owner: str | None = None, name: str | None = None
) -> int:
    """Erase the rows of an adapter, of an owner and of a name, of which None means any; returns how many.

    Nothing of them is left in the file, nor in its log unless somebody else is reading just then.
    """
    with _lasting(db):
        erased = db.execute(_DELETE, {"adapter": adapter, "owner": owner, "name": name}).rowcount
    if erased:
        _clear_log(db)
    return erased


def replace_all(db: sqlite3.Connection, seal: Callable[[Sealed], Sealed]) -> int:
    """Write what ``seal`` makes of each row in its place, all or none; returns how many. Raises what ``seal`` does."""
    with _lasting(db):
        rows = [_row(seal(sealed)) for sealed in _all(db)]
        db.executemany(_PUT, rows)
    _clear_log(db)
    return len(rows)


def _all(db: sqlite3.Connection) -> Iterator[Sealed]:
    return (Sealed(Entry(adapter, owner, name), *rest) for adapter, owner, name, *rest in db.execute(_ALL).fetchall())


def _row(sealed: Sealed) -> tuple[str | bytes, ...]:
    entry = sealed.entry
    return (entry.adapter, entry.owner, entry.name, sealed.key_id, sealed.nonce, sealed.ciphertext)


@contextmanager
def _lasting(db: sqlite3.Connection) -> Iterator[None]:
    """Run a transaction that is on disk, not only with the operating system, and overwrites what it deletes."""
    with _setting(db, "synchronous", "FULL"):
        db.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            with db:
                db.execute("BEGIN IMMEDIATE")
                yield
        finally:
            db.execute("PRAGMA secure_delete = FAST").fetchall()


def _clear_log(db: sqlite3.Connection) -> None:
    """Move the write-ahead log into the file and empty it, unless that would mean to wait for somebody."""
    with _setting(db, "busy_timeout", "0"):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _setting(db: sqlite3.Connection, pragma: str, value: str) -> Iterator[None]:
    (before,) = db.execute(f"PRAGMA {pragma}").fetchone()
    db.execute(f"PRAGMA {pragma} = {value}").fetchall()
    try:
        yield
    finally:
        db.execute(f"PRAGMA {pragma} = {before}").fetchall()
