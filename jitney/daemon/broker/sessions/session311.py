"""A session of MQTT 3.1.1: paho-mqtt, driven by the event loop through its public hooks.

What 3.1.1 does not know is missing: messages carry no properties and no expiry, a refused message looks like a
confirmed one, retained messages come with every subscription, and own messages come back where filters overlap.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

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
from jitney.daemon.broker.sessions.keepalive import SILENCE, KeepAlive
from jitney.daemon.broker.sessions.opening311 import Socket, new_client, open_client
from jitney.daemon.broker.sessions.reasons import UNENCODABLE, closed_by_broker, refusal, unanswered
from jitney.daemon.broker.sessions.transport import endpoint, unreachable
from jitney.daemon.broker.sessions.unsent import Unsent

_PING: Final = b"\xc0\x00"
_READS_AT_ONCE: Final = 64
_AGAIN: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


async def connect311(options: ConnectOptions, listener: Listener) -> Session:
    """Connect with MQTT 3.1.1. Nothing is told to the listener before this has returned, nor if it raises.

    Raises ProtocolUnsupportedError, BrokerRefusedError or BrokerUnreachableError.
    """
    client = await new_client(options)
    session = Session311(options, listener, client=client)
    greeted = False
    try:
        await session.greet(await open_client(options, client))
        greeted = True
    finally:
        if not greeted:
            session.abort()
    return session


class Session311:
    """One connection that speaks MQTT 3.1.1; ``connect311`` makes it, and a paho client that is used only once.

    paho numbers the messages itself; ``_ids`` leads from its numbers to ours.
    """

    def __init__(self, options: ConnectOptions, listener: Listener, *, client: Client) -> None:
        self.protocol = "3.1.1"
        self.limits = Limits()
        self._options = options
        self._listener = listener
        self._client = client
        self._target = endpoint(options.url)
        self._place = self._target.place
        self._loop = asyncio.get_running_loop()
        self._socket: Socket | None = None
        self._greeting: asyncio.Future[tuple[ConnectFlags, ReasonCode]] = self._loop.create_future()
        self._alive = KeepAlive(options.keepalive, ping=self._ping, dead=self._silent)
        self._answers = Answers(place=self._place, timeout=options.timeout)
        self._unsent = Unsent(listener)
        self._ids: dict[int, int] = {}
        self._acked = False
        self._begun = False
        self._paused = False
        self._leaving = False
        self._ended = False
        self._gone = asyncio.Event()

    def send(self, batch: Sequence[tuple[int, Message]], *, duplicate: bool = False) -> None:  # noqa: ARG002 - paho sets no DUP
        """Write messages in this order. One that cannot be written is told as refused, soon, not sent."""
        if self._ended or self._leaving:
            return
        for packet_id, message in batch:
            try:
                number = self._client.publish(message.topic, message.payload, 1, message.retain).mid
            except ValueError:
                self._unsent.add(packet_id, UNENCODABLE)
            else:
                self._ids[number] = packet_id

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Acknowledge received messages, in the order in which they were received."""
        for packet_id in packet_ids:
            self._client.ack(packet_id, 1)

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        """Subscribe; returns one reason code each. Raises BrokerUnreachableError when the connection ends first."""
        _, number = self._client.subscribe([(each.pattern, each.qos) for each in subscriptions])
        return await self._answers.to(number or 0, "SUBSCRIBE", codes=len(subscriptions))

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Unsubscribe and wait for the answer. Raises BrokerUnreachableError when the connection ends first."""
        _, number = self._client.unsubscribe(list(patterns))
        await self._answers.to(number or 0, "UNSUBSCRIBE")

    def pause(self) -> None:
        """Stop reading the socket, so that the broker has to wait; keep-alive goes on."""
        self._paused = True
        self._alive.pause()
        if self._socket is not None and not self._ended:
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._begun and not self._ended and self._socket is not None:
            self._alive.resume()
            self._loop.add_reader(self._socket, self._readable)
            self._loop.call_soon(self._readable)

    async def close(self) -> None:
        """Say DISCONNECT (the will is not published), close and wait until it is closed."""
        if not self._ended:
            self._leaving = True
            self._client.disconnect()
            try:
                async with asyncio.timeout(self._options.timeout):
                    await self._gone.wait()
            except TimeoutError:
                self._end(None)
        await self._gone.wait()

    def abort(self) -> None:
        """Close at once, as if the cable were cut."""
        self._end(None)

    async def greet(self, opened: Socket) -> None:
        """Wait on an open connection for the broker's consent. Raises as ``connect311`` does."""
        self._socket = opened
        client = self._client
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_socket_register_write = self._on_write
        client.on_socket_unregister_write = self._on_written
        client.on_socket_close = self._on_close
        self._loop.add_reader(opened, self._readable)
        self._flush()
        try:
            async with asyncio.timeout(self._options.timeout):
                flags, reason = await self._greeting
        except TimeoutError:
            message = (
                f"{self._place} took the connection but did not answer within {self._options.timeout:g} s: "
                "is it an MQTT broker, and not overloaded?"
            )
            raise BrokerUnreachableError(message) from None
        if reason.value:
            raise refusal(reason.value, self._options, place=self._place, name=reason.getName())
        self.limits = Limits(session_present=flags.session_present, keepalive=self._options.keepalive)
        self._begun = True
        self._alive.start()
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        if not self._paused:
            self.resume()

    def _readable(self) -> None:
        if self._ended or (self._begun and self._paused):
            return
        self._alive.heard()
        self._acked = False
        for _ in range(_READS_AT_ONCE):
            code = self._client.loop_read()
            if self._client.socket() is None:
                self._end(None if self._leaving else self._cut(code))
                return
            if self._ended or not self._unread():
                break
        else:
            self._loop.call_soon(self._readable)
        if self._acked and not self._ended:
            self._listener.flushed()

    def _flush(self) -> None:
        if self._ended or self._socket is None:
            return
        code = self._client.loop_write()
        if self._client.socket() is None:
            self._end(None if self._leaving else self._cut(code))
        elif self._client.want_write():
            self._loop.add_writer(self._socket, self._flush)

    def _unread(self) -> bool:
        """Tell whether TLS has bytes that the event loop does not see."""
        pending = getattr(self._socket, "pending", None)
        return pending is not None and pending() > 0

    def _on_connect(self, _client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, _: object) -> None:
        if self._socket is not None and not self._greeting.done():
            self._loop.remove_reader(self._socket)
            self._greeting.set_result((flags, reason))

    def _on_publish(self, _client: Client, _data: object, number: int, reason: ReasonCode, _: object) -> None:
        packet_id = self._ids.pop(number, 0)
        if packet_id and not self._ended:
            self._acked = True
            self._listener.acked(packet_id, reason.value)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if self._ended:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._end(BrokerUnreachableError(f"{self._place} sent a topic that is not UTF-8"))
            return
        if message.qos > 1:
            self._end(BrokerUnreachableError(f"{self._place} sent a message with QoS 2, unasked"))
            return
        packet_id = message.mid if message.qos else 0
        self._listener.received(Incoming(topic, bytes(message.payload), message.retain, packet_id))

    def _on_subscribe(self, _client: Client, _data: object, number: int, reasons: list[ReasonCode], _: object) -> None:
        self._answers.give(number, [reason.value for reason in reasons])

    def _on_unsubscribe(self, _client: Client, _data: object, number: int, _reasons: object, _: object) -> None:
        self._answers.give(number, [])

    def _on_write(self, *_: object) -> None:
        self._loop.call_soon(self._flush)

    def _on_written(self, *_: object) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket)

    def _on_close(self, *_: object) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _ping(self) -> None:
        if self._socket is not None and not self._client.want_write():
            try:
                with suppress(*_AGAIN):
                    self._socket.send(_PING)
            except OSError as error:
                self._end(unreachable(self._target, error))

    def _silent(self) -> None:
        silence = self._alive.seconds * SILENCE
        self._end(BrokerUnreachableError(f"{self._place} has said nothing for {silence:g} s"))

    def _cut(self, code: MQTTErrorCode) -> Exception:
        malformed = code == MQTTErrorCode.MQTT_ERR_PROTOCOL
        if not self._begun:
            if malformed:
                return ProtocolUnsupportedError(f"{self._place} does not speak MQTT 3.1.1: is [mqtt] url right?")
            return unanswered(place=self._place)
        if malformed:
            return BrokerUnreachableError(f"{self._place} sent bytes that are not MQTT 3.1.1")
        return closed_by_broker(place=self._place)

    def _end(self, error: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._alive.stop()
        self._unsent.stop()
        client = self._client
        client.on_socket_register_write = client.on_socket_unregister_write = client.on_socket_close = None
        self._on_close()
        if self._socket is not None:
            self._socket.close()
        if not self._greeting.done():
            self._greeting.set_exception(error or BrokerUnreachableError(f"{self._place}: given up"))
            self._greeting.exception()
        self._loop.call_soon(self._tell_end, error)

    def _tell_end(self, error: Exception | None) -> None:
        self._gone.set()
        self._answers.fail(error)
        if self._begun:
            self._listener.lost(error)
