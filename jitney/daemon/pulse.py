"""Whether a loop turns: it shows so once for each batch of work, and whoever watches looks from time to time."""

from collections.abc import Callable
from types import TracebackType
from typing import Final

PATIENCE: Final = 60.0
"""Seconds that one turn of a loop may take, unless it says otherwise."""


class Pulse:
    """The signs of life of one loop: ``with pulse:`` around each piece of work.

    ``waiting`` tells whether there is work that was not begun yet; without it, only begun work can be overdue.
    """

    def __init__(self, name: str, *, waiting: Callable[[], bool] = lambda: False, patience: float = PATIENCE) -> None:
        self.name = name
        self.patience = patience
        self._waiting = waiting
        self._turns = 0
        self._under_way = 0

    def __enter__(self) -> None:
        self._under_way += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way -= 1
        self._turns += 1

    @property
    def turns(self) -> object:
        """Something that is another one after each turn."""
        return self._turns

    @property
    def busy(self) -> bool:
        """Tell whether it has something to do, so that it has to turn."""
        return self._under_way > 0 or self._waiting()
