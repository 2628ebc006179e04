"""Values from outside: what comes through is finite, in its range, short enough and can be written as JSON."""

from datetime import UTC, datetime
from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava import clean
from tests.adapters.strava.oddities import NUMBERS, TEXTS


@given(st.none() | NUMBERS, st.integers(-100, 100), st.integers(0, 10**12))
def test_numbers_are_in_their_range_or_not_there(value: float | None, least: int, most: int) -> None:
    number, whole = clean.number(value, least=least, most=most), clean.whole(value, least=least, most=most)
    assert number is None or least <= number <= most
    assert whole is None or (isinstance(whole, int) and least <= whole <= most)
    assert (number is None) == (whole is None)


@pytest.mark.parametrize("value", [nan, inf, -inf, 10**400, -1, None])
def test_what_is_no_number_that_makes_sense_is_left_out(value: float | None) -> None:
    assert clean.number(value) is None
    assert clean.whole(value) is None
    assert clean.epoch(value if value != -1 else nan) is None


def test_numbers_are_rounded_and_never_minus_zero() -> None:
    assert clean.number(12.3456) == 12.3
    assert clean.number(12.3456, digits=3) == 12.346
    assert clean.number(81, factor=2) == 162.0
    assert str(clean.number(-0.01, least=-1)) == "0.0"
    assert clean.whole(2.6) == 3


@given(TEXTS, st.integers(1, 600))
def test_texts_are_bounded_and_can_be_written(value: str, most: int) -> None:
    found = clean.text(value, most=most)
    assert found is not None
    assert len(found) <= most
    assert len(found) == min(len(value), most)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


def test_a_text_that_was_shortened_says_so() -> None:
    assert clean.text("a long ride", most=7) == "a long…"
    assert clean.text("a ride", most=7) == "a ride"
    assert clean.text(None, most=7) is None


@given(st.none() | TEXTS, st.none() | NUMBERS)
def test_no_moment_is_too_odd(value: str | None, seconds: float | None) -> None:
    moment = clean.utc(value)
    assert moment is None or moment.utcoffset() is not None
    local = clean.local(value)
    assert local is None or local.tzinfo is None
    shifted = clean.shifted(moment, clean.whole(seconds, least=-86_400, most=86_400))
    assert shifted is None or shifted.tzinfo is UTC
    epoch = clean.epoch(seconds)
    assert epoch is None or datetime.fromisoformat(epoch).utcoffset() is not None


def test_a_moment_is_read_in_its_zone_and_a_local_time_as_it_stands() -> None:
    assert clean.utc("2026-11-21T07:00:00+01:00") == datetime(2026, 11, 21, 6, tzinfo=UTC)
    assert clean.utc("2026-11-21T07:00:00") == datetime(2026, 11, 21, 7, tzinfo=UTC)
    assert clean.local("2026-11-21T07:00:00Z") == datetime(2026, 11, 21, 7)  # noqa: DTZ001 - a local time has no zone
    assert clean.epoch(1_795_239_660) == "2026-11-21T05:41:00.000Z"
    assert clean.epoch(0) is None
