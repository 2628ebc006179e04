"""From Strava's answers to what is published: nothing is too odd, and what is published can be relied upon."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Encoder, decode
from msgspec.structs import asdict

from jitney.adapters.strava import normalise
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import (
    ActivityData,
    ActivityUpdated,
    Position,
    UsedGear,
)
from jitney.adapters.strava.models import (
    Activity,
    ActivityMap,
    GearSummary,
    SegmentEffort,
)
from jitney.topics import cloudevents, event
from tests.adapters.strava.oddities import any_of

MOST_BYTES = 128 * 1024
EVERYTHING = Privacy()
JSON = Encoder().encode
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def published(**fields: Any) -> ActivityData:  # noqa: ANN401 - any field of the API
    return normalise.activity(Activity(id=1, **fields), privacy=EVERYTHING)


@given(any_of(Activity), st.builds(Privacy, coordinates=st.booleans(), polylines=st.booleans()))
def test_no_activity_is_too_odd_or_too_large_for_an_event(model: Activity, privacy: Privacy) -> None:
    data = normalise.activity(model, privacy=privacy)
    raw = JSON(data)
    assert decode(raw, type=ActivityData) == data
    assert b"null" not in re.sub(rb'"(\\.|[^"\\])*"', b"", raw)
    assert data.start is None or INSTANT.fullmatch(data.start)
    assert data.start_local is None or LOCAL_TIME.fullmatch(data.start_local)
    assert all(getattr(data, field) is None or getattr(data, field) >= 0 for field in ("distance", "pace", "kudos"))
    news = ActivityUpdated(**asdict(data), changed=ActivityData.__struct_fields__)
    assert len(cloudevents.encode(event(news, adapter="strava", owner="alice", subject=f"activity/{data.id}"))) < (
        MOST_BYTES
    )


def test_the_largest_activity_fits_into_an_event() -> None:
    worst = "\x00" * 100_000
    data = published(
        name=worst,
        description=worst,
        sport_type=worst,
        timezone=worst,
        visibility=worst,
        device_name=worst,
        gear=GearSummary(id=worst, name=worst),
        gear_id=worst,
        map=ActivityMap(summary_polyline="\\" * normalise.LONGEST_POLYLINE),
    )
    news = ActivityUpdated(**asdict(data), changed=ActivityData.__struct_fields__)
    assert data.polyline is not None
    assert len(cloudevents.encode(event(news, adapter="strava", owner="alice"))) < MOST_BYTES


def test_an_activity_is_published_in_units_and_words_of_its_own() -> None:
    model = Activity(
        id=16_000_000_001,
        name="Morning Run",
        type="Run",
        sport_type="TrailRun",
        start_date="2026-11-21T05:41:00Z",
        start_date_local="2026-11-21T06:41:00Z",
        timezone="(GMT+01:00) Europe/Oslo",
        utc_offset=3600.0,
        distance=10_000,
        moving_time=3000,
        elapsed_time=3100.0,
        total_elevation_gain=120.44,
        elev_high=310,
        elev_low=-2.5,
        average_speed=3.333,
        max_speed=5,
        average_heartrate=151.3,
        max_heartrate=178,
        average_watts=240.5,
        weighted_average_watts=255,
        max_watts=512,
        kilojoules=721.5,
        calories=640,
        average_cadence=86.5,
        average_temp=-4,
        suffer_score=77,
        achievement_count=2,
        pr_count=1,
        kudos_count=5,
        comment_count=0,
        athlete_count=1,
        photo_count=0,
        total_photo_count=3,
        start_latlng=(59.913868, 10.752245),
        end_latlng=(59.9, 10.7),
        map=ActivityMap(polyline="long", summary_polyline="_p~iF~ps|U"),
        trainer=False,
        commute=True,
        manual=False,
        private=False,
        visibility="followers_only",
        flagged=False,
        gear_id="g1",
        gear=GearSummary(id="g1", name="Blue ones"),
        device_name="Garmin Forerunner",
        description="up and down",
        hide_from_home=False,
        segment_efforts=(SegmentEffort(pr_rank=1, kom_rank=9), SegmentEffort(pr_rank=3), SegmentEffort(kom_rank=11)),
    )
    assert normalise.activity(model, privacy=EVERYTHING) == ActivityData(
        id=16_000_000_001,
        name="Morning Run",
        description="up and down",
        sport_type="TrailRun",
        sport="run",
        start="2026-11-21T05:41:00.000Z",
        start_local="2026-11-21T06:41:00",
        timezone="Europe/Oslo",
        utc_offset=3600,
        distance=10_000.0,
        moving_time=3000,
        elapsed_time=3100,
        elevation_gain=120.4,
        elevation_high=310.0,
        elevation_low=-2.5,
        average_speed=3.333,
        max_speed=5.0,
        pace=300.0,
        average_heart_rate=151.3,
        max_heart_rate=178.0,
        average_power=240.5,
        weighted_power=255.0,
        max_power=512.0,
        energy=721.5,
        calories=640.0,
        cadence=173.0,
        temperature=-4.0,
        suffer_score=77.0,
        kudos=5,
        comments=0,
        achievements=2,
        personal_records=1,
        pr_segments=2,
        kom_segments=1,
        athletes=1,
        photos=3,
        gear=UsedGear("g1", "Blue ones"),
        device="Garmin Forerunner",
        trainer=False,
        commute=True,
        manual=False,
        only_me=False,
        visibility="followers_only",
        hide_from_home=False,
        flagged=False,
        start_position=Position(59.913868, 10.752245),
        end_position=Position(59.9, 10.7),
        polyline="_p~iF~ps|U",
        url="https://www.strava.com/activities/16000000001",
    )


def test_an_activity_of_which_nothing_is_told_has_a_number_and_an_address() -> None:
    assert published() == ActivityData(
        id=1, sport_type="Other", sport="other", url="https://www.strava.com/activities/1"
    )


def test_an_activity_without_a_distance_has_no_pace() -> None:
    weights = published(sport_type="WeightTraining", distance=0.0, moving_time=3600, average_speed=0.0)
    assert (weights.distance, weights.pace, weights.average_speed) == (0.0, None, 0.0)
    yoga = published(sport_type="Yoga", distance=0.0, moving_time=0)
    assert (yoga.moving_time, yoga.pace, yoga.average_speed) == (0, None, None)


def test_a_speed_that_is_not_told_is_computed() -> None:
    assert published(distance=1000, moving_time=300).average_speed == 3.333
    assert published(distance=1000).average_speed is None


@pytest.mark.parametrize(
    ("sport_type", "cadence"),
    [("Run", 170.0), ("VirtualRun", 170.0), ("Hike", 170.0), ("Walk", 170.0), ("Ride", 85.0), ("Rowing", 85.0)],
)
def test_the_cadence_counts_both_legs_on_foot(sport_type: str, cadence: float) -> None:
    assert published(sport_type=sport_type, average_cadence=85).cadence == cadence


def test_an_unknown_sport_type_is_kept_and_an_old_word_helps_out() -> None:
    assert published(sport_type="UnderwaterChess").sport_type == "UnderwaterChess"
    assert published(sport_type="UnderwaterChess").sport == "other"
    assert (published(type="Ride").sport_type, published(type="Ride").sport) == ("Ride", "ride")


@pytest.mark.parametrize(
    ("told", "zone"),
    [
        ("(GMT+01:00) Europe/Oslo", "Europe/Oslo"),
        ("(GMT-03:00) America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Europe/Oslo", "Europe/Oslo"),
        ("(GMT+01:00)", None),
        ("", None),
        (None, None),
    ],
)
def test_the_zone_is_the_name_of_one(told: str | None, zone: str | None) -> None:
    assert published(timezone=told).timezone == zone


def test_a_start_that_is_told_once_is_known_in_both_clocks() -> None:
    by_utc = published(start_date="2026-11-21T23:30:00Z", utc_offset=3600)
    assert (by_utc.start, by_utc.start_local) == ("2026-11-21T23:30:00.000Z", "2026-11-22T00:30:00")
    by_local = published(start_date_local="2026-11-22T00:30:00Z", utc_offset=3600)
    assert (by_local.start, by_local.start_local) == (by_utc.start, by_utc.start_local)
    assert published(start_date_local="2026-11-22T00:30:00Z").start is None


def test_a_hidden_time_of_day_is_marked() -> None:
    assert published(start_date_local="2026-11-21T00:00:01Z").start_hidden
    assert not published(start_date_local="2026-11-21T00:00:02Z").start_hidden
    assert not published().start_hidden


def test_an_activity_is_private_by_either_word() -> None:
    assert published(visibility="only_me").only_me is True
    assert published(private=True).only_me is True
    assert published(private=True, visibility="everyone").only_me is True
    assert published(private=False, visibility="only_me").only_me is True
    assert published(visibility="followers_only").only_me is False
    assert published().only_me is None


def test_coordinates_and_routes_are_switched_off_each() -> None:
    model = Activity(
        id=1, start_latlng=(1.0, 2.0), end_latlng=(3.0, 4.0), map=ActivityMap(summary_polyline="_p~iF~ps|U")
    )
    nowhere = normalise.activity(model, privacy=Privacy(coordinates=False))
    assert (nowhere.start_position, nowhere.end_position, nowhere.polyline) == (None, None, "_p~iF~ps|U")
    no_route = normalise.activity(model, privacy=Privacy(polylines=False))
    assert (no_route.start_position, no_route.polyline) == (Position(1.0, 2.0), None)


@pytest.mark.parametrize("pair", [(), (1.0,), (91, 0), (0, 181), (1.0, 2.0, 3.0), None])
def test_a_hidden_or_impossible_place_is_no_place(pair: tuple[float, ...] | None) -> None:
    assert published(start_latlng=pair).start_position is None


@pytest.mark.parametrize("route", [ActivityMap(), ActivityMap(summary_polyline="", polyline=""), None])
def test_a_hidden_map_is_no_route(route: ActivityMap | None) -> None:
    assert published(map=route).polyline is None


def test_long_texts_are_cut_and_a_long_route_is_left_out() -> None:
    data = published(name="n" * 501, description="d" * 5_001, map=ActivityMap(summary_polyline="?" * 20_001))
    assert (data.name, data.polyline) == ("n" * 499 + "…", None)
    assert len(data.description or "") == 5_000
    assert data.cut == ("name", "description", "polyline")
    whole = published(name="n" * 500, description="d" * 5_000, map=ActivityMap(summary_polyline="?" * 20_000))
    assert whole.cut == ()


def test_no_gear_is_told_in_two_ways_and_only_the_right_name_counts() -> None:
    assert published(gear_id="none").gear is None
    assert published(gear_id="").gear is None
    assert published(gear_id="b2", gear=GearSummary(id="b1", name="Other bike")).gear == UsedGear("b2")
    assert published(gear=GearSummary(id="b1", name="Bike")).gear == UsedGear("b1", "Bike")


def test_a_detail_says_when_there_is_no_description_and_a_list_says_nothing() -> None:
    assert published(resource_state=3).description == ""
    assert published(resource_state=2).description is None
