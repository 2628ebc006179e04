"""What is said between the bus and the process of a Python file: an event, what is asked for about it, how it ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.scripts import wire
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.link import HEAD
from jitney.daemon.scripts.printed import Printed
from jitney.daemon.scripts.wire import Answer, Ask, Begin, Change, Done, Failed, GarbledError, Job, Ready, Said

MOST_ASKED: Final = 100
"""What may be asked for about one event."""

MOST_MESSAGES: Final = 10_000
"""Messages about one event, lines for the log among them."""

Desk = Callable[[Ask], Awaitable[Raw]]
"""Does what is asked for, as the owner of the event; raises RefusedError."""


class Talk:
    """The bus's side. Raises GarbledError for what is no message, and what streams raise when the process has ended."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, printed: Printed, *, file: str
    ) -> None:
        self.waits_for = ""
        """What is being done for the process, in words; also when that was cancelled."""
        self._reader = reader
        self._writer = writer
        self._printed = printed
        self._file = file

    async def begin(self, begin: Begin) -> None:
        """Let the file run; returns when it waits for events. Raises HandlerError when an error ended it."""
        await self._send(begin)
        for _ in range(MOST_MESSAGES):
            match await self._receive():
                case Ready():
                    return
                case Failed() as failed:
                    raise self._error(failed, code="unavailable")
        raise GarbledError(f"it told the bus more than {MOST_MESSAGES} things about one event")

    async def answer(self, job: Job, desk: Desk) -> tuple[Change, ...]:
        """Let a function answer an event; returns the variables to set. Raises HandlerError when an error ended it."""
        try:
            await self._send(job)
        except RefusedError as error:
            raise HandlerError(
                error.code, f"{self._file}: the event with the variables of its owner {error}"
            ) from error
        asked = 0
        for _ in range(MOST_MESSAGES):
            match await self._receive():
                case Done(event=job.number, changes=changes):
                    return changes
                case Failed(event=job.number) as failed:
                    raise self._error(failed)
                case Said(level=level, text=text):
                    self._printed.say(text, level)
                case Ready() | Done() | Failed():  # of a process that was forked, or of an event that is over
                    continue
                case RefusedError() as refused:
                    await self._send(Answer(code=refused.code, text=str(refused)))
                case ask:
                    asked += 1
                    await self._send(await self._done(ask, desk, asked=asked, over=ask.event != job.number))
        raise GarbledError(f"it told the bus more than {MOST_MESSAGES} things about one event")

    async def _done(self, ask: Ask, desk: Desk, *, asked: int, over: bool) -> Answer:
        """Return what came of something that was asked for."""
        if over:
            return Answer(code="over", text="the event that it is about is over")
        if asked > MOST_ASKED:
            return Answer(code="too_many", text=f"more than {MOST_ASKED} things were asked for about one event")
        self.waits_for = str(ask)
        try:
            answer = Answer(await desk(ask))
        except RefusedError as error:
            answer = Answer(code=error.code, text=str(error))
        self.waits_for = ""
        return answer

    async def _send(self, message: Begin | Job | Answer) -> None:
        try:
            frame = wire.frame(message)
        except RefusedError as error:
            if not isinstance(message, Answer):
                raise
            frame = wire.frame(Answer(code=error.code, text=f"the answer {error}"))
        self._writer.write(frame)
        await self._writer.drain()

    async def _receive(self) -> Ready | Said | Failed | Done | Ask | RefusedError:
        await asyncio.sleep(0)  # whoever says much does not keep the loop from the others
        size = wire.size(await self._reader.readexactly(HEAD))
        return wire.message(await self._reader.readexactly(size))

    def _error(self, failed: Failed, *, code: str = "") -> HandlerError:
        place = f"{self._file}:{failed.line}" if failed.line else self._file
        inside = f" in {failed.function}" if failed.function.isidentifier() else ""
        return HandlerError(code or failed.code, f"{place}{inside}: {failed.text}", trace=failed.trace)
