"""Instants are written as RFC 3339, in UTC, with milliseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from jitney.topics import rfc3339, utc_now

FORM = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)  # noqa: DTZ001 - offsets are drawn


@given(instants)
def test_an_instant_of_any_zone_is_written_in_utc_and_read_back_to_the_millisecond(instant: datetime) -> None:
    written = rfc3339(instant)
    assert FORM.fullmatch(written)
    assert timedelta(0) <= instant - datetime.fromisoformat(written) < timedelta(milliseconds=1)


@given(instants, instants)
def test_what_is_earlier_is_sorted_before(one: datetime, other: datetime) -> None:
    if one < other:
        assert rfc3339(one) <= rfc3339(other)


def test_now_is_now() -> None:
    assert abs(datetime.now(UTC) - datetime.fromisoformat(utc_now())) < timedelta(seconds=5)
