"""The rows of the audit log: a chain of hashes, in which no row can be changed, left out or moved unnoticed.

What tells of a person stands in a row beside the chain, which has only a salted hash of it. So it can be erased, salt
and all, and the chain still holds; that it was erased, and by which row, is part of the chain again.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

HEAD: Final = "audit_head"
ANCHOR: Final = "audit_anchor"
"""The keys in ``meta`` of the newest row, and of the newest one that was removed because its time was over."""

LIST: Final = "audit_erased/"
"""The beginning of the keys in ``meta`` of which rows an erasure has emptied, followed by the number of its row."""

ERASE: Final = "erase"

START: Final = bytes(32)
"""What stands in the place of the hash before the first row."""

PUT: Final = (
    "INSERT INTO audit (number, time, what, adapter, outcome, times, owner, who, detail, salt, personal, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
PUT_META: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"

_GET_META: Final = "SELECT value FROM meta WHERE key = ?"
_COLUMNS: Final = "number, time, what, adapter, outcome, times, owner, who, detail, salt, personal, hash, erased"
_AFTER: Final = f"SELECT {_COLUMNS} FROM audit WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 - ours
_SEARCH: Final = (
    f"SELECT {_COLUMNS} FROM audit WHERE number < ?1 AND ?2 IN ('', owner) AND ?3 IN ('', what)"  # noqa: S608 - ours
    " AND time >= ?4 ORDER BY number DESC LIMIT ?5"
)
_OF_OWNER: Final = "SELECT number FROM audit WHERE owner = ? AND what <> 'erase' AND erased = 0 ORDER BY number"
_EMPTY: Final = (
    "UPDATE audit SET owner = NULL, who = NULL, detail = NULL, salt = NULL, erased = ?"
    " WHERE owner = ? AND what <> 'erase' AND erased = 0"
)
_SALT_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_ROW: Final = b"jitney audit row 1"
_PERSONAL: Final = b"jitney audit personal 1"


class Note(Struct, frozen=True, kw_only=True):
    """What is to be written: what was done, whose it is, who did it, through what, and what came of it.

    ``times``: how often, where several of the same kind are told in one; ``time`` is then that of the last one.
    """

    time: str
    what: str
    owner: str = ""
    who: str = ""
    adapter: str = ""
    outcome: str = "ok"
    detail: str = ""
    times: int = 1


class Point(Struct, frozen=True):
    """A place in the chain: after the row ``number``, whose hash is ``hash``. Number 0 is before the first one."""

    number: int = 0
    hash: bytes = START

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Return what ``str`` wrote; raises ValueError."""
        number, _, digest = text.partition(":")
        point = cls(int(number), bytes.fromhex(digest))
        if point.number < 0 or len(point.hash) != len(START):
            message = "a number and 64 hexadecimal digits with a colon between them"
            raise ValueError(message)
        return point


class Row(Struct, frozen=True):
    """A row as it lies in the file; ``owner`` to ``salt`` are None where they were erased, by the row ``erased``."""

    number: int
    time: str
    what: str
    adapter: str
    outcome: str
    times: int
    owner: str | None
    who: str | None
    detail: str | None
    salt: bytes | None
    personal: bytes
    hash: bytes
    erased: int = 0

    @property
    def point(self) -> Point:
        """The place after this row."""
        return Point(self.number, self.hash)


def row(before: Point, note: Note) -> Row:
    """Return the row of a note that comes after a place in the chain."""
    salt = os.urandom(_SALT_BYTES)
    personal = _personal(salt, note.owner, note.who, note.detail)
    new = Row(
        before.number + 1,
        note.time,
        note.what,
        note.adapter,
        note.outcome,
        note.times,
        note.owner,
        note.who,
        note.detail,
        salt,
        personal,
        b"",
    )
    return msgspec.structs.replace(new, hash=digest(before.hash, new))


def values(one: Row) -> tuple[object, ...]:
    """Return a row as ``PUT`` wants it."""
    return msgspec.structs.astuple(one)[:-1]


def digest(before: bytes, one: Row) -> bytes:
    """Return the hash of a row that follows one with the hash ``before``."""
    texts = (str(one.number), one.time, one.what, one.adapter, one.outcome, str(one.times))
    return hashlib.sha256(_joined(_ROW, before, *(text.encode() for text in texts), one.personal)).digest()


def is_whole(one: Row) -> bool:
    """Tell whether the personal part of a row, which was not erased, is what the chain has the hash of."""
    if one.owner is None or one.who is None or one.detail is None or one.salt is None:
        return False
    return _personal(one.salt, one.owner, one.who, one.detail) == one.personal


def point(db: sqlite3.Connection, key: str) -> Point | None:
    """Return the place that ``meta`` has under a key, None where it has none that can be read."""
    found = db.execute(_GET_META, (key,)).fetchone()
    try:
        return None if found is None else Point.parse(str(found[0]))
    except ValueError:
        return None


def newest(db: sqlite3.Connection) -> Point:
    """Return the place after the newest row, or that before the oldest one there would be."""
    found = db.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return Point(*found) if found is not None else point(db, ANCHOR) or Point()


def after(db: sqlite3.Connection, number: int, most: int) -> list[Row]:
    """Return up to so many rows that come after one."""
    return [Row(*found) for found in db.execute(_AFTER, (number, most))]


def search(db: sqlite3.Connection, *, before: int, owner: str, what: str, since: str, most: int) -> list[Row]:
    """Return up to so many rows, the newest first, of a number below ``before``; an empty text means any."""
    return [Row(*found) for found in db.execute(_SEARCH, (before, owner, what, since, most))]


def prune(db: sqlite3.Connection, *, oldest: str, most: int) -> int:
    """Remove rows older than an instant, and all but the newest so many; returns how many.

    Where the chain begins from then on is kept, which is also what lets them be removed.
    """
    (number,) = db.execute(
        "SELECT max(ifnull((SELECT min(number) - 1 FROM audit WHERE time >= ?), (SELECT max(number) FROM audit)),"
        " (SELECT max(number) FROM audit) - ?)",
        (oldest, most),
    ).fetchone()
    found = db.execute("SELECT number, hash FROM audit WHERE number = ?", (number,)).fetchone()
    if found is None:
        return 0
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.execute(PUT_META, (ANCHOR, str(Point(*found))))
        removed = db.execute("DELETE FROM audit WHERE number <= ?", (number,)).rowcount
        lists = [key for key in _lists(db) if key <= number]
        db.executemany("DELETE FROM meta WHERE key = ?", [(f"{LIST}{key}",) for key in lists])
    return removed


def erase(db: sqlite3.Connection, before: Point, note: Note) -> tuple[Point, int]:
    """Empty the rows of the owner of a note, and add it, which says how many that were; all or nothing.

    Returns the place after it and how many. That somebody was erased stays: rows of that kind keep their owner.
    """
    with db:
        db.execute("BEGIN IMMEDIATE")
        numbers = [number for (number,) in db.execute(_OF_OWNER, (note.owner,))]
        text = _spans(numbers)
        new = row(before, msgspec.structs.replace(note, detail=_summary(len(numbers), text)))
        db.execute(PUT, values(new))
        if numbers:
            db.execute(PUT_META, (f"{LIST}{new.number}", text))
            db.execute(_EMPTY, (new.number, note.owner))
        db.execute(PUT_META, (HEAD, str(new.point)))
    return new.point, len(numbers)


def erased(db: sqlite3.Connection) -> dict[int, str]:
    """Return which rows each erasure has emptied, by the number of its row, as it says itself."""
    return {number: str(db.execute(_GET_META, (f"{LIST}{number}",)).fetchone()[0]) for number in _lists(db)}


def tells_of(one: Row, text: str) -> bool:
    """Tell whether a row is that of an erasure that has emptied the rows of a list."""
    return one.what == ERASE and one.detail == _summary(len(set(numbers_of(text))), text)


def numbers_of(text: str) -> Iterator[int]:
    """Return the numbers of a list; raises ValueError."""
    for span in filter(None, text.split(",")):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _lists(db: sqlite3.Connection) -> list[int]:
    keys = [str(key) for (key,) in db.execute("SELECT key FROM meta WHERE key LIKE ?", (f"{LIST}%",))]
    return [int(number) for key in keys if (number := key.removeprefix(LIST)).isdecimal()]


def _spans(numbers: Sequence[int]) -> str:
    """Return ascending numbers as a list of spans, like 1-4,7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _summary(count: int, text: str) -> str:
    return f"{count} rows emptied, list {hashlib.sha256(text.encode()).hexdigest()}"


def _personal(salt: bytes, *texts: str) -> bytes:
    return hashlib.sha256(_joined(_PERSONAL, salt, *(text.encode() for text in texts))).digest()


def _joined(*parts: bytes) -> bytes:
    """Return parts one after the other, each with its length, so that none can grow at another's cost."""
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)
