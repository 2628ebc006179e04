"""From what a file says to the typed structs: everything that does not fit is noted, not only the first."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from math import isfinite
from typing import Any, Final, TypeVar

from msgspec import Struct, inspect

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

_S = TypeVar("_S", bound=Struct)


class _Place(Struct, frozen=True):
    """Where a value stands and what is expected there."""

    key: Key
    words: str


class Converter:
    """Converts parts of one document by the types of its settings."""

    def __init__(self, problems: Problems, references: References) -> None:
        self._problems = problems
        self._references = references
        self._how: dict[type[inspect.Type], Callable[[Any, Any, _Place], Any]] = {
            inspect.AnyType: self._anything,
            inspect.CustomType: self._secret,
            inspect.DictType: self._mapping,
            inspect.StructType: self._struct,
            inspect.TupleType: self._fixed,
            inspect.UnionType: self._union,
            **dict.fromkeys(_SEQUENCES, self._sequence),
            **dict.fromkeys(_SCALARS, self._scalar),
        }

    def struct(self, cls: type[Struct], value: object, key: Key) -> Any:  # noqa: ANN401 - a cls, or INVALID
        """Return a table of the file as a ``cls``."""
        return self._value(inspect.type_info(cls), value, key)

    def section(self, cls: type[_S], value: object, key: Key) -> _S:
        """Return a table as a ``cls`` of which every key has a default, which stands in for what is wrong."""
        table = self.table(value, key) or {}
        known = fields_of(cls)
        self.unknown(table, [field.encode_name for field in known], key)
        return cls(**{name: one for name, one in self.fields(known, table, key).items() if one is not INVALID})

    def table(self, value: object, key: Key) -> dict[str, Any] | None:
        """Return ``value`` when it is a table, else None."""
        if isinstance(value, dict):
            return value
        self._problems.add(key, f"expected a table, got {sort(value)}")
        return None

    def each(self, cls: type[_S], value: object, key: Key) -> dict[int, _S]:
        """Return those of an array of tables that are a ``cls``, by index."""
        if not isinstance(value, list):
            self._problems.add(key, f"expected [[{key[0]}]], an array of tables, got {sort(value)}")
            return {}
        found = {index: self.struct(cls, entry, (*key, index)) for index, entry in enumerate(value)}
        return {index: one for index, one in found.items() if one is not INVALID}

    def unknown(self, table: Mapping[str, object], known: Iterable[str], key: Key) -> None:
        """Note every key of ``table`` that is not ``known``."""
        names = sorted(known)
        for name in table.keys() - names:
            remedy = mean(name, names) or (f": known here are {', '.join(names)}" if names else ": none is known here")
            self._problems.add((*key, name), f"unknown key{remedy}")

    def fields(self, fields: Iterable[inspect.Field], table: Mapping[str, object], key: Key) -> dict[str, Any]:
        """Return those of ``fields`` that the table has, by attribute; INVALID what is wrong or missing."""
        values: dict[str, Any] = {}
        for field in fields:
            place = (*key, field.encode_name)
            if field.encode_name in table:
                values[field.name] = self._value(field.type, table[field.encode_name], place)
            elif field.required:
                self._problems.add(place, f"missing: expected {expected(field.type)}")
                values[field.name] = INVALID
        return values

    def build(self, cls: type[Struct], values: Mapping[str, Any], key: Key) -> Any:  # noqa: ANN401 - a cls, or INVALID
        """Return the struct of valid values; what its ``__post_init__`` refuses is noted.

        A refusal is noted at the field whose name and a colon its text begins with, else at the struct.
        """
        if any_invalid(values.values()):
            return INVALID
        try:
            return cls(**values)
        except (ValueError, TypeError, JitneyError) as error:
            text = self._references.scrub(str(error))
        name, colon, rest = text.partition(": ")
        if colon and name in cls.__struct_encode_fields__:
            key, text = (*key, name), rest
        self._problems.add(key, text)
        return INVALID

    def _value(self, kind: inspect.Type, value: object, key: Key) -> Any:  # noqa: ANN401 - as kind says, or INVALID
        place = _Place(key, expected(kind))
        inner = kind.type if isinstance(kind, inspect.Metadata) else kind
        if isinstance(inner, inspect.UnionType):
            inner = _member(inner.types, value) or inner
        convert = self._how.get(type(inner))
        return self._impossible(place) if convert is None else convert(inner, value, place)

    def _secret(self, kind: inspect.CustomType, value: object, place: _Place) -> Any:  # noqa: ANN401
        if kind.cls is not Secret:
            return self._impossible(place)
        secret = self._references.secret(value, place.key)
        return INVALID if secret is None else secret

    def _struct(self, kind: inspect.StructType, value: object, place: _Place) -> Any:  # noqa: ANN401
        table = self.table(value, place.key)
        if table is None:
            return INVALID
        tag = [kind.tag_field] if kind.tag_field else []
        self.unknown(table, [*tag, *(field.encode_name for field in kind.fields)], place.key)
        return self.build(kind.cls, self.fields(kind.fields, table, place.key), place.key)

    def _mapping(self, kind: inspect.DictType, value: object, place: _Place) -> Any:  # noqa: ANN401
        if not isinstance(value, dict) or not _within(len(value), kind.min_length, kind.max_length):
            return self._refuse(shape(value), place)
        names = [self._value(kind.key_type, name, (*place.key, name)) for name in value]
        values = [self._value(kind.value_type, one, (*place.key, name)) for name, one in value.items()]
        return INVALID if any_invalid([*names, *values]) else dict(zip(names, values, strict=True))

    def _sequence(self, kind: inspect.CollectionType, value: object, place: _Place) -> Any:  # noqa: ANN401
        if not isinstance(value, list) or not _within(len(value), kind.min_length, kind.max_length):
            return self._refuse(shape(value), place)
        items = [self._value(kind.item_type, item, (*place.key, index)) for index, item in enumerate(value)]
        return INVALID if any_invalid(items) else _SEQUENCES[type(kind)](items)

    def _fixed(self, kind: inspect.TupleType, value: object, place: _Place) -> Any:  # noqa: ANN401
        if not isinstance(value, list) or len(value) != len(kind.item_types):
            return self._refuse(shape(value), place)
        pairs = enumerate(zip(kind.item_types, value, strict=True))
        items = [self._value(one, item, (*place.key, index)) for index, (one, item) in pairs]
        return INVALID if any_invalid(items) else tuple(items)

    def _scalar(self, kind: inspect.Type, value: Any, place: _Place) -> Any:  # noqa: ANN401
        if type(value) not in _SCALARS[type(kind)] or not _fits(kind, value):
            return self._refuse(got(value), place)
        if isinstance(kind, inspect.EnumType):
            return kind.cls(value)
        return float(value) if isinstance(kind, inspect.FloatType) else value

    def _anything(self, _kind: inspect.Type, value: object, _place: _Place) -> Any:  # noqa: ANN401
        return value

    def _union(self, _kind: inspect.Type, value: object, place: _Place) -> Any:  # noqa: ANN401
        return self._refuse(shape(value), place)

    def _impossible(self, place: _Place) -> Any:  # noqa: ANN401
        self._problems.add(place.key, f"cannot be given in a file, which has no {place.words.removeprefix('a ')}")
        return INVALID

    def _refuse(self, found: str, place: _Place) -> Any:  # noqa: ANN401
        self._problems.add(place.key, f"expected {place.words}, got {found}")
        return INVALID


def any_invalid(values: Iterable[object]) -> bool:
    """Tell whether one of the values is INVALID."""
    return any(value is INVALID for value in values)


def fields_of(cls: type[Struct]) -> tuple[inspect.Field, ...]:
    """Return the fields of a struct with their types."""
    kind = inspect.type_info(cls)
    return kind.fields if isinstance(kind, inspect.StructType) else ()


def _member(types: Iterable[inspect.Type], value: object) -> inspect.Type | None:
    """Return the member of a union that a value is meant for; msgspec allows no two that look the same."""
    inner = [kind.type if isinstance(kind, inspect.Metadata) else kind for kind in types]
    return next((kind for kind in inner if _looks_like(kind, value)), None)


def _looks_like(kind: inspect.Type, value: object) -> bool:
    match kind:
        case inspect.CustomType():
            return True
        case inspect.StructType(tag_field=field, tag=tag):
            return isinstance(value, dict) and (field is None or value.get(field) == tag)
        case inspect.DictType():
            return isinstance(value, dict)
        case inspect.CollectionType() | inspect.TupleType():
            return isinstance(value, list)
    return type(value) in _SCALARS.get(type(kind), ())


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
    finite = -_LARGEST <= value <= _LARGEST if isinstance(value, int) else isfinite(value)
    bounds = ((kind.ge, operator.ge), (kind.gt, operator.gt), (kind.le, operator.le), (kind.lt, operator.lt))
    return (
        finite
        and all(bound is None or fits(value, bound) for bound, fits in bounds)
        and (kind.multiple_of is None or value % kind.multiple_of == 0)
    )


def _within(length: int, least: int | None, most: int | None) -> bool:
    return (least is None or length >= least) and (most is None or length <= most)
