"""The state: the folder, who may look into it, the database, and the key of the vault."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jitney.adapters.base import Found
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.owners.key_sources import KeySources
from jitney.daemon.service.doctor.case import Case
from jitney.daemon.service.doctor.disk import MEGABYTE
from jitney.daemon.service.doctor.machine import user_name
from jitney.daemon.store import secrets as secret_rows
from jitney.daemon.store.tables import VERSION, version_of

CHECKING: Final = 15.0
"""Seconds that the integrity of the database may take to be checked."""

_OTHERS: Final = 0o077
_STEPS: Final = 10_000
"""Instructions of SQLite between two looks at the clock."""


def look(case: Case) -> Iterator[Found]:
    """Yield how the state is."""
    try:
        folder = case.state.stat()
    except FileNotFoundError:
        yield from _not_there(case)
        return
    except OSError as error:
        yield Found("problem", f"{case.state} cannot be looked into: {error.strerror}", _as_whom("the right user"))
        return
    yield from _folder(case.state, folder)
    if case.database.exists():
        yield from _database(case)
    else:
        yield Found("note", f"there is no {case.database.name} in {case.state} yet: Jitney has not run with it")


def _not_there(case: Case) -> Iterator[Found]:
    parent = next(one for one in case.state.parents if one.is_dir())
    text = f"there is no folder {case.state} yet"
    if os.access(parent, os.W_OK | os.X_OK):
        yield Found("note", f"{text}: Jitney makes it when it starts")
    else:
        remedy = f"make it, for the user that Jitney runs as, or set bus.state_dir: {parent} is not yours to write"
        yield Found("problem", text, remedy)


def _folder(path: Path, about: os.stat_result) -> Iterator[Found]:
    owner = user_name(about.st_uid)
    if not stat.S_ISDIR(about.st_mode):
        yield Found("problem", f"{path} is not a folder", "set bus.state_dir to one")
        return
    if about.st_mode & _OTHERS:
        yield Found("warning", f"others on this machine can look into {path}", f"chmod 700 {path}")
    strangers = sorted(one.name for one in path.iterdir() if one.lstat().st_uid != about.st_uid)
    if strangers:
        text = f"{path} belongs to {owner}, but not {', '.join(strangers)} in it: a command was run as another user"
        yield Found("problem", text, f"sudo chown -R {owner}: {path}")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Found("problem", f"{path} belongs to {owner} and cannot be written by this user", _as_whom(owner))
    else:
        yield Found("ok", f"{path} belongs to {owner} and can be written")


def _database(case: Case) -> Iterator[Found]:
    try:
        with closing(opened(case.database)) as db:
            yield from _integrity(db, case.database)
            version = version_of(db)
            if version > VERSION:
                text = f"the state was made by a newer Jitney (version {version}, this one knows {VERSION})"
                yield Found("problem", text, "upgrade Jitney")
            if version == VERSION:
                yield from _rows(db)
                yield from _key(db, case)
    except sqlite3.Error as error:
        yield _unreadable(error, case.database)


def opened(path: Path) -> sqlite3.Connection:
    """Open a database for nothing but reading, and so that no file is made beside it."""
    # Without a log beside it nobody has it open, and without a promise that nobody does SQLite would make one.
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro{alone}", uri=True, timeout=2)


def _integrity(db: sqlite3.Connection, path: Path) -> Iterator[Found]:
    end = time.monotonic() + CHECKING
    db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    size = f"{path.stat().st_size / MEGABYTE:.1f} MB"
    try:
        answers = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        yield Found("note", f"{path.name} is too large to be checked in {CHECKING:g} s: {size}")
        return
    finally:
        db.set_progress_handler(None, 0)
    if answers == ["ok"]:
        yield Found("ok", f"{path.name} is intact: {size}")
    else:
        yield Found("problem", f"{path.name} is damaged: {'; '.join(answers)}", _damaged(path))


def _rows(db: sqlite3.Connection) -> Iterator[Found]:
    (waiting,) = db.execute("SELECT count(*) FROM outbox").fetchone()
    (dead,) = db.execute("SELECT count(*) FROM dead").fetchone()
    if waiting:
        yield Found("note", f"{waiting} events wait on disk for the broker")
    if dead:
        yield Found("warning", f"{dead} dead letters: what could not be published or done", "jitney dead list")


def _key(db: sqlite3.Connection, case: Case) -> Iterator[Found]:
    needed = secret_rows.key_ids(db)
    try:
        found = KeySources(case.state, environ=case.environ).find(needed)
    except MisconfiguredError as error:
        yield Found("problem", str(error))
        return
    if found is not None:
        copy = ": keep a copy of it elsewhere" if found.source == "file" else ""
        yield Found("ok", f"the key of the vault is {found.place}{copy}")


def _unreadable(error: sqlite3.Error, path: Path) -> Found:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Found("problem", f"{path.name} is damaged: {error}", _damaged(path))
    if code == sqlite3.SQLITE_BUSY:
        return Found("note", f"{path.name} is being written just now: run it again")
    return Found("problem", f"{path.name} cannot be read: {error}", _as_whom("the user that Jitney runs as"))


def _damaged(path: Path) -> str:
    return f"stop Jitney, restore a backup or move {path} away to begin anew, and check the disk"


def _as_whom(user: str) -> str:
    return f"run it as {user}: sudo -u {user if ' ' not in user else 'jitney'} jitney doctor"
