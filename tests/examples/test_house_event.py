"""An event of the house is shown to both owners, and nothing else of the house."""

import json
from pathlib import Path

from tests.examples.living import living
from tests.fakes.mosquitto import Broker

BELL = "binary_sensor.doorbell"
SHOWN = [f"jitney/{owner}/shared/_house/event/home/state_changed" for owner in ("alice", "bob")]


async def test_who_rings_at_the_door_is_shown_to_both_owners_once_and_nothing_else_is(
    broker: Broker, tmp_path: Path
) -> None:
    async with living(broker, tmp_path, "house-event") as (house, daemon):
        house.home.set_state("light.hall", "off")
        for state in ("unavailable", "off", "on", "off", "on", "off"):
            house.home.set_state(BELL, state)
        house.home.set_state("light.hall", "on")
        house.home.set_state("light.alice_desk", "on")
        for topic in SHOWN:
            await house.observer.message(topic)
        await house.observer.until(lambda: house.changed("_house").count("light.hall") == 2)
        await house.settled(daemon)
        rung = house.observer.events("jitney/_house/event/home/state_changed")[3]
        assert json.loads(bytes(rung.data))["state"] == "on"
        for topic in SHOWN:
            assert [event.id for event in house.observer.events(topic)] == [rung.id]
            assert [event.owner for event in house.observer.events(topic)] == ["_house"]
        assert house.changed("_house").count(BELL) == 6
        assert sorted(topic for topic in house.topics() if "/shared/" in topic) == SHOWN
