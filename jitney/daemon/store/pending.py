"""What waits for the next commit."""

from collections.abc import Callable, Sequence
from typing import Final

Row = tuple[object, ...]

MOST_ROWS: Final = 50_000
MOST_BYTES: Final = 16 << 20
"""What is kept in memory of writes that nobody waits for while the disk takes none; then the oldest are given up."""

_OVERHEAD: Final = 200
"""About how many bytes a row takes besides what it holds."""


class Write:
    """Rows for one statement; ``then`` learns whether they are on disk, ``kept`` ones are tried again.

    A kept write with a ``key`` takes the place of the one before it with the same key.
    """

    __slots__ = ("kept", "key", "rows", "size", "sql", "then")

    def __init__(self, sql: str, rows: Sequence[Row], then: Callable[[bool], None] | None, *, key: str = "") -> None:
        self.sql = sql
        self.rows = rows
        self.then = then
        self.key = key
        self.kept = then is None
        self.size = 0


class Pending:
    """Writes in the order in which they came. ``given_up`` counts the rows for which there was no room."""

    def __init__(self) -> None:
        self.given_up = 0
        self._writes: list[Write] = []
        self._keyed: dict[str, Write] = {}

    def __len__(self) -> int:
        return len(self._writes)

    @property
    def awaited(self) -> bool:
        """Tell whether somebody waits for one of them."""
        return not all(write.kept for write in self._writes)

    def add(self, write: Write) -> None:
        """Put a write at the end, or in the place of the one whose key it has."""
        if write.key:
            before = self._keyed.get(write.key)
            if before is not None:
                before.sql, before.rows, before.size = write.sql, write.rows, 0
                return
            self._keyed[write.key] = write
        self._writes.append(write)

    def take(self) -> list[Write]:
        """Take all there are."""
        taken, self._writes = self._writes, []
        self._keyed = {}
        return taken

    def put_back(self, writes: Sequence[Write]) -> None:
        """Put the kept ones of a commit that failed before what came meanwhile, as many as there is room for."""
        kept = [write for write in writes if write.kept and write.key not in self._keyed]
        self._keyed.update((write.key, write) for write in kept if write.key)
        self._writes[:0] = kept
        self._trim()

    def _trim(self) -> None:
        rows = size = 0
        stay: list[Write] = []
        for write in reversed(self._writes):
            if write.kept:
                write.size = write.size or _size(write.rows)
                if rows + len(write.rows) > MOST_ROWS or size + write.size > MOST_BYTES:
                    self.given_up += len(write.rows)
                    self._keyed.pop(write.key, None)
                    continue
                rows += len(write.rows)
                size += write.size
            stay.append(write)
        stay.reverse()
        self._writes = stay


def _size(rows: Sequence[Row]) -> int:
    return sum(_OVERHEAD + sum(len(value) for value in row if isinstance(value, bytes | str)) for row in rows)
