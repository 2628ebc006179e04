"""Just enough of MQTT 3.1.1 to listen with QoS 0 and to see packets go by: nothing is ever written while listening.

A client that acknowledges would lose what it has not yet read when its write meets a connection that a killed broker
has reset; who only reads gets every byte that the broker sent.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final

PUBLISH: Final = 0x30
_CONNACK: Final = 0x20
_SUBACK: Final = 0x90
_TYPE: Final = 0xF0
_QOS: Final = 0x06
_REFUSED: Final = 0x80
_READ_BYTES: Final = 1 << 18


def packets(data: bytes) -> Iterator[bytes]:
    """Yield the complete packets at the beginning of ``data``."""
    start = 0
    while (size := _size(data, start)) and len(data) >= start + size:
        yield data[start : start + size]
        start += size


def publish(packet: bytes) -> tuple[str, bytes, bytes]:
    """Return (topic, packet id, payload) of a PUBLISH; the id is empty with QoS 0, MQTT 5 properties stay."""
    start = _body(packet)
    end = start + 2 + int.from_bytes(packet[start : start + 2])
    body = end + (2 if packet[0] & _QOS else 0)
    return packet[start + 2 : end].decode(), packet[end:body], packet[body:]


async def listen(port: int, pattern: str, *, name: str) -> AsyncGenerator[tuple[str, bytes], None]:
    """Yield an empty topic once subscribed and then each (topic, payload), until the broker has closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ_BYTES)
    try:
        writer.write(_packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text(name)))
        writer.write(_packet(0x82, b"\x00\x01" + _text(pattern) + b"\x00"))
        rest = b""
        while data := await reader.read(_READ_BYTES):
            rest = rest + data if rest else data
            used = 0
            for packet in packets(rest):
                used += len(packet)
                kind = packet[0] & _TYPE
                if kind == PUBLISH:
                    topic, _, payload = publish(packet)
                    yield topic, payload
                elif (kind == _CONNACK and packet[-1]) or (kind == _SUBACK and packet[-1] >= _REFUSED):
                    message = f"the broker refused {name}: {packet.hex()}"
                    raise ConnectionRefusedError(message)
                elif kind == _SUBACK:
                    yield "", b""
            rest = rest[used:]
    finally:
        writer.close()


def _size(data: bytes, start: int) -> int:
    """Return the bytes of the whole packet at ``start``, 0 while its header is incomplete."""
    length = 0
    for index in range(1, min(5, len(data) - start)):
        byte = data[start + index]
        length |= (byte & 0x7F) << 7 * (index - 1)
        if byte < 0x80:
            return 1 + index + length
    return 0


def _body(packet: bytes) -> int:
    index = 1
    while packet[index] >= 0x80:
        index += 1
    return index + 1


def _packet(first: int, body: bytes) -> bytes:
    assert len(body) < 0x80
    return bytes([first, len(body)]) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2) + text.encode()
