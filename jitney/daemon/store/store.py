"""The one thread that touches SQLite: writes are committed in groups, reads are calls."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeVar

from jitney.daemon.store.tables import prepare
from jitney.topics import JitneyError

RETRY_SECONDS: Final = 5.0
"""How long a failed commit of writes that must not be lost waits before it is tried again."""

_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY})

_T = TypeVar("_T")
Row = tuple[object, ...]


class StoreError(JitneyError):
    """The state could not be written or read; nothing of the failed call was kept.

    ``passing``: the disk may be writable again later (full, read-only, I/O), so it is worth trying again.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def told(_: bool) -> None:  # noqa: FBT001 - the store's way of telling
    """Be the ``then`` of a write that somebody waits for: when it fails, they decide whether it is tried again."""


class _Write:
    """Rows for one statement; ``then`` learns whether they are on disk, ``kept`` ones are tried again."""

    __slots__ = ("kept", "rows", "sql", "then")

    def __init__(self, sql: str, rows: Sequence[Row], then: Callable[[bool], None] | None) -> None:
        self.sql = sql
        self.rows = rows
        self.then = then
        self.kept = then is None


class Store:
    """The SQLite file of one instance; open it with ``async with``.

    Group commit: whatever was written while one commit ran goes to disk with the next. WAL, so that a reader
    beside the daemon never blocks it; ``synchronous`` full makes every commit survive a power cut too.
    """

    def __init__(self, path: Path, *, synchronous: Literal["normal", "full"] = "normal") -> None:
        self.path = path
        self.failure = ""
        self._synchronous = synchronous
        self._pending: list[_Write] = []
        self._next: asyncio.Future[None] | None = None
        self._committing = False
        self._retry: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jitney-store")
        try:
            self._db = await self._loop.run_in_executor(self._thread, self._open)
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._retry is not None:
            self._begin_now()
        while self._committing or (self._pending and not self.failure):
            await self.committed(quiet=True)
        if self._retry is not None:
            self._retry.cancel()
        await self._loop.run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()
        os.close(self._lock)

    def write(self, sql: str, rows: Sequence[Row], then: Callable[[bool], None] | None = None) -> None:
        """Add rows of a statement to the next commit; ``then(True)`` once on disk, ``then(False)`` if not.

        Without ``then`` a failed write is kept and tried again, in order, until it succeeds.
        """
        self._pending.append(_Write(sql, rows, then))
        if self._next is None:
            self._next = self._loop.create_future()
            if not self._committing and self._retry is None:
                self._committing = True
                self._loop.call_soon(self._start)
        if then is not None and self._retry is not None:
            self._begin_now()

    async def committed(self, *, quiet: bool = False) -> None:
        """Wait until everything written so far is on disk; raises StoreError when it could not be."""
        waiter = self._next
        if waiter is None:
            if not self._committing:
                return
            waiter = self._next = self._loop.create_future()
        try:
            await asyncio.shield(waiter)
        except StoreError:
            if not quiet:
                raise

    async def read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a query in the store's thread, after the commits that were asked for before it."""
        try:
            return await self._loop.run_in_executor(self._thread, query, self._db)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            message = f"another Jitney is running on {self.path.parent}: stop it, or give this one its own state_dir"
            raise StoreError(message) from error
        except OSError as error:
            message = f"the state folder {self.path.parent} cannot be used: {error.strerror}; check bus.state_dir"
            raise StoreError(message) from error
        db = None
        try:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=64)
            self.path.chmod(0o600)
            prepare(db, synchronous=self._synchronous)
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            os.close(self._lock)
            raise _explained(error, self.path) from error
        return db

    def _begin_now(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._retry = None
        self._committing = True
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        writes, self._pending = self._pending, []
        waiter, self._next = self._next, None
        self._retry = None
        self._committing = True
        work = self._loop.run_in_executor(self._thread, self._commit, writes)
        work.add_done_callback(lambda done: self._finished(done.exception(), writes, waiter))

    def _commit(self, writes: list[_Write]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for write in writes:
                self._db.executemany(write.sql, write.rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise _explained(error, self.path) from error

    def _finished(self, error: BaseException | None, writes: list[_Write], waiter: asyncio.Future[None] | None) -> None:
        self._committing = False
        self.failure = "" if error is None else str(error)
        if isinstance(error, StoreError) and error.passing:
            self._pending[:0] = [write for write in writes if write.kept]
        for write in writes:
            if write.then is not None:
                write.then(error is None)
        if waiter is not None and not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
                waiter.exception()  # nobody has to wait for a commit
        self._go_on()

    def _go_on(self) -> None:
        if not self._pending:
            if self._next is not None and not self._next.done():
                self._next.set_result(None)
                self._next = None
            return
        if self._next is None:
            self._next = self._loop.create_future()
        if self.failure and all(write.kept for write in self._pending):
            self._retry = self._loop.call_later(RETRY_SECONDS, self._start)
        else:
            self._start()


def _explained(error: sqlite3.Error, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    remedy = {
        sqlite3.SQLITE_FULL: "the disk is full: free some space",
        sqlite3.SQLITE_READONLY: "it is read-only: check the permissions and the mount",
        sqlite3.SQLITE_NOTADB: "it is not a Jitney state file: move it away, a new one is made",
        sqlite3.SQLITE_CORRUPT: "it is damaged: move it away to begin anew, and check the SD card",
    }.get(code, "upgrade Jitney" if isinstance(error, sqlite3.NotSupportedError) else "check the disk")
    return StoreError(f"state file {path}: {error}; {remedy}", passing=code in _PASSING)
