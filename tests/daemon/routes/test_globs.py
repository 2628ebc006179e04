from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes import globs


@pytest.mark.parametrize(
    ("texts", "yes", "no"),
    [
        (
            ["strava.activity.created"],
            ["strava.activity.created"],
            ["strava.activity.updated", "Strava.activity.created"],
        ),
        (["strava.*"], ["strava.activity.created", "strava."], ["strava", "xstrava.a"]),
        (["*.message", "demo.tick"], ["meshtastic.message", "demo.tick"], ["meshtastic.messages"]),
        (["demo.[ab]?"], ["demo.ax", "demo.b1"], ["demo.c1", "demo.a"]),
        (["*"], ["anything", ""], []),
        ([], [], ["anything"]),
    ],
)
def test_a_glob_matches_as_in_tail(texts: list[str], yes: list[str], no: list[str]) -> None:
    wants = globs.matcher(texts)
    assert [text for text in yes + no if wants(text)] == yes


@pytest.mark.parametrize("text", ["*", "strava.*", "demo.tick", "*.x[ab]", "inbox.door.open", "a.[!]]"])
def test_nothing_is_wrong_with_a_good_one(text: str) -> None:
    assert globs.fault(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected an event type"),
        ("a b.c", "expected an event type"),
        ("a.b\n", "expected an event type"),
        ("strava", 'did you mean "strava.*"?'),
        ("a.[bc", 'needs its "]"'),
        ("a.*" * 9, "8 stars"),
        ("a." + "b" * 200, "at most 200 characters"),
    ],
)
def test_what_is_wrong_with_a_bad_one_is_told(text: str, words: str) -> None:
    assert words in globs.fault(text)


@given(texts=st.lists(st.text("ab.*?[]!", max_size=5), max_size=4), text=st.text("ab.*[", max_size=5))
def test_several_globs_match_as_each_of_them(texts: list[str], text: str) -> None:
    assert globs.matcher(texts)(text) == any(fnmatchcase(text, one) for one in texts)
