"""Somebody who writes to a port whatever they like."""

import asyncio
from contextlib import suppress

from tests.waiting import DEADLINE


class Answer:
    """What came until the connection ended: status 0 where nothing did."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1]) if " " in first else 0
        pairs = (line.partition(": ") for line in lines)
        self.headers = {name.lower(): value for name, _, value in pairs}


async def say(port: int, *parts: bytes, address: str = "") -> Answer:
    """Send all parts and return what comes until the other side ends the connection; ``address`` is ours."""
    local = (address, 0) if address else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
    got = b""
    try:
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        async with asyncio.timeout(DEADLINE):
            with suppress(ConnectionError):
                while chunk := await reader.read(65_536):
                    got += chunk
    finally:
        writer.transport.abort()
    return Answer(got)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request after which the connection is to end."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bus.example.org", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
