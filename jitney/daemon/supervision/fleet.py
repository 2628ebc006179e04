"""The adapters that run: each can be begun and ended while the others go on."""

import asyncio
from typing import Final

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.log import get
from jitney.daemon.supervision.runner import Runner

SLOW: Final = 5.0
"""Seconds after which it is told that an adapter takes long to end."""

_log = get("fleet")


class Fleet:
    """Runs adapters side by side. ``runners`` are those of now by name; others may hold on to the dict itself."""

    def __init__(self, ledger: Ledger) -> None:
        self.runners: dict[str, Runner] = {}
        self._ledger = ledger
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Run every adapter, and those that are begun meanwhile; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for runner in self.runners.values():
                self._start(runner, group)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def begin(self, runner: Runner) -> None:
        """Run an adapter, at once or as soon as all run."""
        self.runners[runner.settings.name] = runner
        if self._group is not None:
            self._start(runner, self._group)

    async def end(self, name: str, *, for_good: bool) -> None:
        """Stop an adapter and wait for it; ``for_good`` also takes back everything retained of it."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=SLOW)
            if not done:
                _log.warning("an adapter takes long to end", adapter=name, seconds=SLOW)
                await asyncio.wait([task])
        runner = self.runners.pop(name)
        if for_good:
            runner.board.withdraw()
            self._ledger.keep(name, ())

    def _start(self, runner: Runner, group: asyncio.TaskGroup) -> None:
        name = runner.settings.name
        self._tasks[name] = group.create_task(runner.run(), name=f"adapter {name}")
