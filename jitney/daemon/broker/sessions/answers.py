"""Questions to the broker that wait for their answer: SUBSCRIBE and UNSUBSCRIBE."""

import asyncio
from collections.abc import Sequence
from typing import Final

from jitney.daemon.broker.session import BrokerUnreachableError
from jitney.daemon.broker.window import LAST_ID

_LARGEST_ID: Final = 65_535


class Answers:
    """Who waits for which packet id, ``timeout`` seconds at most. ``place`` begins the text of the errors."""

    def __init__(self, *, place: str, timeout: float) -> None:
        self._place = place
        self._timeout = timeout
        self._waiting: dict[int, asyncio.Future[list[int]]] = {}
        self._id = LAST_ID
        self._error: BrokerUnreachableError | None = None

    def next_id(self) -> int:
        """Return a packet id above the window's that nobody waits for."""
        self._id = LAST_ID + 1 if self._id == _LARGEST_ID else self._id + 1
        return self.next_id() if self._id in self._waiting else self._id

    async def to(self, packet_id: int, what: str, *, codes: int | None = None) -> list[int]:
        """Wait for the answer to what was just asked: one reason code each, ``codes`` of them where that is given.

        Raises BrokerUnreachableError when there is none in time or the connection ends.
        """
        if self._error is not None:
            raise self._error
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting[packet_id] = answer
        try:
            async with asyncio.timeout(self._timeout):
                given = await answer
        except TimeoutError:
            message = f"{self._place} did not answer {what} within {self._timeout:g} s"
            raise BrokerUnreachableError(message) from None
        finally:
            del self._waiting[packet_id]
        if codes is not None and len(given) != codes:
            message = f"{self._place} answered {what} with {len(given)} reason codes, expected {codes}"
            raise BrokerUnreachableError(message)
        return given

    def give(self, packet_id: int, codes: Sequence[int]) -> None:
        """Take an answer; one that nobody waits for any more is ignored."""
        answer = self._waiting.get(packet_id)
        if answer is not None and not answer.done():
            answer.set_result(list(codes))

    def fail(self, error: Exception | None) -> None:
        """Tell everybody who waits, and whoever asks from now on, that the connection has ended."""
        self._error = BrokerUnreachableError(str(error or f"{self._place}: the connection was closed"))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._error)
