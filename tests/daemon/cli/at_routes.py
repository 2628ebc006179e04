"""A daemon with the routes of a file, and `jitney routes` in a shell beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon import log
from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from jitney.topics import Event, utc_now
from tests.daemon.running import Daemon, running
from tests.fakes.mosquitto import Broker

HOUSE = """
[mqtt]
url = "{url}"
topic_root = "{root}"
[http]
listen = ""
[owners.alice]
name = "Alice"
[owners.bob]
"""

ROUTES = """
[[routes]]
name = "far"
owner = "alice"
on = "inbox.ride"
when = {{ "data.km" = {{ gt = 20 }} }}
do = [{{ publish = "far", subject = "{{{{ owner.name }}}}", data = {{ km = "{{{{ data.km }}}}" }} }}]
[[routes]]
name = "rarely"
on = "inbox.r*"
throttle = 3600
do = [{{ set = "last", value = "{{{{ data.km }}}}" }}]
[[routes]]
name = "others"
on = "demo.*"
enabled = true
do = [{{ drop = true }}]
"""


def ride(number: int, km: float, *, owner: str = "alice", **fields: Any) -> Event:  # noqa: ANN401
    now = utc_now()
    given: dict[str, Any] = {"type": "inbox.ride", "subject": UNSET, **fields}
    return Event(
        id=f"ride-{owner}-{number}",
        source="/desk",
        time=now,
        observed=now,
        owner=owner,
        data=Raw(msgspec.json.encode({"km": km})),
        **given,
    )


class AtHome:
    """A running daemon, its configuration, and a shell."""

    def __init__(self, daemon: Daemon, path: Path, root: str) -> None:
        self.daemon = daemon
        self.path = path
        self.root = root

    async def run(self, action: str, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["routes", action, *arguments, "-c", str(self.path)])

    async def happen(self, *events: Event) -> None:
        for event in events:
            await self.daemon.app.parts.bus.emit([event], durable=True)


@asynccontextmanager
async def at_home(broker: Broker, root: str, folder: Path, routes: str = ROUTES) -> AsyncIterator[AtHome]:
    path = folder / "config.toml"
    path.write_text((HOUSE + routes).format(url=broker.url, root=root))
    log.configure("console", "error")
    async with running(load(path, environ={}), folder / "state") as daemon:
        await daemon.connected()
        yield AtHome(daemon, path, root)
