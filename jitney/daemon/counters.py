"""Counting what happens, by name and labels, and how long it takes: for health and metrics."""

from bisect import bisect_left
from collections import Counter
from typing import Final

MOST_LABEL_SETS: Final = 4096
"""Counters with different labels; a new one beyond them counts as of reason ``OTHER``, without owner and adapter."""

OTHER: Final = "other"

BOUNDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    3600.0,
)
"""The upper bounds of the buckets of every histogram, in seconds."""


class Histogram:
    """How often something took how long. ``counts`` are those of the buckets, the last one beyond every bound."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one that took so many seconds."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Counters:
    """Numbers that only grow. A label set is (owner, adapter, reason), each empty where it does not apply."""

    def __init__(self) -> None:
        self.histograms: dict[tuple[str, str], Histogram] = {}
        self._values: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, name: str, number: int = 1, *, owner: str = "", adapter: str = "", reason: str = "") -> None:
        """Add ``number`` to the counter ``name``."""
        key = name, owner, adapter, reason
        if key not in self._values and len(self._values) >= MOST_LABEL_SETS:
            key = name, "", "", OTHER
        self._values[key] += number

    def histogram(self, name: str, label: str = "") -> Histogram:
        """Return the histogram of a name and label, always the same: whoever adds to it often keeps it."""
        found = self.histograms.get((name, label))
        if found is None:
            found = self.histograms[name, label] = Histogram()
        return found

    def total(self, name: str, *, owner: str = "", adapter: str = "", reason: str = "") -> int:
        """Return the sum of a counter over every label that is not given."""
        return sum(
            value
            for (known, *labels), value in self._values.items()
            if known == name
            and all(wanted in ("", label) for wanted, label in zip((owner, adapter, reason), labels, strict=True))
        )

    def items(self) -> list[tuple[str, str, str, str, int]]:
        """Return (name, owner, adapter, reason, value) of every counter, sorted."""
        return [(*key, value) for key, value in sorted(self._values.items())]
