"""Fair turns: whose message goes to the broker next."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from jitney.daemon.broker.session import Message

QUANTUM: Final = 8
"""How many messages an owner may send before it is the next owner's turn."""


class Source(Protocol):
    """Something of one owner that has messages to send."""

    queued: bool

    def pop(self) -> Message | None:
        """Take the next message, or None when there is none now."""


class Turns:
    """Round robin over the owners that have something to send, and over the sources of each.

    ``wake`` is called whenever there is something new to take.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._ring: deque[deque[Source]] = deque()
        self._owners: dict[str, deque[Source]] = {}
        self._left = QUANTUM

    def __bool__(self) -> bool:
        return bool(self._ring)

    def ready(self, owner: str, source: Source) -> None:
        """Let a source take part until it has nothing left."""
        if not source.queued:
            source.queued = True
            sources = self._owners.get(owner)
            if sources is None:
                sources = self._owners[owner] = deque()
            if not sources:
                self._ring.append(sources)
            sources.append(source)
        self._wake()

    def take(self, most: int) -> list[Message]:
        """Take up to ``most`` messages, fairly; a turn that is cut short goes on with the next call."""
        taken: list[Message] = []
        ring = self._ring
        while ring and len(taken) < most:
            sources = ring[0]
            before = len(taken)
            _take(sources, taken, min(self._left, most - before))
            self._left -= len(taken) - before
            if not sources:
                ring.popleft()
                self._left = QUANTUM
            elif self._left == 0:
                sources.rotate(-1)
                ring.rotate(-1)
                self._left = QUANTUM
        return taken


def _take(sources: deque[Source], taken: list[Message], most: int) -> None:
    while sources and most:
        message = sources[0].pop()
        if message is None:
            sources.popleft().queued = False
        else:
            taken.append(message)
            most -= 1
