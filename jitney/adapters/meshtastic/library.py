"""The fence around the library: its interfaces without what blocks, exits, prints, leaks or acts on its own.

Imported only where a radio is opened, in a thread: importing the library is slow and starts a thread of its own.
"""

# mypy: allow-subclassing-any, disable-error-code="import-untyped"
# The library is not typed: what comes from it is Any.

import logging
import socket
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from meshtastic import publishingThread
from meshtastic.mesh_interface import MeshInterface
from meshtastic.protobuf import mesh_pb2, portnums_pb2
from meshtastic.serial_interface import SerialInterface
from meshtastic.tcp_interface import TCPInterface

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.pubsub import publish

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NODES: Final = 2000
"""Senders that the library remembers; anybody can invent new ones."""

SILENT: Final = logging.CRITICAL + 10

KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
UNACKNOWLEDGED: Final = 60_000
"""Milliseconds for which sent bytes may stay unconfirmed by the other kernel."""

_CHUNK: Final = 4096
_KNOWN_PORTS: Final = frozenset(portnums_pb2.PortNum.values())
_OWN: Final = frozenset({"queueStatus", "mqttClientProxyMessage"})
_UNWANTED: Final = frozenset({"log_record", "xmodemPacket", "fileInfo", "deviceuiConfig"})


class Fenced(MeshInterface):
    """What is the same for every kind of connection. ``open`` and ``close`` block; ``close`` ends a hanging ``open``.

    ``frames`` counts what came, ``unreadable`` what could not be decoded, ``records`` are the NodeInfos of the
    handshake. ``ending`` says why the connection ended, ``closed_by_radio`` that it was the radio's wish.
    ``on_message`` is given what the library tells nobody in a usable form, in the reader's thread.
    """

    def fence(self, patience: float) -> None:
        """Prepare, before the library's constructor, which each kind of connection calls in its own way."""
        self.frames = 0
        self.unreadable = 0
        self.records: list[mesh_pb2.NodeInfo] = []
        self.ending = ""
        self.closed_by_radio = False
        self.on_message: Callable[[mesh_pb2.FromRadio], None] | None = None
        self._patience = patience
        self._settled = threading.Event()
        self._sending = threading.Lock()

    def open(self) -> None:
        """Connect and be told the whole configuration; raises OSError or what the library raises."""
        raise NotImplementedError

    def transmit(
        self,
        data: bytes,
        *,
        port: int,
        to: int,
        channel: int,
        want_ack: bool,
        want_response: bool,
        reply_id: int,
        emoji: bool,
        hop_limit: int | None,
        priority: int | None,
    ) -> int:
        """Hand a packet to the radio; returns its id. Raises OSError, RefusedError when there is no room for it."""
        packet = mesh_pb2.MeshPacket(id=self._generatePacketId(), channel=channel, priority=priority)
        packet.decoded.portnum = port
        packet.decoded.payload = data
        packet.decoded.want_response = want_response
        packet.decoded.reply_id = reply_id
        packet.decoded.emoji = int(emoji)
        self._sendPacket(packet, to, wantAck=want_ack, hopLimit=hop_limit)
        return int(packet.id)

    def _startHeartbeat(self) -> None:  # noqa: N802 - the library's name
        """Start no timer: it would outlive the connection. The link has a watchdog."""

    def _handleLogByte(self, b: bytes) -> None:  # noqa: N802 - the library's name
        """Keep nothing of what is no frame: the library would until a newline comes."""

    def _connected(self) -> None:
        super()._connected()
        self._settled.set()

    def _disconnected(self) -> None:
        super()._disconnected()
        self._settled.set()

    def _waitConnected(self, timeout: float = 0.0) -> None:  # noqa: N802 - the library's name
        """Wait for the end of the handshake, good or bad, as long as it goes on; afterwards return or raise at once."""
        del timeout  # 30 s whatever was wanted
        frames = 0
        while not self._settled.wait(self._patience):
            if self.frames == frames:
                raise TimeoutError(f"the radio has told nothing of its configuration for {self._patience:.3g} s")
            frames = self.frames
        if not self.isConnected.is_set():
            raise ConnectionAbortedError(self.ending or "the connection was closed")

    def _sendToRadio(self, toRadio: mesh_pb2.ToRadio) -> None:  # noqa: N802, N803 - the library's names
        """Write at once, where the library would wait for room without end and write what waits again."""
        with self._sending:
            if toRadio.HasField("packet") and self.queueStatus is not None:
                if not self.queueStatus.free:
                    raise RefusedError("queue_full", "the radio has no room for another packet now")
                self.queueStatus.free -= 1
            self._sendToRadioImpl(toRadio)

    def _startConfig(self) -> None:  # noqa: N802 - the library's name
        self.records.clear()
        super()._startConfig()

    def _getOrCreateByNum(self, nodeNum: int) -> Any:  # noqa: ANN401, N802, N803 - the library's
        if max(len(self.nodesByNum), len(self.nodes)) >= MOST_NODES:
            self.nodesByNum.clear()
            self.nodes.clear()
        return super()._getOrCreateByNum(nodeNum)

    def _handleFromRadio(self, fromRadioBytes: bytes) -> None:  # noqa: N802, N803 - the library's names
        """Take a frame; what cannot be decoded is counted and concerns nothing else."""
        self.frames += 1
        content = bytes(fromRadioBytes)
        try:
            message = mesh_pb2.FromRadio.FromString(content)
        except DecodeError:
            self.unreadable += 1
            return
        kind = message.WhichOneof("payload_variant")
        if kind in _OWN:
            if kind == "queueStatus":
                self.queueStatus = message.queueStatus
            if self.on_message is not None:
                self.on_message(message)
        elif kind == "rebooted":
            self._begin_anew()
        elif kind == "packet":
            self._take_packet(message.packet, content)
        elif kind not in _UNWANTED:
            if kind == "node_info" and not self._settled.is_set():
                self.records.append(message.node_info)
            self._pass_on(content)

    def _take_packet(self, packet: mesh_pb2.MeshPacket, content: bytes) -> None:
        if not getattr(packet, "from"):  # which the library does not publish either
            self.unreadable += 1
        elif packet.decoded.portnum in _KNOWN_PORTS:
            self._pass_on(content)
        else:
            self._publish_unknown(packet)

    def _pass_on(self, content: bytes) -> None:
        try:
            super()._handleFromRadio(content)
        except (Exception, SystemExit):  # noqa: BLE001 - the library has no rule for what it raises on a bad packet
            self.unreadable += 1

    def _publish_unknown(self, packet: mesh_pb2.MeshPacket) -> None:
        """Publish as the library does, but not on a topic of its own for every number that anybody may send."""
        content = MessageToDict(packet)
        content["raw"] = packet
        content["decoded"]["payload"] = packet.decoded.payload
        publishingThread.queueWork(partial(publish, content, self))

    def _begin_anew(self) -> None:
        """Ask again where the radio has started in the middle of the handshake; afterwards end the connection."""
        if self._settled.is_set():
            self.ending = "the radio has started anew"
            self.stop_reading()
        else:
            self._startConfig()

    def stop_reading(self) -> None:
        """End the connection from the reader's thread."""
        self._wantExit = True


class FencedTcp(Fenced, TCPInterface):
    """A radio on the network."""

    def __init__(self, host: str, port: int, *, patience: float) -> None:
        self._buffer = memoryview(b"")
        self.fence(patience)
        TCPInterface.__init__(self, host, portNumber=port, connectNow=False)

    def open(self) -> None:
        """Connect and be told the whole configuration."""
        self.connect()

    def myConnect(self) -> None:  # noqa: N802 - the library's name
        """Open the socket, with a timeout; a peer that vanishes later is noticed by the kernel too."""
        opened = socket.create_connection((self.hostname, self.portNumber), timeout=self._patience)
        opened.settimeout(None)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
        for option, value in KEEPALIVE:
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket: socket.socket | None = opened
        if self._wantExit:  # closed in the meantime, when there was no socket to close
            self.socket = None
            opened.close()
            raise ConnectionAbortedError("closed while it was connecting")

    def _reconnect(self) -> None:
        """Let the connection end with the error of the write: the library would open another one and tell nobody."""
        error = sys.exc_info()[1]
        raise error if isinstance(error, OSError) else ConnectionResetError("the connection is gone")

    def _readBytes(self, length: int) -> bytes | None:  # noqa: N802 - the library's name
        """Return the next byte; the library asks the kernel for each one, here it is asked for many."""
        if not self._buffer:
            source = self.socket
            if source is None:
                self._wantExit = True
                return None
            self._buffer = memoryview(self._receive(source))
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return bytes(data)

    def _receive(self, source: socket.socket) -> bytes:
        try:
            data = source.recv(_CHUNK)
        except OSError as error:
            self.ending = f"the connection broke: {error.strerror or error}"
            self.closed_by_radio = isinstance(error, ConnectionResetError)
            raise
        if not data:
            self.ending = "the radio closed the connection"
            self.closed_by_radio = True
            raise ConnectionResetError(self.ending)
        return data


class FencedSerial(Fenced, SerialInterface):
    """A radio on a cable."""

    def __init__(self, path: str, *, patience: float) -> None:
        self.fence(patience)
        SerialInterface.__init__(self, path, connectNow=False)

    def open(self) -> None:
        """Connect and be told the whole configuration."""
        self.connect()

    def _writeBytes(self, b: bytes) -> None:  # noqa: N802 - the library's name
        if self._wantExit and not self._rxThread.is_alive() and self.stream is not None:
            self.stream.close()  # closed while it was connecting, when there was no port to close
            raise ConnectionAbortedError("closed while it was connecting")
        super()._writeBytes(b)

    def _readBytes(self, length: int) -> bytes | None:  # noqa: N802 - the library's name
        try:
            data: bytes | None = super()._readBytes(length)
        except OSError as error:
            self.ending = f"the cable was pulled or the radio is off: {error}"
            raise
        return data


def silence() -> None:
    """Let the library neither print nor log: it shows packets and configurations, keys included.

    ``print`` is given to each of its modules as a global, which hides the built-in one there and nowhere else.
    """
    logging.getLogger("meshtastic").setLevel(SILENT)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "meshtastic":
            vars(module)["print"] = _say_nothing


def _say_nothing(*_: object, **__: object) -> None:
    """Print nothing."""
