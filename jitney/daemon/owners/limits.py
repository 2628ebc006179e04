"""The limits of each owner: token buckets that need neither a task nor a timer."""

import time
from collections.abc import Mapping
from math import inf
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.schema import Config

PATIENCE: Final = 5.0
"""Seconds that a source may be made to wait at once, and the most that is held against it."""

SWEEP_SECONDS: Final = 60.0
"""How often the buckets that are full again are forgotten."""

_ROUNDING: Final = 0.5
"""Half a token counts as one: else what is left of a sum of fractions would count as one more."""

_NOTHING: Final = OwnLimits()


class Bucket:
    """A token bucket: ``burst`` tokens, of which ``rate`` a second come back. A rate of 0 is no limit.

    It is one number, the instant at which it will be full again (a generic cell rate algorithm), so that nothing has
    to be done while time passes. Instants are seconds that only go forward.
    """

    __slots__ = ("_depth", "_full", "_gain", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._gain = 1.0 / rate if rate else 0.0
        self._depth = (burst - _ROUNDING) / rate if rate else inf
        self._full = -inf

    def take(self, now: float, number: float = 1.0) -> bool:
        """Take tokens; False, and none are taken, when it is empty. The last ones may be more than there are."""
        full = max(now, self._full)
        if full - now >= self._depth:
            return False
        self._full = full + number * self._gain
        return True

    def owe(self, now: float, number: float = 1.0) -> float:
        """Take tokens whether they are there or not; returns in how many seconds it is not overdrawn any more."""
        full = max(now, self._full)
        self._full = min(full + number * self._gain, now + self._depth + PATIENCE)
        return max(0.0, self._full - now - self._depth)

    def used(self, now: float) -> float:
        """Return how many tokens are not there."""
        return max(0.0, self._full - now) * self.rate

    def idle(self, now: float) -> bool:
        """Tell whether it is full: as if it had never been used."""
        return self._full <= now


class Limits:
    """What each owner may take, and of the events of adapters what they have taken. ``clock`` only goes forward."""

    def __init__(self, config: Config, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._settings = config.limits
        self._own = _own(config)
        self._of: dict[str, LimitSettings] = {}
        self._events: dict[str, tuple[Bucket, Bucket]] = {}
        self._sweep = -inf

    def use(self, config: Config) -> None:
        """Let another configuration count; whose limits stay as they are has taken what they have taken."""
        before, self._of = self._of, {}
        self._settings, self._own = config.limits, _own(config)
        for owner, settings in before.items():
            if self.of(owner) != settings:
                self._events.pop(owner, None)

    def of(self, owner: str) -> LimitSettings:
        """Return what counts for an owner."""
        found = self._of.get(owner)
        if found is None:
            found = self._of[owner] = self._settings.of(owner, self._own.get(owner, _NOTHING))
        return found

    def admits(self, owner: str, size: int) -> bool:
        """Take one event of an owner into account, of so many bytes; False when it is too much."""
        found = self._events.get(owner)
        number, kilobytes = self._begun(owner) if found is None else found
        now = self._clock()
        return number.take(now) and kilobytes.take(now, size / 1000)

    def wait(self, owner: str, number: int, size: int) -> float:
        """Take events of an owner into account, of so many bytes together.

        Returns for how many seconds their source has to wait.
        """
        found = self._events.get(owner)
        events, kilobytes = self._begun(owner) if found is None else found
        now = self._clock()
        return max(events.owe(now, number), kilobytes.owe(now, size / 1000))

    def used(self, owner: str) -> float:
        """Return how much of the burst of events of an owner is used up, in events or in KB, whichever is more."""
        now = self._clock()
        return max((bucket.used(now) for bucket in self._events.get(owner, ())), default=0.0)

    def _begun(self, owner: str) -> tuple[Bucket, Bucket]:
        now = self._clock()
        if now >= self._sweep:
            self._sweep = now + SWEEP_SECONDS
            idle = [known for known, buckets in self._events.items() if all(bucket.idle(now) for bucket in buckets)]
            for known in idle:
                del self._events[known]
        settings = self.of(owner)
        found = self._events[owner] = (
            Bucket(settings.events_per_second, settings.event_burst),
            Bucket(settings.event_kb_per_second, settings.event_burst),
        )
        return found


def _own(config: Config) -> Mapping[str, OwnLimits]:
    return {owner: settings.limits for owner, settings in config.owners.items()}
