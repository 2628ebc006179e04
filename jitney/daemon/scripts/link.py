"""The way from the process of a Python file to the bus: messages of JSON, each after its length."""

import json
import os
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

from jitney.daemon.scripts.api import RefusedError, encoded

LARGEST: Final = 1 << 20
"""Bytes of a message, in both directions."""

HEAD: Final = 4
"""Bytes of the length, the most significant one first."""


class Link:
    """One end of a socket pair, used by whoever waits for it; the other end is the bus."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = Lock()

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, None when there is no bus any more."""
        head = self._read(HEAD)
        body = self._read(int.from_bytes(head)) if head else b""
        return json.loads(body) if body else None

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; raises ValueError or TypeError when it is none that can be sent, and OSError."""
        body = encoded(message).encode()
        if len(body) > LARGEST:
            text = f"takes {len(body)} bytes: at most {LARGEST} can be handed to the bus"
            raise ValueError(text)
        frame = memoryview(len(body).to_bytes(HEAD) + body)
        while frame:
            frame = frame[os.write(self._fd, frame) :]

    def call(self, event: int, what: str, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Ask for something about the event of a number, and return the answer; raises RefusedError."""
        with self._lock:
            self.send({"do": what, "event": event, **fields})
            answer = self.receive()
        if answer is None:
            raise RefusedError("disconnected", "the bus has gone")
        if answer["code"]:
            raise RefusedError(answer["code"], answer["text"])
        return answer["data"]

    def say(self, event: int, level: str, text: str) -> None:
        """Write a line into the log of the bus."""
        with self._lock:
            self.send({"do": "said", "event": event, "level": level, "text": text})

    def _read(self, size: int) -> bytes:
        """Return so many bytes, none when there is no bus any more."""
        found = bytearray()
        while len(found) < size:
            chunk = os.read(self._fd, size - len(found))
            if not chunk:
                return b""
            found += chunk
        return bytes(found)
