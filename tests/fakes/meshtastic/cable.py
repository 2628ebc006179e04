"""A serial device that leads to a simulated radio: a pseudo-terminal, and somebody who carries the bytes."""

import asyncio
import os
import pty
import tty
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.fakes.meshtastic.radio import Radio

_CHUNK: Final = 4096


class Cable:
    """A device ``path`` inside ``async with``; ``pull`` is what somebody does who stumbles over it."""

    def __init__(self, radio: Radio) -> None:
        self.path = ""
        self._radio = radio
        self._ours = -1
        self._theirs = -1
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._radio.port)
        asyncio.get_running_loop().add_reader(self._ours, self._carry_to_radio, self._writer)
        self._task = asyncio.create_task(self._carry_to_client(reader), name="fake cable")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()

    def pull(self) -> None:
        """Pull the cable: the device is gone."""
        if self._ours >= 0:
            asyncio.get_running_loop().remove_reader(self._ours)
            os.close(self._ours)
            os.close(self._theirs)
            self._ours = self._theirs = -1

    def _carry_to_radio(self, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(os.read(self._ours, _CHUNK))

    async def _carry_to_client(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            while data and self._ours >= 0:
                try:
                    data = data[os.write(self._ours, data) :]
                except BlockingIOError:
                    await asyncio.sleep(0.01)
