"""Who may call Strava next: one limiter for each app, because all athletes of an app share its calls.

A call waits for its turn: the more important first, owners in turn among equals. A share of each window is kept for
what Strava announced. See https://developers.strava.com/docs/rate-limits/ for the limits.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TypeAlias

import msgspec
from msgspec import Struct

from jitney.adapters.strava.errors import LimitedError
from jitney.adapters.strava.meters import DAY, QUARTER, KeptMeter, Meters, Sent
from jitney.adapters.strava.reading import ERRORS
from jitney.adapters.strava.waiting import Priority, Waiter, Waiting

__all__ = ["Limiter", "Priority", "Quota", "Turn"]

PATIENCE: Final = 1200.0
"""Seconds that a call may wait for its turn: more than one quarter of an hour."""

MOST_WAITING: Final = 300

EARLIEST: Final = 1.0
LATEST: Final = 5.0
"""Seconds after the end of a used-up window in which the next one begins for us: clocks differ, and so do apps."""

_LOOK_AGAIN: Final = 60.0
"""Seconds after which who waits looks at the clock again, because it may have been put right."""

Pause: TypeAlias = Callable[["asyncio.Future[Turn]", float], Awaitable[object]]
"""Waits until a future is done or so many seconds are over, whatever is first; tests turn the clock instead."""


class Quota(Struct, frozen=True, kw_only=True):
    """The calls of an app in this quarter of the hour and this day of UTC; times in Unix seconds.

    Of the limits for reading and for all calls the one is shown of which less is left. ``blocked_until``: Strava said
    that it was too much, and no call is made before; 0.0 when it did not.
    """

    short_limit: int
    short_used: int
    short_resets_at: float
    day_limit: int
    day_used: int
    day_resets_at: float
    blocked_until: float = 0.0

    @property
    def short_left(self) -> int:
        """Calls left in this quarter of the hour."""
        return max(0, self.short_limit - self.short_used)

    @property
    def day_left(self) -> int:
        """Calls left today."""
        return max(0, self.day_limit - self.day_used)


class Turn:
    """A call that may be made now: ``with await limiter.turn(…) as turn``, and in it ``turn.answered(headers)``.

    Left without an answer, the call is counted until an answer to a later one tells better.
    """

    def __init__(self, limiter: "Limiter", sent: Sent) -> None:
        self.sent = sent
        self._limiter = limiter

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.answered({})

    def answered(self, headers: Mapping[str, str]) -> None:
        """Tell the headers of the answer; only the first call counts."""
        self._limiter.end(self.sent, headers)


class Limiter:
    """Lets the calls of one app through, never more in a window than Strava allows.

    ``reserve`` is the share of each window that only ``Priority.EVENT`` may use, ``patience`` the seconds that a call
    waits at most. The clock tells Unix seconds and may jump.
    """

    def __init__(
        self,
        *,
        reserve: float,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
        most: int = MOST_WAITING,
        pause: Pause | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._reserve = reserve
        self._clock = clock
        self._patience = patience
        self._most = most
        self._pause = pause or _pause
        self._jitter = jitter or _jitter
        self._meters = Meters()
        self._sent = 0
        self._on_the_way: set[int] = set()
        self._waiting: Waiting[Turn] = Waiting()
        self._opening = _Block()
        self._blocked = _Block()

    async def turn(self, priority: Priority, owner: str, *, patience: float | None = None) -> Turn:
        """Wait until a call may be made and count it.

        Raises LimitedError when that would take longer than ``patience`` seconds, or when too many wait already.
        """
        patient = self._patience if patience is None else patience
        deadline = self._clock() + patient
        while True:
            turn = await self._next(priority, owner, patience=patient, deadline=deadline)
            if self._blocked.until <= self._clock():
                return turn
            self._take_back(turn.sent)  # a 429 came between the turn and its being taken

    def learn(self, headers: Mapping[str, str]) -> None:
        """Note what the headers say of an answer to a call that had no turn."""
        self._roll()
        self._meters.learn(headers, None, number=self._sent)
        self._let_through()

    def end(self, sent: Sent, headers: Mapping[str, str]) -> None:
        """Note that a call is no longer on its way; see ``Turn``."""
        if sent.number not in self._on_the_way:
            return
        self._on_the_way.remove(sent.number)
        self._roll()
        self._meters.learn(headers, sent, number=self._sent)
        self._let_through()

    def exceeded(self, retry_after: float | None) -> float:
        """Stop all calls after a 429, which was told to its turn before; return until when, in Unix seconds.

        That is the end of the quarter of the hour, of the day when that is used up, or what Strava asks for
        (``retry_after`` in seconds) when that is later.
        """
        now = self._roll()
        day_is_used_up = any(meter.used(0) >= meter.limit for meter in self._meters.of(DAY))
        end = self._meters.of(DAY if day_is_used_up else QUARTER)[0].end
        asked = now + min(max(retry_after or 0.0, 0.0), DAY)
        until = max(max(end, asked) + self._jitter(), self._blocked.until)
        self._blocked = _Block(until, until - now, until - now)
        self._let_through()
        return until

    @property
    def quota(self) -> Quota:
        """What is left."""
        now = self._roll()
        on_the_way = len(self._on_the_way)
        short, day = (
            min(self._meters.of(length), key=lambda meter: meter.limit - meter.used(on_the_way))
            for length in (QUARTER, DAY)
        )
        return Quota(
            short_limit=short.limit,
            short_used=short.used(on_the_way),
            short_resets_at=short.end,
            day_limit=day.limit,
            day_used=day.used(on_the_way),
            day_resets_at=day.end,
            blocked_until=self._blocked.until if self._blocked.until > now else 0.0,
        )

    def dump(self) -> bytes:
        """Return what is to be kept over a restart."""
        self._roll()
        meters = self._meters.keep(len(self._on_the_way))
        return msgspec.json.encode(_Kept(meters, self._blocked.until, self._blocked.span))

    def restore(self, raw: bytes) -> None:
        """Go on from what was kept; what cannot be read is forgotten, as is the usage of windows that are over."""
        try:
            kept = msgspec.json.decode(raw, type=_Kept)
        except ERRORS:
            return
        self._meters.restore(kept.meters)
        span = min(kept.blocked_span, DAY + LATEST)
        self._blocked = _Block(kept.blocked_until, span, span)
        self._roll()

    def _roll(self) -> float:
        """Begin the windows of now, and return now."""
        now = self._clock()
        if self._meters.roll(now):
            self._opening = _Block(now // QUARTER * QUARTER + self._jitter(), LATEST, LATEST)
        self._opening, self._blocked = self._opening.seen(now), self._blocked.seen(now)
        return now

    def _ready_at(self, priority: Priority, now: float) -> float:
        """Return when a call of this priority may be made, ``now`` at the earliest."""
        on_the_way = len(self._on_the_way)
        ready = max(now, self._blocked.until, self._opening.until)
        for meter in self._meters:
            kept_free = 0 if priority is Priority.EVENT else int(meter.limit * self._reserve)
            if meter.used(on_the_way) >= meter.limit - kept_free:
                ready = max(ready, meter.end)
        return ready

    async def _next(self, priority: Priority, owner: str, *, patience: float, deadline: float) -> Turn:
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        waiter = Waiter(future, priority, owner, patience=patience, deadline=deadline)
        self._waiting.add(waiter)
        try:
            self._let_through()
            self._turn_away()
            while not future.done():
                await self._pause(future, self._delay(waiter))
                self._let_through()
            return future.result()
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def _let_through(self) -> None:
        """Give a turn to everyone who may have it now, and tell those who would wait too long."""
        now = self._roll()
        for priority in Priority:
            while self._waiting.has(priority):
                ready = self._ready_at(priority, now)
                if ready > now:
                    self._refuse_impatient(priority, now, ready)
                    break
                self._grant(self._waiting.take(priority), now)

    def _grant(self, waiter: Waiter[Turn], now: float) -> None:
        self._sent += 1
        self._on_the_way.add(self._sent)
        for meter in self._meters:
            meter.let_through()
        waiter.future.set_result(Turn(self, Sent(self._sent, now)))

    def _refuse_impatient(self, priority: Priority, now: float, ready: float) -> None:
        for waiter in self._waiting.of(priority):
            waiter.deadline = min(waiter.deadline, now + waiter.patience)
            if ready > waiter.deadline or now >= waiter.deadline:
                self._refuse(waiter, ready, "Strava's limit for this app is used up")

    def _turn_away(self) -> None:
        """Refuse whoever is least important while more wait than may."""
        while len(self._waiting) > self._most:
            waiter = self._waiting.least_important()
            ready = self._ready_at(waiter.priority, self._clock())
            self._refuse(waiter, ready, f"{self._most} calls wait for Strava already")

    def _refuse(self, waiter: Waiter[Turn], ready: float, reason: str) -> None:
        self._waiting.remove(waiter)
        at = datetime.fromtimestamp(ready, UTC).strftime("%H:%M:%S UTC on %-d %B")
        waiter.future.set_exception(LimitedError(f"{reason}: not before {at}", until=ready))

    def _withdraw(self, waiter: Waiter[Turn]) -> None:
        """Forget who was cancelled; the turn it may have had goes to somebody else."""
        if not waiter.future.done():
            self._waiting.remove(waiter)
        elif waiter.future.exception() is None:
            self._take_back(waiter.future.result().sent)
            self._let_through()

    def _take_back(self, sent: Sent) -> None:
        self._on_the_way.discard(sent.number)
        for meter in self._meters:
            meter.take_back(sent)

    def _delay(self, waiter: Waiter[Turn]) -> float:
        now = self._clock()
        return max(0.0, min(self._ready_at(waiter.priority, now) - now, waiter.deadline - now, _LOOK_AGAIN))


class _Block(Struct, frozen=True):
    """No call before ``until``: ``span`` seconds away when that was decided, ``left`` seconds at the last look."""

    until: float = 0.0
    span: float = 0.0
    left: float = 0.0

    def seen(self, now: float) -> "_Block":
        """Return it as it is now: a clock that was put back does not make it longer."""
        if self.until <= now:
            return _Block()
        left = min(self.until - now, self.left)
        return _Block(self.until if left == self.until - now else now + left, self.span, left)


class _Kept(Struct, frozen=True):
    meters: dict[str, KeptMeter]
    blocked_until: float
    blocked_span: float


async def _pause(future: "asyncio.Future[Turn]", seconds: float) -> None:
    await asyncio.wait((future,), timeout=seconds)


def _jitter() -> float:
    return random.uniform(EARLIEST, LATEST)  # noqa: S311 - spreads calls, guards nothing
