"""Log lines over MQTT, on `_bus/{instance}/log`, and levels that are otherwise for a time."""

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon import log
from jitney.daemon.broker.session import Message
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.administration import BUS
from jitney.daemon.delivery.log_lines import public
from jitney.daemon.delivery.turns import Turns
from jitney.topics import TopicTree
from jitney.topics.tree import BusTopic

MOST_LINES: Final = 200
"""Lines that wait for the broker; the oldest gives way."""

EXPIRY: Final = 300
"""Seconds after which the broker forgets a line for somebody who is away."""

_MINUTE: Final = 60.0

_log = log.get("log")


class Told(Struct, frozen=True):
    """How it stands: from which level on lines go to the broker, and which parts are otherwise ("" is all of them)."""

    mqtt: str
    changed: Mapping[str, str]
    parts: tuple[str, ...]


class Logbook:
    """Sends lines while it is entered, but none about its own topic: that would never end."""

    def __init__(self, tree: TopicTree, turns: Turns, *, instance: str, counters: Counters) -> None:
        self.queued = False
        self._topic = tree.name(BusTopic(instance, "log"))
        self._turns = turns
        self._counters = counters
        self._level: log.Level | Literal["off"] = "off"
        self._lines: deque[bytes] = deque()
        self._lost = 0
        self._entered = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._entered = True
        log.hear(self._hear, self._level)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        log.hear(None, "off")
        for part in list(self._timers):
            self._back(part)

    def use(self, level: log.Level | Literal["off"]) -> None:
        """Send lines from this level on; to be called before it is entered, or while it is."""
        self._level = level
        if self._entered:
            log.hear(self._hear, level)

    async def requested(self, data: Raw) -> Told:
        """Let a part write from another level on for some minutes, and tell how it stands; raises RefusedError."""
        try:
            asked = msgspec.json.decode(data, type=_Asked)
            if asked.level:
                self._change(asked.part, asked.level, asked.minutes)
        except (msgspec.MsgspecError, log.UnknownPartError) as error:
            raise RefusedError("invalid", str(error)) from error
        return Told(self._level, dict(self._changed), tuple(sorted(log.parts())))

    def pop(self) -> Message | None:
        """Take the next line."""
        if not self._lines:
            return None
        return Message(self._topic, self._lines.popleft(), expiry=EXPIRY)

    def _change(self, part: str, level: "log.Level | Literal['configured']", minutes: float) -> None:
        log.change(part, None if level == "configured" else level)
        if (timer := self._timers.pop(part, None)) is not None:
            timer.cancel()
        self._changed.pop(part, None)
        if level != "configured":
            self._changed[part] = level
            self._timers[part] = self._loop.call_later(minutes * _MINUTE, self._back, part)

    def _back(self, part: str) -> None:
        """Let a part be as it is configured."""
        self._change(part, "configured", 0)
        _log.info("the log level is as configured again", of=part or "all parts")

    def _hear(self, line: Mapping[str, Any]) -> None:
        """Take a line, in whichever thread it was written."""
        if line.get("topic") == self._topic:
            return
        lost, self._lost = self._lost, 0
        self._lines.append(public(line, parts=log.parts(), lost=lost))
        if len(self._lines) > MOST_LINES:
            self._lines.popleft()
            self._lost += 1
            self._counters.add("dropped", adapter="log", reason="log_full")
        if threading.get_ident() == self._thread:
            self._turns.ready(BUS, self)
        else:
            with suppress(RuntimeError):  # the loop has ended, and nobody sends anything any more
                self._loop.call_soon_threadsafe(self._turns.ready, BUS, self)


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    level: Literal["", "debug", "info", "warning", "error", "configured"] = ""
    part: str = ""
    minutes: Annotated[float, Meta(gt=0, le=1440)] = 10.0
