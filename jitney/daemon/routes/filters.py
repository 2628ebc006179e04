"""The filters and tests of templates: those of Home Assistant that are of use here, with its names and behaviour.

Each takes a time that the bounds of its arguments bound; none reaches anything but its arguments. Documented at
https://www.home-assistant.io/docs/templating/ (forgiving conversions: with a default they never fail).
"""

# ruff: noqa: FBT002, PLR0917 - which arguments filters have, and in what order, is Home Assistant's to say

import math
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from jinja2.filters import do_title

from jitney.daemon.routes import clock
from jitney.daemon.routes.bounds import Absent, checked, elements, fits, number, present, scalar, short, text, written
from jitney.daemon.routes.patterns import Pattern, compile_pattern

NONE_GIVEN: Final[Any] = object()
"""Stands for an argument that was left out."""

_MOST_DIGITS: Final = 20
_TRUE: Final = frozenset({"1", "true", "yes", "on", "enable"})
_FALSE: Final = frozenset({"0", "false", "no", "off", "disable"})

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def default(value: object, default_value: object = "", boolean: object = False) -> object:
    """Return a value that is there, else the default; with ``boolean`` also for what counts as false."""
    return default_value if isinstance(value, Absent) or (boolean and not value) else value


def round_(value: object, precision: object = 0, method: object = "common", default: object = NONE_GIVEN) -> object:
    """Round to digits after the point: common, ceil, floor, or half (to the next half)."""
    digits = number(precision)
    if digits != int(digits) or abs(digits) > _MOST_DIGITS:
        raise ValueError(f"round to whole digits, at most {_MOST_DIGITS}")
    digits = int(digits)
    found = _float(value)
    if found is None:
        return _fallback("round", value, default)
    multiplier = float(10**digits)
    match method:
        case "ceil":
            rounded = math.ceil(checked(found * multiplier)) / multiplier
        case "floor":
            rounded = math.floor(checked(found * multiplier)) / multiplier
        case "half":
            rounded = round(checked(found * 2)) / 2
        case "common":
            rounded = round(found, digits)
        case _:
            raise ValueError(f"round knows common, ceil, floor and half, not {written(method)[:20]!r}")
    return int(rounded) if digits == 0 else rounded


def float_(value: object, default: object = NONE_GIVEN) -> object:
    """Return a number with a point."""
    found = _float(value)
    return _fallback("float", value, default) if found is None else found


def int_(value: object, default: object = NONE_GIVEN, base: object = 10) -> object:
    """Return a whole number; what comes after the point is cut off."""
    if isinstance(value, str) and base != 10:  # noqa: PLR2004 - how people count
        try:
            return checked(int(text(value)[: _MOST_DIGITS * 10], int(number(base))))
        except ValueError:
            return _fallback("int", value, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return checked(value)
    found = _whole(value)
    return _fallback("int", value, default) if found is None else found


def bool_(value: object, default: object = NONE_GIVEN) -> object:
    """Return true for true, yes, on, enable and 1, and false for their opposites."""
    match value:
        case bool():
            return value
        case str() if value.lower().strip() in _TRUE | _FALSE:
            return value.lower().strip() in _TRUE
        case int() | float():
            return value != 0
    return _fallback("bool", value, default)


def is_number(value: object) -> bool:
    """Tell whether it is a finite number, or a text that is one."""
    return not isinstance(value, bool) and _float(value) is not None


def add(value: object, amount: object, default: object = NONE_GIVEN) -> object:
    """Add a number."""
    found = _float(value)
    return _fallback("add", value, default) if found is None else checked(found + number(amount))


def multiply(value: object, amount: object, default: object = NONE_GIVEN) -> object:
    """Multiply by a number."""
    found = _float(value)
    return _fallback("multiply", value, default) if found is None else checked(found * number(amount))


def truncate(
    value: object, length: object = 255, killwords: object = False, end: object = "...", leeway: object = 5
) -> str:
    """Cut a text that is longer than so many characters and the leeway, between words unless ``killwords``."""
    found, most, tail = text(value), int(number(length)), text(end)
    if len(found) <= most + int(number(leeway)):
        return found
    kept = found[: max(0, most - len(tail))]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + tail


def replace(value: object, old: object, new: object) -> str:
    """Replace a text within another everywhere."""
    found, what, by = written(value), text(old), text(new)
    if not what:
        raise ValueError("replace needs a text that is to be replaced")
    fits(len(found) + found.count(what) * (len(by) - len(what)))
    return found.replace(what, by)


def join(value: object, d: object = "") -> str:
    """Put the elements of a list together, with a text between each two."""
    between, parts, length = text(d), list[str](), 0
    for one in elements(value):
        parts.append(written(one))
        length += len(parts[-1]) + len(between)
        fits(length - len(between))
    return between.join(parts)


def concat(*values: object) -> str:
    """Put texts together: what ``~`` does."""
    return join(values)


def part(value: object, start: int | None, stop: int | None) -> object:
    """Return a part of a text or a list: what ``[start:stop]`` does."""
    return (value if isinstance(value, str) else elements(value))[start:stop]


def length(value: object) -> int:
    """Return how many characters, elements or fields there are."""
    if not isinstance(present(value), str | list | tuple | dict):
        raise TypeError("only texts, lists and tables have a length")
    return len(value)  # type: ignore[arg-type] # as just said


def first(value: object) -> object:
    """Return the first element or character."""
    return _element(value, 0)


def last(value: object) -> object:
    """Return the last element or character."""
    return _element(value, -1)


def min_(value: object) -> object:
    """Return the smallest number of a list."""
    return min(map(number, elements(value)))


def max_(value: object) -> object:
    """Return the largest number of a list."""
    return max(map(number, elements(value)))


def sum_(value: object) -> object:
    """Return the sum of a list of numbers."""
    return checked(sum(map(number, elements(value))))


def sort(value: object, reverse: object = False) -> list[Any]:
    """Return a list in order, without regard to upper and lower case."""
    found = [scalar(one) for one in elements(value)]
    return sorted(found, key=lambda one: short(one).lower() if isinstance(one, str) else one, reverse=bool(reverse))


def iif(value: object, if_true: object = True, if_false: object = False, if_none: object = NONE_GIVEN) -> object:
    """Return one of two values, or ``if_none`` for null."""
    if value is None and if_none is not NONE_GIVEN:
        return if_none
    return if_true if value else if_false


def contains(value: object, one: object) -> bool:
    """Tell whether a text or a list contains something."""
    return compare(one, "in", value)


def to_json(value: object) -> str:
    """Return it as JSON."""
    return short(_encode(present(value)).decode())


def from_json(value: object, default: object = NONE_GIVEN) -> object:
    """Return what a text says as JSON."""
    try:
        return _decode(text(value))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _fallback("from_json", value, default)


def regex_match(value: object, find: str, ignorecase: object = False) -> bool:
    """Tell whether a text begins with a regular expression."""
    return _pattern(find, ignorecase).match(written(value))


def regex_search(value: object, find: str, ignorecase: object = False) -> bool:
    """Tell whether a regular expression is found in a text."""
    return _pattern(find, ignorecase).search(written(value))


def compare(left: object, *pairs: object) -> bool:
    """Compare with one value after the other, in Jinja's words: eq, ne, lt, lteq, gt, gteq, in, notin."""
    for word, right in zip(pairs[::2], pairs[1::2], strict=True):
        if not _COMPARED[str(word)](left, right):
            return False
        left = right
    return True


def _same(left: object, right: object) -> bool:
    if isinstance(left, Absent) or isinstance(right, Absent):
        return False
    if isinstance(left, list | tuple | dict) and isinstance(right, list | tuple | dict):
        if left and right:
            raise TypeError("whole lists and tables are not compared: compare their fields, or use when")
        return bool(left) == bool(right) and isinstance(left, dict) == isinstance(right, dict)
    return left == right


def _is_in(left: object, right: object) -> bool:
    if isinstance(present(right), str):
        return text(left) in short(right)  # type: ignore[arg-type] # as just said
    if isinstance(right, dict):
        return text(left) in right
    wanted = scalar(left)
    return any(one == wanted for one in elements(right))


def _less(left: object, right: object) -> bool:
    if isinstance(present(left), str) and isinstance(present(right), str):
        return text(left) < text(right)
    return number(left) < number(right)


_COMPARED: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "eq": _same,
    "ne": lambda left, right: not _same(left, right),
    "lt": _less,
    "gt": lambda left, right: _less(right, left),
    "lteq": lambda left, right: not _less(right, left),
    "gteq": lambda left, right: not _less(left, right),
    "in": _is_in,
    "notin": lambda left, right: not _is_in(left, right),
}

FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    **clock.FILTERS,
    "abs": lambda value: abs(number(value)),
    "add": add,
    "bool": bool_,
    "capitalize": lambda value: short(written(value).capitalize()),
    "contains": contains,
    "count": length,
    "d": default,
    "default": default,
    "first": first,
    "float": float_,
    "from_json": from_json,
    "iif": iif,
    "int": int_,
    "is_defined": present,
    "is_number": is_number,
    "join": join,
    "last": last,
    "length": length,
    "lower": lambda value: short(written(value).lower()),
    "max": max_,
    "min": min_,
    "multiply": multiply,
    "regex_match": regex_match,
    "regex_search": regex_search,
    "replace": replace,
    "round": round_,
    "sort": sort,
    "string": written,
    "sum": sum_,
    "title": lambda value: short(do_title(written(value))),
    "to_json": to_json,
    "trim": lambda value: written(value).strip(),
    "truncate": truncate,
    "upper": lambda value: short(written(value).upper()),
    "urlencode": lambda value: short(quote(written(value), safe="")),
}

TESTS: Final[Mapping[str, Callable[..., bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: not isinstance(value, Absent),
    "even": lambda value: number(value) % 2 == 0,
    "false": lambda value: value is False,
    "float": lambda value: isinstance(value, float),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple),
    "mapping": lambda value: isinstance(value, dict),
    "match": regex_match,
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": lambda value: number(value) % 2 == 1,
    "search": regex_search,
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
    "undefined": lambda value: isinstance(value, Absent),
}

PATTERNED: Final = frozenset({"regex_match", "regex_search", "match", "search"})
"""Filters and tests whose first argument is a regular expression, which stands in the template itself."""


def _pattern(find: str, ignore_case: object) -> Pattern:
    return compile_pattern(find, ignore_case=bool(ignore_case))


def _fallback(name: str, value: object, default: object) -> object:
    if default is NONE_GIVEN:
        present(value)
        raise ValueError(f"{name} cannot use {written(value)[:60]!r}: give it a default, {name}(default=0)")
    return default


def _float(value: object) -> float | None:
    """Return a value as a finite number, None when it is none."""
    try:
        found = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _whole(value: object) -> int | float | None:
    if isinstance(value, str):
        try:
            return checked(int(short(value)))
        except ValueError:
            pass
    found = _float(value)
    return None if found is None else checked(int(found))


def _element(value: object, index: int) -> object:
    found = short(value) if isinstance(value, str) else elements(value)
    if not found:
        raise ValueError("an empty list has neither a first nor a last element: test it first")
    return found[index]
