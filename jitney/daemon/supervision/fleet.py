"""The adapters that run: each can be begun and ended while the others go on."""

import asyncio
from collections.abc import Collection
from contextvars import Context
from typing import Final

from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.log import get
from jitney.daemon.supervision.runner import Runner

STOP: Final = 2.5
"""Seconds in which all adapters have to end when the bus stops, of the five that a stop may take."""

PATIENCE: Final = 20.0
"""Seconds in which one adapter has to end while the bus goes on."""

_log = get("fleet")


class Fleet:
    """Runs adapters side by side. ``runners`` are those of now by name; others may hold on to the dict itself.

    One that does not end in time is left behind, for nobody can end it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.runners: dict[str, Runner] = {}
        self._ledger = ledger
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._over: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Run every adapter, and those that are begun meanwhile; cancelled to stop it."""
        over = self._over = asyncio.get_running_loop().create_future()
        for runner in self.runners.values():
            self._start(runner, over)
        try:
            await over
        finally:
            self._over = None
            await _ended(self._tasks, within=STOP)

    def begin(self, runner: Runner) -> None:
        """Run an adapter, at once or as soon as all run."""
        self.runners[runner.settings.name] = runner
        if self._over is not None:
            self._start(runner, self._over)

    async def end(self, name: str, *, successor: Runner | None = None, owners: Collection[str] = ()) -> None:
        """Stop an adapter, wait for it, and take back what is retained of it but for these owners.

        A ``successor`` takes its place at once, so that whoever asks for it is told to wait; it has to be begun.
        """
        task = self._tasks.get(name)
        if task is not None:
            await _ended({name: task}, within=PATIENCE)
            del self._tasks[name]
        runner = self.runners[name]
        if successor is None:
            del self.runners[name]
        else:
            self.runners[name] = successor
        runner.leave()
        runner.board.withdraw(owners)
        for topic, line in list(self._ledger.lines.items()):
            if line.adapter == name and line.owner not in owners:
                self._ledger.put(topic, GONE, owner=line.owner, adapter=name)

    def _start(self, runner: Runner, over: asyncio.Future[None]) -> None:
        name = runner.settings.name
        # A context of its own: what is bound to the log where it is begun, as by a request, is not about the adapter.
        task = self._tasks[name] = asyncio.create_task(runner.run(), name=f"adapter {name}", context=Context())

        def done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and not over.done():
                over.set_exception(error)

        task.add_done_callback(done)


async def _ended(tasks: dict[str, asyncio.Task[None]], *, within: float) -> None:
    """Cancel tasks and wait for them, so many seconds at most."""
    for task in tasks.values():
        task.cancel()
    if not tasks:
        return
    _, left = await asyncio.wait(tasks.values(), timeout=within)
    for name, task in tasks.items():
        if task in left:
            _log.error("an adapter does not end, and is left behind: this is a fault in its code", adapter=name)
