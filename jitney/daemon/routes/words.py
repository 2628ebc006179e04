"""Values of events and of the file in words for a person."""

from collections.abc import Iterable
from datetime import date, time
from typing import Any, Final

import msgspec

_LONGEST: Final = 60
_FEW: Final = 8
_NEAR: Final = 100
_BITS: Final = 64


def mean(word: str, known: Iterable[str]) -> str:
    """Return the question after a word that is not ``known``: ``: did you mean "gt"?``; else the known ones."""
    from difflib import get_close_matches  # noqa: PLC0415 - memory for whoever has mistyped something

    names = sorted(known)
    near = get_close_matches(word.lower(), names, 1) if len(word) <= _NEAR else []
    if near and near[0] != word:
        return f': did you mean "{near[0]}"?'
    if not names:
        return ": there is none here"
    more = ", …" if len(names) > _FEW * 4 else ""
    return f": there are {', '.join(names[: _FEW * 4])}{more}"


def shown(value: object) -> str:
    """Return a value as JSON, on one line and short."""
    match value:
        case str():
            return _quoted(value)
        case bool():
            return str(value).lower()
        case int() if value.bit_length() >= _BITS:
            return f"a whole number of {value.bit_length()} bits"
        case int() | float() | date() | time():
            return str(value)
        case dict() | list() | tuple():
            return _parts(value)
    return sort(value)


def sort(value: object) -> str:
    """Return what sort of value it is."""
    return next((words for kinds, words in _SORTS if isinstance(value, kinds)), "something else")


_SORTS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    (date, "a date"),
    (time, "a time"),
    (dict, "a table"),
    ((list, tuple), "a list"),
    (type(None), "null"),
)


def _quoted(text: str) -> str:
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    try:
        encoded = msgspec.json.encode(short).decode()
    except UnicodeEncodeError:
        encoded = f'"{short}"'
    return encoded if encoded.isprintable() else ascii(short)


def _parts(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> str:
    if isinstance(value, dict):
        return _listed((f"{_quoted(str(key))}: {_flat(one)}" for key, one in value.items()), "{}", len(value))
    return _listed(map(_flat, value), "[]", len(value))


def _flat(value: object) -> str:
    match value:
        case dict():
            return "{…}" if value else "{}"
        case list() | tuple():
            return "[…]" if value else "[]"
    return shown(value)


def _listed(parts: Iterable[str], brackets: str, number: int) -> str:
    few = [part for part, _ in zip(parts, range(_FEW), strict=False)]
    more = [f"… {number - _FEW} more"] if number > _FEW else []
    return brackets[0] + ", ".join([*few, *more]) + brackets[1]
