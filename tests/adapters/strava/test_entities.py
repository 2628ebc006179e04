"""What Home Assistant is shown of an athlete, by what is retained of them."""

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from jitney.adapters.entities import AnyEntity, At, Button, Device, DeviceTracker, EventEntity, Image, Sensor
from jitney.adapters.strava import entities, normalise
from jitney.adapters.strava.config import Privacy, Show
from jitney.adapters.strava.entities import NOBODY, devices, scene
from jitney.adapters.strava.kinds import KINDS, ActivityData, GearState
from jitney.adapters.strava.models import Activity, GearSummary
from jitney.adapters.strava.sports import SPORTS, word
from tests.adapters.strava.oddities import any_of
from tests.adapters.strava.shown import (
    ACTIVITIES,
    ATHLETE,
    GEAR,
    NAME,
    RIDE,
    RUN,
    SWIM,
    alices,
    read,
    retained,
    without,
)
from tests.daemon.discovery.announcing import announced, golden, place

METHODS = set(dir(dict))


def by_key(device: Device) -> dict[str, AnyEntity]:
    return {entity.key: entity for entity in device.entities}


def sources(device: Device) -> Iterator[At]:
    """Yield where the entities of a device read in the states."""
    for entity in device.entities:
        for field in fields(type(entity)):
            value = getattr(entity, field.name)
            if isinstance(value, At):
                yield value


def leads_somewhere(kind: Any, path: str) -> bool:  # noqa: ANN401 - any type of a field
    """Tell whether values of a type can have something at a path."""
    options = (
        [one for one in get_args(kind) if one is not NoneType] if get_origin(kind) in {Union, UnionType} else [kind]
    )
    key, _, rest = path.partition(".")
    if not path:
        return True
    for option in options:
        if get_origin(option) is dict:
            return key in get_args(get_args(option)[0]) and leads_somewhere(get_args(option)[1], rest)
        if isinstance(option, type) and issubclass(option, Struct) and key in (hints := get_type_hints(option)):
            return leads_somewhere(hints[key], rest)
    return False


def test_everything_that_is_shown_is_somewhere_in_a_state() -> None:
    kinds = {one.subject: type(one.value) for one in retained()}
    read_from = {source for device in alices().values() for source in sources(device)}
    assert len(read_from) > 100
    assert not [one for one in read_from if not leads_somewhere(kinds[one.subject], one.path)]
    assert not {key for one in read_from for key in one.path.split(".")} & METHODS


def test_an_owner_who_says_nothing_is_shown_the_most_useful() -> None:
    assert set(alices(Show())) == {
        "",
        "recent_1",
        "latest_gravel_ride",
        "latest_run",
        "latest_swim",
        "gear_b12",
        "gear_b4",
        "gear_g7",
        "stats",
    }


def test_all_of_it_is_private_and_names_strava() -> None:
    for device in (*alices().values(), *devices(NOBODY, Show(), name=NAME, places=True)):
        assert device.private
        assert device.manufacturer == "Powered by Strava"
        assert device.name.startswith(NAME)


def test_nothing_of_strava_is_in_what_is_shown_of_somebody_who_is_not_connected() -> None:
    (device,) = devices(NOBODY, Show(photos=True), name=NAME, places=True)
    assert (device.key, device.url, list(by_key(device))) == ("", "", ["sign_in"])
    assert not list(sources(device))


def test_an_activity_leads_to_its_page_and_what_has_none_to_that_of_the_athlete() -> None:
    shown = alices(Show(recent=4, sports=("Run", "Hike")))
    assert shown["recent_1"].url == RIDE.url
    assert shown["latest_run"].url == RUN.url
    for key in ("", "recent_4", "latest_hike", "stats"):
        assert shown[key].url == f"https://www.strava.com/athletes/{ATHLETE}"


def test_sports_that_the_owner_names_are_shown_also_before_there_is_an_activity() -> None:
    shown = alices(Show(sports=("TrailRun", "Ride")))
    assert [key for key in shown if key.startswith("latest")] == ["latest_ride", "latest_trail_run"]
    assert shown["latest_trail_run"].name == "Strava Alice latest trail run"
    assert by_key(shown["latest_trail_run"]).keys() == by_key(alices()["latest_run"]).keys()


def test_of_very_many_sports_the_newest_are_shown() -> None:
    done = [
        replace(RIDE, id=number, sport_type=sport, start=f"2026-11-{number:02}T07:00:00Z")
        for number, sport in enumerate(list(SPORTS)[:20], start=1)
    ]
    shown = alices(states=retained(done))
    newest = list(SPORTS)[20 - entities.MOST_SPORTS : 20]
    assert {key for key in shown if key.startswith("latest")} == {f"latest_{word(sport)}" for sport in newest}


def test_a_sport_that_strava_has_invented_is_shown_too() -> None:
    new = replace(RIDE, sport_type="MoonWalk", sport="other", start="2026-11-22T07:00:00Z")
    assert alices(states=retained([new]))["latest_moon_walk"].name == "Strava Alice latest moon walk"


@pytest.mark.parametrize(("most", "keys"), [(0, []), (1, ["b12"]), (2, ["b12", "g7"]), (20, ["b12", "b3", "b4", "g7"])])
def test_gear_is_shown_by_its_number_the_most_used_first_and_what_is_retired_last(most: int, keys: list[str]) -> None:
    shown = alices(Show(gear=most))
    assert [key for key in shown if key.startswith("gear")] == [f"gear_{key}" for key in keys]


def test_gear_is_called_what_its_owner_calls_it() -> None:
    nameless = [
        replace(GEAR[0], name=None),
        replace(GEAR[1], name=None, nickname="Reds"),
        GearState(id="x1", kind="other"),
    ]
    there = retained(gear=nameless)
    shown = alices(states=there)
    names = {key: device.name for key, device in shown.items() if key.startswith("gear")}
    assert names == {
        "gear_b12": "Strava Alice bike b12",
        "gear_g7": "Strava Alice Reds",
        "gear_x1": "Strava Alice other x1",
    }
    assert [read(shown[key], there)["gear"] for key in names] == ["b12", "Reds", "x1"]


def test_riding_on_changes_no_device_and_another_name_one() -> None:
    def now(*gear: GearState) -> entities.Scene:
        return scene(retained(gear=gear), Show(), athlete=ATHLETE)

    farther = replace(GEAR[0], distance=9e9)
    assert now(farther, *GEAR[1:]) == now(*GEAR)
    assert now(replace(GEAR[0], name="Gravelbike"), *GEAR[1:]) != now(*GEAR)


def test_an_edited_title_changes_no_device_and_a_new_activity_two() -> None:
    edited = [replace(RIDE, name="Other", distance=1.0), RUN, SWIM]
    assert alices(states=retained(edited)) == alices()
    newer = replace(RUN, id=5, start="2026-11-22T07:00:00Z", url="https://www.strava.com/activities/5")
    before, after = alices(), alices(states=retained([newer, *ACTIVITIES]))
    assert {key for key in after if after[key] != before[key]} == {"recent_1", "latest_run"}


def test_the_button_of_an_activity_fetches_that_one() -> None:
    shown = alices(Show(recent=4))
    button = by_key(shown["recent_1"])["refresh"]
    assert isinstance(button, Button)
    assert (button.command, button.data) == ("get_activity", {"activity": RIDE.id})
    idle = by_key(shown["recent_4"])["refresh"]
    assert isinstance(idle, Button)
    assert (idle.command, idle.data) == ("refresh", {})


def test_where_an_activity_began_is_shown_only_where_places_may_be() -> None:
    def trackers(*, places: bool) -> dict[str, bool]:
        return {
            key: entity.enabled
            for key, device in alices(places=places).items()
            for entity in device.entities
            if isinstance(entity, DeviceTracker)
        }

    assert trackers(places=True) == {
        "recent_1": True,
        "latest_gravel_ride": False,
        "latest_run": False,
        "latest_swim": False,
    }
    assert not trackers(places=False)


def test_statistics_and_photos_are_shown_where_they_are_wanted() -> None:
    assert {"stats", "photos"} <= alices(Show(photos=True)).keys()
    assert not {"stats", "photos"} & alices(Show(statistics=False)).keys()
    assert [type(one) for one in alices()["photos"].entities].count(Image) == 1


def test_the_week_has_the_sports_that_there_were_lately() -> None:
    walk = replace(RIDE, id=4, sport_type="Hike", sport="walk", start="2026-10-02T06:00:00Z", start_local="2026-10-02")
    keys = by_key(alices(states=retained([RIDE, walk]))[""])
    groups = {key.split("_")[1] for key in keys if key.startswith("week") and key.endswith("count")} - {"count"}
    assert groups == {"ride", "run", "swim", "walk"}
    assert "week_swim_elevation_gain" not in keys


def test_every_kind_of_event_is_told() -> None:
    told = [entity for entity in alices()[""].entities if isinstance(entity, EventEntity)]
    assert sorted(kind for one in told for kind in one.kinds) == sorted(
        kind.type.removeprefix("strava.") for kind in KINDS
    )
    (main,) = (one for one in told if one.enabled)
    assert main.kinds == ("activity.created", "activity.updated", "activity.deleted", "photo.added")


def test_an_activity_reads_as_the_owner_measures() -> None:
    there = retained()
    shown = alices()
    metric, imperial = (read(shown["recent_1"], there, system=one) for one in ("metric", "imperial"))  # type: ignore[arg-type]
    assert metric["title"] == imperial["title"] == "Round the lake"
    assert metric["moving_time_text"] == "2:01:00"
    for key, in_metric, in_imperial in (
        ("distance", "42.195 km", "26.2188 mi"),
        ("moving_time", "121.0 min", "121.0 min"),
        ("elevation_gain", "512.0 m", "1679.79 ft"),
        ("average_speed", "20.923 km/h", "13.001 mph"),
        ("pace", "2.8683 min/km", "4.6161 min/mi"),
        ("temperature", "7.0 °C", "44.6 °F"),
        ("kudos", "0", "0"),
        ("commute", "OFF", "OFF"),
        ("max_heart_rate", "None bpm", "None bpm"),
    ):
        assert (metric[key], imperial[key]) == (in_metric, in_imperial)
    assert (metric["pace_per_kilometre"], imperial["pace_per_mile"]) == ("2:52", "4:37")
    assert "pace_per_mile" not in metric
    assert "pace_per_kilometre" not in imperial


def test_a_swim_reads_in_lengths_and_a_run_in_steps() -> None:
    there = retained([without(SWIM), replace(RUN, cadence=171.0)])
    shown = alices(states=there)
    swim, yards = (read(shown["latest_swim"], there, system=one) for one in ("metric", "imperial"))  # type: ignore[arg-type]
    assert (swim["distance"], swim["pace_per_100_metres"]) == ("1500.0 m", "2:00")
    assert (yards["distance"], yards["pace_per_100_yards"]) == ("1640.42 yd", "1:50")
    assert read(shown["latest_run"], there)["cadence"] == "171.0 steps/min"


def test_what_is_usual_in_a_sport_is_enabled() -> None:
    def enabled(sport: str) -> set[str]:
        (device,) = (alices(Show(sports=(sport,)))[f"latest_{word(sport)}"],)
        return {entity.key for entity in device.entities if entity.enabled}

    assert {"average_speed", "average_power", "cadence"} <= enabled("Ride")
    assert "pace" not in enabled("Ride")
    assert {"pace", "pace_per_kilometre", "pace_per_mile"} <= enabled("TrailRun")
    assert not {"average_speed", "average_power"} & enabled("TrailRun")
    assert {"pace_per_100_metres"} <= enabled("Swim")
    assert not {"elevation_gain", "pace_per_kilometre"} & enabled("Swim")


def test_a_state_that_is_gone_is_unknown() -> None:
    values = set(read(alices()["recent_1"], []).values())
    assert {value.split(" ")[0] for value in values} == {"None"}


def test_only_what_never_begins_anew_is_a_total() -> None:
    stats = [one for one in alices()["stats"].entities if isinstance(one, Sensor)]
    assert {one.key.split("_")[0] for one in stats if one.state_class == "total"} == {"all"}
    classes = {one.state_class for device in alices().values() for one in device.entities if isinstance(one, Sensor)}
    assert classes == {"", "measurement", "total"}


GOLDEN = {
    "": "athlete",
    "recent_1": "recent",
    "latest_gravel_ride": "latest-ride",
    "latest_run": "latest-run",
    "latest_swim": "latest-swim",
    "gear_b12": "gear",
    "stats": "statistics",
    "photos": "photos",
}


@pytest.mark.parametrize("key", GOLDEN)
def test_each_device_is_announced_as_it_was_looked_at(key: str) -> None:
    golden(f"strava-{GOLDEN[key]}", announced(alices()[key], place("alice", "strava")).payload)


def test_imperial_units_are_announced_as_they_were_looked_at() -> None:
    imperial = place("alice", "strava", system="imperial")
    golden("strava-recent-imperial", announced(alices()["recent_1"], imperial).payload)


def test_somebody_who_is_not_connected_is_announced_as_it_was_looked_at() -> None:
    (device,) = devices(NOBODY, Show(), name=NAME, places=True)
    golden("strava-not-connected", announced(device, place("alice", "strava")).payload)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(any_of(Activity), max_size=4),
    st.lists(any_of(GearSummary), max_size=4),
    st.sets(st.sampled_from(sorted(SPORTS)), max_size=3),
    st.integers(1, 10),
)
def test_whatever_strava_says_home_assistant_takes_it(
    models: list[Activity], items: list[GearSummary], wanted: set[str], recent: int
) -> None:
    done = [normalise.activity(model, privacy=Privacy()) for model in models]
    there = retained(done, [normalise.gear(item) for item in items], most=recent)
    show = Show(sports=tuple(wanted), recent=recent, gear=20, photos=True)
    found = devices(scene(there, show, athlete=ATHLETE), show, name=NAME, places=True)
    assert len({device.key for device in found}) == len(found)
    payloads = [announced(device, place("alice", "strava")).payload for device in found]
    ids = [one["unique_id"] for payload in payloads for one in payload["components"].values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"jitney\.main\.alice\.strava(\.[a-z0-9_]+)?\.\.[a-z0-9_]+", one) for one in ids)
    for device in found:
        read(device, there)


def test_the_same_sport_has_the_same_entities_whoever_names_it() -> None:
    assert alices(Show(sports=("Run",)))["latest_run"] == alices()["latest_run"]
    activity: ActivityData = replace(RUN, sport_type="Run/+#")
    odd = alices(states=retained([activity]))["latest_run"]
    assert odd.entities == alices()["latest_run"].entities
