"""A client that floods a broker with messages of QoS 1, as fast as it is told.

    python -m bench.flood PORT RATE TOPIC

It never waits for an answer, and reads away what the broker says. It ends when its standard input is closed.
"""

import select
import socket
import sys
import time
from typing import Final

PAYLOAD: Final = b'{"temperature": 21.5, "humidity": 40, "battery": 97}'
SLICE: Final = 0.01
"""Seconds of which the messages are written together."""

_LAST_ID: Final = 60_000


def packet(topic: str, number: int) -> bytes:
    """Return a PUBLISH of QoS 1 (MQTT 3.1.1, section 3.3)."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + number.to_bytes(2) + PAYLOAD
    length, head = len(body), bytearray((0x32,))
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((*head, length)) + body


def main() -> None:
    """Connect, and publish until nobody wants it any more."""
    port, rate, topic = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    packets = [packet(topic, number) for number in range(1, _LAST_ID + 1)]
    name = f"flood-{time.monotonic_ns()}".encode()
    connect = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2) + name
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(bytes((0x10, len(connect))) + connect)
        link.recv(4)
        link.settimeout(30)
        begin, sent = time.monotonic(), 0
        while not select.select([sys.stdin], [], [], SLICE)[0]:
            due = int((time.monotonic() - begin) * rate)
            while sent < due:
                number = sent % _LAST_ID
                batch = packets[number : number + min(due - sent, 1000)]
                link.sendall(b"".join(batch))
                sent += len(batch)
                while select.select([link], [], [], 0)[0] and link.recv(1 << 16):
                    pass
    print(f"{sent / (time.monotonic() - begin):.0f} messages a second")


if __name__ == "__main__":
    main()
