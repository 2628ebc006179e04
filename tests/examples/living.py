"""The household of the examples: Home Assistant, a radio and Strava with the real adapters, and whoever watches."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from jitney.daemon.config.load import load
from tests.at_meshtastic import FIRST, House
from tests.at_strava import PLENTY, PUBLIC, REPOSITORY
from tests.daemon.running import Daemon, Observer, observing, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import Athlete, FakeStrava
from tests.waiting import until

EXAMPLES: Final = REPOSITORY / "examples" / "routes"

RADIO: Final = FIRST
ALICE: Final = 0xA11CE001
BOB: Final = 0xB0B00001
CAROL: Final = 0xCA401001
"""The nodes of alice and bob, and one that nobody in the house knows."""

PHONE: Final = "mobile_app_alice_phone"

SECRET: Final = "canary-of-strava-5c1f"

CONFIG: Final = """\
version = 1
[bus]
state_dir = {state}
[mqtt]
url = "{broker}"
[http]
listen = "127.0.0.1:0"
public_url = "{public}"
[owners.alice]
name = "Alice"
homeassistant = {{ person = "person.alice", entities = ["*.alice_*"] }}
meshtastic = {{ nodes = ["!a11ce001"] }}
[owners.bob]
name = "Bob"
homeassistant = {{ person = "person.bob", entities = ["*.bob_*"] }}
meshtastic = {{ nodes = ["!b0b00001"] }}
[adapters.home]
type = "homeassistant"
url = "{home}"
token = {{ env = "HOME_TOKEN" }}
[adapters.base]
type = "meshtastic"
owner = "{radio_of}"
connection = "{radio}"
[adapters.strava]
type = "strava"
api_url = "{api}"
oauth_url = "{oauth}"
apps.main = {{ client_id = "101", client_secret = {{ env = "STRAVA_SECRET" }} }}
"""


def example(name: str) -> str:
    """Return an example as it stands."""
    return (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")


class Household:
    """What is in the house and what comes of it, as ``observer`` sees it; alice, bob and carol are nodes on the air."""

    def __init__(
        self, home: FakeHomeAssistant, radio: Radio, strava: FakeStrava, *, broker: Broker, observer: Observer
    ) -> None:
        self.broker = broker
        self.home = home
        self.radio = radio
        self.strava = strava
        self.observer = observer
        self.alice, self.bob, self.carol = (radio.node(number, hops=2) for number in (ALICE, BOB, CAROL))
        self._desk = House(observer)
        self._markers = 0

    async def sign_in(self, owner: str, number: int) -> Athlete:
        """Let an owner sign in at Strava as a new athlete, and wait until Strava tells what they do."""
        athlete = self.strava.athlete(number, firstname=owner.title())
        link = (await self._desk.ask(owner, "strava", "connect"))["link"]
        landing = await self.strava.consent(link, athlete)
        assert landing.status == 200, landing.text
        await self.observer.message(f"jitney/{owner}/state/strava/stats")

        async def told() -> bool:
            return bool((await self._desk.ask(owner, "strava", "status"))["subscription"] == "active")

        await until(told)
        return athlete

    async def settled(self, daemon: Daemon) -> None:
        """Wait until all that routes wanted has been done, and everything that came of it has been seen."""
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        await until(lambda: not routing.executor.waiting())
        await daemon.drained()
        self._markers += 1
        marker = f"jitney/_markers/{self._markers}"
        await self.observer.publish(marker, b"")
        await self.observer.message(marker)

    async def heard(self, owner: str, text: str) -> None:
        """Wait until the bus has heard a text on the mesh, as an event of an owner."""
        await self.observer.until(lambda: text in self.texts(owner))

    def texts(self, owner: str) -> list[str]:
        """Return the texts from the mesh that are an owner's, in order."""
        return [str(data["text"]) for data in self.told(owner, "base", "message")]

    def told(self, owner: str, adapter: str, kind: str) -> list[dict[str, Any]]:
        """Return the data of an owner's events."""
        return [json.loads(bytes(one.data)) for one in self.observer.events(f"jitney/{owner}/event/{adapter}/{kind}")]

    def changed(self, owner: str) -> list[str]:
        """Return the entities of an owner whose state has changed, as often as it has."""
        return [data["entity_id"] for data in self.told(owner, "home", "state_changed")]

    def topics(self) -> set[str]:
        """Return every topic on which anything has come."""
        return {str(message.topic) for message in self.observer.messages}

    def notified(self) -> list[dict[str, Any]]:
        """Return what alice's phone has shown."""
        return [call.data for call in self.home.services.calls if (call.domain, call.service) == ("notify", PHONE)]

    def said(self, owner: str) -> list[str]:
        """Return the texts of an owner that the radio was given to send, sent or not, in order."""
        return [data["text"] for data in self.told(owner, "base", "sending") if data["state"] == "queued"]


@asynccontextmanager
async def household(broker: Broker) -> AsyncIterator[Household]:
    """Build a house in which no daemon runs yet."""
    async with (
        FakeHomeAssistant() as home,
        Radio(RADIO) as radio,
        FakeStrava() as strava,
        observing(broker.port) as seen,
    ):
        home.services.add("notify", PHONE, required={"message": str})
        strava.app("101", SECRET, limits=PLENTY)
        yield Household(home, radio, strava, broker=broker, observer=seen)


@asynccontextmanager
async def at_home(house: Household, folder: Path, *examples: str, radio_of: str = "alice") -> AsyncIterator[Daemon]:
    """Run a daemon, with examples at the end of its configuration, until everything in the house is connected."""
    text = CONFIG.format_map(
        {
            "state": json.dumps(str(folder / "state")),
            "broker": house.broker.url,
            "public": PUBLIC,
            "home": house.home.url,
            "radio": house.radio.connection,
            "radio_of": radio_of,
            "api": house.strava.api_url,
            "oauth": house.strava.oauth_url,
        }
    )
    path = folder / "config.toml"
    path.write_text("\n".join([text, *map(example, examples)]), encoding="utf-8")
    settings = load(path, environ={"HOME_TOKEN": house.home.token, "STRAVA_SECRET": SECRET})
    async with running(settings, folder / "state") as daemon:
        house.strava.lead(PUBLIC, f"http://127.0.0.1:{daemon.app.parts.doors.port}")
        await daemon.connected()
        await until(lambda: all(daemon.app.parts.runners[name].context.is_online for name in settings.adapters))
        yield daemon


@asynccontextmanager
async def living(
    broker: Broker, folder: Path, *examples: str, radio_of: str = "alice"
) -> AsyncIterator[tuple[Household, Daemon]]:
    """Run a daemon with examples in a new house."""
    async with household(broker) as house, at_home(house, folder, *examples, radio_of=radio_of) as daemon:
        yield house, daemon
