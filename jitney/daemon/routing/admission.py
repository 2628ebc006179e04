"""What the memory says about an event of a route: it fires, or it is held back and why."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from jitney.daemon.routing.records import Place, Record
from jitney.daemon.routing.timing import Timing
from jitney.topics import Event

Holder = Literal["", "for", "debounce", "count", "quiet_hours", "throttle", "once_per", "breaker"]
"""The condition that holds an event back, in the words of the configuration."""

Gate = Callable[[Event, str, float], str]
"""Asked with event, route and now before a firing; returns why not, empty to let it fire."""


class Change(Struct, frozen=True):
    """One record before and after an admission."""

    place: Place
    before: Record
    after: Record


class Admission(Struct, frozen=True):
    """Whether a route fires; else which condition ``held`` it back, and ``why`` in words.

    ``later`` is when it may fire by itself, in Unix seconds.
    """

    fire: bool
    held: Holder = ""
    why: str = ""
    later: float | None = None
    changes: tuple[Change, ...] = ()


class Due(Struct, frozen=True):
    """What time alone has brought about: ``event`` makes ``route`` fire, or it is held back after all.

    A ``tick`` is the event of a schedule, which is new: it has to be matched and admitted like any other.
    """

    route: str
    event: Event
    admission: Admission
    tick: bool = False


class Case(Struct):
    """One event on its way through the conditions of one route, and what it has changed so far."""

    route: str
    event: Event
    key: str
    now: float
    timing: Timing
    changes: tuple[Change, ...] = ()

    def held(self, by: Holder, why: str, *, later: float | None = None) -> Admission:
        """Return that a condition holds it back."""
        return Admission(fire=False, held=by, why=why, later=later, changes=self.changes)

    def passed(self) -> Admission:
        """Return that it fires."""
        return Admission(fire=True, changes=self.changes)
