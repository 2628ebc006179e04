"""A low battery is told once a day for each node."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.daemon.running import Daemon
from tests.examples.living import Household, at_home, household
from tests.fakes.meshtastic import Node
from tests.fakes.mosquitto import Broker

NOON = (datetime.now(UTC) + timedelta(days=1)).astimezone().replace(hour=12, minute=0)


def let_it_be(daemon: Daemon, hours: float) -> None:
    """Let it be so many hours after noon for routes and what they do."""
    routing = daemon.app.parts.routes.routing
    assert routing is not None
    routing.router._clock = routing.executor._clock = lambda: NOON.timestamp() + hours * 3600


async def test_a_low_battery_is_told_once_a_day_for_each_node_also_over_a_restart(
    broker: Broker, tmp_path: Path
) -> None:
    async with household(broker) as house:
        async with at_home(house, tmp_path, "low-battery") as daemon:
            let_it_be(daemon, 0)
            await reported(house, house.bob, 87)
            await reported(house, house.carol, 20)
            await reported(house, house.bob, 19)
            await reported(house, house.bob, 18)
            let_it_be(daemon, 10)
            await reported(house, house.carol, 17)
            await house.settled(daemon)
            today = [("!ca401001", 20), ("!b0b00001", 19)]
            assert raised(house) == today
        async with at_home(house, tmp_path, "low-battery") as daemon:
            let_it_be(daemon, 10.5)
            await reported(house, house.bob, 16)
            await house.settled(daemon)
            assert raised(house) == today
            let_it_be(daemon, 20)
            await reported(house, house.bob, 15)
            await reported(house, house.carol, 95)
            await house.settled(daemon)
        assert raised(house) == [*today, ("!b0b00001", 15)]
        assert house.notified() == [
            {"title": "Battery", "message": f"The battery of {node} is at {level} %"} for node, level in raised(house)
        ]
        events = house.observer.events("jitney/alice/event/route/low_battery")
        assert [(event.subject, event.actor) for event in events] == [
            (node, "low battery") for node, _ in raised(house)
        ]


async def reported(house: Household, node: Node, level: int) -> None:
    """Let a node tell its battery level, and wait until the bus has told it too."""
    told = len(house.told("alice", "base", "telemetry"))
    node.report(battery_level=level, voltage=3.5)
    await house.observer.until(lambda: len(house.told("alice", "base", "telemetry")) > told)


def raised(house: Household) -> list[tuple[str, int]]:
    """Return for which nodes and levels it was told, in order."""
    return [(data["node"], data["battery_level"]) for data in house.told("alice", "route", "low_battery")]
