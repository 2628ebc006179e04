"""Times in templates, as Home Assistant writes them: timestamps are Unix seconds, local time is that of the house."""

# ruff: noqa: FBT002 - which arguments filters have, and in what order, is Home Assistant's to say

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final

from jitney.daemon.routes.bounds import checked, number, present, short, text
from jitney.daemon.routes.zones import MACHINE

DEFAULT_FORMAT: Final = "%Y-%m-%d %H:%M:%S"

_LONGEST_FORMAT: Final = 100
# Directives with a width, as the C library of Linux knows them, could make a text as long as one likes.
_FORMAT: Final = re.compile(r"(?:[^%]|%-?[aAbBcdDeFfGgHIjklmMnpPsStTuUVwWxXyYzZ%])*", re.DOTALL)


class Clock:
    """What filters say of times in one time zone, which is that of local time and of texts that name none."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def as_timestamp(self, value: object, default: object = ...) -> object:
        """Return the Unix seconds of a time, given as such, as a text in ISO 8601, or as Unix seconds."""
        try:
            return self._instant(value).timestamp()
        except (TypeError, ValueError, OverflowError, OSError):
            return _fallback("as_timestamp", value, default)

    def timestamp_custom(
        self, value: object, date_format: object = DEFAULT_FORMAT, local: object = True, default: object = ...
    ) -> object:
        """Return a timestamp in a format of strftime, in local time or UTC."""
        shape = _format(date_format)
        try:
            instant = self._instant(value)
            return short((instant.astimezone(self._zone) if local else instant).strftime(shape))
        except (TypeError, ValueError, OverflowError, OSError):
            return _fallback("timestamp_custom", value, default)

    def timestamp_local(self, value: object, default: object = ...) -> object:
        """Return a timestamp in ISO 8601, local time."""
        try:
            return self._instant(value).astimezone(self._zone).isoformat()
        except (TypeError, ValueError, OverflowError, OSError):
            return _fallback("timestamp_local", value, default)

    def timestamp_utc(self, value: object, default: object = ...) -> object:
        """Return a timestamp in ISO 8601, UTC."""
        try:
            return self._instant(value).isoformat()
        except (TypeError, ValueError, OverflowError, OSError):
            return _fallback("timestamp_utc", value, default)

    def _instant(self, value: object) -> datetime:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(text(value)[:_LONGEST_FORMAT])
            return (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(UTC)
        return datetime.fromtimestamp(checked(number(value)), UTC)


HERE: Final = Clock(MACHINE)

FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "as_timestamp": HERE.as_timestamp,
    "timestamp_custom": HERE.timestamp_custom,
    "timestamp_local": HERE.timestamp_local,
    "timestamp_utc": HERE.timestamp_utc,
}
"""The filters, as they are in this machine's time zone."""

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
