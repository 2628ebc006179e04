"""A radio on a real port, with a mesh around it and everything that can go wrong between it and a client."""

import asyncio
import random
import socket
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.message import Message
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from jitney.adapters.base import Clock
from tests.fakes.meshtastic.administration import Administration
from tests.fakes.meshtastic.answers import Answer, Answers
from tests.fakes.meshtastic.client import Client, Handshake
from tests.fakes.meshtastic.frames import frame
from tests.fakes.meshtastic.limits import NO_ROOM, SLOTS, Fate, Violation, too_large
from tests.fakes.meshtastic.nodes import BROADCAST, Node
from tests.fakes.meshtastic.settings import Settings

DEADLINE: Final = 10.0
WAITING: Final = 32
"""Packets that a radio keeps for a client that is away; the oldest go first."""

_PATIENCE: Final = 1.0
_seeds: Final = count(1)
_HOST: Final = "127.0.0.1"
_FROM: Final = "from"


class Radio:
    """A radio that answers inside ``async with``; it keeps its port when it refuses connections.

    ``own`` is its node, ``nodes`` everybody by number, ``sent`` what clients sent on the air (the packets that the
    firmware dropped are not in it), ``violations`` what broke a limit of the firmware, by ``clock``.
    """

    def __init__(self, number: int = 0xA0000001, *, name: str = "Base", clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.own = Node(self, number, long_name=name, short_name=name[:4], hops=None, public_key=b"p" * 32)
        self.nodes: dict[int, Node] = {number: self.own}
        self.settings = Settings()
        self.answers = Answers(self)
        self.administration = Administration(self)
        self.handshake = Handshake.NORMAL
        self.handshake_delay = 0.0
        self.answers_heartbeats = True
        self.answer_delay = 0.0
        self.has_clock = True
        self.port = 0
        self.clients: list[Client] = []
        self.connections = 0
        self.handshakes = 0
        self.kicks = 0
        self.unreadable = 0
        self.sent: list[mesh_pb2.MeshPacket] = []
        self.dropped: list[mesh_pb2.MeshPacket] = []
        self.violations: list[Violation] = []
        self.lost = 0
        self.free = SLOTS
        self._waiting: deque[mesh_pb2.FromRadio] = deque()
        self._random = random.Random(next(_seeds))  # noqa: S311 - ids that no other radio of the process has given
        self._counter = 0
        self._stalled = False
        self._changed = asyncio.Event()
        self._reserved: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()

    async def __aenter__(self) -> Self:
        self._reserved = _bound(0)
        self.port = self._reserved.getsockname()[1]
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        for timer in self._timers:
            timer.cancel()
        if self._reserved is not None:
            self._reserved.close()

    @property
    def connection(self) -> str:
        """The address as a configuration wants it."""
        return f"tcp://{_HOST}:{self.port}"

    @property
    def client(self) -> Client | None:
        """The client that is connected, if any."""
        return self.clients[-1] if self.clients else None

    def node(self, number: int, **fields: Any) -> Node:  # noqa: ANN401 - the arguments of Node
        """Add a node to the mesh."""
        self.nodes[number] = node = Node(self, number, **fields)
        return node

    def next_id(self) -> int:
        """Return a packet id as the firmware makes them: 22 random bits, and 10 that count."""
        self._counter = (self._counter + 1) & 0x3FF
        return self._random.getrandbits(22) << 10 | self._counter

    def my_info(self) -> mesh_pb2.MyNodeInfo:
        """Return the first record of a handshake."""
        return mesh_pb2.MyNodeInfo(
            my_node_num=self.own.number,
            reboot_count=3,
            min_app_version=30200,
            device_id=b"canary-device-id",
            pio_env="heltec-v3",
            nodedb_count=len(self.nodes),
        )

    def hear(self, packet: mesh_pb2.MeshPacket) -> None:
        """Receive a packet and give it to the client, now or when there is one."""
        copy = mesh_pb2.MeshPacket()
        copy.CopyFrom(packet)
        if self.has_clock and getattr(packet, _FROM) != self.own.number and not copy.rx_time:
            copy.rx_time = int(time.time())
        self._give(mesh_pb2.FromRadio(packet=copy))

    def notify(self, message: str, *, level: str = "WARNING", reply_id: int = 0) -> None:
        """Tell the client something in words, as the firmware does."""
        notification = mesh_pb2.ClientNotification(
            message=message, level=mesh_pb2.LogRecord.Level.Value(level), reply_id=reply_id, time=int(time.time())
        )
        self.send(mesh_pb2.FromRadio(clientNotification=notification))

    def send(self, message: mesh_pb2.FromRadio) -> None:
        """Send a protobuf to the client that is there."""
        if self.client is not None:
            self.client.send(message)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are to the client that is there."""
        if self.client is not None:
            self.client.send_raw(data)

    def send_frame(self, content: bytes | Message) -> None:
        """Send a frame with this content, whatever it is."""
        self.send_raw(frame(content))

    def queue_status(self, packet_id: int = 0, *, result: int = 0) -> mesh_pb2.FromRadio:
        """Return the state of the transmit queue as it is told to clients."""
        status = mesh_pb2.QueueStatus(res=result, free=self.free, maxlen=SLOTS, mesh_packet_id=packet_id)
        return mesh_pb2.FromRadio(queueStatus=status)

    def fill_queue(self) -> None:
        """Have no room for another packet to transmit, and say so."""
        self.free = 0
        self.send(self.queue_status())

    def drain_queue(self) -> None:
        """Have all the room again, and say so."""
        self.free = SLOTS
        self.send(self.queue_status())

    def script(self, *answers: Answer) -> None:
        """Answer the next packet that wants an ack or a response with these, in this order; none of them: silence."""
        self.answers.script(*answers)

    def drop(self) -> None:
        """Close every connection in good order (FIN); new ones are accepted."""
        for client in list(self.clients):
            client.drop()

    def reset(self) -> None:
        """Tear every connection (RST); new ones are accepted."""
        for client in list(self.clients):
            client.reset()

    def stall(self) -> None:
        """Go on accepting connections, but never read or write another byte."""
        self._stalled = True
        for client in self.clients:
            client.stall(stalled=True)

    def unstall(self) -> None:
        """Go on where ``stall`` stopped."""
        self._stalled = False
        for client in self.clients:
            client.stall(stalled=False)

    async def refuse(self) -> None:
        """Close everything and refuse new connections."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.drop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        self.reset()
        await asyncio.gather(*self._tasks)
        if server is not None:
            await server.wait_closed()

    async def accept(self) -> None:
        """Take connections (again)."""
        self._server = await asyncio.start_server(self._serve, sock=_bound(self.port))

    def announce_reboot(self) -> None:
        """Say that the radio has started anew, on a connection that stays."""
        self.send(mesh_pb2.FromRadio(rebooted=True))

    async def until(self, condition: Callable[[], object], what: str = "it", deadline: float = DEADLINE) -> None:
        """Wait until a condition holds; looked at whenever a client did something."""
        try:
            async with asyncio.timeout(deadline):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            message = f"the fake radio waited {deadline:g} s for {what}"
            raise AssertionError(message) from None

    async def ready(self, number: int = 1, deadline: float = DEADLINE) -> None:
        """Wait until as many handshakes have ever been completed."""
        await self.until(lambda: self.handshakes >= number, f"handshake {number}", deadline)

    async def connected(self, number: int = 1, deadline: float = DEADLINE) -> None:
        """Wait until as many connections have ever been accepted."""
        await self.until(lambda: self.connections >= number, f"connection {number}", deadline)

    async def disconnected(self, deadline: float = DEADLINE) -> None:
        """Wait until no client is connected."""
        await self.until(lambda: not self.clients, "the end of every connection", deadline)

    async def received(self, port: int, count: int = 1, deadline: float = DEADLINE) -> mesh_pb2.MeshPacket:
        """Wait for the ``count``-th packet that a client sent on a port, and return it."""

        def found() -> list[mesh_pb2.MeshPacket]:
            return [packet for packet in self.sent if packet.decoded.portnum == port]

        await self.until(lambda: len(found()) >= count, f"packet {count} on port {port}", deadline)
        return found()[count - 1]

    def changed(self) -> None:
        """Let those who wait look again."""
        self._changed.set()

    def transmit(self, client: Client, packet: mesh_pb2.MeshPacket) -> None:
        """Take a packet from a client as the firmware does: check the limits, send it, answer it."""
        setattr(packet, _FROM, self.own.number)
        packet.id = packet.id or self.next_id()
        if self._refused(client, packet):
            self.dropped.append(packet)
            return
        client.send(self.queue_status(packet.id))
        self.sent.append(packet)
        if packet.to == self.own.number and packet.decoded.portnum == portnums_pb2.PortNum.ADMIN_APP:
            self._answer(self.administration.carry_out(packet))
        else:
            self._answer(self.answers.to(packet))

    def replay_waiting(self, client: Client) -> None:
        """Give a client that has just come what was heard before."""
        while self._waiting:
            client.send(self._waiting.popleft())

    def _refused(self, client: Client, packet: mesh_pb2.MeshPacket) -> bool:
        port = packet.decoded.portnum
        if port == portnums_pb2.PortNum.TRACEROUTE_APP and packet.to == BROADCAST and packet.hop_limit > 0:
            self.notify("Multi-hop traceroute to broadcast address is not allowed", reply_id=packet.id)
            return True
        fate = client.limits.judge(port, packet.id)
        if fate is Fate.WARNED:
            self.notify("TraceRoute can only be sent once every 30 seconds", reply_id=packet.id)
            return True
        if fate is not Fate.ACCEPTED:
            client.send(self.queue_status(packet.id))
            if fate is Fate.ERROR:
                self._answer([self.answers.routing(packet, Answer("RATE_LIMIT_EXCEEDED", own=True))])
            return True
        node = self.nodes.get(packet.to)
        if too_large(packet.decoded.ByteSize(), pki=bool(node and node.public_key)):
            client.send(self.queue_status(packet.id))
            self._answer([self.answers.routing(packet, Answer("TOO_LARGE", own=True))])
            return True
        if not self.free:
            client.send(self.queue_status(packet.id, result=NO_ROOM))
            return True
        return False

    def _answer(self, packets: list[mesh_pb2.MeshPacket]) -> None:
        """Hear packets one after the other, ``answer_delay`` seconds apart."""
        loop = asyncio.get_running_loop()
        for number, packet in enumerate(packets, start=1):
            if not self.answer_delay:
                self.hear(packet)
                continue
            timer = loop.call_later(number * self.answer_delay, self.hear, packet)
            self._timers.add(timer)

    def _give(self, message: mesh_pb2.FromRadio) -> None:
        client = self.client
        if client is not None and client.ready and client.send(message):
            return
        if len(self._waiting) == WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, reader, writer)
        for other in list(self.clients):
            self.kicks += 1
            other.drop()
        self.clients.append(client)
        self.connections += 1
        client.stall(stalled=self._stalled)
        task = asyncio.current_task()
        if task is not None:
            task.set_name("fake radio: client")
            self._tasks.add(task)
        self.changed()
        try:
            await client.run()
        finally:
            self.clients.remove(client)
            if task is not None:
                self._tasks.discard(task)
            self.changed()


def _bound(port: int) -> socket.socket:
    """Return a socket on a port (0: a free one); two may be bound to it as long as one of them listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound
