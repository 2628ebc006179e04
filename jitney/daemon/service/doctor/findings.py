"""What was found, and what it amounts to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Found, Level

LEVELS: Final[tuple[Level, ...]] = ("ok", "note", "warning", "problem")
"""From the best to the worst."""


class Finding(Struct, frozen=True):
    """One thing that was looked at: ``what`` it belongs to, how it stands, and a ``remedy`` where it is not well."""

    level: Level
    what: str
    text: str
    remedy: str = ""


def about(what: str, found: Iterable[Found]) -> list[Finding]:
    """Return what was found as findings about ``what``."""
    return [Finding(one.level, what, one.text, one.remedy) for one in found]


def counts(findings: Iterable[Finding]) -> Mapping[Level, int]:
    """Return how many findings there are of each level."""
    numbers = Counter(finding.level for finding in findings)
    return {level: numbers[level] for level in LEVELS}


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is a problem."""
    return all(finding.level != "problem" for finding in findings)


def verdict(findings: Iterable[Finding]) -> str:
    """Return all of it in one sentence."""
    numbers = counts(findings)
    worse = [_number(numbers[level], level) for level in ("problem", "warning") if numbers[level]]
    looked = f"{sum(numbers.values())} things looked at"
    if numbers["problem"]:
        return f"Something does not work: {' and '.join(worse)}; {looked}."
    if worse:
        return f"It works, but there is something to look after: {worse[0]}; {looked}."
    return f"All is well; {looked}."


def _number(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"
