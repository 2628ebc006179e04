"""The small values that adapters keep over restarts."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from jitney.adapters.errors import RefusedError
from jitney.daemon.store.store import Store, StoreError, told

_SAVE: Final = "INSERT OR REPLACE INTO kept (adapter, key, value) VALUES (?, ?, ?)"
_FORGET: Final = "DELETE FROM kept WHERE adapter = ? AND key = ?"
_LOAD: Final = "SELECT value FROM kept WHERE adapter = ? AND key = ?"
_LOAD_ALL: Final = "SELECT key, value FROM kept WHERE adapter = ? AND key >= ? AND key < ? ORDER BY key"

MOST_BYTES: Final = 1 << 20
"""Of one value: what is larger belongs into a file of its owner."""

OF_OWNER: Final = "instr(key || '/', '/' || ?1 || '/') > 0"
"""Whether a key belongs to an owner: keys are words with / between them, after the first of which whose it is can come.
"""

_ERASE: Final = f"DELETE FROM kept WHERE adapter NOT IN (SELECT value FROM json_each(?2)) AND {OF_OWNER}"  # noqa: S608


async def erase(store: Store, owner: str, *, running: Iterable[str]) -> None:
    """Erase what adapters have kept of an owner that do not run any more, and cannot do so; raises StoreError."""
    store.write(_ERASE, [(owner, msgspec.json.encode(sorted(running)).decode())], told)
    await store.committed()


class Kept:
    """The values of one adapter, by key."""

    def __init__(self, store: Store, adapter: str) -> None:
        self._store = store
        self._adapter = adapter

    async def load(self, key: str) -> bytes | None:
        """Return a value, None when there is none."""
        row = await self._store.read(lambda db: db.execute(_LOAD, (self._adapter, key)).fetchone())
        return None if row is None else bytes(row[0])

    async def load_all(self, prefix: str) -> dict[str, bytes]:
        """Return the values whose keys begin with ``prefix``, in the order of the keys."""
        span = (self._adapter, prefix, prefix + "\U0010ffff")
        rows = await self._store.read(lambda db: db.execute(_LOAD_ALL, span).fetchall())
        return {key: bytes(value) for key, value in rows}

    async def save_all(self, values: Mapping[str, bytes | None]) -> None:
        """Keep values, all or none; None removes one. On disk when this returns; raises RefusedError."""
        for key, value in values.items():
            if value is not None and len(value) > MOST_BYTES:
                raise RefusedError("too_large", f"{key}: {len(value)} bytes, a value has at most {MOST_BYTES}")
        saved = [(self._adapter, key, value) for key, value in values.items() if value is not None]
        forgotten = [(self._adapter, key) for key, value in values.items() if value is None]
        # A write that somebody waits for is not tried again behind their back: they are told, and decide.
        for sql, rows in ((_SAVE, saved), (_FORGET, forgotten)):
            if rows:
                self._store.write(sql, rows, told)
        try:
            await self._store.committed()
        except StoreError as error:
            raise RefusedError("not_kept", str(error)) from error
