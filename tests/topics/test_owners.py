"""An owner id is short, lower-case and safe everywhere; only two reserved ones begin with an underscore."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.topics import HOUSE, RESERVED, UNCLAIMED, InvalidOwnerError
from jitney.topics.levels import escape
from jitney.topics.owners import owner, person
from tests.topics.strategies import persons, texts


@given(persons)
def test_a_person_is_an_owner_and_needs_no_escaping(text: str) -> None:
    assert person(text) == owner(text) == escape(text) == text
    assert text not in RESERVED


@given(st.one_of(texts, st.from_regex(r"\A[A-Za-z0-9_\-]{0,34}\n?\Z")))
def test_every_other_text_is_refused(text: str) -> None:
    legal = re.match(r"[a-z0-9][a-z0-9_-]{0,31}\Z", text) is not None
    for check, allowed in ((person, legal), (owner, legal or text in {"_house", "_unclaimed"})):
        if allowed:
            assert check(text) == text
        else:
            with pytest.raises(InvalidOwnerError, match="is not an owner id: use 1 to 32 of a-z"):
                check(text)


def test_the_reserved_owners_are_owners_but_no_persons() -> None:
    assert {HOUSE, UNCLAIMED} == RESERVED == {"_house", "_unclaimed"}
    for reserved in RESERVED:
        assert owner(reserved) == reserved
        with pytest.raises(InvalidOwnerError):
            person(reserved)


@pytest.mark.parametrize(
    "text", ["alice\n", "\nalice", "alice ", "_bus", "_alice", "-alice", "a" * 33, "", "é", "\u0661"]
)
def test_a_near_miss_is_refused(text: str) -> None:
    with pytest.raises(InvalidOwnerError) as refused:
        owner(text)
    assert repr(text) in str(refused.value)
