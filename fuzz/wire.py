"""Where a hostile broker is at the other end: a transport that goes nowhere, and a listener that keeps count."""

import asyncio
from typing import Final

from mqtt5 import ConnAckPacket, PubAckPacket, PublishPacket, QoS, SubAckPacket, SubAckReasonCode

from fuzz.oracle import check
from jitney.daemon.broker.session import ConnectOptions, Incoming, Message

OPTIONS: Final = ConnectOptions(
    url="mqtt://127.0.0.1:1883", client_id="jitney-fuzz", will=Message("jitney/_bus/main/state", b"{}"), timeout=5.0
)

TURNS: Final = 4
"""Turns of the loop in which everything that follows from some bytes has happened."""


class Wire(asyncio.Transport):
    """A transport whose other end is the input."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self._protocol = protocol
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is written."""
        self.written += data

    def pause_reading(self) -> None:
        """Stop."""
        self.reading = False

    def resume_reading(self) -> None:
        """Go on."""
        self.reading = True

    def is_reading(self) -> bool:
        """Tell whether it reads."""
        return self.reading

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Close soon."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close soon."""
        self.close()


class Heard:
    """A ``Listener`` that checks that a session tells nothing that it must not."""

    def __init__(self) -> None:
        self.ends = 0
        self.messages = 0

    def acked(self, packet_id: int, reason: int) -> None:
        """Take an answer."""
        check(0 <= packet_id <= 0xFFFF and 0 <= reason <= 0xFF, f"an answer {packet_id}, {reason}")
        self._open()

    def flushed(self) -> None:
        """Take the end of some answers."""
        self._open()

    def received(self, incoming: Incoming) -> None:
        """Take a message."""
        self._open()
        self.messages += 1
        incoming.topic.encode()
        check(incoming.topic, "a message without a topic")
        check(0 <= incoming.packet_id <= 0xFFFF, f"a message {incoming.packet_id}")

    def lost(self, error: Exception | None) -> None:
        """Take the end."""
        check(error is None or str(error), "an end without words")
        self._open()
        self.ends += 1

    def _open(self) -> None:
        check(not self.ends, "something was told after the end")


async def turns(number: int = TURNS) -> None:
    """Let the loop turn."""
    for _ in range(number):
        await asyncio.sleep(0)


def pieces(data: bytes, mode: int) -> list[bytes]:
    """Return bytes as they come: all at once, or so many at a time."""
    size = (len(data) or 1) if mode == 0 else mode
    return [data[at : at + size] for at in range(0, len(data), size)]


def greeting(*, receive_max: int = 10) -> bytes:
    """Return a CONNACK that lets in."""
    return ConnAckPacket(receive_max=receive_max).write()


def publishes() -> list[bytes]:
    """Return packets that a broker sends, one by one."""
    message = PublishPacket(
        "jitney/alice/command/played/echo",
        b'{"n":1}',
        qos=QoS.AT_LEAST_ONCE,
        packet_id=7,
        response_topic="jitney/alice/reply/a/1",
        correlation_data=b"\x00\xff",
        message_expiry_interval=5,
        content_type="application/json",
        user_properties=[("owner", "bob"), ("", "\u202e")],
    )
    return [
        message.write(),
        PublishPacket("a", b"", retain=True).write(),
        PubAckPacket(1).write(),
        SubAckPacket(60_001, [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write(),
        b"\xd0\x00",
    ]
