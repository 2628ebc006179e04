"""A short connection to the broker, for somebody who waits for it: a command, the doctor. The daemon has its own."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from secrets import token_hex
from typing import Any, Final, Literal, NamedTuple

import aiomqtt
from aiomqtt.client import ProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jitney.daemon.broker.session import BrokerUnreachableError, ConnectOptions, Message, ProtocolUnsupportedError
from jitney.daemon.broker.sessions.reasons import refusal
from jitney.daemon.broker.sessions.transport import Endpoint, alerted, endpoint, reaching, tls_context, unreachable
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import JitneyError

_VERSIONS: Final = {"5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}
_TRANSPORTS: Final[dict[str, Literal["tcp", "websockets", "unix"]]] = {
    "unix": "unix",
    "ws": "websockets",
    "wss": "websockets",
}
_NO_WILL: Final = Message("", b"")


class Client(aiomqtt.Client):
    """aiomqtt, which keeps to itself what the broker allows and whether it has refused a message.

    ``allowed`` are the properties of its CONNACK, ``published`` is the reason code of the last message.
    """

    allowed: Properties | None = None
    published = 0

    def _on_connect(self, *told: Any) -> None:  # noqa: ANN401 - what paho tells: client, userdata, flags, reason, properties
        self.allowed = told[-1]
        super()._on_connect(*told)

    def _on_socket_close(self, *told: Any) -> None:  # noqa: ANN401 - client, userdata, socket
        if self._loop.is_closed():  # an attempt that was given up is only cleared away
            return
        super()._on_socket_close(*told)
        if not self._connected.done():
            self._loop.call_soon_threadsafe(self._give_up)

    def _give_up(self) -> None:
        """End the wait for an answer that nobody can give any more."""
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("the connection was closed"))

    def _on_publish(self, *told: Any) -> None:  # noqa: ANN401 - client, userdata, mid, reason, properties
        self.published = told[-2].value
        super()._on_publish(*told)


class Connected(NamedTuple):
    """A client that is connected, the protocol that is spoken, and the broker's place for a person."""

    client: Client
    protocol: str
    place: str


@asynccontextmanager
async def visiting(settings: MqttSettings, *, purpose: str, seconds: float, most: int) -> AsyncIterator[Connected]:
    """Connect with MQTT 5, or 3.1.1 to a broker that knows nothing newer.

    Each step may take so many ``seconds``, and ``most`` messages wait to be read. Raises BrokerUnreachableError,
    BrokerRefusedError or, for a URL that is none, MisconfiguredError.
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
        timeout=seconds,
    )
    target = endpoint(options.url)
    tls = await tls_context(options, target)
    protocols = ["5", "3.1.1"] if settings.protocol == "auto" else [settings.protocol]
    while True:
        protocol = protocols.pop(0)
        client = _client(options, target, protocol=protocol, tls=tls, most=most)
        try:
            async with reaching(target, options.timeout + 1):
                await client.__aenter__()
        except aiomqtt.MqttError as error:
            reason = await _refused(error, options, target)
            if protocols and isinstance(reason, ProtocolUnsupportedError):
                continue
            raise reason from error
        break
    try:
        yield Connected(client, protocol, target.place)
    finally:
        with suppress(aiomqtt.MqttError):  # it is gone, so nobody need be told that we go
            await client.__aexit__(None, None, None)


def _client(
    options: ConnectOptions, target: Endpoint, *, protocol: str, tls: ssl.SSLContext | None, most: int
) -> Client:
    return Client(
        hostname=target.path if target.scheme == "unix" else target.host,
        port=target.port or 1,  # paho wants one for a unix socket too
        username=options.username or None,
        password=options.password.reveal() if options.username else None,
        identifier=options.client_id,
        protocol=_VERSIONS[protocol],
        transport=_TRANSPORTS.get(target.scheme, "tcp"),
        timeout=options.timeout,
        keepalive=options.keepalive,
        max_queued_incoming_messages=most,
        tls_context=tls,
        websocket_path=target.path if target.websocket else None,
    )


async def _refused(error: aiomqtt.MqttError, options: ConnectOptions, target: Endpoint) -> JitneyError:
    """Return what a failed attempt to connect means."""
    if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
        return refusal(error.rc.value, options, place=target.place, name=str(error.rc))
    cause = error.__context__  # which aiomqtt has turned into a text
    if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
        return unreachable(target, cause)
    if told := await alerted(options):
        return told
    message = f"{target.place} did not answer within {options.timeout:g} s: is it overloaded, is this a broker at all?"
    return BrokerUnreachableError(message)
