"""Instants as a person writes them."""

import argparse
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.cli.instants import local, past


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOW = datetime.fromisoformat("2026-11-21T08:00:00+01:00")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("90s", "2026-11-21T07:58:30+01:00"),
        ("15 m", "2026-11-21T07:45:00+01:00"),
        ("2h ago", "2026-11-21T06:00:00+01:00"),
        ("1d", "2026-11-20T08:00:00+01:00"),
        ("07:30", "2026-11-21T07:30:00+01:00"),
        ("7:30:05", "2026-11-21T07:30:05+01:00"),
        ("22:15", "2026-11-20T22:15:00+01:00"),
        ("2026-11-20T11:00", "2026-11-20T11:00:00+01:00"),
        ("2026-07-20 11:00", "2026-07-20T11:00:00+02:00"),
        ("2026-11-20T11:00:00Z", "2026-11-20T12:00:00+01:00"),
        ("2026-11-20", "2026-11-20T00:00:00+01:00"),
    ],
)
def test_an_instant_is_read_in_every_form(text: str, instant: str) -> None:
    assert past(text, now=NOW).isoformat() == instant or past(text, now=NOW) == datetime.fromisoformat(instant)


def test_a_time_of_the_day_is_today_s_or_the_last_one() -> None:
    assert local("22:15", now=NOW).isoformat() == "2026-11-21T22:15:00+01:00"
    morning = datetime.fromisoformat("2026-10-25T00:30:00+02:00")
    assert past("23:00", now=morning).isoformat() == "2026-10-24T23:00:00+02:00"
    assert past("08:00", now=NOW.replace(month=10, day=26, hour=7)).isoformat() == "2026-10-25T08:00:00+01:00"


@pytest.mark.parametrize("text", ["", "noon", "25:00", "07:60", "3 weeks", "-1h", "2026-13-01", "1" * 5000])
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time: write 2026-11-21T07:30"):
        past(text, now=NOW)


@given(st.text(alphabet="0123456789:-T smhdZ+"))
def test_any_text_is_an_aware_instant_or_refused(text: str) -> None:
    try:
        instant = past(text, now=NOW)
    except argparse.ArgumentTypeError:
        return
    assert instant.tzinfo is not None


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2030, 1, 1)))  # noqa: DTZ001
def test_what_is_written_with_a_zone_is_that_instant(naive: datetime) -> None:
    instant = naive.astimezone()
    assert past(instant.isoformat(), now=NOW) - instant == timedelta()
