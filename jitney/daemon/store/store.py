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

from jitney.daemon.counters import Histogram
from jitney.daemon.log import get
from jitney.daemon.store.pending import Pending, Row, Write
from jitney.daemon.store.space import make_compact
from jitney.daemon.store.tables import prepare
from jitney.daemon.store.trouble import Trouble
from jitney.topics import JitneyError

RETRY_SECONDS: Final = 5.0
"""How long a failed commit of writes that must not be lost waits before it is tried again."""

REFUSE_SECONDS: Final = 0.5
"""While commits fail, one is tried for somebody who waits at most so often, together with all who came meanwhile."""

_PROBE: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('room', ?)"
_PROBED: Final = "DELETE FROM meta WHERE key = 'room'"
_PROBE_BYTES: Final = 65_536
"""Whether there is room again is found out by writing so much: the log has a little left even on a full disk."""

_PASSING: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}
)

_T = TypeVar("_T")
_log = get("store")


class StoreError(JitneyError):
    """The state could not be written or read; nothing of the failed call was kept.

    ``passing``: the disk may be writable again later (full, read-only, I/O), so it is worth trying again.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def lock(path: Path) -> int:
    """Return the descriptor of the lock that whoever uses a state file holds; raises BlockingIOError, OSError."""
    place = path.with_suffix(".lock")
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_that_it_is(place, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_that_it_is(place: Path, descriptor: int) -> None:
    """Raise BlockingIOError where the folder was replaced, by one that was restored, since the lock was opened."""
    if not place.exists() or not os.path.samestat(os.fstat(descriptor), place.stat()):
        raise BlockingIOError


def told(_: bool) -> None:  # noqa: FBT001 - the store's way of telling
    """Be the ``then`` of a write that somebody waits for: when it fails, they decide whether it is tried again."""


class Store:
    """The SQLite file of one instance; open it with ``async with``.

    Group commit: whatever was written while one commit ran goes to disk with the next. WAL, so that a reader
    beside the daemon never blocks it; ``synchronous`` full makes every commit survive a power cut too. ``commits``
    tells how long those took that succeeded, ``failures`` how many did not.
    """

    def __init__(self, path: Path, *, synchronous: Literal["normal", "full"] = "normal") -> None:
        self.path = path
        self.failure = ""
        self.commits = Histogram()
        self.failures = 0
        self._synchronous = synchronous
        self._pending = Pending()
        self._next: asyncio.Future[None] | None = None
        self._committing = False
        self._retry: asyncio.TimerHandle | None = None
        self._failed_at = 0.0
        self._trouble = Trouble(_log)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._well = asyncio.Event()
        self._well.set()
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
        self._trouble.close()
        await self._loop.run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()
        os.close(self._lock)

    def write(
        self, sql: str, rows: Sequence[Row], then: Callable[[bool], None] | None = None, *, key: str = ""
    ) -> None:
        """Add rows of a statement to the next commit; ``then(True)`` once on disk, ``then(False)`` if not.

        Without ``then`` a failed write is kept and tried again, in order, until it succeeds; of those with the same
        ``key`` that wait, only the last. A disk that takes nothing for long makes the oldest be given up.
        """
        self._pending.add(Write(sql, rows, then, key=key))
        if self._next is None:
            self._next = self._loop.create_future()
            if not self._committing and self._retry is None:
                self._committing = True
                self._loop.call_soon(self._start)
        if then is not None and self._retry is not None:
            self._try_again_in(REFUSE_SECONDS)

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

    @property
    def given_up(self) -> int:
        """How many rows were given up because the disk took nothing for long."""
        return self._pending.given_up

    @property
    def bytes(self) -> int:
        """How many bytes the state file and its log take on disk."""
        return sum(part.stat().st_size for part in (self.path, Path(f"{self.path}-wal")) if part.exists())

    async def read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a query in the store's thread, after the commits that were asked for before it."""
        try:
            return await self._loop.run_in_executor(self._thread, query, self._db)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error

    async def writable(self, seconds: float) -> bool:
        """Wait up to so many seconds until commits succeed; tells whether they do."""
        try:
            async with asyncio.timeout(seconds):
                await self._well.wait()
        except TimeoutError:
            return False
        return True

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = lock(self.path)
        except BlockingIOError as error:
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
            make_compact(db)
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

    def _try_again_in(self, seconds: float) -> None:
        """Begin a commit so many seconds after the one that failed, if none is to begin before."""
        due = self._failed_at + seconds
        if self._retry is not None:
            if self._retry.when() <= due:
                return
            self._retry.cancel()
        self._retry = self._loop.call_at(due, self._start)

    def _start(self) -> None:
        writes = self._pending.take()
        waiter, self._next = self._next, None
        self._retry = None
        self._committing = True
        began = self._loop.time()
        work = self._loop.run_in_executor(self._thread, self._commit, writes, bool(self.failure))

        def done(work: asyncio.Future[None]) -> None:
            error = work.exception()
            if error is None:
                self.commits.add(self._loop.time() - began)
            self._finished(error, writes, waiter)

        work.add_done_callback(done)

    def _commit(self, writes: list[Write], failed_before: bool) -> None:  # noqa: FBT001 - run_in_executor has no keywords
        try:
            if failed_before:
                self._look_for_room()
            self._db.execute("BEGIN IMMEDIATE")
            for write in writes:
                self._db.executemany(write.sql, write.rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise _explained(error, self.path) from error

    def _look_for_room(self) -> None:
        self._db.execute(_PROBE, ("x" * _PROBE_BYTES,))
        self._db.execute(_PROBED)

    def _finished(self, error: BaseException | None, writes: list[Write], waiter: asyncio.Future[None] | None) -> None:
        self._committing = False
        self._judge(error)
        if isinstance(error, StoreError) and error.passing:
            self._pending.put_back(writes)
        # What failed is taken back from the last one on, so that each finds the state that it has left.
        for write in writes if error is None else reversed(writes):
            if write.then is not None:
                write.then(error is None)
        _settle(waiter, error)
        self._go_on(error)

    def _judge(self, error: BaseException | None) -> None:
        if error is None:
            self.failure = ""
            self._well.set()
            self._trouble.worked(given_up=self._pending.given_up)
        else:
            self.failure = str(error)
            self.failures += 1
            self._failed_at = self._loop.time()
            self._well.clear()
            self._trouble.failed(self.failure)

    def _go_on(self, error: BaseException | None) -> None:
        if not self._pending:
            waiter, self._next = self._next, None
            _settle(waiter, error)
        elif self._next is None:
            self._next = self._loop.create_future()
        if error is not None:
            self._try_again_in(REFUSE_SECONDS if self._pending.awaited else RETRY_SECONDS)
        elif self._pending:
            self._start()


def _settle(waiter: asyncio.Future[None] | None, error: BaseException | None) -> None:
    """Tell those who wait for a commit what became of it."""
    if waiter is None or waiter.done():
        return
    if error is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(error)
        waiter.exception()  # nobody has to wait for a commit


def _explained(error: sqlite3.Error, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    remedy = {
        sqlite3.SQLITE_FULL: "the disk is full: free some space",
        sqlite3.SQLITE_READONLY: "it is read-only: check the permissions and the mount",
        sqlite3.SQLITE_NOTADB: "it is not a Jitney state file: move it away, a new one is made",
        sqlite3.SQLITE_CORRUPT: "it is damaged: move it away to begin anew, and check the SD card",
    }.get(code, "upgrade Jitney" if isinstance(error, sqlite3.NotSupportedError) else "check the disk")
    return StoreError(f"state file {path}: {error}; {remedy}", passing=code in _PASSING)
