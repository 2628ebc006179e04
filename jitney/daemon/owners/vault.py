"""The vault: secrets of owners in the state file, encrypted, each bound to its adapter, owner and name."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.adapters.secret import Secret
from jitney.daemon.log import get, remember
from jitney.daemon.owners.key_sources import Found, KeySources
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store import secrets as rows
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store, StoreError

_log = get("vault")


class Vault:
    """All secrets in the store of a running instance; ``folder`` is that of the state, where the key file lies.

    The key is looked for when the first secret is read or written.
    """

    def __init__(self, store: Store, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._store = store
        self._sources = KeySources(folder, environ=environ)
        self._found: Found | None = None
        self._looking = asyncio.Lock()

    def for_adapter(self, adapter: str) -> "AdapterVault":
        """Return the part of an adapter, named as in the configuration."""
        return AdapterVault(self, adapter)

    async def get(self, entry: Entry) -> Secret | None:
        """Return a secret, None when there is none; raises MisconfiguredError or StoreError."""
        sealed = await self._store.read(lambda db: rows.get(db, entry))
        if sealed is None:
            return None
        secret = (await self._key(frozenset({sealed.key_id}))).open(sealed)
        remember(secret)
        return secret

    async def put(self, entry: Entry, secret: Secret) -> None:
        """Keep a secret; it is on disk when this returns. Raises MisconfiguredError, or RefusedError not_kept."""
        remember(secret)
        with _refused("not_kept", "the secret cannot be kept"):
            key = await self._key(await self._store.read(rows.key_ids))
            sealed = key.seal(entry, secret)
            await self._store.read(lambda db: rows.put(db, sealed))

    async def delete(self, adapter: str, owner: str, *, name: str | None = None) -> None:
        """Erase a secret, or all that an adapter keeps of an owner; raises RefusedError not_erased."""
        with _refused("not_erased", "the secret cannot be erased"):
            await self._store.read(lambda db: rows.delete(db, adapter=adapter, owner=owner, name=name))

    async def erase(self, owner: str) -> None:
        """Erase the secrets of an owner, whoever keeps them; raises RefusedError not_erased."""
        with _refused("not_erased", f"the secrets of {owner} cannot be erased"):
            await self._store.read(lambda db: rows.delete(db, owner=owner))

    async def names(self) -> list[Entry]:
        """Return what there is, without the secrets, sorted; raises StoreError."""
        return await self._store.read(rows.entries)

    async def derived(self, purpose: bytes) -> tuple[str, bytes] | None:
        """Return the id of the key and another key that follows from it, None where no secret needs one or it is lost.

        Raises StoreError.
        """
        needed = await self._store.read(rows.key_ids)
        if not needed:
            return None
        try:
            key = await self._key(needed)
        except MisconfiguredError:  # whoever wants a secret is told
            return None
        return key.id, key.derived(purpose)

    async def _key(self, needed: frozenset[str]) -> Key:
        """Return the key that rows with the ids ``needed`` have, a new one if there are none."""
        found = self._found
        if found is None or needed != {found.key.id}:
            async with self._looking:
                found = self._found = await asyncio.to_thread(self._look, needed)
        return found.key

    def _look(self, needed: frozenset[str]) -> Found:
        found = self._sources.find(needed)
        if found is None:
            found = self._sources.make()
            _log.info("made the key of the vault: keep a copy of it, away from the state file", file=found.place)
            return found
        with suppress(StoreError):  # it is taken from where it lies until it can be settled
            return self._sources.settle(found)
        return found


class AdapterVault:
    """The secrets that one adapter keeps (contract: ``Vault`` in ``jitney.adapters.base``)."""

    def __init__(self, vault: Vault, adapter: str) -> None:
        self._vault = vault
        self._adapter = adapter

    async def get(self, owner: str, name: str) -> Secret | None:
        """Return a secret, None when there is none; raises MisconfiguredError."""
        return await self._vault.get(Entry(self._adapter, owner, name))

    async def put(self, owner: str, name: str, secret: Secret) -> None:
        """Keep a secret; it is on disk when this returns. Raises MisconfiguredError or RefusedError."""
        await self._vault.put(Entry(self._adapter, owner, name), secret)

    async def delete(self, owner: str, name: str = "") -> None:
        """Erase a secret of an owner, or all of them; raises RefusedError."""
        await self._vault.delete(self._adapter, owner, name=name or None)


@contextmanager
def _refused(code: str, what: str) -> Iterator[None]:
    """Turn what the store could not do into a refusal."""
    try:
        yield
    except StoreError as error:
        raise RefusedError(code, f"{what}: {error}") from error
    except rows.OtherKeyError as error:
        message = f"{what}: the vault's key was changed at the same moment; try again"
        raise RefusedError(code, message) from error
