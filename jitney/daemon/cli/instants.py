"""Instants as a person writes them: a date and a time, a time of the day, or how long ago."""

import argparse
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

FORMS: Final = "2026-11-21T07:30, 07:30, or 90s, 15m, 2h or 1d for so long ago"
"""The forms of an instant that is past."""

_FORMS: Final = "2026-11-21T07:30 or 07:30"

_AGO: Final = re.compile(r"(\d{1,6}) ?(s|m|h|d)(?: ago)?")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2}(?::\d{2})?)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAY: Final = timedelta(days=1)


def past(text: str, *, now: datetime | None = None) -> datetime:
    """Return an aware instant, of a time of the day the last one; raises argparse.ArgumentTypeError."""
    now = now or datetime.now().astimezone()
    if match := _AGO.fullmatch(text.strip()):
        return now - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    try:
        instant = local(text, now=now)
    except argparse.ArgumentTypeError:
        raise _unknown(text, FORMS) from None
    if _CLOCK.fullmatch(text.strip()) and instant > now:
        return (instant.replace(tzinfo=None) - _DAY).astimezone()
    return instant


def local(text: str, *, now: datetime | None = None, zone: tzinfo | None = None) -> datetime:
    """Return an aware instant, in a time zone or that of this machine unless it names one.

    A time of the day is today's. Raises argparse.ArgumentTypeError.
    """
    written = text.strip()
    if match := _CLOCK.fullmatch(written):
        today = (now or datetime.now(UTC)).astimezone(zone).date()
        written = f"{today.isoformat()}T{match[1]:0>2}:{match[2]}"
    try:
        instant = datetime.fromisoformat(written if _DATE.match(written) else "")  # which takes more than people mean
        if instant.tzinfo:
            return instant
        return instant.replace(tzinfo=zone) if zone else instant.astimezone()
    except (ValueError, OverflowError, OSError):
        raise _unknown(text, _FORMS) from None


def _unknown(text: str, forms: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text[:100]!r} is no time: write {forms}")
