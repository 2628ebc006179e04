"""The two sections whose keys depend on adapter types: `[adapters.<name>]` and `[owners.<id>]`."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from msgspec import Struct, inspect

from jitney.adapters import registry
from jitney.adapters.base import AdapterType
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.config.convert import INVALID, Converter
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import AdapterSettings, OwnerSettings
from jitney.daemon.config.words import choice, mean, sort
from jitney.topics import HOUSE, InvalidOwnerError
from jitney.topics.owners import person

_ADAPTER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_COMMON: Final = ("owner", "enabled", "durable", "retry")
"""The keys of AdapterSettings that the table of every adapter may have, besides ``type``."""


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
            if _ADAPTER.fullmatch(name) is None:
                rule = "use 1 to 32 of a-z, 0-9, '-' and '_', starting with a letter or digit"
                self._problems.add(key, f"not a name for an adapter: {rule}")
            table = self._converter.table(entry, key)
            if table is not None:
                self._check_owner(table.get("owner", HOUSE), owners, key)
                settings = self._adapter(name, table, key)
                if settings is not None:
                    found[name] = settings
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
        self._check_claims(found.values())
        return found

    def _adapter(self, name: str, table: dict[str, Any], key: Key) -> AdapterSettings | None:
        common = [field for field in _fields(AdapterSettings) if field.encode_name in _COMMON]
        values = self._converter.fields(common, table, key)
        adapter = self._type(table, key)
        if adapter is None:
            return None
        own = _fields(adapter.Config)
        self._converter.unknown(table, ["type", *_COMMON, *(field.encode_name for field in own)], key)
        settings = self._converter.fields(own, table, key)
        config = INVALID if settings is None else self._converter.build(adapter.Config, settings, key)
        if values is None or config is INVALID:
            return None
        return AdapterSettings(name=name, type=adapter, config=config, **{"durable": adapter.durable, **values})

    def _type(self, table: dict[str, Any], key: Key) -> AdapterType | None:
        name = table.get("type")
        if not isinstance(name, str):
            found = f"got {sort(name)}" if "type" in table else "which is missing"
            self._problems.add((*key, "type"), f"expected {choice(registry.names())}, {found}")
            return None
        try:
            return registry.adapter_type(name)
        except MisconfiguredError as error:
            self._missing.add(name)
            self._problems.add((*key, "type"), str(error) + mean(name, registry.names()))
            return None

    def _owner(self, name: str, table: dict[str, Any], key: Key) -> OwnerSettings:
        types = registry.names()
        self._converter.unknown(table, ["name", *types, *self._missing], key)
        own = [field for field in _fields(OwnerSettings) if field.encode_name == "name"]
        values = self._converter.fields(own, table, key) or {}
        identities = {
            kind: identity
            for kind, entry in table.items()
            if kind in types and (identity := self._identity(kind, entry, (*key, kind))) is not INVALID
        }
        return OwnerSettings(id=name, name=values.get("name") or name, identities=identities)

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

    def _check_claims(self, owners: Iterable[OwnerSettings]) -> None:
        claimed: dict[tuple[str, str], str] = {}
        for owner in owners:
            for kind, identity in owner.identities.items():
                claims: Iterable[str] = getattr(identity, "claims", tuple)()
                for one in claims:
                    first = claimed.setdefault((kind, one), owner.id)
                    if first != owner.id:
                        line = self._problems.line(("owners", first, kind))
                        place = f"line {line}" if line else f"[owners.{first}]"
                        message = f'"{one}" belongs to owner {first} already ({place}): only one owner can have it'
                        self._problems.add(("owners", owner.id, kind), message)


def _fields(cls: type[Struct]) -> tuple[inspect.Field, ...]:
    kind = inspect.type_info(cls)
    return kind.fields if isinstance(kind, inspect.StructType) else ()
