import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.discovery_bench import few, settled, unknown_platforms, whose
from bench.discovery_house import DiscoveryHouse
from bench.discovery_uses import wrong_values
from bench.home_entities import Key, Shown, Told, Traits, availability, changes, differences, told
from bench.home_log import HomeLog, complaints, naming
from bench.lab import LabError
from jitney.daemon.config.load import load

BUS = "jitney/_bus/main/state"
STATUS = "jitney/alice/status/strava"
DEVICE_TOPIC = "homeassistant/device/jitney-main/alice--strava/config"
KEY = ("sensor", "jitney.main.alice.strava..distance")
DEVICE = {"identifiers": ["jitney.main.alice.strava"], "name": "Strava", "via_device": "jitney.main"}
DISTANCE: dict[str, Any] = {
    "platform": "sensor",
    "unique_id": KEY[1],
    "name": "Distance",
    "unit_of_measurement": "km",
    "device_class": "distance",
}
TRAITS = Traits(
    name="Distance",
    device="jitney.main.alice.strava",
    device_name="Strava",
    via="jitney.main",
    device_class="distance",
    unit="km",
    category="",
    enabled=True,
)


def announced(*components: dict[str, Any], **shared: Any) -> dict[Key, Told]:  # noqa: ANN401 - as Home Assistant has them
    payload = {"device": DEVICE, "components": {str(number): one for number, one in enumerate(components)}, **shared}
    return told({DEVICE_TOPIC: json.dumps(payload).encode()})


def entity(key: Key = KEY, *, state: str | None = "21.0", number: int = 1, **traits: Any) -> Shown:  # noqa: ANN401
    return Shown(
        entity_id=f"{key[0]}.strava_{number}",
        unique_id=key[1],
        entry="entry",
        traits=replace(TRAITS, **traits),
        state=state,
    )


def at(*entities: Shown) -> dict[Key, Shown]:
    return {one.key: one for one in entities}


def test_an_announced_entity_has_what_is_written_beside_it_and_above_it() -> None:
    found = announced(DISTANCE, availability=[{"topic": BUS}, {"topic": STATUS}])[KEY]
    assert found.traits == TRAITS
    assert found.needs == {BUS, STATUS}


def test_what_an_entity_says_itself_counts_more_than_what_is_above_it() -> None:
    found = announced({**DISTANCE, "availability": [{"topic": BUS}], "name": None}, availability=[{"topic": STATUS}])
    assert found[KEY].needs == {BUS}
    assert found[KEY].traits.name == ""


def test_what_takes_an_entity_back_announces_none() -> None:
    assert announced({"platform": "sensor"}) == {}


def test_an_entity_with_a_topic_of_its_own_is_of_the_platform_in_it() -> None:
    topic = "homeassistant/sensor/jitney-main/alice--strava--distance/config"
    component = {name: value for name, value in DISTANCE.items() if name != "platform"}
    found = told({topic: json.dumps({**component, "device": DEVICE}).encode()})
    assert found[KEY].traits == TRAITS


def test_an_entity_that_is_announced_twice_is_named() -> None:
    with pytest.raises(LabError, match=r"sensor jitney\.main\.alice\.strava\.\.distance is announced by"):
        announced(DISTANCE, DISTANCE)


def test_what_is_shown_as_announced_does_not_differ() -> None:
    assert differences(announced(DISTANCE), at(entity())) == []


def test_what_is_missing_and_what_nobody_announced_is_named() -> None:
    stray = entity(("sensor", "jitney.main.bob.strava..distance"))
    assert differences(announced(DISTANCE), at(stray)) == [
        "not in the registry: sensor jitney.main.alice.strava..distance",
        "in the registry, not announced: sensor jitney.main.bob.strava..distance",
    ]


def test_every_trait_that_is_shown_otherwise_is_named() -> None:
    there = entity(unit="mi", device_name="Robin", state=None)
    assert differences(announced(DISTANCE), at(there)) == [
        "sensor.strava_1 device_name: announced 'Strava', shown 'Robin'",
        "sensor.strava_1 unit: announced 'km', shown 'mi'",
        "sensor.strava_1 has no state",
    ]


def test_an_entity_that_is_not_enabled_needs_neither_state_nor_unit() -> None:
    off = {**DISTANCE, "enabled_by_default": False}
    assert differences(announced(off), at(entity(enabled=False, state=None, unit=""))) == []


def test_other_values_are_no_change() -> None:
    assert changes(at(entity(state="21.0")), at(entity(state="42.0"))) == []


def test_who_came_went_or_was_renamed_is_a_change() -> None:
    other = entity(("sensor", "jitney.main.alice.strava..time"), number=2)
    assert changes(at(entity()), at(other)) == ["missing: sensor.strava_1", "new: sensor.strava_2"]
    assert changes(at(entity()), at(entity(number=2))) == [
        "sensor.strava_1 is sensor.strava_2 now, or of another device"
    ]


def test_a_lost_value_and_another_availability_are_changes() -> None:
    assert changes(at(entity()), at(entity(state="unknown"))) == ["sensor.strava_1 has lost its value '21.0': unknown"]
    assert changes(at(entity()), at(entity(state="unknown")), values=False) == []
    assert changes(at(entity()), at(entity(state="unavailable"))) == ["sensor.strava_1 was 21.0, is unavailable"]
    assert changes(at(entity(state="unknown")), at(entity())) == []


def test_just_what_needs_a_topic_is_unavailable_without_it() -> None:
    status = {**DISTANCE, "unique_id": "jitney.main.alice.strava..status", "availability": [{"topic": BUS}]}
    found = announced(DISTANCE, status, availability=[{"topic": BUS}, {"topic": STATUS}])
    other = ("sensor", status["unique_id"])
    before = at(entity(), entity(other, number=2))
    gone = at(entity(state="unavailable"), entity(other, number=2))
    assert availability(before, gone, found, gone=STATUS) == []
    assert availability(before, gone, found, gone=BUS) == ["sensor.strava_2 is still available: 21.0"]
    assert availability(before, {}, found, gone="jitney/alice/status/attic") == [
        "sensor.strava_1 is not available any more: it is gone",
        "sensor.strava_2 is not available any more: it is gone",
    ]
    assert availability(before, before, found, gone="") == [
        "sensor.strava_1 is still available: 21.0",
        "sensor.strava_2 is still available: 21.0",
    ]


def test_what_was_not_available_before_is_not_asked_for() -> None:
    before = at(entity(state="unavailable"))
    assert availability(before, before, announced(DISTANCE), gone="") == []


def test_a_unique_id_tells_whose_an_entity_is() -> None:
    assert whose(KEY) == ("alice", "strava")
    assert whose(("sensor", "jitney.main.bob.boat.b0000001..battery")) == ("bob", "boat")
    assert whose(("sensor", "jitney.main..started")) == ("", "")


def test_who_has_too_few_entities_is_named() -> None:
    found = announced(*({**DISTANCE, "unique_id": f"jitney.main.alice.strava..{number}"} for number in range(2)))
    assert few(found) == [
        "alice has 0 entities of attic",
        "bob has 0 entities of boat",
        "bob has 0 entities of strava",
        "the bus has no entities",
    ]


def test_what_a_version_does_not_know_is_not_expected_of_it() -> None:
    assert unknown_platforms("2024.3.3") == {"notify"}
    assert unknown_platforms("2024.5.0") == unknown_platforms("2026.11.0b1") == unknown_platforms("") == set()


def tracker(owner: str, latitude: float, longitude: float) -> Shown:
    found = entity(("device_tracker", f"jitney.main.{owner}.attic..place"), device_class="", unit="")
    return replace(found, attributes={"latitude": latitude, "longitude": longitude})


def test_places_and_distances_of_the_right_person_are_right() -> None:
    assert wrong_values(at(entity(), tracker("alice", 52.37, 4.89), tracker("bob", 48.21, 16.37)), "alice") == []


def test_places_and_distances_of_somebody_else_are_named() -> None:
    assert wrong_values(at(entity(state="42.0"), tracker("alice", 48.21, 16.37)), "alice") == [
        "a tracker of alice is at (48.21, 16.37)",
        "distances of alice: [42.0] km",
    ]
    assert wrong_values(at(entity(state="unknown")), "alice") == [
        "no tracker of alice is anywhere",
        "distances of alice: [] km",
    ]


LOG = """\
2026-11-21 16:05:28.996 INFO (MainThread) [homeassistant.components.mqtt.entity] Removing component: sensor.strava
2026-11-21 16:05:28.997 ERROR (MainThread) [homeassistant.components.text] Unexpected exception
Traceback (most recent call last):
ValueError: Value for text.Jitney_x is too long
2026-11-21 16:05:29.000+00:00 WARNING (MainThread) [homeassistant.components.mqtt.client] The connection was lost.
2026-11-21 16:05:29.100+00:00 DEBUG (MainThread) [jitney] and more
of it
"""


def test_complaints_are_warnings_and_worse_with_all_their_lines() -> None:
    found = complaints(LOG)
    assert [record.splitlines()[0].split()[2] for record in found] == ["ERROR", "WARNING"]
    assert found[0].endswith("too long")
    assert len(found[1].splitlines()) == 1


def test_a_complaint_is_about_us_when_it_names_something_of_ours() -> None:
    assert naming(complaints(LOG), {"jitney"}) == complaints(LOG)[:1]
    assert naming(complaints(LOG), {"sensor.strava"}) == []


def test_a_log_is_read_once_and_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "ha.log"
    path.write_text(LOG)
    log = HomeLog(path)
    assert log.news() == []
    with path.open("a") as file:
        file.write(LOG + "2026-11-21 16:05:30.000 WARN")
        file.flush()
        assert len(log.news()) == 2
        file.write("ING (MainThread) [x] y\n")
    assert log.news() == ["2026-11-21 16:05:30.000 WARNING (MainThread) [x] y"]


async def test_asking_ends_when_there_are_no_problems_or_no_time() -> None:
    answers = [["one"], LabError("not yet"), OSError("gone"), []]

    async def problems() -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert (await settled(problems, within=60))[1] == []
    answers.append(["still"])
    assert (await settled(problems, within=-1))[1] == ["still"]


def test_the_house_is_configured_validly_with_and_without_bob(tmp_path: Path) -> None:
    house = DiscoveryHouse(tmp_path, broker=1883)
    for port, radio in enumerate(house.radios.values(), start=4403):
        radio.port = port
    (tmp_path / "app.secret").write_text("canary-of-main-5c1f")
    path = tmp_path / "config.toml"
    path.write_text(house.config())
    config = load(path, environ={})
    assert config.discovery.enabled
    assert {name: found.name for name, found in config.owners.items()} == {"alice": "Robin", "bob": "Robin"}
    house.owners.remove("bob")
    path.write_text(house.config())
    assert load(path, environ={}).adapters.keys() == {"strava", "attic"}
