"""A household whose daemon has real Meshtastic adapters: at simulated radios, at a broker, and seen by an observer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from jitney.adapters.meshtastic import Meshtastic
from jitney.adapters.meshtastic.config import Config as RadioConfig
from jitney.adapters.meshtastic.config import Identity
from jitney.daemon.config.schema import (
    AdapterSettings,
    Config,
    HttpSettings,
    MqttSettings,
    OwnerSettings,
    RetrySettings,
)
from jitney.topics import HOUSE, Event, cloudevents
from tests.daemon.running import Observer, observing, payload, running
from tests.fakes.meshtastic import Radio
from tests.fakes.mosquitto import Broker
from tests.waiting import until

PEOPLE: Final = ("alice", "bob")
FIRST: Final = 0xA0000001
"""The number of the first radio; the others count on from it."""


class House:
    """What an observer has got until now from a household with radios, and the commands of its people."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._read = 0
        self._asked = 0
        self._events: list[Event] = []
        self._values: dict[str, bytes] = {}

    def events(self, owner: str = "", adapter: str = "", kind: str = "") -> list[Event]:
        """Return the events that have arrived, as often and in the order in which they did."""
        self._sort()
        return [
            event
            for event in self._events
            if owner in ("", event.owner)
            and adapter in ("", event.source[1:])
            and kind in ("", event.type.removeprefix("meshtastic."))
        ]

    def told(self, owner: str = "", adapter: str = "", kind: str = "") -> list[dict[str, Any]]:
        """Return the data of events."""
        return [msgspec.json.decode(event.data) for event in self.events(owner, adapter, kind)]

    def packets(self, owner: str, adapter: str) -> list[int]:
        """Return the ids of the packets whose events have arrived, in that order."""
        return [data["packet_id"] for data in self.told(owner, adapter) if "packet_id" in data and "to" in data]

    def texts(self, owner: str = "", adapter: str = "") -> list[str]:
        """Return the texts that have arrived, in that order."""
        return [data["text"] for data in self.told(owner, adapter, "message")]

    def value(self, topic: str) -> dict[str, Any]:
        """Return the newest value of a topic, empty when it has none."""
        self._sort()
        found: dict[str, Any] = msgspec.json.decode(self._values.get(topic, b"{}"))
        return found

    def topics(self) -> set[str]:
        """Return every topic on which anything has come, without the root."""
        return {str(message.topic).removeprefix("jitney/") for message in self.observer.messages}

    def connected(self, adapter: str) -> int:
        """Return how often a radio has been connected."""
        return sum(data["state"] == "connected" for data in self.told("", adapter, "radio"))

    def gone(self, owner: str, adapter: str) -> str:
        """Return why the connection to a radio is gone, empty while it is there."""
        *_, newest = ({}, *self.told(owner, adapter, "radio"))
        return str(newest.get("reason", ""))

    def status(self, owner: str, adapter: str) -> str:
        """Return the word that an owner is told about a radio's connection, empty before the first."""
        return str(self.value(f"jitney/{owner}/status/{adapter}").get("state", ""))

    async def ask(self, owner: str, adapter: str, command: str, **data: object) -> dict[str, Any]:
        """Carry out a command over MQTT and return the data of its reply."""
        reply = await self.reply(owner, adapter, command, **data)
        assert reply["status"] == "ok", reply
        found: dict[str, Any] = reply["data"]
        return found

    async def refused(self, owner: str, adapter: str, command: str, **data: object) -> dict[str, Any]:
        """Have a command refused and return the error."""
        reply = await self.reply(owner, adapter, command, **data)
        assert reply["status"] == "error", reply
        found: dict[str, Any] = reply["error"]
        return found

    async def reply(self, owner: str, adapter: str, command: str, **data: object) -> dict[str, Any]:
        """Send a command over MQTT and return its reply."""
        self._asked += 1
        transaction = str(self._asked)
        body = msgspec.json.encode({"data": data, "transaction": transaction, "client": "desk"})
        await self.observer.publish(f"jitney/{owner}/command/{adapter}/{command}", body)
        reply = await self.observer.message(f"jitney/{owner}/reply/desk/{transaction}")
        found: dict[str, Any] = msgspec.json.decode(payload(reply))
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; looked at whenever something came."""
        await self.observer.until(condition)

    def _sort(self) -> None:
        news = self.observer.messages[self._read :]
        self._read += len(news)
        for message in news:
            topic = str(message.topic)
            if "/event/" in topic:
                event = cloudevents.decode(payload(message))
                kind = event.type.partition(".")[2]
                assert topic == f"jitney/{event.owner}/event{event.source}/{kind}"
                self._events.append(event)
            elif payload(message):
                self._values[topic] = payload(message)
            else:
                self._values.pop(topic, None)


@asynccontextmanager
async def on_air(*names: str) -> AsyncIterator[dict[str, Radio]]:
    """Run a simulated radio for each name."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(Radio(FIRST + number, name=name.title()))
            for number, name in enumerate(names)
        }


def household(
    broker: Broker,
    radios: Mapping[str, Radio],
    owners: Mapping[str, str],
    **settings: Any,  # noqa: ANN401
) -> Config:
    """Return a configuration; ``owners`` says whose each radio is, ``nodes`` which nodes are whose."""
    nodes: Mapping[str, tuple[str, ...]] = settings.pop("nodes", {})
    retry = RetrySettings(first=0.01, longest=0.05)
    return Config(
        mqtt=MqttSettings(url=broker.url),
        http=HttpSettings(listen=""),
        owners={
            owner: OwnerSettings(
                id=owner, name=owner.title(), identities={"meshtastic": Identity(nodes=nodes.get(owner, ()))}
            )
            for owner in PEOPLE
        },
        adapters={
            name: AdapterSettings(
                name=name,
                type=Meshtastic,
                config=RadioConfig(connection=radio.connection, **settings),
                owner=owners.get(name, HOUSE),
                durable=True,
                retry=retry,
            )
            for name, radio in radios.items()
        },
    )


@asynccontextmanager
async def at_home(settings: Config, radios: Mapping[str, Radio], broker: Broker, state: Path) -> AsyncIterator[House]:
    """Run a daemon in this process until every radio is connected, with an observer who has seen it from the start."""
    async with observing(broker.port) as observer, running(settings, state) as daemon:
        await daemon.connected()
        await until(lambda: all(daemon.app.parts.runners[name].context.is_online for name in radios))
        yield House(observer)


@asynccontextmanager
async def one_radio(broker: Broker, state: Path, **settings: Any) -> AsyncIterator[tuple[Radio, House]]:  # noqa: ANN401
    """Run a daemon with one radio, alice's unless ``owner`` says otherwise, called base."""
    owner = settings.pop("owner", "alice")
    async with on_air("base") as radios:
        config = household(broker, radios, {"base": owner}, **settings)
        async with at_home(config, radios, broker, state) as house:
            yield radios["base"], house


async def paced(calls: Iterable[Callable[[], object]], *, rate: float) -> None:
    """Make calls, so many a second by the clock of the loop; returns after the last one."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    begin = loop.time()
    rest: Iterator[tuple[int, Callable[[], object]]] = enumerate(calls, start=1)

    def step() -> None:
        number, call = next(rest, (0, None))
        if call is None:
            done.set_result(None)
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - told to who waits
            done.set_exception(error)
            return
        loop.call_at(begin + number / rate, step)

    step()
    await done
