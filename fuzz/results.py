"""What came out: a row of each piece of work, and the table of all."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

_COLUMNS: Final = ("target", "engine", "inputs", "inputs/s", "reached", "new", "grown", "failures")
_MEGA: Final = 1 << 20


class Row(Struct, frozen=True, kw_only=True):
    """One piece of work.

    ``reached`` is how far inputs got (lines of Jitney; with atheris edges), ``new`` what of that the corpus had not
    reached, ``grown`` is in bytes. ``failure`` is empty where all is well, ``saved`` the file of the input.
    """

    target: str
    engine: str
    inputs: int
    seconds: float
    reached: int = 0
    new: int = 0
    grown: int = 0
    failure: str = ""
    saved: str = ""


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for people."""
    cells = [_COLUMNS, *(_cells(row) for row in sorted(rows, key=lambda row: (row.target, row.engine)))]
    total = sum(row.inputs for row in rows)
    cells.append(("all", "", f"{total:,}", "", "", "", "", str(sum(bool(row.failure) for row in rows))))
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    rate = row.inputs / row.seconds if row.seconds else 0.0
    return (
        row.target,
        row.engine,
        f"{row.inputs:,}",
        f"{rate:,.0f}",
        f"{row.reached:,}",
        f"{row.new:,}",
        f"{row.grown / _MEGA:.1f} MB",
        "1" if row.failure else "0",
    )
