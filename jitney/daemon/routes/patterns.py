"""Regular expressions that cannot spin: how long one may take is worked out before it is used."""

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from math import comb, prod
from typing import Any, Final

from msgspec import Struct

LONGEST: Final = 200
"""Characters of an expression."""

MOST_WAYS: Final = 2_500_000
"""Ways in which an expression may be laid over a text before it is sure that it does not match: some 50 ms."""

_MOST_TIMES: Final = 1000
_ANCHORS: Final = ("AT_BEGINNING", "AT_BEGINNING_STRING")
_ONE: Final = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")

# The parser of `re` itself, which knows better than any other what `re` will do.
_parser: Any = import_module("re._parser")


class Pattern(Struct, frozen=True):
    """A regular expression, and how many characters a text may have that it is searched in."""

    regex: re.Pattern[str]
    reach: int

    def search(self, text: str) -> bool:
        """Tell whether it is found in a text; in one beyond its reach it is not."""
        return len(text) <= self.reach and self.regex.search(text) is not None

    def match(self, text: str) -> bool:
        """Tell whether a text begins with it; one beyond its reach does not."""
        return len(text) <= self.reach and self.regex.match(text) is not None


@lru_cache(1000)
def compile_pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """Return the expression; raises ValueError for one that is wrong, or could take long."""
    if len(text) > LONGEST:
        raise ValueError(f"a regular expression has at most {LONGEST} characters, this one {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # First, for it needs no memory: compiling a{99999}{99999} would.
            parsed = _parser.parse(text)
            cost = _Cost.of(parsed)
            lines = bool(parsed.state.flags & re.MULTILINE)
            regex = re.compile(text, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    reach = cost.reach(MOST_WAYS, anchored=cost.anchored and not lines)
    if not reach:
        message = (
            "could take very long: too many repetitions and alternatives one after another, use fewer of * + ? {} |"
        )
        raise ValueError(message)
    return Pattern(regex, reach)


class _Cost(Struct, frozen=True):
    """In how many ways an expression can be laid over a text: ``ways``, times the lengths of ``open`` repetitions."""

    open: int = 0
    ways: int = 1
    anchored: bool = False

    @classmethod
    def of(cls, parsed: Any) -> "_Cost":  # noqa: ANN401 - re's own tree
        """Return the cost of a parsed expression; raises ValueError for what is not allowed."""
        items: list[tuple[str, Any]] = [(str(code), argument) for code, argument in parsed]
        costs = [_item(code, argument) for code, argument in items]
        first = bool(items) and items[0][0] == "AT" and str(items[0][1]) in _ANCHORS
        return cls(sum(cost.open for cost in costs), prod(cost.ways for cost in costs), anchored=first)

    def reach(self, most: int, *, anchored: bool) -> int:
        """Return the longest text that it can be searched in with ``most`` ways, 0 when none of 100 characters."""
        free = self.open + (not anchored)
        return next((length for length in _LENGTHS if self.ways * comb(length + free, free) <= most), 0)


_LENGTHS: Final = (16_384, 4096, 2048, 1024, 512, 240, 160, 100)


def _item(code: str, argument: Any) -> _Cost:  # noqa: ANN401 - re's own tree
    if code in _ONE or code == "AT":
        return _Cost()
    if code == "SUBPATTERN":
        return _Cost.of(argument[3])
    if code == "ATOMIC_GROUP":
        return _Cost.of(argument)
    if code == "BRANCH":
        return _branch(argument[1])
    if code in _REPEATS:
        return _repeat(argument[0], argument[1], argument[2])
    if code.startswith("GROUPREF"):
        raise ValueError("must not refer to one of its own groups: that can take very long")
    raise ValueError("must not look ahead or behind: that can take very long")


def _branch(branches: Sequence[Any]) -> _Cost:
    costs = [_Cost.of(branch) for branch in branches]
    ways = 1 if _distinct(branches) else len(branches)
    return _Cost(max(cost.open for cost in costs), ways * max(cost.ways for cost in costs))


def _distinct(branches: Sequence[Any]) -> bool:
    """Tell whether the alternatives begin with different letters, so that only one of them can ever match."""
    first = [str(branch[0][0]) == "LITERAL" and chr(branch[0][1]).casefold() for branch in branches if len(branch)]
    return len(first) == len(branches) and all(first) and len(set(first)) == len(first)


def _repeat(least: int, most: Any, body: Any) -> _Cost:  # noqa: ANN401 - re's own tree and its MAXREPEAT
    unbounded = str(most) == "MAXREPEAT"
    if least > _MOST_TIMES or (not unbounded and most > _MOST_TIMES):
        raise ValueError(f"repeats something more than {_MOST_TIMES} times")
    inner = _Cost.of(body)
    if (unbounded or most > 1) and (_has_repeat(body) or inner.open or inner.ways > 1):
        raise ValueError("nested quantifiers, such as (a+)+ or (a|ab)*, can take for ever: repeat one thing at a time")
    if (unbounded or most > 1) and body.getwidth()[0] == 0:
        raise ValueError("repeats something that may be empty: say what is to be repeated")
    if unbounded:
        return _Cost(inner.open + 1, inner.ways)
    return _Cost(inner.open, inner.ways * (int(most) - least + 1))


def _has_repeat(parsed: Any) -> bool:  # noqa: ANN401 - re's own tree
    for code, argument in parsed:
        match str(code):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return True
            case "SUBPATTERN" if _has_repeat(argument[3]):
                return True
            case "ATOMIC_GROUP" if _has_repeat(argument):
                return True
            case "BRANCH" if any(_has_repeat(branch) for branch in argument[1]):
                return True
    return False
