"""What waits for its turn: each thing at most once in so many seconds."""

from math import inf


class Pending:
    """Things by number that have changed; each is due ``every`` seconds after it was due the last time.

    ``now`` may jump: when it goes back, what waits is due.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._waiting: dict[int, None] = {}
        self._last: dict[int, float] = {}

    def add(self, number: int) -> None:
        """Note that something has changed."""
        self._waiting[number] = None

    def discard(self, number: int) -> None:
        """Forget something."""
        self._waiting.pop(number, None)
        self._last.pop(number, None)

    def due(self, now: float) -> list[int]:
        """Return what may be done now, and take it off."""
        found = [number for number in self._waiting if not 0.0 <= now - self._last.get(number, -inf) < self._every]
        for number in found:
            del self._waiting[number]
            self._last[number] = now
        return found
