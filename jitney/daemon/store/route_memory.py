"""The rows of what routes remember."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from jitney.daemon.store.actions import Write

if TYPE_CHECKING:
    from jitney.daemon.store.pending import Row

PUT: Final = "INSERT OR REPLACE INTO route_memory (owner, route, key, value, until) VALUES (?, ?, ?, ?, ?)"
ALL: Final = "SELECT owner, route, key, value, until FROM route_memory"
ERASE: Final = "DELETE FROM route_memory WHERE owner = ?"
DELETE: Final = "DELETE FROM route_memory WHERE owner = ? AND route = ? AND key = ?"


def writes(rows: Iterable[tuple[str, str, str, bytes | None, float]]) -> list[Write]:
    """Return how (owner, route, key, value, until) are written, one for each key; without a value it is removed."""
    kept: list[Row] = []
    gone: list[Row] = []
    for row in rows:
        if row[3] is None:
            gone.append(row[:3])
        else:
            kept.append(tuple(row))
    return [write for write in ((PUT, kept), (DELETE, gone)) if write[1]]
