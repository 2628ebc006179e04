"""The two sections whose keys depend on adapter types: `[adapters.<name>]` and `[owners.<id>]`."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from jitney.adapters import registry
from jitney.adapters.base import AdapterType
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.config.checks import NAME, NAME_RULE
from jitney.daemon.config.convert import INVALID, Converter, any_invalid, fields_of
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import AdapterSettings, OwnerSettings
from jitney.daemon.config.words import choice, mean, sort
from jitney.topics import HOUSE, InvalidOwnerError
from jitney.topics.messages import ROUTE
from jitney.topics.owners import person

_COMMON: Final = ("owner", "enabled", "durable", "retry")
"""The keys of AdapterSettings that the table of every adapter may have, besides ``type``."""


_OWN: Final = ("name", "enabled", "discovery", "limits")
"""The keys of OwnerSettings that the table of an owner may have, besides the types of adapters."""


class Sections:
    """Reads both sections of one document; what has a problem is noted and left out."""

    def __init__(self, converter: Converter, problems: Problems) -> None:
        self._converter = converter
        self._problems = problems
        self._missing: set[str] = set()

    def adapters(self, value: object, owners: Collection[str]) -> dict[str, AdapterSettings]:
        """Return the adapters by name; ``owners`` are the ids whom one can belong to besides the house."""
        found: dict[str, AdapterSettings] = {}
        for name, entry in (self._converter.table(value, ("adapters",)) or {}).items():
            key: Key = ("adapters", name)
            if NAME.fullmatch(name) is None:
                self._problems.add(key, f"not a name for an adapter: use {NAME_RULE}")
            if name == ROUTE:
                self._problems.add(key, f"{ROUTE!r} is what routes publish under: give the adapter another name")
            table = self._converter.table(entry, key)
            if table is not None:
                self._check_owner(table.get("owner", HOUSE), owners, key)
                settings = self._adapter(name, table, key)
                self._check_people(settings, owners, key)
                if settings is not None:
                    found[name] = settings
        enabled = [adapter for adapter in found.values() if adapter.enabled]
        self._check_claims("adapter", ((one.type.name, ("adapters", one.name), one.config) for one in enabled))
        return found

    def owners(self, value: object) -> dict[str, OwnerSettings]:
        """Return the owners by id. To be called after ``adapters``, which has noted the types that are missing."""
        found: dict[str, OwnerSettings] = {}
        for name, entry in (self._converter.table(value, ("owners",)) or {}).items():
            key: Key = ("owners", name)
            try:
                person(name)
            except InvalidOwnerError as error:
                self._problems.add(key, str(error))
            table = self._converter.table(entry, key)
            if table is not None:
                found[name] = self._owner(name, table, key)
        self._check_claims(
            "owner",
            (
                (kind, ("owners", owner.id, kind), identity)
                for owner in found.values()
                for kind, identity in owner.identities.items()
            ),
        )
        return found

    def _adapter(self, name: str, table: dict[str, Any], key: Key) -> AdapterSettings | None:
        common = [field for field in fields_of(AdapterSettings) if field.encode_name in _COMMON]
        values = self._converter.fields(common, table, key)
        adapter = self._type(table, key)
        if adapter is None:
            return None
        own = fields_of(adapter.Config)
        self._converter.unknown(table, ["type", *_COMMON, *(field.encode_name for field in own)], key)
        config = self._converter.build(adapter.Config, self._converter.fields(own, table, key), key)
        if any_invalid([config, *values.values()]):
            return None
        return AdapterSettings(name=name, type=adapter, config=config, **{"durable": adapter.durable, **values})

    def _type(self, table: dict[str, Any], key: Key) -> AdapterType | None:
        name = table.get("type")
        if not isinstance(name, str):
            types = choice(registry.names())
            message = f"expected {types}, got {sort(name)}" if "type" in table else f"missing: expected {types}"
            self._problems.add((*key, "type"), message)
            return None
        try:
            return registry.adapter_type(name)
        except MisconfiguredError as error:
            self._missing.add(name)
            self._problems.add((*key, "type"), str(error))
            return None

    def _owner(self, name: str, table: dict[str, Any], key: Key) -> OwnerSettings:
        types: Collection[str] = registry.BUILT_IN
        if not table.keys() <= {*_OWN, *types}:
            types = registry.names()
        self._converter.unknown(table, [*_OWN, *types], key)
        own = [field for field in fields_of(OwnerSettings) if field.encode_name in _OWN]
        values = self._converter.fields(own, table, key)
        identities = {
            kind: identity
            for kind, entry in table.items()
            if kind in types and (identity := self._identity(kind, entry, (*key, kind))) is not INVALID
        }
        right = {key: one for key, one in values.items() if one is not INVALID}
        return OwnerSettings(id=name, identities=identities, **right)

    def _identity(self, kind: str, value: object, key: Key) -> Any:  # noqa: ANN401 - the type's Identity, or INVALID
        if kind in self._missing:
            return INVALID
        try:
            identity = registry.adapter_type(kind).Identity
        except MisconfiguredError as error:
            self._problems.add(key, str(error))
            return INVALID
        if identity is None:
            self._problems.add(key, f"adapters of type {kind} do not know owners: remove this key")
            return INVALID
        return self._converter.struct(identity, value, key)

    def _check_owner(self, owner: object, owners: Collection[str], key: Key) -> None:
        if isinstance(owner, str) and owner not in {*owners, HOUSE}:
            remedy = mean(owner, owners) or f": give one of {', '.join([*sorted(owners), HOUSE])}"
            self._problems.add((*key, "owner"), f"there is no section [owners.{owner}]{remedy}")

    def _check_people(self, settings: AdapterSettings | None, owners: Collection[str], key: Key) -> None:
        """Note the people whom an adapter's own keys name and who do not exist."""
        named: object = getattr(settings.config, "people", None) if settings is not None else None
        for field, owner in named() if callable(named) else ():
            if owner not in owners:
                remedy = mean(owner, owners) or f": give one of {', '.join(sorted(owners))}"
                self._problems.add((*key, field), f"there is no section [owners.{owner}]{remedy}")

    def _check_claims(self, what: str, claimants: Iterable[tuple[str, Key, object]]) -> None:
        """Note what was claimed before; claimants are (type of adapter, key, Config or Identity)."""
        claimed: dict[tuple[str, str], Key] = {}
        for kind, key, claimant in claimants:
            claims: object = getattr(claimant, "claims", None)
            for one in claims() if callable(claims) else ():
                first = claimed.setdefault((kind, one), key)
                if first != key:
                    place = self._problems.says(first)
                    message = f'"{one}" belongs to {what} {first[1]} already ({place}): only one {what} can have it'
                    self._problems.add(key, message)
