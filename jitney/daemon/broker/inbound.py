"""Messages from the broker, taken at our own pace: acknowledged only when they are safe."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from jitney.daemon.broker.session import Incoming, Session

HIGH: Final = 256
"""So many waiting messages stop the reading of the socket."""


Verdict = Literal["admitted", "refused", "answered"]
"""Whether a message is taken, or not; and if not, whether whoever sent it is told."""


class Taken(Struct, frozen=True):
    """A message and the session that it has to be acknowledged on, admitted or not."""

    incoming: Incoming
    session: Session
    verdict: Verdict = "admitted"


class Inbound:
    """The line of received messages between the session and whoever handles them.

    ``judge`` is asked of each whether it is taken. One that is refused stands in the line only for the order of the
    acknowledgements.
    """

    def __init__(self, judge: Callable[[Incoming], Verdict] = lambda _: "admitted") -> None:
        self._judge = judge
        self._waiting: deque[Taken] = deque()
        self._some = asyncio.Event()
        self._paused: Session | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, incoming: Incoming, session: Session) -> None:
        """Add a message; the broker has to wait when there are too many."""
        verdict = self._judge(incoming)
        if verdict == "refused" and not incoming.packet_id:
            return
        self._waiting.append(Taken(incoming, session, verdict))
        self._some.set()
        if len(self._waiting) >= HIGH and self._paused is not session:
            self._paused = session
            session.pause()

    def forget(self, session: Session) -> None:
        """Drop what was not taken of a session that has ended: the broker sends it again."""
        self._waiting = deque(taken for taken in self._waiting if taken.session is not session)
        if self._paused is session:
            self._paused = None

    async def take(self) -> list[Taken]:
        """Wait for messages and take all there are, in order."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        if self._paused is not None:
            self._paused.resume()
            self._paused = None
        return taken

    @staticmethod
    def done(taken: list[Taken], current: Session | None) -> None:
        """Acknowledge messages that are safe, in the order of their arrival."""
        ids = [item.incoming.packet_id for item in taken if item.session is current and item.incoming.packet_id]
        if ids and current is not None:
            current.ack(ids)
