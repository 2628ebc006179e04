"""Sends what owners want on the air: one packet after the other, no faster than the radio and the air can take it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NoReturn, Protocol

from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.book import Book
from jitney.adapters.meshtastic.heard import Heard, Notice, QueueStatus, Received
from jitney.adapters.meshtastic.kinds_sending import Progress
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.news import News
from jitney.adapters.meshtastic.outcomes import Answer, Outcomes, complaint, failed, read_answer, refusal
from jitney.adapters.meshtastic.outgoing import ANSWER, NO_HOPS_GIVEN, Outgoing, Priority
from jitney.adapters.meshtastic.pacing import Pacing, Slots
from jitney.adapters.meshtastic.timing import Timing
from jitney.adapters.meshtastic.waiting import Waiting

FLUSH: Final = 1.0
"""Seconds that the last news may take when the attempt ends."""

_PURGE: Final = 60.0
_NO_LINK: Final = 1.0
_SHORTEST: Final = 0.001
_EARLY: Final = 64
_ALERT: Final = 110
"""``MeshPacket.Priority.ALERT``; for everything else the firmware knows best."""

_NO_ROOM: Final = "queue_full"
_DISCONNECTED: Final = "disconnected"


class Link(Protocol):
    """The connection to a radio, as far as sending needs it."""

    async def send(
        self,
        data: bytes,
        *,
        port: int,
        to: int,
        channel: int = 0,
        want_ack: bool = False,
        want_response: bool = False,
        reply_id: int = 0,
        emoji: bool = False,
        hop_limit: int | None = None,
        priority: int | None = None,
    ) -> int:
        """Give a packet to the radio and return its id; raises RefusedError or DisconnectedError."""


class Sender:
    """The queue of one radio during one attempt; ``pacing`` and ``airtime`` outlive it."""

    def __init__(
        self,
        ctx: Context,
        limits: Limits,
        *,
        link_of: Callable[[], Link | None],
        own: int,
        pacing: Pacing,
        airtime: Airtime,
        timing: Timing,
    ) -> None:
        self.airtime = airtime
        self.timing = timing
        self._ctx = ctx
        self._link_of = link_of
        self._own = own
        self._pacing = pacing
        self._slots = Slots()
        self._waiting = Waiting(limits, pacing=pacing, airtime=airtime, slots=self._slots)
        self._outcomes = Outcomes()
        self._book = Book(ctx)
        self._news = News(ctx, self._book, timing)
        self._wake = asyncio.Event()
        self._early: list[Answer] = []
        self._marking = asyncio.Lock()
        self._handing: Outgoing | None = None
        self._running = False
        self._purge_at = timing.now() + _PURGE

    async def load(self) -> None:
        """Read what an earlier run has left; from then on packets are accepted, to be sent once ``run`` is called."""
        now, unix = self.timing.now(), self.timing.unix()
        items = await self._book.load(unix)
        self._pacing.remember(items, unix=unix, now=now)
        for item in items:
            if item.packet_id:
                self._outcomes.expect(item, now - max(0.0, unix - item.handed))
            elif item.handing and not item.is_final:
                reason = "it was being given to the radio when that broke off: it may be on the air or not"
                self._news.put(replace(item, state="unknown", code="interrupted", reason=reason))
            elif not item.is_final:
                self._waiting.add([item], unix=unix, now=now)
        self._running = True

    async def run(self) -> NoReturn:
        """Send until the connection ends, which raises DisconnectedError in a group; cancelled to stop it."""
        if not self._running:
            await self.load()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._news.run(), name=f"{self._ctx.name}: news of what is sent")
                await self._work()
        finally:
            self._running = False
            self._news.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH):
                    await self._news.flush()

    async def accept(self, items: Sequence[Outgoing]) -> tuple[Outgoing, ...]:
        """Let packets of one command wait for their turn; when this returns they are on disk.

        Raises RefusedError.
        """
        if not self._running:
            raise RefusedError("offline", f"{self._ctx.name} is not connected to its radio now")
        owner, number = items[0].owner, len(items)
        self._waiting.promise(owner, number)
        try:
            await self._book.write(items)
            for item in items:
                self._book.put(item, self.timing.unix())
            await self._news.tell(items)
        finally:
            self._waiting.release(owner, number)
        self._waiting.add(items, unix=self.timing.unix(), now=self.timing.now())
        self._wake.set()
        return tuple(items)

    @property
    def waiting(self) -> int:
        """How many packets wait for their turn."""
        return len(self._waiting)

    def answers(self) -> list[Outgoing]:
        """Return the automatic answers that were accepted in the last minutes, also before a restart."""
        return self._book.of_kind(ANSWER)

    def answered_by(self, request: int, sender: int) -> Outgoing | None:
        """Return the packet of that id if the node of that number may answer it, None when it was not sent by us."""
        item = self._outcomes.asked(request) or self._handing
        return item if item is not None and sender in (self._own, item.packet.to) else None

    def of_command(self, command: str) -> tuple[Outgoing, ...]:
        """Return the packets that a command has asked for already, none for a new one."""
        return self._book.of_command(command)

    async def reach(
        self, items: Sequence[Outgoing], wanted: Progress, *, seconds: float, going: Callable[[], bool] = lambda: True
    ) -> tuple[Outgoing, ...]:
        """Wait until packets have come as far as ``wanted`` or have ended; return their newest states.

        So many seconds at most, and no longer than ``going`` says at every ``wake`` that it is worth it.
        """
        return await self._news.reach(items, wanted, seconds=seconds, going=lambda: self._running and going())

    def wake(self) -> None:
        """Let those who wait in ``reach`` look again."""
        self._news.wake()

    def withdraw(self, item: Outgoing) -> None:
        """Let a packet not be sent any more, if it still waits."""
        if self._waiting.discard(item.id):
            self._news.put(failed(item, "withdrawn", "it is not wanted any more"))

    async def forget(self, owner: str) -> None:
        """Remove everything of an owner that is not yet on the air, and what is known of the rest."""
        async with self._marking:
            for item in self._waiting.of_owner(owner):
                self._waiting.discard(item.id)
            self._outcomes.forget(owner)
            await self._book.forget(owner)

    def heard(self, one: Heard) -> None:
        """Learn from anything that the radio says what became of packets, and how busy it and the air are."""
        now = self.timing.now()
        match one:
            case Received():
                if one.packet.get("from") == self._own:
                    self.airtime.heard(one.packet, now)
                self._answered(read_answer(one.packet))
            case Notice():
                self._answered(complaint(one.reply_id, one.message, self._own))
            case QueueStatus():
                self._slots.heard(one.free, now)
                self._answered(refusal(one.packet_id, one.result, self._own))
                self._wake.set()

    async def _work(self) -> NoReturn:
        while True:
            self._wake.clear()
            await self._look_after()
            now = self.timing.now()
            link = self._link_of()
            item = None if link is None or self._news.is_full else self._waiting.next(now)
            if link is not None and item is not None and await self._hand_over(item, link):
                continue
            await self.timing.wait(self._wake, self._pause(ready=link is not None and item is None))

    async def _look_after(self) -> None:
        """End what has waited too long for its turn or for an answer, and forget what ended long ago."""
        now = self.timing.now()
        for item in self._waiting.expired(now):
            why = self._waiting.held(item, now) or "its turn did not come"
            seconds = item.until - item.accepted
            self._news.put(
                replace(item, state="expired", code="expired", reason=f"not sent within {seconds:g} s: {why}")
            )
        for item in self._outcomes.silent(now):
            self._news.put(item)
        if now >= self._purge_at:
            self._purge_at = now + _PURGE
            with suppress(RefusedError):
                await self._book.purge(self.timing.unix())

    def _pause(self, *, ready: bool) -> float:
        """Return the seconds until there may be something to do."""
        now = self.timing.now()
        pause = min(self._outcomes.pause(now), self._purge_at - now)
        return max(_SHORTEST, min(pause, self._waiting.pause(now) if ready and not self._news.is_full else _NO_LINK))

    async def _hand_over(self, item: Outgoing, link: Link) -> bool:
        """Give a packet to the radio; tells False when that has to wait. Raises DisconnectedError."""
        if not await self._mark(item, handing=True):
            return False
        self._handing = item
        try:
            new = await self._send(item, link)
        finally:
            self._handing = None
            early, self._early = self._early, []
            self._pacing.sent(item.packet.port, self.timing.now())
            self._slots.taken()
        if new is None:
            self._slots.heard(0, self.timing.now())
            await self._mark(item, handing=False)
            return False
        if self._waiting.taken(item):
            self._news.put(new)
            if new.packet_id:
                self._outcomes.expect(new, self.timing.now())
        for answer in early:
            self._answered(answer)
        if new.code == _DISCONNECTED:
            raise DisconnectedError(new.reason)
        return True

    async def _mark(self, item: Outgoing, *, handing: bool) -> bool:
        """Write whether a packet is being given to the radio; tells False when that cannot be kept or it is gone."""
        async with self._marking:
            if item not in self._waiting:
                return False
            try:
                await self._book.write([replace(item, handing=handing)])
            except RefusedError:
                self._ctx.count("outgoing_not_kept")
                return False
        return True

    async def _send(self, item: Outgoing, link: Link) -> Outgoing | None:
        """Return what a packet has become of being given to the radio, None when the radio has no room for it."""
        packet = item.packet
        try:
            packet_id = await link.send(
                packet.payload,
                port=packet.port,
                to=packet.to,
                channel=packet.channel,
                want_ack=packet.want_ack,
                want_response=packet.want_response,
                reply_id=packet.reply_id,
                emoji=packet.emoji,
                hop_limit=None if packet.hop_limit == NO_HOPS_GIVEN else packet.hop_limit,
                priority=_ALERT if item.priority is Priority.ALERT else None,
            )
        except RefusedError as error:
            return None if error.code == _NO_ROOM else failed(item, error.code, str(error))
        except DisconnectedError as error:
            reason = f"{error}: it may be on the air or not"
            return replace(item, state="unknown", code=_DISCONNECTED, reason=reason)
        return replace(item, state="sent", handed=self.timing.unix(), packet_id=packet_id)

    def _answered(self, answer: Answer | None) -> None:
        """Take an answer in; one to the packet that is just being given to the radio is kept until its id is known."""
        if answer is None:
            return
        new = self._outcomes.heard(answer, own=self._own)
        if new is None:
            if self._handing is not None and len(self._early) < _EARLY:
                self._early.append(answer)
            return
        if new.code == "duty_cycle_limit":
            self.airtime.refused(self.timing.now())
        self._news.put(new)
        self._wake.set()
