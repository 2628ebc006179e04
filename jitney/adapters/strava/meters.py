"""How many calls are left in one of Strava's windows, as far as its headers and our own counting tell.

Windows are fixed: quarters of the hour, and days of UTC. What an answer tells is true for the moment in which its call
was handled, so calls on their way are added, and never less is assumed than was let through since the window began.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

QUARTER: Final = 900
DAY: Final = 86_400
"""Seconds of the two windows."""

_TWO: Final = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*")

PAIRS: Final = {"read": ("x-readratelimit", (100, 1000)), "overall": ("x-ratelimit", (200, 2000))}
"""What is counted: the header that tells it, and the limits of a quarter and of a day until a header tells others."""


class Said(Struct, frozen=True, gc=False):
    """What an answer says of one meter; None for what it does not."""

    limit: int | None = None
    used: int | None = None


class Sent(Struct, frozen=True, gc=False):
    """A call on its way: the how manieth it is, and when it was let through, in Unix seconds."""

    number: int
    at: float


class KeptMeter(Struct, frozen=True):
    """A meter as it is kept over restarts."""

    limit: int
    window: int
    used: int


class Meter:
    """The calls of one window; ``number`` is everywhere the count of calls let through until a moment."""

    def __init__(self, length: int, limit: int) -> None:
        self.length = length
        self.limit = limit
        self._window = 0
        self._own = 0
        self._told = 0
        self._told_at = 0
        self._untold: list[int] = []

    @property
    def end(self) -> float:
        """When the window ends, in Unix seconds."""
        return float((self._window + 1) * self.length)

    def roll(self, now: float) -> bool:
        """Begin the window of ``now``; True when the one before it was used up.

        A clock that was put back does not give calls back, and what was counted counts no longer than to the end of
        the window in which the clock is now.
        """
        window = int(now // self.length)
        full = False
        if window > self._window:
            full = window == self._window + 1 and self.used(0) >= self.limit
            self._own = self._told = self._told_at = 0
            self._untold.clear()
        self._window = window
        return full

    def used(self, on_the_way: int) -> int:
        """Return the most that can be used when so many calls are on their way."""
        return max(self._own, self._told + len(self._untold) + on_the_way)

    def let_through(self) -> None:
        """Count a call."""
        self._own += 1

    def take_back(self, call: Sent) -> None:
        """Count a call no longer that was let through and not made."""
        if self._is_of_this_window(call):
            self._own -= 1

    def learn(self, said: Said, call: Sent | None, *, number: int) -> None:
        """Note what the answer to a call says; None: to one that was not counted here.

        A call that was made after the last word on usage knows it better, whatever it says. Of one that was made in an
        earlier window it is not known which one it is counted in, nor which its answer tells of.
        """
        if said.limit:
            self.limit = said.limit
        if call is None:
            self._told = max(self._told, said.used or 0)
        elif said.used is None or not self._is_of_this_window(call):
            self._untold.append(number)
        else:
            self._told = said.used if call.number > self._told_at else max(self._told, said.used)
            self._told_at = number
            self._untold = [until for until in self._untold if until >= call.number]

    def keep(self, on_the_way: int) -> KeptMeter:
        """Return what is to be kept over a restart; the same for as long as nothing happens."""
        used = self.used(on_the_way)
        return KeptMeter(self.limit, self._window if used else 0, used)

    def restore(self, kept: KeptMeter) -> None:
        """Go on from what was kept."""
        self.limit = max(1, kept.limit)
        self._window = kept.window
        self._told = max(0, kept.used)

    def _is_of_this_window(self, call: Sent) -> bool:
        return int(call.at // self.length) == self._window


class Meters:
    """All meters of one app: of reading and of every call, for the quarter and for the day."""

    def __init__(self) -> None:
        self._by_name = {
            f"{name}/{length}": Meter(length, limit)
            for name, (_, limits) in PAIRS.items()
            for length, limit in zip((QUARTER, DAY), limits, strict=True)
        }

    def __iter__(self) -> Iterator[Meter]:
        return iter(self._by_name.values())

    def of(self, length: int) -> list[Meter]:
        """Return the meters of the quarter or of the day."""
        return [meter for meter in self if meter.length == length]

    def roll(self, now: float) -> bool:
        """Begin the windows of ``now``; True when one before them was used up."""
        return sum(meter.roll(now) for meter in self) > 0

    def learn(self, headers: Mapping[str, str], call: Sent | None, *, number: int) -> None:
        """Note what the headers of an answer say; they may say nothing."""
        lower = {name.lower(): value for name, value in headers.items()}
        for name, (header, _) in PAIRS.items():
            limits, usage = _two(lower.get(f"{header}-limit")), _two(lower.get(f"{header}-usage"))
            for index, length in enumerate((QUARTER, DAY)):
                said = Said(limits and limits[index], usage and usage[index])
                self._by_name[f"{name}/{length}"].learn(said, call, number=number)

    def keep(self, on_the_way: int) -> dict[str, KeptMeter]:
        """Return what is to be kept over a restart."""
        return {name: meter.keep(on_the_way) for name, meter in self._by_name.items()}

    def restore(self, kept: Mapping[str, KeptMeter]) -> None:
        """Go on from what was kept."""
        for name, meter in self._by_name.items():
            if name in kept:
                meter.restore(kept[name])


def _two(value: str | None) -> tuple[int, int] | None:
    """Return the numbers of a header, for the quarter and for the day."""
    found = _TWO.fullmatch(value or "")
    return found and (int(found[1]), int(found[2]))
