"""Messages that cannot be sent at all."""

import asyncio

from jitney.daemon.broker.session import Listener


class Unsent:
    """Tells the listener, in the next turn of the loop, about messages as if the broker had refused them."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._refused: list[tuple[int, int]] = []
        self._over = False

    def add(self, packet_id: int, reason: int) -> None:
        """Refuse a message."""
        if not self._refused:
            self._loop.call_soon(self._tell)
        self._refused.append((packet_id, reason))

    def stop(self) -> None:
        """Tell nothing any more."""
        self._over = True

    def _tell(self) -> None:
        refused, self._refused = self._refused, []
        if self._over:
            return
        for packet_id, reason in refused:
            self._listener.acked(packet_id, reason)
        self._listener.flushed()
