"""A household for a real Home Assistant: two people with the same names for everything, and what they have."""

import json
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.lab import Daemon, LabError, Mosquitto, free_port
from bench.record import client_of
from tests.at_strava import PLENTY, PUBLIC, House
from tests.daemon.running import observing
from tests.fakes.meshtastic import Node, Radio
from tests.fakes.strava import Activity, FakeStrava

ROOT: Final = "jitney"
PREFIX: Final = "homeassistant"
NAME: Final = "Robin"
"""Of both owners."""

RADIOS: Final = {"alice": "attic", "bob": "boat"}
"""The adapter of each owner's radio."""

PLACES: Final = {"alice": (52.37, 4.89), "bob": (48.21, 16.37)}
KILOMETRES: Final = {"alice": 21.0, "bob": 42.0}
HANDSHAKE_SECONDS: Final = 30.0

_CONFIG: Final = """
version = 1
[bus]
instance = "{instance}"
state_dir = {state}
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
topic_root = "jitney"
[http]
listen = "127.0.0.1:{http}"
public_url = "{public}"
[discovery]
per_component = {per_component}
{owners}
[adapters.strava]
type = "strava"
api_url = "{api_url}"
oauth_url = "{oauth_url}"
apps.main = {{ client_id = "{client_id}", client_secret = {{ file = "app.secret" }} }}
{radios}
"""

_OWNER: Final = """
[owners.{owner}]
name = "{name}"
discovery = {{ private = ["strava"] }}
strava = {{ app = "main", show = {{ recent = 2, photos = true }} }}
meshtastic.nodes = {nodes}
"""

_RADIO: Final = """
[adapters.{adapter}]
type = "meshtastic"
owner = "{owner}"
connection = "{connection}"
heartbeat = 5
timeout = 10
allow.{owner} = ["set_owner"]
"""


class DiscoveryHouse:
    """Everything but Home Assistant, up inside ``async with``: broker, Strava, radios; and the daemon when started.

    ``owners`` are those of the configuration and ``nodes`` the nodes of the mesh that are theirs, by owner; both count
    from the next start of the daemon. ``photos`` are what each has at Strava. The ``instance`` is another one each
    time, because Home Assistant remembers how it had what was removed.
    """

    def __init__(self, folder: Path, *, broker: int, per_component: bool = False) -> None:
        self.broker = Mosquitto(folder)
        self.broker.port = broker
        self.strava = FakeStrava()
        self.radios = {
            owner: Radio(number, name="Base") for owner, number in zip(RADIOS, (0xA0000001, 0xB0000001), strict=True)
        }
        self.hikers = {owner: _node(radio, 0x11, "Hiker", owner) for owner, radio in self.radios.items()}
        self.cabins = {owner: _node(radio, 0x22, "Cabin", owner) for owner, radio in self.radios.items()}
        self.instance = f"at{time.time():.0f}"
        self.owners = list(RADIOS)
        self.nodes = {owner: [self.hikers[owner].id, self.cabins[owner].id] for owner in RADIOS}
        self.photos: dict[str, bytes] = {}
        self._folder = folder
        self._per_component = per_component
        self._http = free_port()
        self._app = self.strava.app("101", "canary-of-main-5c1f", limits=PLENTY)
        self._daemon: Daemon | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_daemon)
            await stack.enter_async_context(self.broker)
            await stack.enter_async_context(self.strava)
            for radio in self.radios.values():
                await stack.enter_async_context(radio)
            self.strava.lead(PUBLIC, f"http://127.0.0.1:{self._http}")
            secret = self._folder / "app.secret"
            secret.write_text(f"{self._app.secret}\n", encoding="ascii")
            secret.chmod(0o600)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def bus_topic(self) -> str:
        """Where the bus says whether it is online."""
        return f"{ROOT}/_bus/{self.instance}/state"

    @property
    def daemon(self) -> Daemon:
        """The daemon of the newest start; raises LabError when it has ended by itself."""
        if self._daemon is None:
            raise LabError("the daemon was never started")
        self._daemon.must_run()
        return self._daemon

    async def start(self) -> None:
        """Start the daemon with the present configuration, and wait until it has reached the radios."""
        before = {owner: self.radios[owner].handshakes for owner in self.owners}
        self._daemon = Daemon(self._folder, self.config())
        await self._daemon.start()
        for owner, number in before.items():
            try:
                await self.radios[owner].ready(number + 1, HANDSHAKE_SECONDS)
            except AssertionError as error:
                self._daemon.must_run()
                message = f"the daemon did not reach the radio of {owner}: {error}, see {self._daemon.log}"
                raise LabError(message) from None

    async def stop(self) -> None:
        """End the daemon in good order; raises LabError when its exit status is not 0."""
        status = await self.daemon.stop()
        if status:
            message = f"the daemon ended with exit status {status} on SIGTERM, see {self.daemon.log}"
            raise LabError(message)

    def config(self) -> str:
        """Return the configuration."""
        return _CONFIG.format(
            instance=self.instance,
            state=json.dumps(str(self._folder / "state")),
            broker=self.broker.port,
            http=self._http,
            public=PUBLIC,
            per_component=json.dumps(self._per_component),
            owners="".join(
                _OWNER.format(owner=owner, name=NAME, nodes=json.dumps(self.nodes[owner])) for owner in self.owners
            ),
            api_url=self.strava.api_url,
            oauth_url=self.strava.oauth_url,
            client_id=self._app.client_id,
            radios="".join(
                _RADIO.format(adapter=RADIOS[owner], owner=owner, connection=self.radios[owner].connection)
                for owner in self.owners
            ),
        )

    async def sign_in(self) -> None:
        """Let everybody sign in at Strava, each with an activity that was there before."""
        people = dict.fromkeys(RADIOS, "main")
        async with observing(self.broker.port, f"{ROOT}/+/+/strava/#", f"{ROOT}/+/reply/#") as observer:
            house = House(self.strava, observer, apps={"main": self._app}, people=people)
            for number, owner in enumerate(people, start=2001):
                athlete = self.strava.athlete(number, firstname=NAME)
                house.athletes[owner] = athlete
                ride = athlete.add_activity(seconds=3600, distance=KILOMETRES[owner] * 1000, name="Morning ride")
                self.photos[owner] = ride.add_photo(caption="The view").bytes
                await house.sign_in(owner, athlete)
            self._athletes = house.athletes

    def ride(self, owner: str) -> Activity:
        """Let somebody have done an activity, of which Strava tells."""
        return self._athletes[owner].add_activity(seconds=1800, name="Evening ride")

    def speak(self, owners: Collection[str]) -> None:
        """Let the nodes of owners send what they measure and where they are."""
        for owner in owners:
            for node in (self.hikers[owner], self.cabins[owner]):
                node.announce()
                node.report()
                node.locate(*PLACES[owner], 12)

    async def clear(self, topics: Collection[str]) -> None:
        """Clear retained messages."""
        async with client_of(self.broker.port, "clear") as client:
            for topic in topics:
                await client.publish(topic, b"", qos=1, retain=True)

    async def _end_daemon(self) -> None:
        if self._daemon is not None:
            await self._daemon.kill()


def _node(radio: Radio, number: int, name: str, owner: str) -> Node:
    node = radio.node(radio.own.number + number, long_name=name, public_key=b"k" * 32)
    node.place = (*PLACES[owner], 12)
    return node
