"""Instants as the envelope writes them: RFC 3339, UTC, milliseconds."""

from datetime import UTC, datetime


def utc_now() -> str:
    """Return this instant as ``2026-11-21T05:41:00.120Z``."""
    return rfc3339(datetime.now(UTC))


def rfc3339(instant: datetime) -> str:
    """Return an aware ``instant`` as ``2026-11-21T05:41:00.120Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
