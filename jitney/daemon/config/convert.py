"""From what a file says to the typed structs: everything that does not fit is noted, not only the first."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from msgspec import NODEFAULT, Struct, inspect

from jitney.adapters.secret import Secret
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.references import References
from jitney.daemon.config.words import expected, got, mean, shape, sort
from jitney.topics import JitneyError

INVALID: Final[Any] = object()
"""Stands for a value that could not be converted; why was noted."""

_SEQUENCES: Final[dict[type[inspect.Type], type]] = {
    inspect.ListType: list,
    inspect.VarTupleType: tuple,
    inspect.TupleType: tuple,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}
"""What an array of the file becomes."""

_SCALARS: Final[dict[type[inspect.Type], tuple[type, ...]]] = {
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (float, int),
    inspect.StrType: (str,),
    inspect.LiteralType: (str, int),
    inspect.EnumType: (str, int),
    inspect.DateTimeType: (datetime,),
    inspect.DateType: (date,),
    inspect.TimeType: (time,),
}
"""Which values of the file may become it; exact types, for True is an int and a datetime a date."""

_LARGEST: Final = 2**63 - 1
"""The largest integer that every TOML reader must know."""


class Converter:
    """Converts parts of one document by the types of its settings."""

    def __init__(self, problems: Problems, references: References) -> None:
        self._problems = problems
        self._references = references

    def struct(self, cls: type[Struct], value: object, key: Key) -> Any:  # noqa: ANN401 - a cls, or INVALID
        """Return a table of the file as a ``cls``."""
        return self._value(inspect.type_info(cls), value, key)

    def table(self, value: object, key: Key) -> dict[str, Any] | None:
        """Return ``value`` when it is a table, else None."""
        if isinstance(value, dict):
            return value
        self._problems.add(key, f"expected a table, got {sort(value)}")
        return None

    def unknown(self, table: Mapping[str, object], known: Iterable[str], key: Key) -> None:
        """Note every key of ``table`` that is not ``known``."""
        names = sorted(known)
        for name in table.keys() - names:
            remedy = mean(name, names) or (f": known here are {', '.join(names)}" if names else ": none is known here")
            self._problems.add((*key, name), f"unknown key{remedy}")

    def fields(self, fields: Iterable[inspect.Field], table: Mapping[str, object], key: Key) -> dict[str, Any] | None:
        """Return those of ``fields`` that the table has, by attribute; None when one is wrong or missing."""
        values: dict[str, Any] = {}
        for field in fields:
            place = (*key, field.encode_name)
            if field.encode_name in table:
                values[field.name] = self._value(field.type, table[field.encode_name], place)
            elif field.required:
                self._problems.add(place, f"missing: expected {expected(field.type)}")
                values[field.name] = INVALID
        return None if _any_invalid(values.values()) else values

    def build(self, cls: type[Struct], values: Mapping[str, Any], key: Key) -> Any:  # noqa: ANN401 - a cls, or INVALID
        """Return the struct; what its ``__post_init__`` refuses is noted at the key that its text begins with."""
        try:
            return cls(**values)
        except (ValueError, TypeError, JitneyError) as error:
            text = self._references.scrub(str(error))
        name, colon, rest = text.partition(": ")
        if colon and name in cls.__struct_encode_fields__:
            key, text = (*key, name), rest
        self._problems.add(key, text)
        return INVALID

    def _value(self, kind: inspect.Type, value: object, key: Key, *, words: str = "") -> Any:  # noqa: ANN401
        words = words or expected(kind)
        match kind:
            case inspect.AnyType():
                return value
            case inspect.Metadata(type=inner):
                return self._value(inner, value, key, words=words)
            case inspect.CustomType(cls=cls) if cls is Secret:
                secret = self._references.secret(value, key)
                return INVALID if secret is None else secret
            case inspect.UnionType(types=types):
                chosen = _member(types, value)
                return self._value(chosen, value, key) if chosen else self._refuse(kind, value, key, words)
            case inspect.StructType():
                return self._struct(kind, value, key)
            case inspect.DictType():
                return self._mapping(kind, value, key, words)
            case _ if type(kind) in _SEQUENCES:
                return self._sequence(kind, value, key, words)
        return self._scalar(kind, value, key, words)

    def _struct(self, kind: inspect.StructType, value: object, key: Key) -> Any:  # noqa: ANN401
        table = self.table(value, key)
        if table is None:
            return INVALID
        tag = [kind.tag_field] if kind.tag_field else []
        self.unknown(table, [*tag, *(field.encode_name for field in kind.fields)], key)
        values = self.fields(kind.fields, table, key)
        return INVALID if values is None else self.build(kind.cls, values, key)

    def _mapping(self, kind: inspect.DictType, value: object, key: Key, words: str) -> Any:  # noqa: ANN401
        if not isinstance(value, dict) or not _within(len(value), kind.min_length, kind.max_length):
            return self._refuse(kind, value, key, words)
        names = [self._value(kind.key_type, name, (*key, name)) for name in value]
        values = [self._value(kind.value_type, one, (*key, name)) for name, one in value.items()]
        return INVALID if _any_invalid([*names, *values]) else dict(zip(names, values, strict=True))

    def _sequence(self, kind: inspect.Type, value: object, key: Key, words: str) -> Any:  # noqa: ANN401
        if not isinstance(value, list):
            return self._refuse(kind, value, key, words)
        kinds: Sequence[inspect.Type]
        match kind:
            case inspect.TupleType(item_types=kinds):
                fits = len(kinds) == len(value)
            case inspect.CollectionType(item_type=item, min_length=least, max_length=most):
                kinds, fits = [item] * len(value), _within(len(value), least, most)
        if not fits:
            return self._refuse(kind, value, key, words)
        items = [self._value(one, item, (*key, n)) for n, (one, item) in enumerate(zip(kinds, value, strict=True))]
        return INVALID if _any_invalid(items) else _SEQUENCES[type(kind)](items)

    def _scalar(self, kind: inspect.Type, value: object, key: Key, words: str) -> Any:  # noqa: ANN401
        if type(kind) not in _SCALARS:
            self._problems.add(key, f"this setting cannot be given in a file: expected {words}")
            return INVALID
        if type(value) not in _SCALARS[type(kind)] or not _fits(kind, value):
            return self._refuse(kind, value, key, words)
        if isinstance(kind, inspect.EnumType):
            return kind.cls(value)
        return float(value) if isinstance(kind, inspect.FloatType) and isinstance(value, int) else value

    def _refuse(self, kind: inspect.Type, value: object, key: Key, words: str) -> Any:  # noqa: ANN401 - INVALID
        told = got(value) if type(kind) in _SCALARS else shape(value)
        self._problems.add(key, f"expected {words}, got {told}")
        return INVALID


def _any_invalid(values: Iterable[object]) -> bool:
    return any(value is INVALID for value in values)


def _member(types: Iterable[inspect.Type], value: object) -> inspect.Type | None:
    """Return the member of a union that ``value`` is meant for; msgspec allows no two that look the same."""
    for kind in types:
        inner = kind.type if isinstance(kind, inspect.Metadata) else kind
        match inner:
            case inspect.CustomType(cls=cls) if cls is Secret:
                return kind
            case inspect.StructType(tag_field=None) | inspect.DictType() if isinstance(value, dict):
                return kind
            case inspect.StructType(tag_field=field, tag=tag) if isinstance(value, dict) and value.get(field) == tag:
                return kind
            case _ if isinstance(value, list) and type(inner) in _SEQUENCES:
                return kind
            case _ if type(value) in _SCALARS.get(type(inner), ()):
                return kind
    return None


def _fits(kind: inspect.Type, value: Any) -> bool:  # noqa: ANN401 - of a type that the kind accepts
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return _in_range(kind, value)
        case inspect.StrType(min_length=least, max_length=most, pattern=pattern):
            return _within(len(value), least, most) and (pattern is None or re.search(pattern, value) is not None)
        case inspect.LiteralType(values=values):
            return any(type(one) is type(value) and one == value for one in values)
        case inspect.EnumType(cls=enum):
            return any(type(one.value) is type(value) and one.value == value for one in enum)
    return True


def _in_range(kind: inspect.IntType | inspect.FloatType, value: float) -> bool:
    return (
        (-_LARGEST <= value <= _LARGEST if isinstance(value, int) else math.isfinite(value))
        and (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
        and (kind.multiple_of is None or value % kind.multiple_of == 0)
    )


def _within(length: int, least: int | None, most: int | None) -> bool:
    return (least is None or length >= least) and (most is None or length <= most)
