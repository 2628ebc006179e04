"""Kinds of sport: known ones have a group, unknown ones a place, and all of them a safe word."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava import sports
from jitney.topics import TopicTree
from jitney.topics.tree import StateTopic


@pytest.mark.parametrize(
    ("sport_type", "group"),
    [
        ("MountainBikeRide", "ride"),
        ("VirtualRide", "ride"),
        ("TrailRun", "run"),
        ("Swim", "swim"),
        ("Hike", "walk"),
        ("NordicSki", "snow"),
        ("InlineSkate", "skate"),
        ("VirtualRow", "water"),
        ("Padel", "ball"),
        ("WeightTraining", "fitness"),
        ("Other", "other"),
        ("UnderwaterChess", "other"),
        ("ride", "other"),
        ("", "other"),
    ],
)
def test_a_sport_type_has_a_group_and_an_unknown_one_is_other(sport_type: str, group: str) -> None:
    assert sports.group(sport_type) == group


def test_every_known_sport_type_has_a_word_of_its_own() -> None:
    assert len(sports.SPORTS) >= 56
    assert len({sports.word(sport_type) for sport_type in sports.SPORTS}) == len(sports.SPORTS)


def test_what_is_done_on_foot_is_known() -> None:
    assert set(sports.SPORTS) > sports.ON_FOOT


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Ride", "ride"),
        ("MountainBikeRide", "mountain_bike_ride"),
        ("EMountainBikeRide", "e_mountain_bike_ride"),
        ("HighIntensityIntervalTraining", "high_intensity_interval_training"),
        ("HIITClass", "hiit_class"),
        ("Ride/+#$SYS", "ride_sys"),
        ("b12345", "b12345"),
        ("Fußball 🥅", "fu_ball"),
        ("🥅", "other"),
        ("", "other"),
        ("_", "other"),
        ("A" * 1000, "a" * 48),
    ],
)
def test_a_text_becomes_a_word(text: str, word: str) -> None:
    assert sports.word(text) == word


@given(st.text() | st.text("\x00\x1f\ud800É٣AbC_9/+#", max_size=60))
def test_any_text_becomes_a_word_that_is_one_level_of_a_topic_as_it_is(text: str) -> None:
    word = sports.word(text)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9_]{0,46}[a-z0-9])?", word)
    assert TopicTree("jitney").name(StateTopic("alice", "strava", f"latest_{word}")).endswith(f"/latest_{word}")
    assert sports.group(text) in {"other", *sports.SPORTS.values()}


@given(st.text())
def test_a_word_stays_what_it_is(text: str) -> None:
    word = sports.word(text)
    assert sports.word(word) == word
