"""What an earlier run has left to be done."""

import sqlite3
from collections import Counter
from typing import Final, NamedTuple

import msgspec

from jitney.daemon.routing.lanes import Waiting
from jitney.daemon.routing.planned import decode
from jitney.daemon.store import actions as rows

MEMORY_BYTES: Final = 256 << 10
"""What may wait in memory of one owner; beyond it an action is read from disk when its turn comes."""


class Left(NamedTuple):
    """(owner, action) in the order in which they are due, and (id, owner, body) of what cannot be read any more."""

    waiting: list[tuple[str, Waiting]]
    unreadable: list[tuple[str, str, bytes]]


def left(db: sqlite3.Connection) -> Left:
    """Read all that is left, without keeping in memory what has no room there."""
    found = Left([], [])
    taken: Counter[str] = Counter()
    for action, owner, body in rows.waiting(db):
        try:
            item = Waiting(decode(body), 0, size=len(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.unreadable.append((action, owner, body))
            continue
        taken[owner] += item.size
        if taken[owner] > MEMORY_BYTES:
            item.planned = None
        found.waiting.append((owner, item))
    return found
