"""Counting what happens, by name and labels, for health and metrics."""

from collections import Counter


class Counters:
    """Numbers that only grow. A label set is (owner, adapter, reason), each empty where it does not apply."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, name: str, number: int = 1, *, owner: str = "", adapter: str = "", reason: str = "") -> None:
        """Add ``number`` to the counter ``name``."""
        self._values[name, owner, adapter, reason] += number

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
