"""What a connection to a broker can do, whichever version of MQTT it speaks."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.topics import JitneyError

REFUSED: Final = 0x80
"""Reason codes from here on are refusals (MQTT 5 section 2.4)."""


class BrokerUnreachableError(JitneyError):
    """No connection now: try again with back-off."""


class BrokerRefusedError(JitneyError):
    """The broker refuses us (credentials, client id, ban): a person must act; tried again only slowly."""


class ClosedError(BrokerUnreachableError):
    """The broker has closed a session that it had let begin, and not said why."""


class TakenOverError(BrokerRefusedError):
    """The broker has given our session to somebody else with our client id."""


class ProtocolUnsupportedError(JitneyError):
    """The broker does not speak this version of MQTT."""


class Message:
    """One message to publish with QoS 1. ``expiry`` in seconds, 0 for never; ``properties`` are MQTT 5 only."""

    __slots__ = ("_properties", "content_type", "correlation", "expiry", "payload", "retain", "topic")

    def __init__(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry: int = 0,
        content_type: str = "application/json",
        properties: list[tuple[str, str]] | None = None,
        correlation: bytes = b"",
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self.expiry = expiry
        self.content_type = content_type
        self.correlation = correlation
        self._properties = properties

    @property
    def properties(self) -> list[tuple[str, str]] | None:
        """The user properties; asked for once, when the message is written to an MQTT 5 session."""
        return self._properties


class Incoming(Struct, frozen=True):
    """A message from the broker; ``packet_id`` 0 needs no acknowledgement (QoS 0). ``expiry`` 0: none given.

    What stands below ``packet_id`` comes with MQTT 5 only; ``properties`` are the user properties.
    """

    topic: str
    payload: bytes
    retain: bool
    packet_id: int
    expiry: int = 0
    response_topic: str = ""
    correlation: bytes = b""
    content_type: str = ""
    properties: tuple[tuple[str, str], ...] = ()


class Limits(Struct, frozen=True):
    """What the broker said at connect: how many messages in flight, how long a packet, whether it knew us."""

    receive_max: int = 65_535
    packet_bytes: int = 268_435_460
    session_present: bool = False
    keepalive: int = 0


class Subscription(Struct, frozen=True):
    """A topic filter to subscribe; ``replay`` asks for the retained messages."""

    pattern: str
    qos: int = 1
    replay: bool = False


class ConnectOptions(Struct, frozen=True, kw_only=True):
    """How to reach a broker and who to be there; ``will`` is published 5 s after we vanish."""

    url: str
    client_id: str
    username: str = ""
    password: Secret = Secret("")
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive: int = 30
    session_expiry: int = 3600
    receive_max: int = 64
    will: Message
    timeout: float = 10.0


class Listener(Protocol):
    """Who is told what arrives on a session. Called from the event loop; must not block."""

    def acked(self, packet_id: int, reason: int) -> None:
        """Learn the broker's answer to a message: a ``reason`` below REFUSED means that it has it."""

    def flushed(self) -> None:
        """Learn that all acknowledgements of one read were told: the place to send more."""

    def received(self, incoming: Incoming) -> None:
        """Take a message that arrived; with a packet id it counts as taken only after ``Session.ack``."""

    def lost(self, error: Exception | None) -> None:
        """Learn that the connection is gone. Called exactly once, also after ``close``; nothing is told after it."""


class Session(Protocol):
    """One connection, from CONNACK to its end. A new connection is a new session."""

    protocol: str
    limits: Limits

    def send(self, batch: Sequence[tuple[int, Message]], *, duplicate: bool = False) -> None:
        """Write messages in this order, each with its packet id. Never more in flight than ``limits`` allow."""

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Acknowledge received messages, in the order in which they were received."""

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        """Subscribe; returns one reason code each. Raises BrokerUnreachableError when the connection ends first."""

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Unsubscribe and wait for the answer. Raises BrokerUnreachableError when the connection ends first."""

    def pause(self) -> None:
        """Stop reading the socket, so that the broker has to wait; keep-alive goes on."""

    def resume(self) -> None:
        """Read again."""

    async def close(self) -> None:
        """Say DISCONNECT (the will is not published), close and wait until it is closed."""

    def abort(self) -> None:
        """Close at once, as if the cable were cut."""
