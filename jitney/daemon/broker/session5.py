"""A session of MQTT 5: an asyncio protocol over the codec ``mqtt5``."""

import asyncio
import ssl
from collections.abc import Sequence
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
    RetainHandling,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    UnsubAckPacket,
    UnsubscribePacket,
    Will,
)

from jitney.daemon.broker.keepalive import KeepAlive
from jitney.daemon.broker.packets5 import LARGEST_PACKET, MalformedPacketError, PacketReader
from jitney.daemon.broker.reasons import TOO_LARGE, UNENCODABLE, dismissal, refusal
from jitney.daemon.broker.session import (
    BrokerRefusedError,
    BrokerUnreachableError,
    ConnectOptions,
    Incoming,
    Limits,
    Listener,
    Message,
    ProtocolUnsupportedError,
    Session,
    Subscription,
)
from jitney.daemon.broker.transport import endpoint, open_transport, unreachable
from jitney.daemon.broker.window import LAST_ID

_WILL_DELAY: Final = 5
_CONNACK_HEAD: Final = 0x20
_LARGEST_ID: Final = 65_535
_PING: Final = PingReqPacket().write()
_GOODBYE: Final = DisconnectPacket().write()


async def connect5(options: ConnectOptions, listener: Listener) -> Session:
    """Connect with MQTT 5. Nothing is told to the listener before this has returned, nor if it raises.

    Raises ProtocolUnsupportedError, BrokerRefusedError or BrokerUnreachableError.
    """
    session = Session5(options, listener)
    greeted = False
    try:
        await open_transport(options, session)
        await session.greet()
        greeted = True
    finally:
        if not greeted:
            session.discard()
    return session


class Session5(asyncio.Protocol):
    """One connection that speaks MQTT 5; ``connect5`` makes it."""

    def __init__(self, options: ConnectOptions, listener: Listener) -> None:
        self.protocol = "5"
        self.limits = Limits()
        self._options = options
        self._listener = listener
        self._place = endpoint(options.url).place
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._packets = PacketReader()
        self._greeting: asyncio.Future[ConnAckPacket] = self._loop.create_future()
        self._alive = KeepAlive(options.keepalive, ping=self._ping, dead=self._silent)
        self._begun = False
        self._paused = False
        self._reading = True
        self._ended = False
        self._error: Exception | None = None
        self._gone = asyncio.Event()
        self._request_id = LAST_ID
        self._requests: dict[int, asyncio.Future[SubAckPacket | UnsubAckPacket]] = {}
        self._refused: list[tuple[int, int]] = []

    def send(self, batch: Sequence[tuple[int, Message]], *, duplicate: bool = False) -> None:
        """Write messages in this order, each with its packet id.

        One that cannot be written or is longer than the broker takes is told as refused, soon, not sent.
        """
        written = []
        longest = self.limits.packet_bytes
        for packet_id, message in batch:
            try:
                packet = PublishPacket(
                    message.topic,
                    message.payload,
                    qos=QoS.AT_LEAST_ONCE,
                    retain=message.retain,
                    packet_id=packet_id,
                    duplicate=duplicate,
                    message_expiry_interval=message.expiry or None,
                    content_type=message.content_type,
                    correlation_data=message.correlation or None,
                    user_properties=message.properties,
                ).write()
            except (ValueError, OverflowError):
                self._refuse(packet_id, UNENCODABLE)
                continue
            if len(packet) > longest:
                self._refuse(packet_id, TOO_LARGE)
                continue
            written.append(packet)
        self._write(b"".join(written))

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Acknowledge received messages, in the order in which they were received."""
        self._write(b"".join([PubAckPacket(packet_id).write() for packet_id in packet_ids]))

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        """Subscribe; returns one reason code each. Raises BrokerUnreachableError when the connection ends first."""
        packet_id = self._next_request()
        filters = [
            TopicFilter(
                subscription.pattern,
                max_qos=QoS(subscription.qos),
                no_local=True,
                retain_as_published=False,
                retain_handling=RetainHandling.SEND_ALWAYS if subscription.replay else RetainHandling.SEND_NEVER,
            )
            for subscription in subscriptions
        ]
        answer = await self._request(packet_id, SubscribePacket(packet_id, filters).write(), what="SUBSCRIBE")
        return [int(code) for code in answer.reason_codes]

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Unsubscribe and wait for the answer. Raises BrokerUnreachableError when the connection ends first."""
        packet_id = self._next_request()
        packet = UnsubscribePacket(packet_id, list(patterns)).write()
        await self._request(packet_id, packet, what="UNSUBSCRIBE")

    def pause(self) -> None:
        """Stop reading the socket, so that the broker has to wait; keep-alive goes on."""
        self._paused = True
        self._reading = False
        self._alive.pause()
        if self._transport is not None and not self._ended:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._begun and not self._ended and self._transport is not None:
            self._reading = True
            self._alive.resume()
            self._transport.resume_reading()
            self._loop.call_soon(self._read)

    async def close(self) -> None:
        """Say DISCONNECT (the will is not published), close and wait until it is closed."""
        if self._transport is not None and not self._ended:
            self._write(_GOODBYE)
            self._end(None)
            self._transport.close()
            try:
                async with asyncio.timeout(self._options.timeout):
                    await self._gone.wait()
            except TimeoutError:
                self._transport.abort()
        await self._gone.wait()

    def abort(self) -> None:
        """Close at once, as if the cable were cut."""
        self._end(None)
        if self._transport is not None:
            self._transport.abort()

    async def greet(self) -> None:
        """Say CONNECT and wait for the broker's consent. Raises as ``connect5`` does."""
        options = self._options
        self._write(_connect_packet(options))
        try:
            async with asyncio.timeout(options.timeout):
                connack = await self._greeting
        except TimeoutError:
            message = (
                f"{self._place} took the connection but did not answer within {options.timeout:g} s: "
                "is it an MQTT broker, and not overloaded?"
            )
            raise BrokerUnreachableError(message) from None
        code = int(connack.reason_code)
        if code:
            name, said = connack.reason_code.name, connack.reason_str or ""
            raise refusal(code, options, place=self._place, name=name, said=said)
        if connack.max_qos == QoS.AT_MOST_ONCE or not connack.retain_available:
            message = f"{self._place} offers no QoS 1 or no retained messages, and the bus needs both"
            raise BrokerRefusedError(message)
        if self._gone.is_set():
            message = f"{self._place} closed the connection right after it had taken it"
            raise BrokerUnreachableError(message)
        self._alive.seconds = connack.server_keep_alive or options.keepalive
        self.limits = Limits(
            receive_max=connack.receive_max,
            packet_bytes=connack.max_packet_size or Limits().packet_bytes,
            session_present=connack.session_present,
            keepalive=int(self._alive.seconds),
        )
        self._begun = True
        self._alive.start()
        self._loop.call_soon(self._begin)

    def discard(self) -> None:
        """Drop a connection that never became a session; nobody is told."""
        if not self._greeting.cancel() and not self._greeting.cancelled():
            self._greeting.exception()
        self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what every stream transport is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what the broker sends."""
        self._alive.heard()
        self._packets.feed(data)
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the transport is closed."""
        error = self._error if self._ended else self._cut(exc)
        self._end(error)
        self._gone.set()
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(error or BrokerUnreachableError(f"{self._place}: the connection was closed"))
        if self._begun:
            self._listener.lost(error)
        elif not self._greeting.done():
            self._greeting.set_exception(error or BrokerUnreachableError(f"{self._place}: the connection was closed"))
