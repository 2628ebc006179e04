"""Small facts about this instance that outlive a run."""

from collections.abc import Iterable
from typing import Final

from jitney.daemon.store.store import Store

CLIENT_ID: Final = "client_id"
HEARD: Final = "heard"


async def client_id(store: Store, fresh: str) -> str:
    """Return the MQTT client id of this instance: ``fresh`` at the first start, then always the same.

    It is secret and random, because whoever knows it can push the daemon off the broker.
    """
    row = await store.read(lambda db: db.execute("SELECT value FROM meta WHERE key = ?", (CLIENT_ID,)).fetchone())
    if row is not None:
        return str(row[0])
    store.write("INSERT INTO meta (key, value) VALUES (?, ?)", [(CLIENT_ID, fresh)])
    await store.committed()
    return fresh


async def heard(store: Store) -> list[str]:
    """Return the topic filters that the broker may remember of an earlier run; empty where that is not known."""
    row = await store.read(lambda db: db.execute("SELECT value FROM meta WHERE key = ?", (HEARD,)).fetchone())
    return str(row[0]).split("\n") if row is not None else []


def hear(store: Store, filters: Iterable[str]) -> None:
    """Remember the topic filters of this run."""
    store.write(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [(HEARD, "\n".join(sorted(filters)))], key=HEARD
    )
