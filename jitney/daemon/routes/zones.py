"""Time zones: that of the house by its name, else whatever this machine goes by."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_LONGEST: Final = 60


class MachineZone(tzinfo):
    """The time zone of this machine, as it is at each instant: it follows the clocks when they change."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return how far this machine's wall clock is ahead of UTC."""
        return None if dt is None else _local(dt).utcoffset()

    def dst(self, dt: datetime | None) -> None:
        """Return that it is not known how much of the offset is summer time."""

    def tzname(self, dt: datetime | None) -> str | None:
        """Return what this machine calls its zone."""
        return None if dt is None else _local(dt).tzname()

    def fromutc(self, dt: datetime) -> datetime:
        """Return what the wall clock shows at an instant of UTC."""
        local = dt.replace(tzinfo=UTC).astimezone()
        wall = local.replace(tzinfo=self)
        return wall if wall.utcoffset() == local.utcoffset() else wall.replace(fold=1)


MACHINE: Final = MachineZone()


def zone(name: str) -> tzinfo:
    """Return a time zone of the IANA data base by its name, or this machine's for none.

    Raises ValueError for a name that this machine does not know.
    """
    if not name:
        return MACHINE
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - memory for those who name one

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise ValueError("this machine knows no time zones: install the package tzdata")
    from difflib import get_close_matches  # noqa: PLC0415 - memory for whoever has mistyped something

    near = get_close_matches(name[:_LONGEST], known, 1)
    remedy = f'did you mean "{near[0]}"?' if near else 'give one such as "Europe/Berlin"'
    raise ValueError(f"there is no time zone {name[:_LONGEST]!r}: {remedy}")


def _local(wall: datetime) -> datetime:
    """Return a reading of this machine's wall clock with the offset that it had."""
    return wall.replace(tzinfo=None).astimezone()
