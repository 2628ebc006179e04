"""One Python file that runs for one owner, in a process that ends whenever it does not do what it should."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.config.schema import Script
from jitney.daemon.log import bound
from jitney.daemon.scripts import process
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.lasting import TELL
from jitney.daemon.scripts.printed import MOST_BYTES, Printed
from jitney.daemon.scripts.talk import Desk, Talk
from jitney.daemon.scripts.wire import Begin, Change, GarbledError, Job

START: Final = 30.0
"""Seconds until the file has run and waits for events."""

GRACE: Final = 0.5
"""Seconds for a file that uses asyncio to end what is late by itself."""

DUMP: Final = 0.3
"""Seconds in which a process that is late tells where it is."""

LONGEST_WORDS: Final = 200
"""Characters of what a process has written last."""


class Child:
    """A process for a file and an owner: ``start`` comes first, then one ``answer`` after the other, ``ended`` last."""

    def __init__(
        self,
        script: Script,
        *,
        owner: str,
        environ: Mapping[str, str],
        folder: Path,
        megabytes: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self._script = script
        self._owner = owner
        self._environ = environ
        self._folder = folder
        self._megabytes = megabytes
        self._printed = Printed(file=script.name, owner=owner, too_much=self.kill, clock=clock)
        self._started: process.Started | None = None
        self._talk: Talk | None = None
        self._watching: asyncio.Task[None] | None = None
        self._unwanted = False

    @property
    def over(self) -> bool:
        """Whether it cannot answer anything any more."""
        return self._started is None or self._started.process.status is not None

    @property
    def gone(self) -> bool:
        """Whether nothing is left of it."""
        return self._watching is None or self._watching.done()

    async def start(self) -> None:
        """Start the process and let the file run; raises HandlerError, and then it is over."""
        name = self._script.name
        try:
            started = await process.start(lambda: self._printed, environ=self._environ, folder=self._folder)
        except OSError as error:
            raise HandlerError("unavailable", f"{name} cannot be started: {error.strerror}") from error
        self._started = started
        if self._unwanted:
            started.process.kill()
        with bound(owner=self._owner):
            self._watching = asyncio.create_task(self._watch(started), name=f"python {name} of {self._owner}")
        self._talk = Talk(started.reader, started.writer, self._printed, file=name)
        begin = Begin(path=self._script.path, source=self._script.source, megabytes=self._megabytes)
        try:
            async with self._guarded("while it started", START):
                await self._talk.begin(begin)
        except HandlerError as error:
            self.kill()
            await self.ended()
            raise HandlerError("unavailable", str(error), trace=error.trace) from error

    async def answer(self, job: Job, desk: Desk) -> tuple[Change, ...]:
        """Let a function of the file answer an event; returns the variables to set. Raises HandlerError."""
        if self._talk is None:
            raise HandlerError("unavailable", f"{self._script.name} was not started")
        self._printed.begin()
        async with self._guarded(f"in {job.handler}", job.seconds, grace=GRACE):
            return await self._talk.answer(job, desk)

    def kill(self) -> None:
        """End the process at once."""
        if self._started is not None:
            self._started.process.kill()

    def end(self) -> None:
        """Let the process end, and kill it if it does not; one that is being started ends as soon as it is there."""
        self._unwanted = True
        if self._started is not None:
            self._started.process.end()

    async def ended(self) -> None:
        """Wait until nothing is left of it."""
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _watch(self, started: process.Started) -> None:
        """Wait for the end, and clear up after it."""
        try:
            await started.process.ended()
            started.writer.transport.abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(process.LAST_WORDS):
                    await self._printed.closed.wait()
        finally:
            started.writer.transport.abort()
            started.output.close()
            self._printed.summarise()

    @asynccontextmanager
    async def _guarded(self, where: str, seconds: float, *, grace: float = 0.0) -> AsyncIterator[None]:
        """End the process, and say why, when it is late, has ended or speaks in tongues."""
        try:
            async with asyncio.timeout(seconds + grace):
                yield
        except TimeoutError as error:
            raise await self._late(where, seconds) from error
        except GarbledError as error:
            self.kill()
            await self.ended()
            raise HandlerError("interrupted", f"{self._script.name} {where}: {error}") from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.kill()
            await self.ended()
            raise HandlerError("interrupted", f"{self._script.name} {where}: {self._end()}") from error
        except HandlerError:
            raise
        except BaseException:
            self.kill()
            raise

    async def _late(self, where: str, seconds: float) -> HandlerError:
        """Ask the process where it is, and end it."""
        waits_for = self._talk.waits_for if self._talk is not None else ""
        self._printed.await_dump(self._script.path)
        if self._started is not None:
            self._started.process.tell(TELL)
        with suppress(TimeoutError):
            async with asyncio.timeout(DUMP):
                await self._printed.placed.wait()
        self.kill()
        await self.ended()
        line, function = self._printed.place
        place = f"{self._script.name}:{line} in {function}" if line else f"{self._script.name} {where}"
        waited = f", while it waited for {waits_for}" if waits_for else ""
        return HandlerError("timeout", f"{place}: not done within {seconds:g} s{waited}")

    def _end(self) -> str:
        """Return how the process has ended, in words."""
        status = self._started.process.status if self._started is not None else None
        if self._printed.flooded:
            return f"it wrote more than {MOST_BYTES >> 20} MiB about one event"
        words = " | ".join(self._printed.last)[-LONGEST_WORDS:]
        last = f"; it wrote: {words}" if words else ""
        if status is None or status >= 0:
            return f"its process has ended with exit status {status}{last}"
        how = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
        return f"its process was ended by {how}{last}"
