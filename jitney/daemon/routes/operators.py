"""The operators of conditions: each tells whether a value of an event holds, and never raises over its type."""

from collections.abc import Callable, Mapping
from datetime import date, time
from math import isfinite
from typing import Any, Final

from msgspec import Struct

from jitney.daemon.routes.patterns import compile_pattern
from jitney.daemon.routes.words import shown, sort

Test = Callable[[Any], bool]

MOST_CHOICES: Final = 1000

_DEEPEST: Final = 16


class Compiled(Struct, frozen=True):
    """An operator with its operand: ``test`` of a value, and the words for a value that holds and one that does not."""

    test: Test
    yes: str
    no: str


def compile_operator(name: str, operand: object) -> Compiled:
    """Return the test that an operator of OPERATORS makes of its operand; raises ValueError naming what it expects."""
    return OPERATORS[name](operand)


def same(one: object, other: object) -> bool:
    """Tell whether two JSON values are the same: 1 and 1.0 are, true and 1 are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def _equal(operand: object) -> Compiled:
    _check_json(operand)
    if type(operand) is str:
        return Compiled(lambda value: type(value) is str and value == operand, "", f"not {shown(operand)}")
    return Compiled(lambda value: same(value, operand), "", f"not {shown(operand)}")


def _not_equal(operand: object) -> Compiled:
    _check_json(operand)
    return Compiled(lambda value: not same(value, operand), f"not {shown(operand)}", "which it must not be")


def _in(operand: object) -> Compiled:
    choices = operand if isinstance(operand, list | tuple) else ()
    if not 0 < len(choices) <= MOST_CHOICES:
        raise ValueError(f"expected a list of 1 to {MOST_CHOICES} values, got {shown(operand)}")
    for one in choices:
        _check_scalar(one)
    texts = frozenset(one for one in choices if isinstance(one, str))
    others = [one for one in choices if not isinstance(one, str)]
    words = f"one of {shown(operand)}"
    return Compiled(
        lambda value: value in texts if type(value) is str else any(same(value, one) for one in others),
        words,
        f"not {words}",
    )


def _ordered(words: str, compare: Callable[[Any, Any], bool]) -> Callable[[object], Compiled]:
    def compiled(operand: object) -> Compiled:
        kinds: tuple[type, ...] = (str,) if isinstance(operand, str) else (int, float)
        _check_no_time(operand)
        if type(operand) not in (str, int, float) or (isinstance(operand, float) and not isfinite(operand)):
            raise ValueError(f"expected a number or a text, got {shown(operand)}")
        said = f"{words} {shown(operand)}"
        return Compiled(lambda value: type(value) in kinds and compare(value, operand), said, f"not {said}")

    return compiled


def _contains(operand: object) -> Compiled:
    _check_scalar(operand)

    def test(value: object) -> bool:
        if isinstance(value, str):
            return isinstance(operand, str) and operand in value
        return isinstance(value, list) and any(same(one, operand) for one in value)

    return Compiled(test, f"with {shown(operand)} in it", f"without {shown(operand)} in it")


def _affix(words: str, test: Callable[[str, str], bool]) -> Callable[[object], Compiled]:
    def compiled(operand: object) -> Compiled:
        text = _text(operand)
        said = f"{words} {shown(text)}"
        return Compiled(lambda value: type(value) is str and test(value, text), said, f"not {said}")

    return compiled


def _regex(operand: object) -> Compiled:
    pattern = compile_pattern(_text(operand))
    return Compiled(
        lambda value: type(value) is str and pattern.search(value),
        f"matching {shown(operand)}",
        f"not matching {shown(operand)} within {pattern.reach} characters",
    )


OPERATORS: Final[Mapping[str, Callable[[object], Compiled]]] = {
    "equal": _equal,
    "not_equal": _not_equal,
    "in": _in,
    "gt": _ordered("more than", lambda value, operand: value > operand),
    "ge": _ordered("at least", lambda value, operand: value >= operand),
    "lt": _ordered("less than", lambda value, operand: value < operand),
    "le": _ordered("at most", lambda value, operand: value <= operand),
    "contains": _contains,
    "prefix": _affix("beginning with", str.startswith),
    "suffix": _affix("ending with", str.endswith),
    "regex": _regex,
}
"""By their names in the file; besides these there is ``exists``, which is about no value."""


def _text(operand: object) -> str:
    if isinstance(operand, str) and operand:
        return operand
    raise ValueError(f"expected a text, got {shown(operand)}")


def _check_scalar(operand: object) -> None:
    _check_json(operand)
    plain = isinstance(operand, str | int | float)
    if not plain:
        raise ValueError(f"expected a text, a number, or true or false, got {sort(operand)}")


def _check_json(operand: object, deep: int = 0) -> None:
    """Refuse what no JSON value is ever equal to."""
    _check_no_time(operand)
    match operand:
        case float() if not isfinite(operand):
            raise ValueError(f"no value of an event is {operand}")
        case dict() | list() | tuple() if deep > _DEEPEST:
            raise ValueError("nested too deeply")
        case dict():
            for one in operand.values():
                _check_json(one, deep + 1)
        case list() | tuple():
            for one in operand:
                _check_json(one, deep + 1)
        case str() | int() | float() | bool():
            return
        case _:
            raise ValueError(f"expected a text, a number, true or false, a list or a table, got {sort(operand)}")


def _check_no_time(operand: object) -> None:
    text = operand.isoformat() if isinstance(operand, date | time) else ""
    if text:
        raise ValueError(f'times of events are texts, compare with one: "{text}"')
