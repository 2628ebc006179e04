"""Who waits for a call to Strava: the more important first, and owners in turn among equals."""

import asyncio
from collections import OrderedDict, deque
from enum import IntEnum
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Priority(IntEnum):
    """What a call is for; the lower the more important."""

    EVENT = 0
    RECONCILE = 1
    STATS = 2
    PHOTOS = 3


class Waiter(Struct, Generic[T], eq=False):
    """Somebody who waits: until ``deadline`` in Unix seconds, which was ``patience`` seconds away."""

    future: asyncio.Future[T]
    priority: Priority
    owner: str
    patience: float
    deadline: float


class Waiting(Generic[T]):
    """Who waits: by priority, and in each the owners in turn."""

    def __init__(self) -> None:
        self._owners: dict[Priority, OrderedDict[str, deque[Waiter[T]]]] = {one: OrderedDict() for one in Priority}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def has(self, priority: Priority) -> bool:
        """Tell whether somebody waits."""
        return bool(self._owners[priority])

    def of(self, priority: Priority) -> list[Waiter[T]]:
        """Return a copy of who waits."""
        return [waiter for waiters in self._owners[priority].values() for waiter in waiters]

    def add(self, waiter: Waiter[T]) -> None:
        """Let somebody wait, behind those of the same owner."""
        self._owners[waiter.priority].setdefault(waiter.owner, deque()).append(waiter)
        self._length += 1

    def take(self, priority: Priority) -> Waiter[T]:
        """Take whose turn it is; the owner is the last of this priority after that."""
        owner, waiters = next(iter(self._owners[priority].items()))
        waiter = waiters[0]
        self._owners[priority].move_to_end(owner)
        self.remove(waiter)
        return waiter

    def remove(self, waiter: Waiter[T]) -> None:
        """Let somebody wait no longer."""
        owners = self._owners[waiter.priority]
        owners[waiter.owner].remove(waiter)
        if not owners[waiter.owner]:
            del owners[waiter.owner]
        self._length -= 1

    def least_important(self) -> Waiter[T]:
        """Return the last one of the owner for whom the most wait, among the lowest priority."""
        owners = next(self._owners[priority] for priority in reversed(Priority) if self._owners[priority])
        return max(owners.values(), key=len)[-1]
