"""The rows of the outbox, its lanes, what was seen, and the dead letters."""

import sqlite3
from collections.abc import Sequence
from math import inf
from typing import Final

from msgspec import Struct

SEEN_ON_DISK: Final = 10_000
"""Event ids remembered of a durable lane, over restarts."""

MOST_DEAD: Final = 2000
"""Dead events of one owner that are kept, the newest."""

MOST_DEAD_BYTES: Final = 64_000_000
"""What all dead letters may take together; the oldest go first, once in an hour."""

FORGET_EVERY: Final = 100_000
"""So many events later what is older is forgotten: one pass over the table, which has no index to be cheap to fill."""

ADD_LANE: Final = "INSERT OR IGNORE INTO lane (id, owner, adapter, seq) VALUES (?, ?, ?, ?)"
SEQ: Final = "UPDATE lane SET seq = ? WHERE id = ?"
PUT: Final = "INSERT INTO outbox (id, lane, topic, payload) VALUES (?, ?, ?, ?)"
DELETE: Final = "DELETE FROM outbox WHERE id = ?"
DROP_OLDEST: Final = (
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE lane = ? AND id > ? ORDER BY id LIMIT ?)"
)
SEEN: Final = "INSERT INTO seen (lane, seq, id) VALUES (?, ?, ?)"
FORGET: Final = "DELETE FROM seen WHERE seq <= (SELECT seq FROM lane WHERE lane.id = seen.lane) - ?"
DEAD: Final = "INSERT INTO dead (owner, adapter, topic, payload, reason, time) VALUES (?, ?, ?, ?, ?, ?)"

WITHDRAW: Final = "DELETE FROM outbox WHERE lane IN (SELECT id FROM lane WHERE adapter LIKE 'shared/%')"
"""Copies for other owners that wait: to be dropped where nothing is granted any more."""

BURY: Final = (
    "DELETE FROM dead WHERE owner = ?1 AND kind = 'event' AND id <= "
    "(SELECT id FROM dead WHERE owner = ?1 AND kind = 'event' ORDER BY id DESC LIMIT 1 OFFSET ?2)"
)
BURY_LARGE: Final = (
    "DELETE FROM dead WHERE id <= (SELECT id FROM "
    "(SELECT id, sum(length(payload)) OVER (ORDER BY id DESC) AS bytes FROM dead) WHERE bytes > ? "
    "ORDER BY id DESC LIMIT 1)"
)
BURY_OLD: Final = "DELETE FROM dead WHERE time < ?"
BURY_OWNER: Final = "DELETE FROM dead WHERE owner = ?"
FORGET_OWNER: Final = "DELETE FROM seen WHERE lane IN (SELECT id FROM lane WHERE owner = ?)"


_WAITING: Final = "SELECT 1 FROM outbox JOIN lane ON lane.id = outbox.lane WHERE lane.owner = ? LIMIT 1"


class Found(Struct, frozen=True):
    """What an earlier run has left.

    Lanes are (id, owner, adapter, seq), ``waiting`` is (lane, rows, bytes), ``seen`` is (lane, seq, event id) in
    this order, ``last_row`` the last row number: 0 is that of no row, those of an earlier run may be below.
    """

    lanes: list[tuple[int, str, str, int]]
    waiting: list[tuple[int, int, int]]
    seen: list[tuple[int, int, str]]
    last_row: int


def load(db: sqlite3.Connection) -> Found:
    """Read the whole state of the outbox but its payloads.

    A first version has given the number of no row, 0, to one that it wrote before all others: that one, which nobody
    could remove, gets another one, before those that come after it.
    """
    if db.execute("SELECT 1 FROM outbox WHERE id = 0").fetchone():
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE outbox SET id = id - 1 + (SELECT min(id) FROM outbox) WHERE id <= 0")
    return Found(
        lanes=db.execute("SELECT id, owner, adapter, seq FROM lane").fetchall(),
        waiting=db.execute("SELECT lane, count(*), sum(length(payload)) FROM outbox GROUP BY lane").fetchall(),
        seen=db.execute("SELECT lane, seq, id FROM seen ORDER BY lane, seq").fetchall(),
        last_row=max(0, db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0]),
    )


def waiting(db: sqlite3.Connection, owner: str) -> bool:
    """Tell whether there are rows of an owner."""
    return db.execute(_WAITING, (owner,)).fetchone() is not None


def after(db: sqlite3.Connection, lane: int, row: int, most: int) -> list[tuple[int, str, bytes]]:
    """Return up to ``most`` (row, topic, payload) of a lane that come after ``row``, in order."""
    return db.execute(
        "SELECT id, topic, payload FROM outbox WHERE lane = ? AND id > ? ORDER BY id LIMIT ?", (lane, row, most)
    ).fetchall()


def first_after(db: sqlite3.Connection, lane: int, row: int) -> float:
    """Return the first row of a lane after ``row``, infinite where there is none."""
    (first,) = db.execute("SELECT min(id) FROM outbox WHERE lane = ? AND id > ?", (lane, row)).fetchone()
    return inf if first is None else first


def put_first(db: sqlite3.Connection, entries: Sequence[tuple[int, int, str, bytes]]) -> None:
    """Write (old row or 0, lane, topic, payload) before every row there is, in this order, and below 0."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(DELETE, [(row,) for row, *_ in entries if row])
        (first,) = db.execute("SELECT coalesce(min(id), 0) FROM outbox").fetchone()
        start = min(first, 0) - len(entries)
        db.executemany(PUT, [(start + number, *entry[1:]) for number, entry in enumerate(entries)])
