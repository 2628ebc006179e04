"""The rows of the actions that routes have planned and that are not done yet."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from jitney.daemon.store.pending import Row

Write = tuple[str, Sequence[Row]]
"""A statement and its rows."""

PUT: Final = "INSERT OR REPLACE INTO action (id, owner, route, due, until, body) VALUES (?, ?, ?, ?, ?, ?)"
CHANGE: Final = "UPDATE action SET body = ? WHERE id = ?"
DELETE: Final = "DELETE FROM action WHERE id = ?"
ERASE: Final = "DELETE FROM action WHERE owner = ?"
"""Of an owner."""

_ALL: Final = "SELECT id, owner, body FROM action ORDER BY due, rowid"
_ONE: Final = "SELECT body FROM action WHERE id = ?"


def waiting(db: sqlite3.Connection) -> Iterator[tuple[str, str, bytes]]:
    """Return (id, owner, body) of every action, in the order in which they are due."""
    return db.execute(_ALL)


def body(db: sqlite3.Connection, action: str) -> bytes | None:
    """Return the body of an action, None when it is not there any more."""
    row = db.execute(_ONE, (action,)).fetchone()
    return None if row is None else bytes(row[0])
