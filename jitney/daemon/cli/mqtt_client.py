"""The connection of a command to the broker: short-lived, for somebody who waits. The daemon has its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiomqtt
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from jitney.daemon.broker.refusals import explain
from jitney.daemon.broker.session import REFUSED, BrokerRefusedError, BrokerUnreachableError
from jitney.daemon.broker.visiting import Client, visiting
from jitney.daemon.config.schema import MqttSettings

NOBODY_LISTENS: Final = 0x10
"""The broker took a message and has nobody to give it to (MQTT 5 section 3.4.2.1)."""

SECONDS: Final = 10.0
"""How long each step may take: connecting, subscribing, publishing."""

MOST_WAITING: Final = 10_000
"""Messages that wait here to be shown; more are dropped."""

_UNSPECIFIED: Final = 0x80


class Heard(Struct, frozen=True):
    """A message that arrived; ``retained`` if it was there before we asked."""

    topic: str
    payload: bytes
    retained: bool
    correlation: bytes = b""


class Link:
    """A connection that is up."""

    def __init__(self, client: Client, protocol: str, place: str) -> None:
        self.protocol = protocol
        self.place = place
        self._client = client

    async def subscribe(self, patterns: Sequence[str], *, qos: int = 0) -> None:
        """Subscribe; raises BrokerRefusedError when the broker does not allow it."""
        asked: list[tuple[str, Any]] = [
            (pattern, SubscribeOptions(qos=qos) if self.protocol == "5" else qos) for pattern in patterns
        ]
        codes: Sequence[Any] = await self._client.subscribe(asked)
        for pattern, code in zip(patterns, codes, strict=True):
            reason = code.value if isinstance(code, ReasonCode) else int(code)
            if reason >= REFUSED:
                message = f"{self.place} does not let us read {pattern}: {explain(reason).text}"
                raise BrokerRefusedError(message)

    async def ask(self, topic: str, payload: bytes, *, response_topic: str, correlation: bytes, expiry: int) -> int:
        """Publish a request with QoS 1; returns the broker's reason code, 0 from one that speaks 3.1.1."""
        properties = None
        if self.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = response_topic
            properties.CorrelationData = correlation
            properties.ContentType = "application/json"
            properties.MessageExpiryInterval = expiry
        await self._client.publish(topic, payload, qos=1, properties=properties)
        return self._client.published

    async def hear(self) -> Heard:
        """Wait for the next message."""
        message = await anext(self._client.messages)
        correlation = getattr(message.properties, "CorrelationData", b"")
        return Heard(str(message.topic), _bytes(message.payload), message.retain, correlation)


@asynccontextmanager
async def connect(settings: MqttSettings, *, purpose: str) -> AsyncIterator[Link]:
    """Connect with MQTT 5, or 3.1.1 to a broker that knows nothing newer.

    Raises BrokerUnreachableError, also when the connection is lost inside, BrokerRefusedError or, for a URL that is
    none, MisconfiguredError.
    """
    async with visiting(settings, purpose=purpose, seconds=SECONDS, most=MOST_WAITING) as (client, protocol, place):
        try:
            yield Link(client, protocol, place)
        except aiomqtt.MqttError as error:
            raise BrokerUnreachableError(f"the connection to {place} was lost{_why(error)}") from error


def _why(error: BaseException | None) -> str:
    """Return what the broker said when it ended the connection, nothing when it said nothing."""
    while error is not None and not isinstance(error, aiomqtt.MqttCodeError):
        error = error.__cause__
    code = error.rc if error is not None else None
    return f": {str(code).lower()}" if isinstance(code, ReasonCode) and code.value != _UNSPECIFIED else ""


def _bytes(payload: object) -> bytes:
    """Return a payload as it came: aiomqtt could give other types for messages made here, which never arrive."""
    return payload if isinstance(payload, bytes) else b""
