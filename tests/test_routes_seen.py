"""Seeing what routes do: `jitney run` and `jitney routes` as processes, and events that come over the broker."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.daemon.running import Observer, observing, payload
from tests.fakes.mosquitto import Broker
from tests.waiting import DEADLINE

CONFIG = """
version = 1
[bus]
state_dir = "{state}"
[mqtt]
url = "{url}"
[http]
listen = ""
[owners.alice]
name = "Alice"
[owners.bob]
name = "Bob"

[[routes]]
name = "long ride"
on = "inbox.ride"
when = {{ "data.km" = {{ gt = 20 }} }}
do = [{{ publish = "long_ride", data = {{ text = "{{{{ owner.name }}}} rode {{{{ data.km }}}} km" }} }}]
[[routes]]
name = "first of the hour"
on = "inbox.ride"
throttle = 3600
do = [{{ set = "last", value = "{{{{ data.km }}}}" }}]
[[routes]]
name = "very long ride"
on = "inbox.ride"
when = {{ "data.km" = {{ gt = 100 }} }}
do = [{{ publish = "very_long_ride" }}]
"""
TOLD = "jitney/alice/event/route/long_ride"


class House:
    """A daemon and a broker, somebody who hands events in, and a shell."""

    def __init__(self, observer: Observer, path: Path) -> None:
        self.observer = observer
        self._path = path

    async def ride(self, km: float, *, owner: str = "alice") -> str:
        """Let somebody ride and return the id of the event."""
        topic = f"jitney/{owner}/event/desk/ride"
        before = len(self.observer.on(topic))
        await self.observer.publish(f"jitney/{owner}/inbox/desk/ride", msgspec.json.encode({"km": km}))
        await self.observer.until(lambda: len(self.observer.on(topic)) > before)
        return self.observer.events(topic)[-1].id

    async def routes(self, *arguments: str, status: int = 0) -> str:
        """Call `jitney routes` and return what it prints; for JSON the text of it."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", "routes", *arguments, "-c", str(self._path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=surroundings(),
        )
        async with asyncio.timeout(DEADLINE):
            out, err = await child.communicate()
        assert child.returncode == status, err.decode()
        return (out or err).decode()

    async def json(self, *arguments: str) -> Any:  # noqa: ANN401 - of each command another
        return json.loads(await self.routes(*arguments, "--json"))


def surroundings() -> dict[str, str]:
    found = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**found, "PYTHONPATH": str(Path(__file__).parent.parent)}


@asynccontextmanager
async def house(broker: Broker, folder: Path) -> AsyncIterator[House]:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=broker.url, state=folder / "state"), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(path)), stderr=log, env=surroundings()
        )
    try:
        async with observing(broker.port) as observer:
            state = "jitney/_bus/main/state"
            await observer.until(lambda: any(b"online" in payload(message) for message in observer.on(state)))
            yield House(observer, path)
    finally:
        child.terminate()
        async with asyncio.timeout(DEADLINE):
            await child.wait()


async def test_what_routes_do_can_be_explained_tried_and_brought_about_again(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path) as home:
        await home.ride(5)
        ride = await home.ride(30)
        his = await home.ride(150, owner="bob")
        await home.observer.message(TOLD)

        event, *told = (await home.routes("explain", ride)).splitlines()
        assert event.endswith("  alice  inbox.ride")
        assert told[0] == "  fired        long ride"
        assert told[1].startswith("  held         first of the hour: fired ")
        assert told[1].endswith(" s ago, at most once in 3600 s")
        assert told[2:] == ["  not matched  very long ride: data.km is 30, not more than 100"]

        assert (await home.routes("try", "long ride", "--id", ride)).splitlines()[1:] == [
            "  matches      long ride",
            '               publish long_ride, data {"text":"Alice rode 30 km"}',
        ]
        newest, *_ = await home.json("try", "long ride", "--last", "9")
        assert newest["id"] == his

        of_alice = await home.routes("explain", "--owner", "alice", "--json")
        assert ride in of_alice
        assert his not in of_alice
        assert "bob" not in of_alice
        assert f"no event '{his}' among the last 200 of alice since " in await home.routes(
            "explain", his, "--owner", "alice", status=1
        )

        replayed = await home.json("replay", "alice", "--since", "1h", "--yes")
        again = [copy["id"] for copy in replayed["events"]]
        assert [copy["of"] for copy in replayed["events"]][-1] == ride
        assert [left["why"] for left in replayed["left_out"]] == ["caused"]
        await home.observer.until(lambda: len(home.observer.on(TOLD)) == 2)
        copy = home.observer.events("jitney/alice/event/desk/ride")[-1]
        assert (copy.id, copy.causationid, copy.hops) == (again[-1], ride, 1)
        assert home.observer.events(TOLD)[1].causationid == copy.id
        assert "  fired        long ride" in await home.routes("explain", copy.id)
        assert len(home.observer.on("jitney/bob/event/desk/ride")) == 1
