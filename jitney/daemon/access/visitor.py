"""A visitor at the broker: one login that tries things out and is told the broker's answer to each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Final

from mqtt5 import (
    ConnAckPacket,
    ConnectPacket,
    DisconnectPacket,
    Packet,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    Will,
)
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.broker.session import BrokerUnreachableError, ConnectOptions, Message
from jitney.daemon.broker.sessions.packets5 import LARGEST_PACKET, MalformedPacketError, PacketReader
from jitney.daemon.broker.sessions.reasons import refusal
from jitney.daemon.broker.sessions.transport import endpoint, open_transport
from jitney.daemon.config.schema import MqttSettings

SECONDS: Final = 5.0
"""How long each answer of the broker may take."""

CUT: Final = 0x100
"""Stands for a reason code where the broker closed the connection instead of answering."""

MOST: Final = 10_000
"""Messages that are kept; more are not looked at."""

_EXPIRY: Final = 30
_READ_BYTES: Final = 65_536
_GOODBYE: Final = DisconnectPacket().write()
_PING: Final = PingReqPacket().write()
_PINGED: Final = 0
"""Stands for the packet id of a ping, which has none."""


class Login(Struct, frozen=True):
    """A name and password at the broker; ``client_id`` where only one is let in with them, else any will do."""

    username: str
    password: Secret
    client_id: str = ""


class Came(Struct, frozen=True):
    """A message that arrived; ``retained`` if it was there before it was asked for."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str = ""
    correlation: bytes = b""


class Visitor(asyncio.BufferedProtocol):
    """One connection of MQTT 5; ``visiting`` makes it. ``came`` is what has arrived."""

    def __init__(self, *, place: str) -> None:
        self.came: list[Came] = []
        self._place = place
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._packets = PacketReader()
        self._transport: asyncio.Transport | None = None
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._greeting: asyncio.Future[ConnAckPacket] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._last_id = 0

    @property
    def gone(self) -> bool:
        """Whether the connection is closed."""
        return self._gone.is_set()

    async def subscribe(self, pattern: str) -> int:
        """Subscribe, and ask for what is retained; returns the broker's reason code, or CUT."""
        return await self._asked(lambda number: SubscribePacket(number, [_filter(pattern)]).write())

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response_topic: str = "", correlation: bytes = b""
    ) -> int:
        """Publish with QoS 1; returns the broker's reason code, or CUT."""
        return await self._asked(
            lambda number: PublishPacket(
                topic,
                payload,
                qos=QoS.AT_LEAST_ONCE,
                retain=retain,
                packet_id=number,
                message_expiry_interval=_EXPIRY if payload else None,
                response_topic=response_topic or None,
                correlation_data=correlation or None,
            ).write()
        )

    async def caught_up(self) -> None:
        """Wait until everything has come that the broker had for us: a window at most before each answer to a ping."""
        before = -1
        while before != len(self.came):
            before = len(self.came)
            await self._asked(lambda _: _PING, number=_PINGED)

    async def until(self, condition: Callable[[], bool], *, seconds: float = SECONDS) -> bool:
        """Wait until something has arrived; False when it has not in time, or cannot any more."""
        try:
            async with asyncio.timeout(seconds):
                while not condition() and not self.gone:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return condition()

    async def leave(self) -> None:
        """Take leave of the broker, so that it does not publish the will."""
        if self._transport is not None and not self.gone:
            self._transport.write(_GOODBYE)
            self._transport.close()
            await self._closed()

    async def vanish(self) -> None:
        """Close the connection as if the cable were cut, so that the broker publishes the will."""
        if self._transport is not None:
            self._transport.abort()
            await self._closed()

    async def greet(self, packet: ConnectPacket, options: ConnectOptions) -> None:
        """Say CONNECT; raises BrokerRefusedError or BrokerUnreachableError."""
        self._write(packet.write())
        try:
            async with asyncio.timeout(options.timeout):
                connack = await self._greeting
        except TimeoutError:
            message = f"{self._place} did not answer within {options.timeout:g} s: is it overloaded?"
            raise BrokerUnreachableError(message) from None
        if code := int(connack.reason_code):
            reason, said = connack.reason_code.name, connack.reason_str or ""
            raise refusal(code, options, place=self._place, name=reason, said=said)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what every stream transport is
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the transport puts what it reads."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the broker sent."""
        self._packets.feed(self._buffer[:nbytes])
        try:
            while (packet := self._packets.take()) is not None:
                self._take(packet)
        except MalformedPacketError:
            if self._transport is not None:
                self._transport.abort()
        self._packets.keep()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the transport is closed."""
        self._gone.set()
        self._news.set()
        if not self._greeting.done():
            why = f" ({exc})" if exc is not None else ""
            message = (
                f"{self._place} closed the connection without an answer{why}: only brokers that speak MQTT 5 say "
                "what they refuse, and can be looked at"
            )
            self._greeting.set_exception(BrokerUnreachableError(message))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(CUT)

    def _take(self, packet: Packet) -> None:
        match packet:
            case ConnAckPacket() if not self._greeting.done():
                self._greeting.set_result(packet)
            case PingRespPacket():
                self._answer(_PINGED, 0)
            case PubAckPacket():
                self._answer(packet.packet_id, int(packet.reason_code))
            case SubAckPacket():
                self._answer(packet.packet_id, int(packet.reason_codes[0]))
            case PublishPacket():
                if packet.packet_id is not None:  # at once, else the broker waits 40 ms with what comes next
                    self._write(PubAckPacket(packet.packet_id).write())
                if len(self.came) < MOST:
                    came = Came(packet.topic, bytes(packet.payload), packet.retain)
                    answer = {"response_topic": packet.response_topic, "correlation": packet.correlation_data}
                    self.came.append(replace(came, **{key: value for key, value in answer.items() if value}))
                self._news.set()

    def _answer(self, number: int, code: int) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(code)

    async def _asked(self, packet: Callable[[int], bytes], *, number: int | None = None) -> int:
        if self.gone:
            return CUT
        if number is None:
            self._last_id = number = self._last_id % 65_535 + 1
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        try:
            self._write(packet(number))
            async with asyncio.timeout(SECONDS):
                code: int = await answer
        except TimeoutError:
            raise BrokerUnreachableError(f"{self._place} did not answer within {SECONDS:g} s") from None
        finally:
            del self._answers[number]
        return code

    async def _closed(self) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._gone.wait()
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.gone:
            self._transport.write(data)


@asynccontextmanager
async def visiting(
    settings: MqttSettings, login: Login | None = None, *, purpose: str = "access", will: Message | None = None
) -> AsyncIterator[Visitor]:
    """Connect with a login, that of the daemon when it is None; nothing of the session outlives it.

    ``will`` is published at once when the visitor vanishes. Raises BrokerUnreachableError, BrokerRefusedError or, for a
    URL that is none, MisconfiguredError.
    """
    who = login or Login(settings.username, settings.password)
    options = ConnectOptions(
        url=settings.url,
        client_id=who.client_id or f"jitney-{purpose}-{token_hex(8)}",
        username=who.username,
        password=who.password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        will=will or Message("", b""),
        timeout=SECONDS,
    )
    visitor = Visitor(place=endpoint(options.url).place)
    try:
        await open_transport(options, visitor)
        await visitor.greet(_connect(options, will), options)
        yield visitor
        await visitor.leave()
    finally:
        await visitor.vanish()


def _filter(pattern: str) -> TopicFilter:
    return TopicFilter(pattern, max_qos=QoS.AT_LEAST_ONCE, retain_as_published=False)


def _connect(options: ConnectOptions, will: Message | None) -> ConnectPacket:
    return ConnectPacket(
        options.client_id,
        username=options.username or None,
        password=options.password.reveal().encode() if options.username else None,
        clean_start=True,
        keep_alive=0,
        max_packet_size=LARGEST_PACKET,
        will=None
        if will is None
        else Will(will.topic, payload=will.payload, qos=QoS.AT_LEAST_ONCE, retain=will.retain),
    )
