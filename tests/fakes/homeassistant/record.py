"""What the fake saw of its clients, and waiting until it sees more."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct


class Command(Struct, frozen=True):
    """One command that a client sent: which connection, its type, its whole message and when (monotonic)."""

    connection: int
    type: str
    message: dict[str, Any]
    at: float


class Record:
    """Everything that clients did. ``misbehaviour`` is what a correct client never does, one sentence each."""

    def __init__(self, allow: Iterable[str] = (), *, patience: float = 60.0) -> None:
        self.misbehaviour: list[str] = []
        self.failures: list[str] = []
        """What went wrong in the fake itself."""
        self.attempts: list[float] = []
        """When each websocket was asked for (monotonic), refused ones included."""
        self.auth_failures: list[tuple[float, str]] = []
        """When (monotonic) a sign-in failed and with which token."""
        self.commands: list[Command] = []
        self.authenticated = 0
        """How many connections ever signed in."""
        self.failures_in_a_row = 0
        """Failed sign-ins since the last good one."""
        self._patience = patience
        self._allowed = [re.compile(pattern) for pattern in allow]
        self._changed = asyncio.Event()

    def blame(self, connection: int, what: str) -> None:
        """Note what a correct client never does."""
        self.misbehaviour.append(f"connection {connection}: {what}")
        self.changed()

    def add(self, connection: int, message: dict[str, Any]) -> None:
        """Note a command."""
        self.commands.append(Command(connection, message["type"], message, time.monotonic()))
        self.changed()

    def signed_in(self) -> None:
        """Note a sign-in."""
        self.authenticated += 1
        self.failures_in_a_row = 0
        self.changed()

    def refused(self, connection: int, token: str) -> None:
        """Note a failed sign-in; to offer the same token again within ``patience`` seconds is misbehaviour."""
        now = time.monotonic()
        last = max((at for at, known in self.auth_failures if known == token), default=None)
        if last is not None and now - last < self._patience:
            self.blame(connection, f"offered a refused token again after {now - last:.3f} s")
        self.auth_failures.append((now, token))
        self.failures_in_a_row += 1
        self.changed()

    def changed(self) -> None:
        """Wake everybody who waits in ``until``."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], what: str, deadline: float) -> None:
        """Wait until ``condition`` holds; raises AssertionError after ``deadline`` seconds, saying what was seen."""
        try:
            async with asyncio.timeout(deadline):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            message = f"waited {deadline:g} s for {what}; {self._summary()}"
            raise AssertionError(message) from None

    def verdict(self) -> list[str]:
        """Return what must make the test fail."""
        blamed = [text for text in self.misbehaviour if not any(allowed.search(text) for allowed in self._allowed)]
        return blamed + self.failures

    def _summary(self) -> str:
        counts: dict[str, int] = {}
        for command in self.commands:
            counts[command.type] = counts.get(command.type, 0) + 1
        seen = {
            "attempts": len(self.attempts),
            "authenticated": self.authenticated,
            "auth failures": len(self.auth_failures),
            "commands": counts,
            "misbehaviour": self.misbehaviour,
            "failures": self.failures,
        }
        return f"seen so far: {msgspec.json.encode(seen).decode()}"
