"""The rows of the dead letters: events that no broker takes, and actions that could not be done in time."""

import sqlite3
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

MOST_ACTIONS: Final = 1000
"""Dead actions of one owner that are kept, the newest."""

PUT_ACTION: Final = (
    "INSERT INTO dead (owner, adapter, topic, payload, reason, time, kind) VALUES (?, ?, '', ?, ?, ?, 'action')"
)
BURY_ACTIONS: Final = (
    "DELETE FROM dead WHERE owner = ?1 AND kind = 'action' AND id <= "
    "(SELECT id FROM dead WHERE owner = ?1 AND kind = 'action' ORDER BY id DESC LIMIT 1 OFFSET ?2)"
)
"""Of an owner, all but the newest so many."""

DELETE: Final = "DELETE FROM dead WHERE id = ?"

_COLUMNS: Final = "id, kind, owner, adapter, topic, payload, reason, time"
_NEWEST: Final = f"SELECT {_COLUMNS} FROM dead WHERE ?1 IN ('', owner) ORDER BY id DESC LIMIT ?2"  # noqa: S608
_ONE: Final = f"SELECT {_COLUMNS} FROM dead WHERE id = ?"  # noqa: S608 - the columns are ours
_CLEAR: Final = "DELETE FROM dead WHERE ?1 IN ('', owner)"


class Letter(Struct, frozen=True):
    """One row. The ``payload`` of an event is what was to be published on ``topic``, that of an action itself."""

    id: int
    kind: Literal["event", "action"]
    owner: str
    adapter: str
    topic: str
    payload: bytes
    reason: str
    time: str


def newest(db: sqlite3.Connection, owner: str, most: int) -> Iterator[Letter]:
    """Return the newest letters of an owner, or of everybody when that is empty, one after the other."""
    return (Letter(*row) for row in db.execute(_NEWEST, (owner, most)))


def letter(db: sqlite3.Connection, number: int) -> Letter | None:
    """Return a letter by its id."""
    row = db.execute(_ONE, (number,)).fetchone()
    return None if row is None else Letter(*row)


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many letters there are of each owner."""
    return dict(db.execute("SELECT owner, count(*) FROM dead GROUP BY owner"))


def clear(db: sqlite3.Connection, owner: str) -> int:
    """Remove the letters of an owner, or of everybody when that is empty; returns how many."""
    return db.execute(_CLEAR, (owner,)).rowcount
