"""Rotating the vault's key: every secret is sealed anew, and at any moment some key that is there opens them."""

import sqlite3
from contextlib import suppress

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.owners.key_sources import Found, KeySources
from jitney.daemon.owners.sealing import HOW, SEALS, Key
from jitney.daemon.store import audit_proof
from jitney.daemon.store import secrets as rows


class Rotated(Struct, frozen=True):
    """How many secrets were sealed anew, and the new key with the place where the vault will look for it."""

    secrets: int
    found: Found


def rotate(db: sqlite3.Connection, *, sources: KeySources, new: Key | None = None) -> Rotated:
    """Seal all secrets with a ``new`` key, one made here if the key is in the file; all or none.

    For whoever has the store for themselves. A key file is replaced; a key from elsewhere is for whoever put it there
    to replace afterwards. Raises MisconfiguredError or StoreError.
    """
    needed = rows.key_ids(db)
    if new is not None and needed == {new.id}:
        with suppress(MisconfiguredError):
            _settled(sources, needed)
        message = f"the vault has the key with the id {new.id} already: nothing was changed"
        raise MisconfiguredError(message)
    old = _settled(sources, needed)
    if old is None:
        message = "there is nothing to rotate: the vault is empty and has no key"
        raise MisconfiguredError(message)
    if old.source == "file":
        # The row's key decides which of the two files is the right one, until the old file is replaced.
        coming = sources.prepare(new or Key.new())
    elif new is not None:
        coming = Found(new, old.source, old.place)
    else:
        message = (
            f"the vault's key is {old.place}, which cannot be changed from here: {HOW}, in a file that only you can"
            " read; then `jitney vault rotate --new-key-file FILE`"
        )
        raise MisconfiguredError(message)
    seal = audit_proof.stored_seal(db)
    genuine = seal is not None and audit_proof.is_genuine(seal, old.key.derived(SEALS))
    count = rows.replace_all(db, lambda sealed: coming.key.seal(sealed.entry, old.key.open(sealed)))
    if genuine:
        audit_proof.seal(db, key_id=coming.key.id, key=coming.key.derived(SEALS))
    return Rotated(count, sources.settle(coming))


def _settled(sources: KeySources, needed: frozenset[str]) -> Found | None:
    found = sources.find(needed)
    return None if found is None else sources.settle(found)
