from datetime import UTC, date, datetime

import msgspec
import pytest

from jitney.daemon.routes.settings import GrantSettings, RouteSettings
from jitney.daemon.routes.words import mean, shown, sort


def test_the_file_says_if_for_and_from_and_the_code_cannot() -> None:
    route = msgspec.convert({"name": "a", "on": ["x.*"], "if": "true", "for": 5, "do": [{"drop": True}]}, RouteSettings)
    assert (route.if_, route.for_, route.on, route.owner) == ("true", 5.0, ("x.*",), "*")
    grant = msgspec.convert({"from": "alice", "to": ["bob"], "kinds": "strava.*"}, GrantSettings)
    assert (grant.from_, grant.to, grant.private) == ("alice", ("bob",), False)


@pytest.mark.parametrize("until", [None, date(2026, 12, 31), datetime(2026, 12, 31, 8, tzinfo=UTC)])
def test_a_grant_ends_at_a_date_or_a_time_or_never(until: date | None) -> None:
    assert GrantSettings(from_="alice", to="bob", kinds="*", until=until).until == until


def test_a_grant_until_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="until: expected a date such as 2026-12-31"):
        GrantSettings(from_="alice", to="bob", kinds="*", until="2026-12-31")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('a\n"b"', '"a\\n\\"b\\""'),
        ("x" * 100, '"' + "x" * 60 + '…"'),
        ("\ud800", r"'\ud800'"),
        (True, "true"),
        (None, "null"),
        (2**80, "a whole number of 81 bits"),
        (1.5, "1.5"),
        (date(2026, 1, 2), "2026-01-02"),
        ({"a": 1, "b": [1], "c": {}}, '{"a": 1, "b": […], "c": {}}'),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, … 12 more]"),
        (object(), "something else"),
    ],
)
def test_a_value_is_shown_on_one_short_line(value: object, words: str) -> None:
    assert shown(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "true or false"), (1, "a number"), ("", "a text"), ([], "a list"), ({}, "a table"), (None, "null")],
)
def test_the_sort_of_a_value(value: object, words: str) -> None:
    assert sort(value) == words


def test_what_was_meant_or_what_there_is() -> None:
    assert mean("gte", ["gt", "lt"]) == ': did you mean "gt"?'
    assert mean("x", ["gt", "lt"]) == ": there are gt, lt"
    assert mean("x", []) == ": there is none here"
    assert mean("x", [f"n{number:03}" for number in range(99)]).endswith("n031, …")
