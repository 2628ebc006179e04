"""The stream protocol of a radio: ``94 C3``, a big-endian length of at most 512, a protobuf."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

START: Final = b"\x94\xc3"
LONGEST: Final = 512
_HEADER: Final = 4


def frame(content: bytes | Message) -> bytes:
    """Return the frame of a protobuf, or of bytes that are none; also one that is too long, if that is asked for."""
    data = content if isinstance(content, bytes) else content.SerializeToString()
    return START + len(data).to_bytes(2, "big") + data


class Stream:
    """Finds frames in bytes as the firmware does: whatever is none is skipped and counted in ``skipped``."""

    def __init__(self) -> None:
        self.skipped = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what is in the frames that are complete by now."""
        self._buffer += data
        while self._synchronised():
            if len(self._buffer) < _HEADER:
                return
            length = int.from_bytes(self._buffer[2:_HEADER], "big")
            if length > LONGEST:
                self._skip(1)
                continue
            if len(self._buffer) < _HEADER + length:
                return
            content = bytes(self._buffer[_HEADER : _HEADER + length])
            del self._buffer[: _HEADER + length]
            yield content

    def _synchronised(self) -> bool:
        """Skip to the next beginning of a frame; tell whether there is one, complete or not."""
        place = self._buffer.find(START)
        if place < 0:
            keep = 1 if self._buffer[-1:] == START[:1] else 0
            self._skip(len(self._buffer) - keep)
            return False
        self._skip(place)
        return True

    def _skip(self, number: int) -> None:
        del self._buffer[:number]
        self.skipped += number
