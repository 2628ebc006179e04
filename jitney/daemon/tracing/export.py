"""Tells a collector what was followed: in batches, off the way of the events, whatever becomes of the collector."""

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from random import uniform
from time import monotonic
from typing import TYPE_CHECKING, Final

from jitney.adapters.base import Clock
from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.traces import Traces
from jitney.daemon.log import Decay, get
from jitney.daemon.tracing.apart import apart

if TYPE_CHECKING:
    from jitney.daemon.tracing.following import Following
    from jitney.daemon.tracing.otlp import Collector, Outcome
    from jitney.daemon.tracing.spans import Span

LOOK: Final = 0.4
"""Seconds between two looks at the traces, of which a burst leaves each for one second."""

EVERY: Final = 5.0
"""Seconds until a batch is sent that is not full."""

BATCH: Final = 512
MOST_WAITING: Final = 4 * BATCH
"""Spans of one request, and those that wait for their collector; beyond it the oldest are dropped and counted."""

FIRST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds between two attempts while the collector is away."""

LAST: Final = 1.5
"""Seconds for what is being sent when the bus stops; what it takes longer is broken off, within as long again."""

_log = get("tracing")


class Export:
    """Does as `[tracing]` says, from now on and after each ``use``. Nothing is imported and done while it is off."""

    def __init__(
        self,
        settings: TracingSettings,
        traces: Traces,
        *,
        instance: str,
        counters: Counters,
        clock: Clock = monotonic,
    ) -> None:
        self._settings = settings
        self._traces = traces
        self._instance = instance
        self._counters = counters
        self._clock = clock
        self._decay = Decay(_log)
        self._changed = asyncio.Event()
        self._following: Following | None = None
        self._waiting: deque[Span] = deque()
        self._sending: asyncio.Future[Outcome] | None = None
        self._batch: list[Span] = []
        self._failures = 0
        self._due = 0.0

    def use(self, settings: TracingSettings) -> None:
        """Do as other settings say."""
        if settings != self._settings:
            self._settings = settings
            self._changed.set()

    async def run(self) -> None:
        """Follow and tell; cancelled to stop it."""
        while True:
            self._changed.clear()
            if self._settings.otlp:
                await self._tell(self._settings)
            else:
                self._following = None
                self._waiting.clear()
                await self._changed.wait()

    async def _tell(self, settings: TracingSettings) -> None:
        """Tell one collector until there are other settings."""
        if self._following is None:
            from jitney.daemon.tracing.following import Following  # noqa: PLC0415 - memory for those who want it

            self._following = Following(self._traces, settings, lost=partial(self._dropped, "queue_full"))
        self._following.use(settings)
        try:
            collector = await apart(partial(_collector, settings, self._instance), name="otlp")
        except ImportError as error:
            _log.error("traces cannot be exported", reason=str(error), remedy="pip install 'jitney[otel]'")
            await self._changed.wait()
            return
        self._failures, self._due = 0, self._clock() + EVERY
        try:
            while not self._changed.is_set():
                self._take(self._following.look())
                self._go_on(collector)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._changed.wait()
        finally:
            await self._leave(collector, self._following)

    def _take(self, spans: "list[Span]") -> None:
        self._waiting.extend(spans)
        over = len(self._waiting) - MOST_WAITING
        for _ in range(over):
            self._waiting.popleft()
        if over > 0:
            self._dropped("queue_full", over)

    def _go_on(self, collector: "Collector") -> None:
        """Settle what was sent, and send what waits when it is time."""
        if self._sending is not None:
            if not self._sending.done():
                return
            self._settle(self._sending.result())
        now = self._clock()
        if self._waiting and (now >= self._due or (len(self._waiting) >= BATCH and not self._failures)):
            self._send(collector)
            self._due = now + EVERY

    def _send(self, collector: "Collector") -> None:
        self._batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        self._sending = apart(partial(collector.send, self._batch), name="otlp")

    def _settle(self, outcome: "Outcome") -> None:
        batch, self._batch, self._sending = self._batch, [], None
        if not outcome.reason:
            self._failures = 0
            self._counters.add("spans", len(batch), reason="sent")
            self._decay.over("the collector takes traces again")
            return
        self._failures += 1
        pause = min(LONGEST, FIRST * 2 ** min(self._failures, 10)) * uniform(0.5, 1)  # noqa: S311 - no secret
        self._due = self._clock() + max(pause, outcome.after)
        self._decay.failed("the collector takes no traces", reason=outcome.reason, url=self._settings.otlp)
        if outcome.final:
            self._dropped("refused", len(batch))
        else:
            self._waiting.extendleft(reversed(batch))
            self._take([])

    async def _leave(self, collector: "Collector", following: "Following") -> None:
        """Send what can still be sent, and end what is being sent."""
        if self._sending is None and not self._failures:
            self._take(following.look())
            if self._waiting:
                self._send(collector)
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=LAST)
            collector.close()
            await asyncio.wait([self._sending], timeout=LAST)
            if self._sending.done():
                self._settle(self._sending.result())
            else:
                self._dropped("ended", len(self._batch))
                self._sending, self._batch = None, []
        else:
            collector.close()

    def _dropped(self, reason: str, number: int) -> None:
        self._counters.add("spans", number, reason=reason)


def _collector(settings: TracingSettings, instance: str) -> "Collector":
    from jitney.daemon.tracing.otlp import Collector  # noqa: PLC0415 - an extra, heavy to import

    return Collector(settings, instance=instance)
