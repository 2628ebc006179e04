"""All Python files that run, each for each owner in a process of its own, which is there while there is work for it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Raw, Struct

from jitney.adapters.base import Clock
from jitney.daemon.config.schema import RetrySettings, Script
from jitney.daemon.scripts.child import Child
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.standing import Standing
from jitney.daemon.scripts.talk import Desk
from jitney.daemon.scripts.wire import Change, Job
from jitney.daemon.supervision.backoff import Backoff

IDLE: Final = 300.0
"""Seconds after the last event when a process is ended: the next event starts it again."""

MOST_IDLE: Final = 4
"""Processes that wait for events; the one that has waited longest gives way."""


class Task(Struct, frozen=True, kw_only=True):
    """An event for a function: ``event`` is a CloudEvent, ``variables`` are those of its owner, both as JSON."""

    file: str
    handler: str
    route: str
    owner: str
    owner_name: str
    event: Raw
    variables: Raw


class Limits(Struct, frozen=True, kw_only=True):
    """What one event may take of time, and one process of memory."""

    seconds: float
    megabytes: int


class Host:
    """Runs functions of Python files. Those of one file and owner are to be run one after the other."""

    def __init__(
        self,
        scripts: Sequence[Script],
        standing: Standing,
        *,
        environ: Mapping[str, str],
        folder: Path,
        limits: Limits,
        retry: RetrySettings | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._scripts = {script.name: script for script in scripts}
        self._standing = standing
        self._environ = environ
        self._folder = folder
        self._limits = limits
        self._retry = retry or RetrySettings()
        self._clock = clock
        self._seats: dict[tuple[str, str], _Seat] = {}
        self._ending: set[Child] = set()
        self._number = 0

    async def run(self, task: Task, desk: Desk) -> tuple[Change, ...]:
        """Let a function answer an event; returns the variables to set. Raises HandlerError."""
        seat = self._seat(task.file, task.owner)
        try:
            changes = await self._run(seat, task, desk)
        except HandlerError as error:
            if not error.after:
                self._standing.failed(task.owner, task.route, error)
            raise
        self._standing.worked(task.owner, task.route)
        return changes

    async def forget(self, owner: str) -> None:
        """End what runs for an owner."""
        for key, seat in list(self._seats.items()):
            if key[1] == owner:
                del self._seats[key]
                self._leave(seat)
        self._standing.forget(owner)
        await self._ended()

    async def close(self) -> None:
        """End every process; none is left when this returns."""
        for seat in self._seats.values():
            self._leave(seat)
        self._seats.clear()
        await self._ended()

    @property
    def running(self) -> int:
        """How many processes there are."""
        return sum(not seat.child.over for seat in self._seats.values() if seat.child is not None)

    async def _run(self, seat: "_Seat", task: Task, desk: Desk) -> tuple[Change, ...]:
        seat.occupy()
        try:
            child = await self._ready(seat, task)
            self._number += 1
            job = Job(
                number=self._number,
                handler=task.handler,
                event=task.event,
                owner_name=task.owner_name,
                variables=task.variables,
                seconds=self._limits.seconds,
            )
            return await child.answer(job, desk)
        except HandlerError as error:
            if seat.child is not None and seat.child.over:
                seat.failed(error, self._clock())
            raise
        finally:
            seat.vacate(self._clock())
            self._make_room()
            if seat.child is not None:
                seat.timer = asyncio.get_running_loop().call_later(IDLE, self._leave, seat)

    async def _ready(self, seat: "_Seat", task: Task) -> Child:
        """Return the process of a seat, started if there is none; raises HandlerError."""
        if seat.child is not None and not seat.child.over:
            return seat.child
        self._leave(seat)
        wait = seat.until - self._clock()
        if wait > 0:
            text = f"{seat.reason}; it is started again in {wait:.0f} s"
            raise HandlerError("unavailable", text, after=wait)
        script = self._scripts.get(task.file)
        if script is None:
            raise HandlerError("unknown_handler", f"{task.file} is not named in [routing] python any more")
        child = seat.child = Child(
            script,
            owner=task.owner,
            environ=self._environ,
            folder=self._folder,
            megabytes=self._limits.megabytes,
        )
        seat.since = self._clock()
        await child.start()
        return child

    def _seat(self, file: str, owner: str) -> "_Seat":
        seat = self._seats.get((file, owner))
        if seat is None:
            seat = self._seats[file, owner] = _Seat(Backoff(self._retry, clock=self._clock))
        return seat

    def _make_room(self) -> None:
        """Let those processes end that have waited longest, if there are too many that wait."""
        idle = [one for one in self._seats.values() if one.child is not None and not one.busy]
        for seat in sorted(idle, key=lambda one: one.last)[: max(len(idle) - MOST_IDLE, 0)]:
            self._leave(seat)

    def _leave(self, seat: "_Seat") -> None:
        """Let the process of a seat end."""
        child, seat.child = seat.child, None
        seat.disarm()
        if child is not None:
            child.end()
            self._ending = {one for one in self._ending if not one.gone} | {child}

    async def _ended(self) -> None:
        for child in list(self._ending):
            await child.ended()
        self._ending.clear()


class _Seat:
    """The place of a file and an owner: the process, if there is one, and when it may be started again."""

    __slots__ = ("_backoff", "busy", "child", "last", "reason", "since", "timer", "until")

    def __init__(self, backoff: Backoff) -> None:
        self.child: Child | None = None
        self.busy = False
        self.last = 0.0
        self.since = 0.0
        self.until = 0.0
        self.reason = ""
        self.timer: asyncio.TimerHandle | None = None
        self._backoff = backoff

    def occupy(self) -> None:
        """Begin to work."""
        self.busy = True
        self.disarm()

    def vacate(self, now: float) -> None:
        """Have worked."""
        self.busy = False
        self.last = now

    def disarm(self) -> None:
        """Stop the timer of the end."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def failed(self, error: HandlerError, now: float) -> None:
        """Learn that the process has ended against its will: the next one has to wait."""
        self._backoff.succeeded(now - self.since)
        self.until = now + self._backoff.delay(error)
        self.reason = str(error)
