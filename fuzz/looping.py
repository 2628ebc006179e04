"""One event loop for many inputs."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from fuzz.lasting import Lasting

T = TypeVar("T")

PATIENCE: Final = 20.0
"""Seconds until an input that goes on counts as one that hangs."""


class Loop:
    """An event loop that also tells what nobody waited for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._unheard)
        self._failures: list[str] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end; raises what it raises, and AssertionError for what failed beside it."""
        done = self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE))
        if self._failures:
            failures, self._failures = self._failures, []
            raise AssertionError("; ".join(failures))
        return done

    def close(self) -> None:
        """End it."""
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _unheard(self, _loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        error = what.get("exception")
        self._failures.append(f"{what.get('message')}: {type(error).__name__}: {error}")


LOOP: Final = Lasting(Loop, uses=20_000)
"""The one that targets without a daemon share."""
