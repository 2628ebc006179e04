"""The state file of a bus that does not run here, to be looked into."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from jitney.daemon.store.store import StoreError
from jitney.daemon.store.tables import DATABASE, VERSION, version_of


def rests(place: Path) -> bool:
    """Tell whether there is a state here that no daemon uses; one that cannot be looked at is asked for."""
    try:
        if not (place / DATABASE).exists():
            return False
        with (place / DATABASE).with_suffix(".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def reading(place: Path) -> Iterator[sqlite3.Connection]:
    """Open the state file of a folder; nothing in it can be changed. Raises StoreError."""
    path = place / DATABASE
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            if version_of(db) != VERSION:
                message = f"state file {path}: made by another version of Jitney: start this one once"
                raise StoreError(message)
            yield db
    except sqlite3.Error as error:
        raise StoreError(f"state file {path}: {error}; run this as the user that Jitney runs as") from error
