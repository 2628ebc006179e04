"""The variables that routes set and templates read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.counters import Counters
from jitney.daemon.routing.records import Row
from jitney.daemon.routing.variables import MOST_BYTES, MOST_NAMES, VariableError, Variables

NOW = 1_000_000.0


def variables(rows: list[Row] | None = None, now: float = NOW) -> Variables:
    made = Variables(Counters())
    made.load(rows or [], now)
    return made


def test_what_was_set_is_read() -> None:
    made = variables()
    made.set("alice", "mood", b'{"level": 3}', now=NOW)
    assert dict(made.of("alice", NOW)) == {"mood": {"level": 3}}
    assert made.of("alice", NOW).get("nothing") is None


def test_one_owner_does_not_see_the_variables_of_another() -> None:
    made = variables()
    made.set("alice", "mood", b"1", now=NOW)
    assert dict(made.of("bob", NOW)) == {}
    made.remove("bob", "mood")
    assert dict(made.of("alice", NOW)) == {"mood": 1}


def test_a_removed_variable_is_gone_on_disk_too() -> None:
    made = variables()
    made.set("alice", "mood", b"1", now=NOW)
    made.rows()
    made.remove("alice", "mood")
    assert dict(made.of("alice", NOW)) == {}
    assert made.rows() == [Row("alice", "", "mood", None)]
    made.remove("alice", "mood")
    assert made.rows() == []


def test_a_variable_expires() -> None:
    made = variables()
    made.set("alice", "away", b"true", now=NOW, expiry=60)
    made.set("alice", "mood", b"1", now=NOW)
    assert dict(made.of("alice", NOW + 59.9)) == {"away": True, "mood": 1}
    later = made.of("alice", NOW + 60)
    assert dict(later) == {"mood": 1}
    assert len(later) == 1
    assert "away" not in later


def test_setting_it_again_lets_it_live_longer() -> None:
    made = variables()
    made.set("alice", "away", b"true", now=NOW, expiry=60)
    made.set("alice", "away", b"true", now=NOW + 50, expiry=60)
    assert "away" in made.of("alice", NOW + 100)
    made.set("alice", "away", b"true", now=NOW + 100)
    assert "away" in made.of("alice", NOW + 1e9)


def test_it_survives_a_restart() -> None:
    made = variables()
    made.set("alice", "mood", b'["a", 1.5, null]', now=NOW)
    made.set("alice", "away", b"true", now=NOW, expiry=60)
    rows = made.rows()
    assert [row.until for row in rows] == [0, NOW + 60]
    assert made.rows() == []
    assert dict(variables(rows, NOW + 10).of("alice", NOW + 10)) == {"mood": ["a", 1.5, None], "away": True}


def test_what_expired_while_the_bus_was_down_is_cleared_away() -> None:
    made = variables()
    made.set("alice", "away", b"true", now=NOW, expiry=60)
    again = variables(made.rows(), NOW + 61)
    assert dict(again.of("alice", NOW + 61)) == {}
    assert again.rows() == [Row("alice", "", "away", None)]


def test_rows_of_routes_are_left_alone_and_unreadable_ones_are_counted_and_cleared_away() -> None:
    counters = Counters()
    made = Variables(counters)
    made.load([Row("alice", "ping", "k", b"{}"), Row("alice", "", "mood", b"{}"), Row("bob", "", "mood", None)], NOW)
    assert dict(made.of("alice", NOW)) == {}
    assert counters.total("unreadable", owner="alice", reason="variable") == 1
    assert made.rows() == [Row("alice", "", "mood", None), Row("bob", "", "mood", None)]


def test_an_owner_has_a_limited_number_of_them_and_costs_nobody_else_one() -> None:
    made = variables()
    for number in range(MOST_NAMES):
        made.set("alice", f"v{number}", b"1", now=NOW)
    with pytest.raises(VariableError, match="one too many"):
        made.set("alice", "more", b"1", now=NOW)
    made.set("alice", "v3", b"2", now=NOW)
    made.set("bob", "more", b"1", now=NOW)
    assert len(made.of("alice", NOW)) == MOST_NAMES
    made.remove("alice", "v3")
    made.set("alice", "more", b"1", now=NOW)


def test_an_expired_variable_makes_room() -> None:
    made = variables()
    for number in range(MOST_NAMES):
        made.set("alice", f"v{number}", b"1", now=NOW, expiry=60 if number == 7 else 0)
    made.rows()
    made.set("alice", "more", b"1", now=NOW + 60)
    assert {row.key: row.value is None for row in made.rows()} == {"v7": True, "more": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", b"1"),
        ("n" * 65, b"1"),
        ("a\nb", b"1"),
        ("\ud800", b"1"),
        ("mood", b'"' + b"x" * MOST_BYTES + b'"'),
        ("mood", b"{"),
        ("mood", b""),
        ("mood", b"NaN"),
        ("mood", b"\xff"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(name: str, value: bytes) -> None:
    made = variables()
    made.set("alice", "mood", b"1", now=NOW)
    made.rows()
    with pytest.raises(VariableError):
        made.set("alice", name, value, now=NOW)
    assert dict(made.of("alice", NOW)) == {"mood": 1}
    assert made.rows() == []


def test_a_value_may_be_as_long_as_the_limit() -> None:
    made = variables()
    made.set("alice", "mood", b'"' + b"x" * (MOST_BYTES - 2) + b'"', now=NOW)
    assert len(made.of("alice", NOW)["mood"]) == MOST_BYTES - 2


def test_a_clock_that_was_ahead_does_not_keep_a_variable_alive() -> None:
    made = variables()
    made.set("alice", "away", b"true", now=NOW + 1e8, expiry=60)
    assert "away" in made.of("alice", NOW)
    assert "away" in made.of("alice", NOW + 59)
    assert "away" not in made.of("alice", NOW + 60)


def test_nor_does_one_that_was_ahead_before_the_restart() -> None:
    made = variables()
    made.set("alice", "away", b"true", now=NOW + 1e8, expiry=60)
    again = variables(made.rows())
    assert "away" in again.of("alice", NOW + 59)
    assert "away" not in again.of("alice", NOW + 60)


def test_a_forgotten_owner_leaves_nothing_to_write() -> None:
    made = variables()
    made.set("alice", "mood", b"1", now=NOW)
    made.set("bob", "mood", b"1", now=NOW)
    made.forget("alice")
    assert dict(made.of("alice", NOW)) == {}
    assert [row.owner for row in made.rows()] == ["bob"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5).filter(str.isprintable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
_steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), _json, st.sampled_from([0, 5, 50]), st.integers(0, 20))
)


@given(_steps)
def test_it_is_a_dictionary_with_times_and_a_restart_at_every_step_changes_nothing(
    steps: list[tuple[str, str, object, int, int]],
) -> None:
    disk: dict[tuple[str, str], Row] = {}
    expected: dict[str, dict[str, tuple[object, float]]] = {"a": {}, "b": {}}
    now = NOW
    made = variables()
    for owner, name, value, expiry, more in steps:
        now += more
        if value is None:
            made.remove(owner, name)
            expected[owner].pop(name, None)
        else:
            made.set(owner, name, msgspec.json.encode(value), now=now, expiry=expiry)
            expected[owner][name] = value, now + expiry if expiry else float("inf")
        for row in made.rows():
            disk[row.owner, row.key] = row
        made = variables([row for row in disk.values() if row.value is not None], now)
        for known in "ab":
            alive = {name: value for name, (value, until) in expected[known].items() if until > now}
            assert dict(made.of(known, now)) == alive
