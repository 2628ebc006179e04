"""The secrets of the configuration in the vault, from beside the daemon: it does not matter whether that runs."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from errno import EIO
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.key_sources import Found, KeySources, give_to_owner_of_folder
from jitney.daemon.owners.rotation import Rotated, rotate
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store import secrets as rows
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store, StoreError
from jitney.daemon.store.tables import DATABASE, VERSION, version_of
from jitney.topics import HOUSE

LOCK: Final = "vault.lock"

FIRST: Final = 2
"""The version of the state file since which it has a vault."""

_T = TypeVar("_T")

_ADAPTER: Final = ""
"""Stands for the configuration among the adapters whose secrets the vault keeps."""

_PASSING: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
)
_BY_THE_DISK: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
"""Passing too, unless it is somebody else's file."""

_AS_WHOM: Final = "run this as the user that Jitney runs as, like sudo -u jitney jitney …"
_DISK: Final = "check the disk, its mount and the SD card"
_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "it is being written just now: try again",
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_NOTADB: "it is not a state file of Jitney",
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it from a backup, and check the SD card",
}


class Kept(Struct, frozen=True):
    """What became of a secret: whether it ``replaced`` one, with which key, and whether that was ``made`` for it."""

    replaced: bool
    found: Found
    made: bool


class HouseSecrets:
    """The vault in a state folder, as commands and the reading of the configuration see it; nothing is kept open.

    Every method raises MisconfiguredError when the key is not the right one, where it needs one, or StoreError.
    """

    def __init__(self, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._path = folder / DATABASE
        self._lock = self._path.with_suffix(".lock")
        self._sources = KeySources(folder, environ=environ)

    def get(self, name: str) -> Secret | None:
        """Return a secret of the configuration, None when there is none."""
        with self._reading() as db:
            sealed = None if db is None else rows.get(db, _entry(name))
        if sealed is None:
            return None
        found = self._sources.find(frozenset({sealed.key_id}))
        return None if found is None else found.key.open(sealed)

    def entries(self) -> list[Entry]:
        """Return what there is, of the configuration and of adapters, without the secrets."""
        with self._reading() as db:
            return [] if db is None else rows.entries(db)

    def put(self, name: str, secret: Secret) -> Kept:
        """Keep a secret of the configuration; makes the state file and a key if there are none yet."""
        self._make_tables()
        with self._writing() as db:
            found = self._sources.find(rows.key_ids(db))
            key = found or self._sources.make()
            replaced = rows.put(db, key.key.seal(_entry(name), secret))
            return Kept(replaced, key, made=found is None)

    def remove(self, name: str) -> bool:
        """Erase a secret of the configuration; returns whether there was one. Needs no key."""
        if name not in {entry.name for entry in self.entries() if entry.adapter == _ADAPTER}:
            return False
        with self._writing() as db:
            return rows.delete(db, adapter=_ADAPTER, owner=HOUSE, name=name) > 0

    def clear(self) -> int:
        """Erase everything, also what adapters keep of owners; returns how much. Needs no key."""
        if not self.entries():
            return 0
        with self._writing() as db:
            return rows.delete(db)

    def rotate(self, new: Key | None = None) -> Rotated:
        """Seal everything with a new key (``rotation.rotate``), for which no daemon may be running."""
        with self._reading() as db:
            if db is None:
                message = f"there is nothing to rotate: there is no vault in {self._folder} yet"
                raise MisconfiguredError(message)
        with alone(self._folder):
            self._check_that_nobody_runs()
            return asyncio.run(_in_store(self._path, partial(rotate, sources=self._sources, new=new)))

    def _check_that_nobody_runs(self) -> None:
        with self._lock.open("ab") as file:
            if not _locked(file.fileno(), fcntl.LOCK_SH):
                message = (
                    f"Jitney is running on {self._folder}: stop it (sudo systemctl stop jitney), rotate the key, and"
                    " start it again"
                )
                raise StoreError(message)

    def _make_tables(self) -> None:
        """Make the state file, or bring it to this version, for which no daemon may be running on it."""
        with self._reading() as db:
            if db is not None:
                return
        asyncio.run(_in_store(self._path, version_of))
        for path in (self._path, self._lock):
            give_to_owner_of_folder(path)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Open the state file without changing it; gives None when there is no vault in it yet."""
        try:
            self._path.stat()
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            message = f"the vault in {self._folder} cannot be looked into ({error.strerror}): {_AS_WHOM}"
            raise StoreError(message, passing=error.errno == EIO) from None
        with self._connection("ro") as db:
            yield db if version_of(db) >= FIRST else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open the state file for a change that no other command makes at the same time."""
        with alone(self._folder), self._connection("rw") as db:
            yield db

    def _is_ours(self) -> bool:
        try:
            return os.geteuid() in {0, self._path.stat().st_uid}
        except OSError:
            return True

    @contextmanager
    def _connection(self, mode: Literal["ro", "rw"]) -> Iterator[sqlite3.Connection]:
        """Connect beside the daemon, whose commits wait for ours, and ours for its."""
        try:
            address = f"{self._path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db:
                if version_of(db) > VERSION:
                    message = f"state file {self._path}: made by a newer Jitney: upgrade this one"
                    raise StoreError(message)
                yield db
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            passing = code in _PASSING or (code in _BY_THE_DISK and self._is_ours())
            remedy = _REMEDIES.get(code, _DISK if passing else _AS_WHOM)
            raise StoreError(f"state file {self._path}: {error}; {remedy}", passing=passing) from error
        except rows.OtherKeyError as error:
            message = f"the key of the vault in {self._folder} was changed at the same moment: try again"
            raise StoreError(message) from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every other command off the vault in ``folder``; raises StoreError when one is at work."""
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}): {_AS_WHOM}") from error
    try:
        give_to_owner_of_folder(path)
        if not _locked(descriptor, fcntl.LOCK_EX):
            message = f"another `jitney vault` is changing the vault in {folder}: try again when it is done"
            raise StoreError(message)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _in_store(path: Path, work: Callable[[sqlite3.Connection], _T]) -> _T:
    """Do something with a state file that no daemon may have open, and that is made if there is none."""
    async with Store(path) as store:
        return await store.read(work)


def _entry(name: str) -> Entry:
    return Entry(_ADAPTER, HOUSE, name)
