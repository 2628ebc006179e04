"""Noticing edits: a list after a detail is none, kudos are none, and everything that a person changes is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import asdict, replace

from jitney.adapters.strava import edits, normalise
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.edits import changed, fingerprint, refreshed
from jitney.adapters.strava.kinds import ActivityData, AthleteData, Position, StatsData, Totals, UsedGear
from jitney.adapters.strava.models import Activity, GearSummary, Stats
from tests.adapters.strava.oddities import any_of

EVERYTHING = Privacy()
NOTHING = Privacy(coordinates=False, polylines=False, photos=False)

DETAIL = Activity(
    id=16_000_000_001,
    resource_state=3,
    name="Morning Ride",
    sport_type="GravelRide",
    start_date="2026-11-21T05:41:00Z",
    start_date_local="2026-11-21T06:41:00Z",
    timezone="(GMT+01:00) Europe/Oslo",
    utc_offset=3600.0,
    distance=42_195.4,
    moving_time=7_200,
    elapsed_time=7_500,
    total_elevation_gain=512,
    kudos_count=3,
    total_photo_count=1,
    gear_id="b1",
    gear=GearSummary(id="b1", name="Canyon"),
    trainer=False,
    commute=False,
    manual=False,
    private=False,
    visibility="everyone",
    flagged=False,
    start_latlng=(59.9, 10.7),
    description="along the river",
    calories=1_200.5,
    device_name="Garmin Edge 840",
    hide_from_home=False,
    segment_efforts=(),
)


def listed(model: Activity, **changes: object) -> Activity:
    """Return an activity as a list has it."""
    without = dict.fromkeys(("description", "calories", "gear", "hide_from_home", "segment_efforts"))
    return replace(model, resource_state=2, **without, **changes)


def published(model: Activity, privacy: Privacy = EVERYTHING) -> ActivityData:
    return normalise.activity(model, privacy=privacy)


def digest(model: Activity) -> str:
    return edits.summary(published(model))


def test_a_list_after_a_detail_is_no_edit() -> None:
    assert digest(listed(DETAIL)) == digest(DETAIL)
    assert changed(published(DETAIL), published(listed(DETAIL))) == ()
    assert changed(published(listed(DETAIL)), published(DETAIL)) == ()


@given(any_of(Activity))
def test_whatever_an_activity_is_its_item_in_a_list_is_no_edit(model: Activity) -> None:
    item = replace(listed(model), gear_id=model.gear_id or (model.gear.id if model.gear else None))
    assert digest(item) == digest(model)
    assert changed(published(model), published(item)) == ()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "Gravel at dawn", "name"),
        ("sport_type", "Ride", "sport_type"),
        ("start_date", "2026-11-21T05:40:00Z", "start"),
        ("timezone", "(GMT+01:00) Europe/Amsterdam", "timezone"),
        ("distance", 41_000, "distance"),
        ("moving_time", 7_100, "moving_time"),
        ("elapsed_time", 7_400, "elapsed_time"),
        ("total_elevation_gain", 700, "elevation_gain"),
        ("gear_id", "b2", "gear"),
        ("gear_id", "none", "gear"),
        ("trainer", True, "trainer"),
        ("commute", True, "commute"),
        ("manual", True, "manual"),
        ("visibility", "followers_only", "visibility"),
        ("flagged", True, "flagged"),
    ],
)
def test_what_a_person_changes_is_an_edit_that_a_list_shows(field: str, value: object, told: str) -> None:
    edited = replace(DETAIL, **{field: value})
    assert changed(published(DETAIL), published(edited)) == (told,)
    assert fingerprint(published(edited)) != fingerprint(published(DETAIL))
    assert digest(listed(edited)) != digest(DETAIL)


@pytest.mark.parametrize(("field", "value"), [("description", None), ("description", "rain"), ("hide_from_home", True)])
def test_what_only_a_detail_shows_is_an_edit_too(field: str, value: object) -> None:
    edited = replace(DETAIL, **{field: value})
    assert changed(published(DETAIL), published(edited)) == (field,)
    assert fingerprint(published(edited)) != fingerprint(published(DETAIL))
    assert digest(edited) == digest(DETAIL)


def test_a_first_description_is_an_edit() -> None:
    bare = replace(DETAIL, description=None)
    assert changed(published(bare), published(DETAIL)) == ("description",)


def test_an_activity_made_private_is_edited_in_both_words() -> None:
    private = replace(DETAIL, private=True, visibility="only_me")
    assert changed(published(DETAIL), published(private)) == ("only_me", "visibility")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kudos_count", 40),
        ("comment_count", 2),
        ("pr_count", 1),
        ("suffer_score", 88),
        ("distance", 42_195),
        ("average_speed", 5.8601),
        ("calories", 1_300),
        ("gear", GearSummary(id="b1", name="Canyon Endurace")),
        ("flagged", None),
    ],
)
def test_what_others_and_strava_add_is_no_edit(field: str, value: object) -> None:
    later = replace(DETAIL, **{field: value})
    assert changed(published(DETAIL), published(later)) == ()
    assert fingerprint(published(later)) == fingerprint(published(DETAIL))
    assert digest(later) == digest(DETAIL)


def test_a_new_photo_is_a_reason_to_look_and_no_edit() -> None:
    later = replace(DETAIL, total_photo_count=2)
    assert digest(listed(later)) != digest(DETAIL)
    assert changed(published(DETAIL), published(later)) == ()


def test_another_privacy_in_the_configuration_is_no_edit() -> None:
    assert changed(published(DETAIL), published(DETAIL, NOTHING)) == ()
    assert fingerprint(published(DETAIL)) == fingerprint(published(DETAIL, NOTHING))
    assert edits.summary(published(DETAIL)) == edits.summary(published(DETAIL, NOTHING))


@given(any_of(Activity))
def test_fingerprints_survive_what_is_kept_over_a_restart(model: Activity) -> None:
    data = published(model)
    kept = decode(encode(data), type=ActivityData)
    assert kept == data
    assert fingerprint(kept) == fingerprint(data)
    assert changed(data, kept) == ()


@given(any_of(Activity), any_of(Activity))
def test_what_is_edited_has_another_fingerprint(one: Activity, other: Activity) -> None:
    before, after = (published(replace(model, id=1, resource_state=3)) for model in (one, other))
    if changed(before, after):
        assert fingerprint(before) != fingerprint(after)
    assert set(changed(before, after)) <= set(ActivityData.__struct_fields__)


def test_fingerprints_stay_the_same_from_version_to_version() -> None:
    assert digest(DETAIL) == "41b9ad5db478dcd3b9e70e7a"
    assert fingerprint(published(DETAIL)) == "19b9c8617e5b74eae9dd8eb9"


def test_a_list_brings_kudos_and_leaves_what_only_the_detail_told() -> None:
    known = published(DETAIL)
    now = refreshed(known, published(listed(DETAIL, kudos_count=12, name="Gravel at dawn")))
    assert now == replace(known, kudos=12, name="Gravel at dawn")


def test_a_list_takes_away_gear_and_map() -> None:
    now = refreshed(published(DETAIL), published(listed(DETAIL, gear_id=None, start_latlng=())))
    assert now == replace(published(DETAIL), gear=None, start_position=None)
    assert published(DETAIL).start_position == Position(59.9, 10.7)


def test_other_gear_has_not_the_name_of_the_former() -> None:
    now = refreshed(published(DETAIL), published(listed(DETAIL, gear_id="b2")))
    assert now.gear == UsedGear("b2")


def test_a_shortened_description_stays_marked_when_a_list_comes() -> None:
    known = published(replace(DETAIL, description="x" * 6_000))
    now = refreshed(known, published(listed(DETAIL, name="n" * 600)))
    assert known.cut == ("description",)
    assert now.cut == ("description", "name")


@given(any_of(Activity), any_of(Activity))
def test_any_list_can_follow_any_detail(one: Activity, other: Activity) -> None:
    now = refreshed(published(one), published(listed(other)))
    assert changed(now, published(listed(other))) == ()
    assert decode(encode(now), type=ActivityData) == now


def test_a_profile_is_compared_as_a_whole() -> None:
    alice = AthleteData(id=7, name="Alice", ftp=210.0, weight=61.0)
    assert changed(alice, replace(alice, ftp=215.0, weight=61.2)) == ("ftp",)
    assert changed(alice, replace(alice, ftp=None)) == ("ftp",)
    assert changed(alice, alice) == ()


@given(st.integers(0, 9), st.integers(0, 9))
def test_statistics_have_one_fingerprint_for_the_same_sums(one: int, other: int) -> None:
    def stats(count: int) -> StatsData:
        data = normalise.stats(Stats())
        return replace(data, all=replace(data.all, run=Totals(count=count)))

    assert (fingerprint(stats(one)) == fingerprint(stats(other))) == (one == other)
    assert asdict(stats(0))["biggest_ride_distance"] is None
