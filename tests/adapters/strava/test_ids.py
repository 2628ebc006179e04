"""The ids of events: the same for a repetition, another one for everything else."""

from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava.ids import EventIds

SINCE = "1795239660"
ALICE = EventIds(7, SINCE)
TEXTS = st.text(max_size=5)
SMALL = st.integers(0, 3)


def ids(athlete: int, since: str, activity: int, *, revision: int, content: str) -> list[str]:
    of = EventIds(athlete, since)
    return [
        of.created(activity, revision=revision),
        of.updated(activity, revision=revision, content=content),
        of.deleted(activity, revision=revision),
        of.athlete_updated(revision=revision, content=content),
        of.stats_updated(revision=revision, content=content),
        of.photo(activity, content),
        of.deauthorised(),
    ]


@given(athlete=SMALL, since=TEXTS, activity=SMALL, revision=SMALL, content=TEXTS)
def test_the_same_again_has_the_same_id_and_each_kind_its_own(
    *, athlete: int, since: str, activity: int, revision: int, content: str
) -> None:
    once = ids(athlete, since, activity, revision=revision, content=content)
    assert once == ids(athlete, since, activity, revision=revision, content=content)
    assert len(set(once)) == len(once)


@given(SMALL, SMALL, TEXTS, TEXTS)
def test_another_activity_or_photo_has_another_id(one: int, other: int, content: str, other_content: str) -> None:
    assert (ALICE.created(one, revision=0) == ALICE.created(other, revision=0)) == (one == other)
    same = (one, content) == (other, other_content)
    assert (ALICE.photo(one, content) == ALICE.photo(other, other_content)) == same


def test_an_activity_that_is_told_again_after_a_crash_has_the_same_id_whatever_was_edited_meanwhile() -> None:
    assert ALICE.created(1, revision=0) == EventIds(7, SINCE).created(1, revision=0)


def test_an_activity_that_comes_back_is_created_and_deleted_anew() -> None:
    told = [
        ALICE.created(1, revision=0),
        ALICE.deleted(1, revision=1),
        ALICE.created(1, revision=2),
        ALICE.deleted(1, revision=3),
    ]
    assert len(set(told)) == 4


def test_an_edit_that_is_taken_back_and_made_again_is_told_each_time() -> None:
    told = [
        ALICE.updated(1, revision=1, content="b"),
        ALICE.updated(1, revision=2, content="a"),
        ALICE.updated(1, revision=3, content="b"),
    ]
    assert len(set(told)) == 3


def test_an_edit_that_came_between_an_event_and_its_count_is_told_as_well() -> None:
    assert ALICE.updated(1, revision=1, content="b") != ALICE.updated(1, revision=1, content="c")


def test_after_a_new_sign_in_nothing_is_a_repetition() -> None:
    before = ids(7, SINCE, 1, revision=0, content="a")
    after = ids(7, "1795300000", 1, revision=0, content="a")
    assert not set(before) & set(after)


def test_athletes_have_nothing_in_common() -> None:
    alice, bob = (ids(athlete, SINCE, 1, revision=0, content="a") for athlete in (7, 8))
    assert not set(alice) & set(bob)
