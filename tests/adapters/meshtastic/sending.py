"""A clock that is turned by hand, a link that keeps what it is given, and packets to send by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, Final

import msgspec
from meshtastic.protobuf import localonly_pb2
from msgspec import Struct

from jitney.adapters.base import Owner
from jitney.adapters.meshtastic.addresses import BROADCAST, node_id
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.config import Identity
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Outgoing, Packet, Priority
from jitney.adapters.meshtastic.pacing import Pacing
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.radio import Channel, RadioInfo
from jitney.adapters.meshtastic.sender import Sender
from jitney.adapters.meshtastic.timing import Timing
from jitney.topics import Command, Event
from tests.fakes.context import RecordingContext

OWN: Final = 0xA0000001
BOBS: Final = 0xB0000001
CAROLS: Final = 0xC0000001
START: Final = 1_800_000_000.0
LIMITS: Final = Limits()

ALICE: Final = Owner("alice", "Alice", Identity(nodes=("!aa000001",)))
BOB: Final = Owner("bob", "Bob", Identity(nodes=(node_id(BOBS),)))


def _channel(index: int, name: str) -> Channel:
    return Channel(index=index, name=name, role="SECONDARY" if index else "PRIMARY", uplink=False, downlink=False)


INFO: Final = RadioInfo(
    number=OWN,
    node_id=node_id(OWN),
    long_name="Base",
    region="EU_868",
    modem_preset="LONG_FAST",
    channels=(_channel(0, "LongFast"), _channel(2, "Family")),
)

_STEPS: Final = 100_000
_numbers = count(1)


class Turned(Timing):
    """Time that stands still until it is turned."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds
        self._offset = START - seconds
        self._waiters: dict[int, tuple[float, asyncio.Future[None]]] = {}

    def now(self) -> float:
        return self.seconds

    def unix(self) -> float:
        return self._offset + self.seconds

    def set_clock(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._offset += seconds

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        if wake.is_set():
            return
        future = asyncio.get_running_loop().create_future()
        number = next(_numbers)
        self._waiters[number] = (self.seconds + seconds, future)
        waking = asyncio.create_task(wake.wait(), name="waking")
        try:
            await asyncio.wait({future, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiters[number]
            waking.cancel()
            await asyncio.gather(waking, return_exceptions=True)

    async def settle(self) -> None:
        """Let everything go on that waits for nothing but its turn."""
        for _ in range(30):
            await _moment()

    async def turn(self, seconds: float) -> None:
        """Let so many seconds pass, step by step from one thing that is waited for to the next."""
        end = self.seconds + seconds
        await self.settle()
        while self._step(end):
            await self.settle()
        self.seconds = end
        await self.settle()

    async def until(self, condition: Callable[[], object], *, most: float = 100_000.0) -> None:
        """Let time pass until a condition holds."""
        end = self.seconds + most
        await self.settle()
        for _ in range(_STEPS):
            if condition():
                return
            assert self._step(end), f"waited {most:g} s in vain"
            await self.settle()
        raise AssertionError("time does not pass")

    def _step(self, end: float) -> bool:
        """Go to the next moment that somebody waits for; tells False when that is after ``end``."""
        due = min((when for when, future in self._waiters.values() if not future.done()), default=end + 1)
        if due > end:
            return False
        self.seconds = max(self.seconds, due)
        for when, future in list(self._waiters.values()):
            if when <= self.seconds and not future.done():
                future.set_result(None)
        return True


class Sent(Struct, frozen=True):
    """What the link was given, and when."""

    at: float
    packet_id: int
    port: int
    payload: bytes
    to: int
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        """The payload as a text."""
        return self.payload.decode()


class RecordingLink:
    """A radio that takes everything. ``errors`` are raised by the next sends and actions; ``gate`` holds them back."""

    def __init__(self, timing: Turned) -> None:
        self.info = INFO
        self.sent: list[Sent] = []
        self.actions: list[tuple[str, dict[str, object]]] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.seconds = 0.0
        self.before_id: Callable[[int], object] = str
        self.local = localonly_pb2.LocalConfig()
        self.modules = localonly_pb2.LocalModuleConfig()
        self._timing = timing

    async def send(self, data: bytes, *, port: int, to: int, **arguments: Any) -> int:  # noqa: ANN401
        if self.errors:
            raise self.errors.pop(0)
        packet_id = 100 + len(self.sent)
        self.sent.append(Sent(self._timing.now(), packet_id, port, data, to, arguments))
        self.before_id(packet_id)
        await self.gate.wait()
        if self.seconds:
            await self._timing.wait(asyncio.Event(), self.seconds)
        return packet_id

    async def admin(self, action: str, **arguments: object) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.actions.append((action, arguments))

    def configuration(self) -> tuple[localonly_pb2.LocalConfig, localonly_pb2.LocalModuleConfig]:
        return self.local, self.modules

    def texts(self) -> list[str]:
        """Return the texts that were sent, in order."""
        return [sent.text for sent in self.sent if sent.port == Port.TEXT_MESSAGE_APP]


def sender_for(
    ctx: RecordingContext, link: RecordingLink, timing: Turned, *, limits: Limits = LIMITS, pacing: Pacing | None = None
) -> Sender:
    """Return a sender over a link."""
    return Sender(
        ctx,
        limits,
        link_of=lambda: link,
        own=OWN,
        pacing=pacing or Pacing(limits),
        airtime=Airtime(limits),
        timing=timing,
    )


@asynccontextmanager
async def running(sender: Sender, timing: Turned) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a sender, and stop it at the end."""
    await sender.load()
    task = asyncio.create_task(sender.run(), name="sender")
    try:
        await timing.settle()
        yield task
    finally:
        task.cancel()
        with suppress(BaseException):
            await task


def item(
    text: str = "hello",
    *,
    owner: str = "alice",
    port: int = Port.TEXT_MESSAGE_APP,
    to: int = BROADCAST,
    priority: Priority = Priority.CHANNEL_TEXT,
    accepted: float = START,
    ttl: float = 600.0,
    **fields: Any,  # noqa: ANN401
) -> Outgoing:
    """Return a packet that is to be sent."""
    packet = {name: fields.pop(name) for name in ("want_ack", "want_response", "channel") if name in fields}
    return Outgoing(
        id=f"item-{next(_numbers):06}",
        owner=owner,
        what="text",
        packet=Packet(port=port, payload=text.encode(), to=to, **packet),
        priority=priority,
        accepted=accepted,
        until=accepted + ttl,
        patience=120.0,
        text=text,
        **fields,
    )


def routing(request_id: int, *, sender: int, error: str = "NONE") -> Received:
    """Return an ack or a refusal as the library publishes it."""
    decoded = {"portnum": "ROUTING_APP", "requestId": request_id, "routing": {"errorReason": error}}
    return Received({"from": sender, "to": OWN, "decoded": decoded}, START)


def measured(**metrics: object) -> Received:
    """Return the own node's telemetry, as ``channelUtilization`` and ``airUtilTx``."""
    decoded = {"portnum": "TELEMETRY_APP", "telemetry": {"deviceMetrics": metrics}}
    return Received({"from": OWN, "decoded": decoded}, START)


def states(events: list[Event]) -> list[tuple[str, str]]:
    """Return (text, state) of every event of sending, in order."""
    found = []
    for event in events:
        if event.type == "meshtastic.sending":
            data = msgspec.json.decode(event.data)
            found.append((data.get("text", ""), data["state"]))
    return found


def command(
    name: str,
    data: object = None,
    *,
    owner: str = "alice",
    id: str = "",  # noqa: A002
    deadline: float = 0.0,
    hops: int = 0,
    causation: str = "",
    traceparent: str = "",
) -> Command:
    """Return a command to the adapter."""
    body = msgspec.Raw(msgspec.json.encode({} if data is None else data))
    key = id or f"{name}-{next(_numbers)}"
    return Command(
        id=key,
        owner=owner,
        adapter="base",
        name=name,
        data=body,
        deadline=deadline,
        hops=hops,
        causation=causation,
        traceparent=traceparent,
    )


async def _moment() -> None:
    loop = asyncio.get_running_loop()
    moment = loop.create_future()
    loop.call_soon(moment.set_result, None)
    await moment
