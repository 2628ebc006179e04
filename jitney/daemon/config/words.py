"""What a setting expects and what it got, in words a person understands."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Any, Final

from msgspec import inspect

from jitney.adapters.secret import Secret

EXPECTS: Final = "expects"
"""The key of ``Meta(extra=…)`` under which a setting says in its own words what it expects."""

SECRET: Final = "a secret: a text, or one of { env = … }, { file = … }, { credential = … }"

_LONGEST: Final = 60
_BITS: Final = 64
_USER: Final = re.compile(r".*:.*@", re.DOTALL)


def expected(kind: inspect.Type) -> str:
    """Return what a setting of this type expects: "a whole number from 5 to 3600"."""
    match kind:
        case inspect.Metadata(type=inner, extra=extra):
            return str((extra or {}).get(EXPECTS) or expected(inner))
        case inspect.UnionType(types=types):
            return " or ".join(dict.fromkeys(expected(one) for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.LiteralType(values=values):
            return choice(values)
        case inspect.EnumType(cls=enum):
            return choice(member.value for member in enum)
        case inspect.IntType() | inspect.FloatType():
            return ("a whole number" if isinstance(kind, inspect.IntType) else "a number") + _range(kind)
        case inspect.StrType(min_length=least, max_length=most, pattern=pattern):
            return "a text" + _length(least, most, "character") + (f" matching {pattern}" if pattern else "")
        case inspect.DictType(min_length=least, max_length=most):
            return "a table" + _length(least, most, "key")
        case inspect.CustomType(cls=cls):
            return SECRET if cls is Secret else f"a {cls.__name__}"
        case inspect.CollectionType(min_length=least, max_length=most):
            return "a list" + _length(least, most, "element")
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)} elements"
    return _PLAIN.get(type(kind), f"a {type(kind).__name__.removesuffix('Type').lower()}")


def choice(values: Iterable[Any]) -> str:
    """Return the values a setting may have: ``one of "auto", "json"``."""
    texts = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return texts[0] if len(texts) == 1 else "one of " + ", ".join(texts)


def got(value: object) -> str:
    """Return a value of the file, short and never with the user and password of a URL."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() < _BITS:
            return str(value)
        case str():
            text = _USER.sub("…@", value)
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
    near = get_close_matches(text.lower(), known, 1)
    return f': did you mean "{near[0]}"?' if near and near[0] != text else ""


_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.AnyType: "anything",
    inspect.NoneType: "nothing",
    inspect.BoolType: "true or false",
    inspect.StructType: "a table",
    inspect.DateTimeType: _SORTS[datetime],
    inspect.DateType: _SORTS[date],
    inspect.TimeType: _SORTS[time],
}

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
