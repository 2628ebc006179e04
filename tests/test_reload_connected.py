"""Adapters with real connections are begun anew: one client at the radio, one websocket, and no webhook refused."""

import asyncio
from pathlib import Path

from jitney.daemon.config.load import load
from tests.at_strava import PUBLIC, House, registered, write
from tests.daemon.running import observing, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import FakeStrava
from tests.waiting import until

TIMES = 6
PEOPLE = {"alice": "main", "bob": "main"}

OTHERS = """
[adapters.home]
type = "homeassistant"
url = "{home}"
token = "{token}"
[adapters.base]
type = "meshtastic"
owner = "alice"
connection = "{base}"
[adapters.attic]
type = "meshtastic"
owner = "alice"
connection = "{attic}"
"""


async def test_one_connection_each_and_every_webhook_answered_at_once(broker: Broker, tmp_path: Path) -> None:
    async with (
        FakeStrava(automatic=False) as strava,
        FakeHomeAssistant() as home,
        Radio() as base,
        Radio(0xA0000002) as attic,
        observing(broker.port, "jitney/+/+/strava/#", "jitney/+/reply/#") as observer,
    ):
        apps = registered(strava, PEOPLE)
        path = write(tmp_path, strava, broker=broker.port, port=0, apps=apps, people=PEOPLE)
        others = OTHERS.format(home=home.url, token=home.token, base=base.connection, attic=attic.connection)
        first = path.read_text(encoding="utf-8") + others
        second = first.replace("activities = 10", "activities = 9").replace("[adapters.attic]", "[adapters.attic]\n#")
        second = second.replace(f'"{home.url}"', f'"{home.url}"\ndurable = true')
        second = second.replace(f'"{base.connection}"', f'"{base.connection}"\ndurable = false')
        path.write_text(first, encoding="utf-8")
        async with running(load(path, environ={}), tmp_path / "state") as daemon, asyncio.TaskGroup() as group:
            runners = daemon.app.parts.fleet.runners

            async def all_online() -> None:
                await until(lambda: all(one.context.is_online for one in runners.values()))

            strava.lead(PUBLIC, f"http://127.0.0.1:{daemon.app.parts.doors.port}")
            await daemon.connected()
            await all_online()
            house = House(strava, observer, apps=apps, people=PEOPLE)
            alice = await house.connect("alice", 2001)
            attempts = strava.count("GET", "/oauth/token")
            over = asyncio.Event()
            rides: list[int] = []

            async def rides_on() -> None:
                while not over.is_set():
                    rides.append(alice.add_activity(start=strava.world.clock() - 60.0 * (len(rides) + 1)).id)
                    for delivery in await strava.deliver_all():
                        assert [one.status for one in delivery.attempts] == [200]

            told = group.create_task(rides_on(), name="rides")
            for turn in range(TIMES):
                path.write_text(second if turn % 2 == 0 else first, encoding="utf-8")
                found = await daemon.app.reload(load(path, environ={}))
                assert found.adapters == dict.fromkeys(("strava", "home", "base"), "changed")
                await all_online()
            over.set()
            await told
            await house.digested("alice", seconds=60)
            assert len(rides) > TIMES
            subjects = {f"activity/{number}" for number in rides}
            await until(lambda: house.created("alice").keys() == subjects)
            assert {len(ids) for ids in house.created("alice").values()} == {1}
            assert strava.count("GET", "/oauth/token") == attempts
            assert (base.kicks, base.connections, len(base.clients)) == (0, TIMES + 1, 1)
            assert (attic.kicks, attic.connections, len(attic.clients)) == (0, 1, 1)
            assert (home.record.authenticated, len(home.connections)) == (TIMES + 1, 1)
            assert strava.subscription(apps["main"]) is not None
