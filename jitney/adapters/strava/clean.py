"""Values from outside made safe to pass on: finite numbers in a range, bounded text, instants in one form."""

from datetime import UTC, datetime, timedelta
from typing import Final

from jitney.topics import rfc3339

CUT: Final = "…"
"""What a shortened text ends with."""


def number(
    value: float | None, *, least: float = 0.0, most: float = 1e9, digits: int = 1, factor: float = 1.0
) -> float | None:
    """Return ``value`` times ``factor``, rounded to ``digits``; None outside ``least`` to ``most``."""
    if value is None or not least <= value <= most:
        return None
    return round(float(value) * factor, digits) + 0.0


def whole(value: float | None, *, least: int = 0, most: int = 10**9) -> int | None:
    """Return ``value`` as a whole number, None for what is no number from ``least`` to ``most``."""
    if value is None or not least <= value <= most:
        return None
    return round(value)


def text(value: str | None, *, most: int) -> str | None:
    """Return a text that any encoder takes, at most ``most`` characters, ending with ``CUT`` when it was longer."""
    if value is None:
        return None
    if len(value) > most:
        value = value[: most - len(CUT)] + CUT
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def utc(value: str | None) -> datetime | None:
    """Return the moment that ``value`` writes down, UTC where it names no zone; None for what is no moment."""
    try:
        found = datetime.fromisoformat(value or "")
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def local(value: str | None) -> datetime | None:
    """Return the date and time of day in ``value``, whatever zone it claims; None for what is neither."""
    try:
        return datetime.fromisoformat(value or "").replace(tzinfo=None)
    except ValueError:
        return None


def shifted(moment: datetime | None, seconds: float | None) -> datetime | None:
    """Return ``moment`` so many seconds later, None when one of the two is not known or there is no such year."""
    if moment is None or seconds is None:
        return None
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def epoch(seconds: float | None) -> str | None:
    """Return Unix seconds as ``2026-11-21T05:41:00.000Z``, None for 0, None and what no calendar has."""
    if not seconds:
        return None
    try:
        return rfc3339(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None
