"""Times in templates, as Home Assistant writes them: timestamps are Unix seconds, local time is this machine's."""

# ruff: noqa: FBT002 - which arguments filters have, and in what order, is Home Assistant's to say

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from jitney.daemon.routes.bounds import checked, number, present, short, text

DEFAULT_FORMAT: Final = "%Y-%m-%d %H:%M:%S"

_LONGEST_FORMAT: Final = 100
# Directives with a width, as the C library of Linux knows them, could make a text as long as one likes.
_FORMAT: Final = re.compile(r"(?:[^%]|%-?[aAbBcdDeFfGgHIjklmMnpPsStTuUVwWxXyYzZ%])*", re.DOTALL)


def as_timestamp(value: object, default: object = ...) -> object:
    """Return the Unix seconds of a time, given as such, as a text in ISO 8601, or as Unix seconds."""
    try:
        return _instant(value).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return _fallback("as_timestamp", value, default)


def timestamp_custom(
    value: object,
    date_format: object = DEFAULT_FORMAT,
    local: object = True,
    default: object = ...,
) -> object:
    """Return a timestamp in a format of strftime, in local time or UTC."""
    shape = _format(date_format)
    try:
        instant = _instant(value)
        return short((instant.astimezone() if local else instant).strftime(shape))
    except (TypeError, ValueError, OverflowError, OSError):
        return _fallback("timestamp_custom", value, default)


def timestamp_local(value: object, default: object = ...) -> object:
    """Return a timestamp in ISO 8601, local time."""
    try:
        return _instant(value).astimezone().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return _fallback("timestamp_local", value, default)


def timestamp_utc(value: object, default: object = ...) -> object:
    """Return a timestamp in ISO 8601, UTC."""
    try:
        return _instant(value).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return _fallback("timestamp_utc", value, default)


FIELDS: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")
"""What ``now()`` has as fields."""

METHODS: Final[Mapping[str, Callable[..., object]]] = {
    "isoformat": lambda instant: instant.isoformat(),
    "isoweekday": lambda instant: instant.isoweekday(),
    "strftime": lambda instant, date_format: short(instant.strftime(_format(date_format))),
    "timestamp": lambda instant: instant.timestamp(),
    "weekday": lambda instant: instant.weekday(),
}
"""What can be called of ``now()``."""


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        found = datetime.fromisoformat(text(value)[:_LONGEST_FORMAT])
        return found.astimezone(UTC)
    return datetime.fromtimestamp(checked(number(value)), UTC)


def _format(date_format: object) -> str:
    shape = text(date_format)
    if len(shape) > _LONGEST_FORMAT or _FORMAT.fullmatch(shape) is None:
        raise ValueError(f"expected a format such as {DEFAULT_FORMAT!r}, got {shape[:40]!r}")
    return shape


def _fallback(name: str, value: object, default: object) -> object:
    if default is ...:
        present(value)
        raise ValueError(f"{name} expects a time, and this is none: give it a default")
    return default
