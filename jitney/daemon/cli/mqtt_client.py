"""The connection of a command to the broker: short-lived, for somebody who waits. The daemon has its own."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from secrets import token_hex
from types import TracebackType
from typing import Any, Final, Literal

import aiomqtt
from aiomqtt.client import ProtocolVersion
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from jitney.daemon.broker.refusals import explain
from jitney.daemon.broker.session import (
    REFUSED,
    BrokerRefusedError,
    BrokerUnreachableError,
    ConnectOptions,
    Message,
    ProtocolUnsupportedError,
)
from jitney.daemon.broker.sessions.reasons import refusal
from jitney.daemon.broker.sessions.transport import Endpoint, endpoint, tls_context
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import JitneyError

NOBODY_LISTENS: Final = 0x10
"""The broker took a message and has nobody to give it to (MQTT 5 section 3.4.2.1)."""

SECONDS: Final = 10.0
"""How long each step may take: connecting, subscribing, publishing."""

MOST_WAITING: Final = 10_000
"""Messages that wait here to be shown; more are dropped."""

_VERSIONS: Final = {"5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}
_TRANSPORTS: Final[dict[str, Literal["tcp", "websockets", "unix"]]] = {
    "unix": "unix",
    "ws": "websockets",
    "wss": "websockets",
}
_UNSPECIFIED: Final = 0x80
_NO_WILL: Final = Message("", b"")


class Heard(Struct, frozen=True):
    """A message that arrived; ``retained`` if it was there before we asked."""

    topic: str
    payload: bytes
    retained: bool
    correlation: bytes = b""


class Link:
    """A connection that is up."""

    def __init__(self, client: "_Client", protocol: str, place: str) -> None:
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
    options = ConnectOptions(
        url=settings.url,
        client_id=f"jitney-{purpose}-{token_hex(4)}",
        username=settings.username,
        password=settings.password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        will=_NO_WILL,
    )
    target = endpoint(options.url)
    tls = await tls_context(options, target)
    protocols = ["5", "3.1.1"] if settings.protocol == "auto" else [settings.protocol]
    async with AsyncExitStack() as stack:
        while True:
            client, protocol = _client(options, target, protocol=protocols[0], tls=tls), protocols.pop(0)
            try:
                await stack.enter_async_context(client)
            except aiomqtt.MqttError as error:
                reason = _refused(error, options, target)
                if protocols and isinstance(reason, ProtocolUnsupportedError):
                    continue
                raise reason from error
            break
        try:
            yield Link(client, protocol, target.place)
        except aiomqtt.MqttError as error:
            raise BrokerUnreachableError(f"the connection to {target.place} was lost{_why(error)}") from error


class _Client(aiomqtt.Client):
    """aiomqtt, which takes a message that the broker refused for published: this one keeps the reason code."""

    published = 0

    def _on_publish(self, *told: Any) -> None:  # noqa: ANN401 - what paho tells: client, userdata, mid, reason code, …
        *_, reason, _properties = told
        self.published = reason.value
        super()._on_publish(*told)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(aiomqtt.MqttError):  # the broker is gone, so nobody need be told that we go
            await super().__aexit__(kind, error, trace)


def _client(options: ConnectOptions, target: Endpoint, *, protocol: str, tls: ssl.SSLContext | None) -> _Client:
    return _Client(
        hostname=target.path if target.scheme == "unix" else target.host,
        port=target.port or 1,  # paho wants one for a unix socket too
        username=options.username or None,
        password=options.password.reveal() if options.username else None,
        identifier=options.client_id,
        protocol=_VERSIONS[protocol],
        transport=_TRANSPORTS.get(target.scheme, "tcp"),
        timeout=SECONDS,
        keepalive=options.keepalive,
        max_queued_incoming_messages=MOST_WAITING,
        tls_context=tls,
        websocket_path=target.path if target.websocket else None,
    )


def _refused(error: aiomqtt.MqttError, options: ConnectOptions, target: Endpoint) -> JitneyError:
    """Return what a failed attempt to connect means."""
    if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
        return refusal(error.rc.value, options, place=target.place, name=str(error.rc))
    return BrokerUnreachableError(f"{target.place} cannot be reached ({error}): is the broker running?")


def _why(error: BaseException | None) -> str:
    """Return what the broker said when it ended the connection, nothing when it said nothing."""
    while error is not None and not isinstance(error, aiomqtt.MqttCodeError):
        error = error.__cause__
    code = error.rc if error is not None else None
    return f": {str(code).lower()}" if isinstance(code, ReasonCode) and code.value != _UNSPECIFIED else ""


def _bytes(payload: object) -> bytes:
    """Return a payload as it came: aiomqtt could give other types for messages made here, which never arrive."""
    return payload if isinstance(payload, bytes) else b""
