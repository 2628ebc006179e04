"""What a setting expects and what it got, in words a person understands."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import singledispatch
from typing import Any, Final

from msgspec import inspect

from jitney.adapters.secret import Secret

EXPECTS: Final = "expects"
"""The key of ``Meta(extra=…)`` under which a setting says in its own words what it expects."""

A_REFERENCE: Final = "a secret: a text, or one of { env = … }, { file = … }, { credential = … }, { vault = … }"

_LONGEST: Final = 60
_BITS: Final = 64
_TOKEN: Final = re.compile(r"eyJ[\w.-]+")
"""A JWT pasted into the wrong place."""

_USER: Final = re.compile(r".*:.*@", re.DOTALL)


@singledispatch
def expected(kind: inspect.Type) -> str:
    """Return what a setting of this type expects: "a whole number from 5 to 3600"."""
    return _PLAIN.get(type(kind), f"a {type(kind).__name__.removesuffix('Type').lower()}")


@expected.register
def _(kind: inspect.Metadata) -> str:
    return str((kind.extra or {}).get(EXPECTS) or expected(kind.type))


@expected.register
def _(kind: inspect.UnionType) -> str:
    return " or ".join(dict.fromkeys(expected(one) for one in kind.types if not isinstance(one, inspect.NoneType)))


@expected.register
def _(kind: inspect.LiteralType) -> str:
    return choice(kind.values)


@expected.register
def _(kind: inspect.EnumType) -> str:
    return choice(member.value for member in kind.cls)


@expected.register
def _(kind: inspect.IntType) -> str:
    return "a whole number" + _range(kind)


@expected.register
def _(kind: inspect.FloatType) -> str:
    return "a number" + _range(kind)


@expected.register
def _(kind: inspect.StrType) -> str:
    rule = f" matching {kind.pattern}" if kind.pattern else ""
    return "a text" + _length(kind.min_length, kind.max_length, "character") + rule


@expected.register
def _(kind: inspect.StructType) -> str:
    return f"a table with {kind.tag_field} = {choice([kind.tag])}" if kind.tag_field else "a table"


@expected.register
def _(kind: inspect.DictType) -> str:
    return "a table" + _length(kind.min_length, kind.max_length, "key")


@expected.register
def _(kind: inspect.CollectionType) -> str:
    return "a list" + _length(kind.min_length, kind.max_length, "element")


@expected.register
def _(kind: inspect.TupleType) -> str:
    return f"a list of {len(kind.item_types)}"


@expected.register
def _(kind: inspect.CustomType) -> str:
    return A_REFERENCE if kind.cls is Secret else f"a {kind.cls.__name__}"


def choice(values: Iterable[Any]) -> str:
    """Return the values a setting may have: ``one of "auto", "json"``."""
    texts = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return texts[0] if len(texts) == 1 else "one of " + ", ".join(texts)


def got(value: object) -> str:
    """Return a value of the file, short and never with a token or the user and password of a URL."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            bits = value.bit_length()
            return str(value) if bits < _BITS else f"a whole number of {bits} bits"
        case str():
            text = _TOKEN.sub("eyJ…", _USER.sub("…@", value))
            return f'"{text}"' if len(text) <= _LONGEST else f'"{text[:_LONGEST]}…"'
        case float() | datetime() | date() | time():
            return str(value)
    return shape(value)


def shape(value: object) -> str:
    """Return what sort of value it is and how many elements a list has: what may be told of a place with secrets."""
    return f"a list of {len(value)}" if isinstance(value, list) else sort(value)


def sort(value: object) -> str:
    """Return what sort of value it is, without a word of it."""
    return _SORTS.get(type(value), "something else")


def mean(text: str, known: Iterable[str]) -> str:
    """Return the question after a word that is not ``known``, empty when nothing known is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - memory for whoever has mistyped something

    near = get_close_matches(text.lower(), known, 1)
    return f': did you mean "{near[0]}"?' if near and near[0] != text else ""


_SORTS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime: "a date and time",
    date: "a date",
    time: "a time",
    dict: "a table",
    list: "a list",
}

_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.AnyType: "anything",
    inspect.NoneType: "nothing",
    inspect.BoolType: "true or false",
    inspect.DateTimeType: _SORTS[datetime],
    inspect.DateType: _SORTS[date],
    inspect.TimeType: _SORTS[time],
}


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    bounds = {"above": kind.gt, "of at least": kind.ge, "below": kind.lt, "of at most": kind.le}
    words = [f"{word} {bound}" for word, bound in bounds.items() if bound is not None]
    return (" " + " and ".join(words)) if words else ""


def _length(least: int | None, most: int | None, what: str) -> str:
    bounds = {"at least": least, "at most": most}
    words = [f"{word} {bound} {what}{'' if bound == 1 else 's'}" for word, bound in bounds.items() if bound is not None]
    return (" of " + " and ".join(words)) if words else ""
