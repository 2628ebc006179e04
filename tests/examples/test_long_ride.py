"""A long ride is told on the mesh and by Home Assistant, for its owner alone."""

from pathlib import Path

from tests.examples.living import living
from tests.fakes.meshtastic import BROADCAST
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker


async def test_a_long_ride_is_told_on_the_mesh_and_on_the_phone(broker: Broker, tmp_path: Path) -> None:
    async with living(broker, tmp_path, "long-ride") as (house, daemon):
        alice, bob = await house.sign_in("alice", 1001), await house.sign_in("bob", 1002)
        alice.add_activity(name="To work", distance=9000.0)
        alice.add_activity(name="Marathon", sport_type="Run", distance=52195.0)
        alice.add_activity(name="Nobody's business", distance=70000.0, private=True)
        bob.add_activity(name="Twice as far", distance=120000.0)
        alice.add_activity(
            name="Round the lake", distance=63240.0, moving_time=9000, elapsed_time=9900, total_elevation_gain=412.4
        )
        await house.observer.until(lambda: len(house.told("alice", "strava", "activity.created")) == 4)
        await house.observer.until(lambda: house.told("bob", "strava", "activity.created"))
        await house.settled(daemon)
        assert house.notified() == [{"title": "63.2 km", "message": "Round the lake: 2.5 h, 412 m up"}]
        assert house.said("alice") == ["Alice rode 63.2 km"]
        said = await house.radio.received(PORTS.TEXT_MESSAGE_APP)
        assert (said.to, said.channel, said.decoded.payload) == (BROADCAST, 0, b"Alice rode 63.2 km")
        assert not house.said("bob")
