"""What was read and not yet taken: bounded, and never an obstacle for the reader for long.

Home Assistant cuts off a client for whom 1024 messages wait longer than 5 s (10 s since 2025) or 4096 at all, and
everything that waited is lost. So a full backlog lets the reader wait, which holds the sender back over TCP, but only
for as long as that is safe. Then every entity's newest state is kept and the changes before it are left out.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Clock
from jitney.adapters.errors import DisconnectedError
from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.frames import Answer, NewState, Odd, StateChange

MOST_BYTES: Final = 4 << 20
"""Bytes of frames that may wait."""

SLICE_BYTES: Final = 256 << 10
"""Bytes that are taken at once: some hundred events, so that nobody else on the loop waits longer than for those."""

MOST_SHED_BYTES: Final = 32 << 20
"""Bytes of newest states that may wait: more than a large house has."""

PATIENCE: Final = 4.0
"""Seconds that the reader may wait for room altogether, below the 5 s after which Home Assistant cuts it off…"""

RECOVERY: Final = 0.25
"""…and how much of it comes back in each second."""

_OVERHEAD: Final = 200


class Shed(Struct):
    """The newest change of an entity, from the state before the ``skipped`` changes that were left out."""

    change: StateChange
    skipped: int
    size: int


class Backlog:
    """Frames on their way from the reader to the processor, in order."""

    def __init__(
        self,
        odd: Odd,
        *,
        shed: Callable[[int], None],
        lost_answer: Callable[[], None],
        most_bytes: int | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._odd = odd
        self._note_shed = shed
        self._lost_answer = lost_answer
        self._most_bytes = MOST_BYTES if most_bytes is None else most_bytes
        self._clock = clock
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._shed: dict[str, Shed] = {}
        self._shed_bytes = 0
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._patience = PATIENCE
        self._waited_at = clock()
        self._discarding = False

    def discard(self) -> None:
        """Forget what waits and take nothing in until ``keep``."""
        self._discarding = True
        self._frames.clear()
        self._bytes = 0
        self._forget_shed()
        self._ready.clear()
        self._room.set()

    def keep(self) -> None:
        """Take frames in again."""
        self._discarding = False

    def offer(self, frame: bytes) -> bool:
        """Take a frame in; False when there is no room for it."""
        if self._discarding:
            return True
        if self._bytes + len(frame) > self._most_bytes and self._frames:
            return False
        self._frames.append(frame)
        self._bytes += len(frame)
        self._ready.set()
        return True

    async def make_room(self) -> None:
        """Wait until some is taken, as long as that is safe, else leave out what newer states replace.

        Raises DisconnectedError when not even the newest states fit.
        """
        began = self._clock()
        self._patience = min(PATIENCE, self._patience + (began - self._waited_at) * RECOVERY)
        self._waited_at = began
        self._room.clear()
        if self._patience > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._room.wait()
            self._waited_at = self._clock()
            self._patience -= self._waited_at - began
        if not self._room.is_set():
            self._leave_out()

    async def take(self) -> tuple[list[Shed], list[bytes]]:
        """Wait for something and take it: first the newest of what was left out, then frames in order."""
        await self._ready.wait()
        shed = list(self._shed.values())
        self._forget_shed()
        taken: list[bytes] = []
        size = 0
        while self._frames and size < SLICE_BYTES:
            frame = self._frames.popleft()
            size += len(frame)
            taken.append(frame)
        self._bytes -= size
        if not self._frames:
            self._ready.clear()
        self._room.set()
        return shed, taken

    def _leave_out(self) -> None:
        left_out = 0
        lost_answer = False
        for frame in self._frames:
            for item in frames.items(frame, self._odd):
                if isinstance(item, StateChange):
                    left_out += self._replace(item)
                elif isinstance(item, Answer):
                    lost_answer = True
                else:
                    left_out += 1
        self._frames.clear()
        self._bytes = 0
        self._note_shed(left_out)
        if lost_answer:
            self._lost_answer()
        if self._shed_bytes > MOST_SHED_BYTES:
            message = "Home Assistant sends more than can be taken: connecting anew, with what has changed until then"
            raise DisconnectedError(message)

    def _replace(self, change: StateChange) -> bool:
        """Keep a change as its entity's newest; tell whether it replaces another one."""
        new = frames.keep(change).data.new_state
        size = _OVERHEAD + (memoryview(new.attributes).nbytes if isinstance(new, NewState) else 0)
        before = self._shed.pop(change.data.entity_id, None)
        skipped = 0
        if before is not None:
            change.data.old_state = before.change.data.old_state
            skipped = before.skipped + 1
            self._shed_bytes -= before.size
        self._shed[change.data.entity_id] = Shed(change, skipped, size)
        self._shed_bytes += size
        return before is not None

    def _forget_shed(self) -> None:
        self._shed.clear()
        self._shed_bytes = 0
