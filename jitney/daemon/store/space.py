"""The room that the state file takes: given back when little of it is used, and swept of what was deleted."""

import sqlite3
from contextlib import suppress
from typing import Final

WORTH_IT: Final = 4096
"""Free pages, of 4 KiB, below which nothing is given back: they are used again soon."""

STEP: Final = 256
"""Pages that are given back at once: some milliseconds of the store's time."""

MOST_SWEPT: Final = 16_384
"""Used pages up to which a running bus sweeps: a second on a card. A larger file is swept at the next start."""

_DUE: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('sweep', 'due')"
_DONE: Final = "DELETE FROM meta WHERE key = 'sweep'"
_IS_DUE: Final = "SELECT count(*) FROM meta WHERE key = 'sweep'"
_CLEARING: Final = "SELECT count(*) FROM retained WHERE payload = x''"
"""Topics whose names are needed until the broker has cleared them."""


def make_compact(db: sqlite3.Connection) -> None:
    """Write the file anew when more than half of it is free or a sweep is due; for the start: it takes its time.

    A file that was made before pages could be given back step by step can do so from then on. Where there is no room
    for it, everything stays as it is.
    """
    with suppress(sqlite3.OperationalError):
        if is_due(db):
            _sweep(db)
        elif _wasteful(db):
            _write_anew(db)


def give_back(db: sqlite3.Connection) -> bool:
    """Give some free pages back to the disk when more than half of the file is free; tells whether there is more."""
    if not _wasteful(db) or _number(db, "auto_vacuum") == 0:
        return False
    db.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
    return _wasteful(db)


def sweep(db: sqlite3.Connection) -> bool:
    """Leave nothing in the file and its log of what was deleted; tells whether that is so, else it is due.

    It is not so while somebody else reads or the broker has still to clear topics, where there is no room to write
    the file anew, and where it is large.
    Raises sqlite3.Error when not even that it is due can be kept.
    """
    db.execute(_DUE)
    if _number(db, "page_count") - _number(db, "freelist_count") > MOST_SWEPT:
        return False
    try:
        return _sweep(db)
    except sqlite3.OperationalError:
        return False


def put_off(db: sqlite3.Connection) -> bool:
    """Keep that a sweep is due, for when what is to be swept is not needed any more; raises sqlite3.Error."""
    db.execute(_DUE)
    return False


def is_due(db: sqlite3.Connection) -> bool:
    """Tell whether a sweep was put off."""
    (due,) = db.execute(_IS_DUE).fetchone()
    return bool(due)


def _sweep(db: sqlite3.Connection) -> bool:
    _write_anew(db)
    (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    (clearing,) = db.execute(_CLEARING).fetchone()
    done = not (busy or clearing)
    if done:
        db.execute(_DONE)
    return done


def _write_anew(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("VACUUM")


def _wasteful(db: sqlite3.Connection) -> bool:
    free = _number(db, "freelist_count")
    return free > WORTH_IT and 2 * free > _number(db, "page_count")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    (number,) = db.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
