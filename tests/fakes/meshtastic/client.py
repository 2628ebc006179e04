"""One client of a radio: its bytes, its handshake, and everything that can go wrong on its socket."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from meshtastic.protobuf import mesh_pb2

from tests.fakes.meshtastic.frames import Stream, frame
from tests.fakes.meshtastic.limits import Limits

if TYPE_CHECKING:
    from tests.fakes.meshtastic.radio import Radio

ONLY_CONFIG: Final = 69420
ONLY_NODES: Final = 69421
_LINGER: Final = struct.pack("ii", 1, 0)
_CHUNK: Final = 4096


class Handshake(Enum):
    """How a radio answers the request for its configuration."""

    NORMAL = "completely"
    SILENT = "not at all"
    UNFINISHED = "completely but for the end"
    WRONG_ID = "with the end of another request"


class Client:
    """A connection to a radio; ``asked`` for the configuration, ``ready`` once it has all of it."""

    def __init__(self, radio: "Radio", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ready = False
        self.asked = False
        self.closed = False
        self.heartbeats = 0
        self.limits = Limits(radio.clock, radio.violations)
        self._radio = radio
        self._reader = reader
        self._writer = writer
        self._stream = Stream()
        self._stalled = False
        self._handshakes: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serve until either side closes."""
        try:
            while not self.closed and (data := await self._reader.read(_CHUNK)):
                for content in self._stream.feed(data):
                    self._take(content)
        except OSError:
            pass
        finally:
            self.closed = True
            self._writer.close()
            for task in self._handshakes:
                task.cancel()
            await asyncio.gather(*self._handshakes, return_exceptions=True)

    def send(self, message: mesh_pb2.FromRadio) -> bool:
        """Send one protobuf; tells whether it went into the socket."""
        if self.closed or self._stalled:
            return False
        self._writer.write(frame(message))
        return True

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not (self.closed or self._stalled):
            self._writer.write(data)

    def drop(self) -> None:
        """Close in good order (FIN)."""
        self.closed = True
        self._writer.close()

    def reset(self) -> None:
        """Close as a crash does (RST)."""
        self.closed = True
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self._writer.transport.abort()

    def stall(self, *, stalled: bool) -> None:
        """Neither read nor write any more, with the connection open; or go on."""
        self._stalled = stalled
        transport = self._writer.transport
        if self.closed or not isinstance(transport, asyncio.ReadTransport):
            return
        if stalled and transport.is_reading():
            transport.pause_reading()
        elif not stalled and not transport.is_reading():
            transport.resume_reading()

    def _take(self, content: bytes) -> None:
        try:
            message = mesh_pb2.ToRadio.FromString(content)
        except DecodeError:
            self._radio.unreadable += 1
            return
        kind = message.WhichOneof("payload_variant")
        if kind == "want_config_id":
            self.ready, self.asked = False, True
            handshake = self._configure(message.want_config_id)
            self._handshakes.append(asyncio.create_task(handshake, name="fake radio: handshake"))
        elif kind == "heartbeat":
            self.heartbeats += 1
            if self._radio.answers_heartbeats:
                self.send(self._radio.queue_status())
        elif kind == "disconnect":
            self.drop()
        elif kind == "packet":
            self._radio.transmit(self, message.packet)
        self._radio.changed()

    async def _configure(self, request: int) -> None:
        radio = self._radio
        if radio.handshake is Handshake.SILENT:
            return
        for message in self._records(request):
            self.send(message)
            if radio.handshake_delay:
                await asyncio.sleep(radio.handshake_delay)
            else:
                await self._drain()
        if radio.handshake is Handshake.UNFINISHED:
            return
        wrong = radio.handshake is Handshake.WRONG_ID
        self.send(mesh_pb2.FromRadio(config_complete_id=request ^ 1 if wrong else request))
        self.ready = not wrong
        if self.ready:
            radio.handshakes += 1
            radio.replay_waiting(self)
        radio.changed()

    async def _drain(self) -> None:
        if not self.closed:
            await self._writer.drain()

    def _records(self, request: int) -> Iterator[mesh_pb2.FromRadio]:
        radio = self._radio
        yield mesh_pb2.FromRadio(my_info=radio.my_info())
        yield mesh_pb2.FromRadio(node_info=radio.own.info())
        if request != ONLY_NODES:
            yield from radio.settings.sections()
        if request != ONLY_CONFIG:
            for node in list(radio.nodes.values()):
                if node is not radio.own:
                    yield mesh_pb2.FromRadio(node_info=node.info())
            yield mesh_pb2.FromRadio(fileInfo=mesh_pb2.FileInfo(file_name="/prefs/db.proto", size_bytes=512))
