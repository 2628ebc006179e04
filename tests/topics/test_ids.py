"""Ids are 26 characters: sorted by time and unique, or the same for the same source."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.topics import derived_id, made_at, new_id
from tests.topics.strategies import texts

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def is_ulid(text: str) -> bool:
    return len(text) == 26 and set(text) <= set(CROCKFORD) and text[0] in "01234567"


def test_new_ids_are_unique() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert len(set(ids)) == len(ids)
    assert all(map(is_ulid, ids))


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=10))
def test_new_ids_are_sorted_by_the_millisecond_in_which_they_are_made(instants: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for instant in instants:
            patch.setattr(time, "time_ns", lambda now=instant: now * 1_000_000)
            made.append((new_id(), instant))
    assert [instant for _, instant in sorted(made)] == sorted(instants)


def test_a_new_id_tells_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    milliseconds = 0
    for character in made[:10]:
        milliseconds = milliseconds * 32 + CROCKFORD.index(character)
    assert before <= milliseconds <= after
    assert made_at(made) * 1000 == pytest.approx(milliseconds)


@given(st.lists(texts, max_size=4))
def test_the_same_parts_have_the_same_id(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts)
    assert is_ulid(derived_id(*parts))


short = st.lists(st.sampled_from(["", "a", "b", "ab", "\x00", "/"]), max_size=4)


@given(short, short)
def test_other_parts_have_another_id_also_when_they_are_cut_elsewhere(one: list[str], other: list[str]) -> None:
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_a_derived_id_stays_the_same_over_versions() -> None:
    assert derived_id("strava", "activity", "123456", "create") == "16P5ABAFD8CVSD9EX5A8D2YEG8"
