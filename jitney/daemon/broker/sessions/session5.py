"""A session of MQTT 5: an asyncio protocol over the codec ``mqtt5``."""

import asyncio
from collections.abc import Sequence
from typing import Final

from mqtt5 import (
    ConnAckPacket,
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
)

from jitney.daemon.broker.session import (
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
from jitney.daemon.broker.sessions.answers import Answers
from jitney.daemon.broker.sessions.greeting5 import connect_packet, consent
from jitney.daemon.broker.sessions.keepalive import SILENCE, KeepAlive
from jitney.daemon.broker.sessions.packets5 import MalformedPacketError, PacketReader
from jitney.daemon.broker.sessions.reasons import TOO_LARGE, UNENCODABLE, closed_by_broker, dismissal
from jitney.daemon.broker.sessions.transport import endpoint, open_transport, unreachable
from jitney.daemon.broker.sessions.unsent import Unsent

_CONNACK_HEAD: Final = 0x20
_READ_BYTES: Final = 65_536
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


class Session5(asyncio.BufferedProtocol):
    """One connection that speaks MQTT 5; ``connect5`` makes it."""

    def __init__(self, options: ConnectOptions, listener: Listener) -> None:
        self.protocol = "5"
        self.limits = Limits()
        self._options = options
        self._listener = listener
        self._target = endpoint(options.url)
        self._place = self._target.place
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._packets = PacketReader()
        self._greeting: asyncio.Future[ConnAckPacket] = self._loop.create_future()
        self._alive = KeepAlive(options.keepalive, ping=self._ping, dead=self._silent)
        self._begun = False
        self._paused = False
        self._reading = True
        self._ended = False
        self._error: Exception | None = None
        self._gone = asyncio.Event()
        self._answers = Answers(place=self._place, timeout=options.timeout)
        self._unsent = Unsent(listener)

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
                    content_type=message.content_type if message.payload else None,
                    correlation_data=message.correlation or None,
                    user_properties=message.properties,
                ).write()
            except (ValueError, OverflowError):
                self._unsent.add(packet_id, UNENCODABLE)
                continue
            if len(packet) > longest:
                self._unsent.add(packet_id, TOO_LARGE)
                continue
            written.append(packet)
        self._write(b"".join(written))

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Acknowledge received messages, in the order in which they were received."""
        self._write(b"".join([PubAckPacket(packet_id).write() for packet_id in packet_ids]))

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        """Subscribe; returns one reason code each. Raises BrokerUnreachableError when the connection ends first."""
        packet_id = self._answers.next_id()
        filters = [_topic_filter(subscription) for subscription in subscriptions]
        self._write(SubscribePacket(packet_id, filters).write())
        return await self._answers.to(packet_id, "SUBSCRIBE", codes=len(subscriptions))

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Unsubscribe and wait for the answer. Raises BrokerUnreachableError when the connection ends first."""
        packet_id = self._answers.next_id()
        self._write(UnsubscribePacket(packet_id, list(patterns)).write())
        await self._answers.to(packet_id, "UNSUBSCRIBE")

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
            self._transport.resume_reading()  # TLS and websockets take leave of each other, which has to be read
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
        self._write(connect_packet(options))
        try:
            async with asyncio.timeout(options.timeout):
                connack = await self._greeting
        except TimeoutError:
            message = (
                f"{self._place} took the connection but did not answer within {options.timeout:g} s: "
                'is it overloaded? If it speaks no MQTT 5, set [mqtt] protocol = "3.1.1"'
            )
            raise BrokerUnreachableError(message) from None
        self.limits = consent(connack, options, place=self._place)
        if self._gone.is_set():
            message = f"{self._place} closed the connection right after it had taken it"
            raise BrokerUnreachableError(message)
        self._alive.seconds = self.limits.keepalive
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

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the transport puts what it reads: one buffer for all reads, as allocating one takes 15 us."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the broker sent."""
        if not self._ended:
            self._alive.heard()
            self._packets.feed(self._buffer[:nbytes])
            self._read()
            self._packets.keep()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the transport is closed."""
        if not self._ended:
            self._end(self._cut(exc))
        self._gone.set()
        self._unsent.stop()
        self._answers.fail(self._error)
        if self._begun:
            self._listener.lost(self._error)
        elif not self._greeting.done():
            self._greeting.set_exception(self._error or BrokerUnreachableError(f"{self._place}: closed"))

    def _begin(self) -> None:
        if not self._paused:
            self.resume()

    def _read(self) -> None:
        acked = False
        listener = self._listener
        packets = self._packets
        try:
            if not self._begun:
                self._read_greeting()
            while self._reading and (packet := packets.take()) is not None:
                if type(packet) is PubAckPacket:
                    acked = True
                    listener.acked(packet.packet_id, int(packet.reason_code))
                elif type(packet) is PublishPacket:
                    self._receive(packet)
                else:
                    self._handle(packet)
        except MalformedPacketError as error:
            self._fail(self._malformed(error))
        if acked and not self._ended:
            listener.flushed()

    def _read_greeting(self) -> None:
        if self._greeting.done() or (packet := self._packets.take()) is None:
            return
        self._reading = False
        if type(packet) is ConnAckPacket:
            self._greeting.set_result(packet)
            if self._transport is not None:
                self._transport.pause_reading()
        else:
            self._fail(BrokerUnreachableError(f"{self._place} answered CONNECT with {_name(packet)}"))

    def _receive(self, packet: PublishPacket) -> None:
        if packet.qos == QoS.EXACTLY_ONCE or not packet.topic:
            self._fail(BrokerUnreachableError(f"{self._place} sent a message with QoS 2 or a topic alias, unasked"))
            return
        self._listener.received(taken(packet))

    def _handle(self, packet: Packet) -> None:
        if isinstance(packet, PingRespPacket):
            return
        if isinstance(packet, SubAckPacket | UnsubAckPacket):
            self._answers.give(packet.packet_id, [int(code) for code in packet.reason_codes])
        elif isinstance(packet, DisconnectPacket):
            code, said = packet.reason_code, packet.reason_str or ""
            self._fail(dismissal(int(code), self._options, place=self._place, name=code.name, said=said))
        else:
            self._fail(BrokerUnreachableError(f"{self._place} sent {_name(packet)}, which does not belong here"))

    def _write(self, data: bytes) -> None:
        if data and not self._ended and self._transport is not None:
            self._transport.write(data)

    def _ping(self) -> None:
        self._write(_PING)

    def _silent(self) -> None:
        silence = self._alive.seconds * SILENCE
        self._fail(BrokerUnreachableError(f"{self._place} has said nothing for {silence:g} s"))

    def _malformed(self, error: MalformedPacketError) -> Exception:
        if self._begun:
            return BrokerUnreachableError(f"{self._place} sent {error}")
        if error.head == _CONNACK_HEAD:
            return ProtocolUnsupportedError(f"{self._place} answered in an older version of MQTT than 5")
        return BrokerUnreachableError(f"{self._place} does not speak MQTT ({error}): is the port in [mqtt] url right?")

    def _cut(self, exc: Exception | None) -> Exception:
        if isinstance(exc, OSError) and (self._begun or not isinstance(exc, ConnectionError)):
            return unreachable(self._target, exc)
        if self._begun:
            return closed_by_broker(place=self._place)
        return ProtocolUnsupportedError(
            f"{self._place} closed the connection without an answer: it may not speak MQTT 5, "
            "want TLS on this port, or refuse this address"
        )

    def _fail(self, error: Exception) -> None:
        self._end(error)
        if self._transport is not None:
            self._transport.abort()

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self._reading = False
            self._error = error
            self._alive.stop()


def _topic_filter(subscription: Subscription) -> TopicFilter:
    return TopicFilter(
        subscription.pattern,
        max_qos=QoS(subscription.qos),
        no_local=True,
        retain_as_published=True,
        retain_handling=RetainHandling.SEND_ALWAYS if subscription.replay else RetainHandling.SEND_NEVER,
    )


def _name(packet: Packet) -> str:
    return type(packet).__name__.removesuffix("Packet").upper()


def taken(packet: PublishPacket) -> Incoming:
    """Return a message as the bus takes it."""
    return Incoming(
        packet.topic,
        packet.payload,
        packet.retain,
        packet.packet_id or 0,
        packet.message_expiry_interval or 0,
        packet.response_topic or "",
        packet.correlation_data or b"",
        packet.content_type or "",
        tuple(packet.user_properties or ()),
    )
