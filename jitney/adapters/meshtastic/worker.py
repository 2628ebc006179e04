"""Calls that block, in a thread of their own, each with a deadline."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from jitney.topics import JitneyError

_T = TypeVar("_T")


class LibraryError(JitneyError):
    """What a call of the library ended with, whatever that was; the cause is the original."""


class DeadlineError(LibraryError):
    """A call of the library did not come back in time; its thread may still be in it."""


class Worker:
    """One thread that makes calls one after the other.

    A daemon, since nobody can end a call that hangs: the process must be able to end without it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    async def call(self, function: Callable[[], _T], what: str, *, deadline: float) -> _T:
        """Return what a call returns; one that has not begun when the deadline passes or on cancelling never does.

        Raises DeadlineError, and LibraryError for everything that the call raises besides our own errors.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put(partial(_carry_out, function, future))
        try:
            async with asyncio.timeout(deadline):
                return await future
        except TimeoutError:
            raise DeadlineError(f"{what} has not come to an end within {deadline:.3g} s") from None

    async def stop(self, *, deadline: float) -> bool:
        """Let the thread end after the calls already asked for; tell whether it does so within ``deadline`` seconds."""
        if self._thread is None:
            return True
        try:
            await self.call(_nothing, "ending", deadline=deadline)
        except DeadlineError:
            return False
        finally:
            self._jobs.put(None)
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # what it holds would live until the next


def _nothing() -> None:
    """Do nothing: whoever comes to it has done everything before."""


def _carry_out(function: Callable[[], _T], future: "asyncio.Future[_T]") -> None:
    """Make a call in this thread and hand its outcome to the loop."""
    if future.done():
        return
    try:
        outcome = partial(_succeed, future, function())
    except JitneyError as error:
        outcome = partial(_fail, future, error)
    except BaseException as error:  # noqa: BLE001 - the library exits, and a thread has nobody else to tell
        failure = LibraryError(str(error) or type(error).__name__)
        failure.__cause__ = error
        outcome = partial(_fail, future, failure)
    with suppress(RuntimeError):  # the loop is closed: nobody waits
        future.get_loop().call_soon_threadsafe(outcome)


def _succeed(future: "asyncio.Future[_T]", result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[_T]", error: JitneyError) -> None:
    if not future.done():
        future.set_exception(error)
