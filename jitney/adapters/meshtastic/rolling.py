"""How many of the last minute and the last hour, without remembering each."""

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_PARTS: Final = 60


class Rolling:
    """Counts what happens, forgetting it bit by bit. ``now`` is seconds of one clock that only goes forward.

    The last minute is exact to a second, the last hour to a minute.
    """

    def __init__(self) -> None:
        self.total = 0
        self._seconds = _Ring(_MINUTE // _PARTS)
        self._minutes = _Ring(_HOUR // _PARTS)

    def add(self, now: float) -> None:
        """Count one."""
        self.total += 1
        self._seconds.add(now)
        self._minutes.add(now)

    def minute(self, now: float) -> int:
        """Return how many there were in the last minute."""
        return self._seconds.sum(now)

    def hour(self, now: float) -> int:
        """Return how many there were in the last hour."""
        return self._minutes.sum(now)


class _Ring:
    """Sixty counters of ``width`` seconds each, used in turn."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._counts = [0] * _PARTS
        self._part = 0

    def add(self, now: float) -> None:
        self._turn(now)
        self._counts[self._part % _PARTS] += 1

    def sum(self, now: float) -> int:
        self._turn(now)
        return sum(self._counts)

    def _turn(self, now: float) -> None:
        """Empty the counters whose time has come again."""
        part = int(now // self._width)
        for old in range(max(self._part + 1, part - _PARTS + 1), part + 1):
            self._counts[old % _PARTS] = 0
        self._part = max(self._part, part)
