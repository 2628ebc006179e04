"""The adapters that run: each can be begun and ended while the others go on."""

import asyncio
from collections.abc import Collection
from typing import Final

from jitney.daemon.broker.ledger import GONE, Ledger
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

    async def end(self, name: str, *, owners: Collection[str] = ()) -> None:
        """Stop an adapter, wait for it, and take back what is retained of it but for these owners."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=SLOW)
            if not done:
                _log.warning("an adapter takes long to end", adapter=name, seconds=SLOW)
                await asyncio.wait([task])
        runner = self.runners.pop(name)
        runner.board.withdraw(owners)
        for topic, line in list(self._ledger.lines.items()):
            if line.adapter == name and line.owner not in owners:
                self._ledger.put(topic, GONE, owner=line.owner, adapter=name)

    def _start(self, runner: Runner, group: asyncio.TaskGroup) -> None:
        name = runner.settings.name
        self._tasks[name] = group.create_task(runner.run(), name=f"adapter {name}")
