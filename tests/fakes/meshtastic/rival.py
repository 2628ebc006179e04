"""Another client of a radio, as stubborn as a phone: whenever it is pushed out, it comes back."""

import asyncio
from types import TracebackType
from typing import Final, Self

from meshtastic.protobuf import mesh_pb2

from tests.fakes.meshtastic.frames import Stream, frame
from tests.fakes.meshtastic.radio import Radio

_CHUNK: Final = 4096
_REQUEST: Final = 4711


class Rival:
    """Takes the radio from whoever has it, inside ``async with``; ``visits`` counts how often it came."""

    def __init__(self, radio: Radio) -> None:
        self.visits = 0
        self.messages: list[mesh_pb2.FromRadio] = []
        self._radio = radio
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        before = self._radio.handshakes
        self._task = asyncio.create_task(self._come_back(), name="fake rival")
        await self._radio.ready(before + 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _come_back(self) -> None:
        while True:
            self.visits += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self._radio.port)
            try:
                await self._visit(reader, writer)
            except OSError:
                continue
            finally:
                writer.close()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream()
        writer.write(frame(mesh_pb2.ToRadio(want_config_id=_REQUEST)))
        while data := await reader.read(_CHUNK):
            for content in stream.feed(data):
                self.messages.append(mesh_pb2.FromRadio.FromString(content))
