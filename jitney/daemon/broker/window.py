"""The window of messages that are on their way to the broker."""

from collections.abc import Sequence
from typing import Final

from jitney.daemon.broker.session import Message

LAST_ID: Final = 60_000
"""Packet ids up to here are the window's; a session uses the ones above for its own requests."""


class Window:
    """Messages sent and not yet confirmed, in the order of their first sending. It outlives a session.

    ``landed`` counts the answers.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.landed = 0
        self._flying: dict[int, Message] = {}
        self._id = 0

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def room(self) -> int:
        """How many more may be sent now."""
        return self.size - len(self._flying)

    def launch(self, messages: Sequence[Message]) -> list[tuple[int, Message]]:
        """Give each message its packet id."""
        launched = []
        flying = self._flying
        number = self._id
        for message in messages:
            number = number % LAST_ID + 1
            while number in flying:
                number = number % LAST_ID + 1
            flying[number] = message
            launched.append((number, message))
        self._id = number
        return launched

    def get(self, packet_id: int) -> Message | None:
        """Return a message that is on its way."""
        return self._flying.get(packet_id)

    def land(self, packet_id: int) -> Message | None:
        """Take out a message that the broker has answered; None when it is not on its way."""
        self.landed += 1
        return self._flying.pop(packet_id, None)

    def unconfirmed(self) -> list[tuple[int, Message]]:
        """Return what a new session has to send again before anything new, in order."""
        return list(self._flying.items())
