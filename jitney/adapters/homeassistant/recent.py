"""A small memory for what matters only for a while."""

import time
from typing import Generic, TypeVar

from jitney.adapters.base import Clock

V = TypeVar("V")


class Recent(Generic[V]):
    """Remembers values by key for ``seconds``, at most ``most`` of them: the oldest give way."""

    def __init__(self, *, most: int, seconds: float, clock: Clock = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[str, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: str, value: V) -> None:
        """Remember a value from now on."""
        self._kept.pop(key, None)
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = value, self._clock() + self._seconds

    def get(self, key: str) -> V | None:
        """Return what is remembered under a key."""
        found = self._kept.get(key)
        if found is None:
            return None
        value, until = found
        if self._clock() < until:
            return value
        del self._kept[key]
        return None
