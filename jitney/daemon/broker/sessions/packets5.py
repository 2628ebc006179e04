"""From a stream of bytes to MQTT 5 packets."""

from typing import Final

import mqtt5

from jitney.topics import JitneyError

LARGEST_PACKET: Final = 2 * 1024 * 1024
"""What we let a broker send us in one packet, so that nobody can fill the memory."""

_MORE_FOLLOWS: Final = 0x80
_LENGTH_BYTES: Final = 4


class MalformedPacketError(JitneyError):
    """The bytes are not MQTT 5; ``head`` is the first byte of the packet that is wrong."""

    def __init__(self, reason: str, *, head: int) -> None:
        super().__init__(reason)
        self.head = head


class PacketReader:
    """Give it bytes as they come; take packets until there is none. An incomplete packet is not read twice.

    What was fed may be overwritten only after ``keep``.
    """

    def __init__(self) -> None:
        self._data = memoryview(b"")
        self._partial = bytearray()
        self._wanted = 0

    def feed(self, data: memoryview) -> None:
        """Add bytes; what was not taken yet stays."""
        if self._data:
            data = memoryview(b"".join((self._data, data)))
        elif self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return
            data = memoryview(self._partial)
            self._partial = bytearray()
        self._data = data

    def keep(self) -> None:
        """Copy what was not taken yet."""
        if self._data:
            self._data = memoryview(bytes(self._data))

    def take(self) -> mqtt5.Packet | None:
        """Return the next whole packet, None when more bytes are needed. Raises MalformedPacketError."""
        data = self._data
        if not data:
            return None
        try:
            packet, length = mqtt5.read(data)
        except IndexError:
            self._keep(data)
            return None
        except (ValueError, OverflowError) as error:
            raise MalformedPacketError(str(error), head=data[0]) from None
        except BaseException as error:
            # The codec panics on text that is not UTF-8, and the class of its panics cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            message = "text that is not UTF-8"
            raise MalformedPacketError(message, head=data[0]) from None
        self._data = data[length:]
        return packet

    def _keep(self, data: memoryview) -> None:
        wanted = _packet_length(data)
        if wanted > LARGEST_PACKET:
            message = f"a packet of {wanted} bytes, more than the {LARGEST_PACKET} that we allow"
            raise MalformedPacketError(message, head=data[0])
        if wanted <= len(data):
            message = "a packet that is longer inside than outside"
            raise MalformedPacketError(message, head=data[0])
        self._wanted = wanted
        self._partial = bytearray(data)
        self._data = memoryview(b"")


def _packet_length(data: memoryview) -> int:
    """Return the length of the packet that begins here, or that of its header while that is incomplete."""
    length = 0
    for index, byte in enumerate(data[1 : 1 + _LENGTH_BYTES]):
        length |= (byte & ~_MORE_FOLLOWS) << 7 * index
        if not byte & _MORE_FOLLOWS:
            return 2 + index + length
    return len(data) + 1
