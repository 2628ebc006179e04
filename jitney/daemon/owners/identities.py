"""One index of identities: whose an external id is, whatever adapter type it belongs to."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from jitney.adapters import registry
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.config.positions import Key
from jitney.daemon.config.schema import Config
from jitney.topics import HOUSE


class Claim(Struct, frozen=True, kw_only=True):
    """An external id of an owner. ``key`` is where the configuration says so; ``type`` that of the adapters it is for.

    ``adapter`` is set for what is an adapter's, like the place of a radio.
    """

    type: str
    id: str
    owner: str
    key: Key
    adapter: str = ""


class Identities:
    """What is whose by a configuration: each external id of a type is one owner's, because the loading saw to it."""

    def __init__(self, config: Config) -> None:
        self._claims = (*_of_owners(config), *_of_adapters(config))

    def claims(self) -> frozenset[tuple[str, str]]:
        """Return everything that is somebody's, as (type, external id)."""
        return frozenset((claim.type, claim.id) for claim in self._claims)

    def of(self, owner: str) -> list[Claim]:
        """Return what is an owner's."""
        return [claim for claim in self._claims if claim.owner == owner]

    def whose(self, external_id: str) -> list[Claim]:
        """Return whose an external id is, in whatever spelling: several only where types share a spelling."""
        spellings = {(kind, spelling) for kind, _, spelling in meanings(external_id)}
        return [claim for claim in self._claims if claim.id == external_id or (claim.type, claim.id) in spellings]


def meanings(external_id: str) -> list[tuple[str, str, str]]:
    """Return what an external id can be: each as (adapter type, key of the owner's table, spelling as in claims)."""
    found = []
    for kind in registry.names():
        try:
            identity: Any = registry.adapter_type(kind).Identity
        except MisconfiguredError:
            continue  # its client library is not installed: nobody has such an adapter
        claimed_as = getattr(identity, "claimed_as", None)
        if claimed_as is not None and (key := claimed_as(external_id)):
            found.append((kind, key, _spelling(identity, key, external_id)))
    return found


def value(kind: str, key: str, external_id: str) -> str | int | list[str]:
    """Return what stands at a key of an identity for an external id: a text, a number, or a list with it."""
    identity: Any = registry.adapter_type(kind).Identity
    default = getattr(identity(), key)
    if isinstance(default, tuple):
        return [external_id]
    return int(external_id) if isinstance(default, int) else external_id


def _spelling(identity: Any, key: str, external_id: str) -> str:  # noqa: ANN401 - the type's own Identity
    default = getattr(identity(), key)
    written = (external_id,) if isinstance(default, tuple) else type(default)(external_id)
    return next(iter(identity(**{key: written}).claims()), external_id)


def _of_owners(config: Config) -> Iterator[Claim]:
    for owner in config.owners.values():
        for kind, identity in owner.identities.items():
            for one in _claims(identity):
                yield Claim(type=kind, id=one, owner=owner.id, key=_key(owner.id, kind, identity, one))


def _of_adapters(config: Config) -> Iterator[Claim]:
    """Yield what is an adapter's that is a person's."""
    for adapter in config.adapters.values():
        if adapter.owner != HOUSE:
            for one in _claims(adapter.config):
                key: Key = ("adapters", adapter.name)
                yield Claim(type=adapter.type.name, id=one, owner=adapter.owner, key=key, adapter=adapter.name)


def _claims(claimant: object) -> Iterator[str]:
    claims: object = getattr(claimant, "claims", None)
    if callable(claims):
        yield from claims()


def _key(owner: str, kind: str, identity: object, external_id: str) -> Key:
    claimed_as = getattr(identity, "claimed_as", None)
    field = claimed_as(external_id) if claimed_as is not None else ""
    return ("owners", owner, kind, field) if field else ("owners", owner, kind)
