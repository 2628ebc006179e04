"""The bounds of everything that a template computes: each value is small, and each step takes short."""

from datetime import datetime
from math import isfinite
from typing import Any, Final

import msgspec
from jinja2 import Undefined, UndefinedError

from jitney.daemon.routes.words import shown, sort

MOST_CHARACTERS: Final = 16_384
"""Of a text, whether in between or in the end."""

MOST_ELEMENTS: Final = 1000
"""Of a list that is looked through."""

MOST_BITS: Final = 256
"""Of a whole number: more than anybody measures, and few enough to calculate with at once."""

_encode = msgspec.json.Encoder().encode


class Absent(Undefined):
    """A field that an event does not have, or a field of such a one: it can be tested, everything else raises."""

    __slots__ = ()

    @property
    def complaint(self) -> str:
        """What is wrong, with the remedy."""
        return self._undefined_hint or f"{self._undefined_name} is missing: add | default(…), or test it first"


def present(value: object) -> Any:  # noqa: ANN401 - any JSON, or a datetime
    """Return a value that is there; raises UndefinedError."""
    if isinstance(value, Absent):
        raise UndefinedError(value.complaint)
    return value


def number(value: object) -> float:
    """Return a number that can be calculated with; raises TypeError or ValueError."""
    present(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        remedy = "; texts are put together by ~, and become numbers by | float" if isinstance(value, str) else ""
        raise TypeError(f"expected a number, got {shown(value)}{remedy}")
    return checked(value)


def checked(value: float) -> float:
    """Return a number that is not too large; raises ValueError."""
    if value.bit_length() > MOST_BITS if isinstance(value, int) else not isfinite(value):
        raise ValueError("a number became too large")
    return value


def text(value: object) -> str:
    """Return a text that is not too long; raises TypeError or ValueError."""
    present(value)
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {shown(value)}")
    return short(value)


def short(value: str) -> str:
    """Return a text that is not too long; raises ValueError."""
    fits(len(value))
    return value


def fits(characters: int) -> None:
    """Refuse a text that would be too long; raises ValueError."""
    if characters > MOST_CHARACTERS:
        message = f"a text became longer than {MOST_CHARACTERS} characters"
        raise ValueError(message)


def elements(value: object) -> list[Any]:
    """Return a list that is not too long; raises TypeError or ValueError."""
    present(value)
    if not isinstance(value, list | tuple):
        raise TypeError(f"expected a list, got {sort(value)}")
    if len(value) > MOST_ELEMENTS:
        raise ValueError(f"a list of more than {MOST_ELEMENTS}")
    return list(value)


def scalar(value: object) -> Any:  # noqa: ANN401 - any JSON that has no parts
    """Return what is neither a list nor a table; raises TypeError."""
    if isinstance(present(value), list | tuple | dict):
        raise TypeError(f"expected a text or a number, got {sort(value)}")
    return value


def written(value: object) -> str:
    """Return any value as text: lists and tables as JSON; raises TypeError or ValueError."""
    match present(value):
        case str():
            return short(value)  # type: ignore[arg-type] # the case says so
        case bool() | None | datetime():
            return str(value)
        case int() | float() as found:
            return str(number(found))
        case dict() | list() | tuple():
            return short(_encode(value).decode())
    raise TypeError("expected a value to write, got something else")
