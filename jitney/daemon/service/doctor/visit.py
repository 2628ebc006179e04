"""A visit to the broker: a short connection that learns what is allowed and what is retained, and leaves nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiomqtt
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jitney.daemon.broker.session import BrokerUnreachableError
from jitney.daemon.broker.visiting import Client, visiting
from jitney.daemon.config.schema import MqttSettings

SECONDS: Final = 5.0
"""How long each step may take: connecting, subscribing, publishing."""

QUIET: Final = 0.4
"""The retained messages have all come when none came for so many seconds."""

MOST: Final = 20_000
"""Messages that are kept; more are not looked at."""

_EXPIRY: Final = 60


class Greeting(Struct, frozen=True, kw_only=True):
    """What the broker allows, as it says in CONNACK (MQTT 5 section 3.2.2.3); one that speaks 3.1.1 says nothing."""

    protocol: str
    receive_max: int = 65_535
    packet_bytes: int = 0
    """0: any length."""
    retain: bool = True
    wildcards: bool = True
    most_qos: int = 2


class Visit:
    """A connection that is up; ``retained`` is what came that was there before."""

    def __init__(self, client: Client, protocol: str, place: str) -> None:
        self.greeting = _greeting(client.allowed, protocol)
        self.place = place
        self.retained: dict[str, bytes] = {}
        self._client = client
        self._came: set[tuple[str, bytes]] = set()
        self._news = asyncio.Event()

    async def subscribe(self, patterns: Sequence[str]) -> list[int]:
        """Subscribe; returns one reason code each. Raises BrokerUnreachableError."""
        try:
            codes: Sequence[Any] = await self._client.subscribe([(pattern, 1) for pattern in patterns])
        except aiomqtt.MqttError as error:
            raise self._lost("when we wanted to read", error) from error
        return [code.value if isinstance(code, ReasonCode) else int(code) for code in codes]

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1; returns the reason code, 0 from a broker that speaks 3.1.1.

        Raises BrokerUnreachableError.
        """
        properties = None
        if self.greeting.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = _EXPIRY
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        except aiomqtt.MqttError as error:
            raise self._lost("when we published", error) from error
        return self._client.published

    async def quiet(self) -> None:
        """Wait until no more retained messages come, at most for a step."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while True:
                    before = len(self.retained)
                    await asyncio.sleep(QUIET)
                    if len(self.retained) == before:
                        return

    async def missing(self, messages: Iterable[tuple[str, bytes]]) -> list[str]:
        """Wait for messages, each a topic and a payload, and return the topics of those that do not come in time."""
        wanted = list(messages)
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS / 2):
                while not self._came.issuperset(wanted):
                    self._news.clear()
                    await self._news.wait()
        return [message[0] for message in wanted if message not in self._came]

    async def listen(self) -> None:
        """Take what comes, until the connection ends."""
        with suppress(aiomqtt.MqttError):  # whoever does something next is told
            async for message in self._client.messages:
                topic, payload = str(message.topic), message.payload
                if not isinstance(payload, bytes):
                    continue
                if message.retain and len(self.retained) < MOST:
                    self.retained[topic] = payload
                if len(self._came) < MOST:
                    self._came.add((topic, payload))
                self._news.set()

    def _lost(self, when: str, error: aiomqtt.MqttError) -> BrokerUnreachableError:
        code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
        said = f" ({str(code).lower()})" if isinstance(code, ReasonCode) else ""
        return BrokerUnreachableError(f"{self.place} ended the connection or did not answer {when}{said}")


@asynccontextmanager
async def visit(settings: MqttSettings) -> AsyncIterator[Visit]:
    """Connect with MQTT 5, or 3.1.1 to a broker that knows nothing newer.

    Raises BrokerUnreachableError, BrokerRefusedError or, for a URL that is none, MisconfiguredError.
    """
    async with visiting(settings, purpose="doctor", seconds=SECONDS, most=MOST) as (client, protocol, place):
        there = Visit(client, protocol, place)
        listening = asyncio.create_task(there.listen(), name="doctor: what the broker sends")
        try:
            yield there
        finally:
            listening.cancel()
            await asyncio.wait([listening])


def _greeting(allowed: Properties | None, protocol: str) -> Greeting:
    def said(name: str, default: int) -> int:
        return int(getattr(allowed, name, default))

    return Greeting(
        protocol=protocol,
        receive_max=said("ReceiveMaximum", 65_535),
        packet_bytes=said("MaximumPacketSize", 0),
        retain=bool(said("RetainAvailable", 1)),
        wildcards=bool(said("WildcardSubscriptionAvailable", 1)),
        most_qos=said("MaximumQoS", 2),
    )
