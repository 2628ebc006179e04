"""What the file says about times: whether it can be understood. What it means is the memory's to know."""

import re
from collections.abc import Callable
from typing import Final, Literal, get_args

from msgspec import Struct

from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import Faults
from jitney.daemon.routes.settings import RouteSettings, ScheduleSettings, Words
from jitney.daemon.routes.values import compile_text
from jitney.daemon.routes.words import mean, shown

Unit = Literal["minute", "hour", "day", "week"]

UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 86_400
WEEK: Final = 604_800
"""In seconds."""

MOST_TIMES: Final = 100

_TIME: Final = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]")


class OncePer(Struct, frozen=True):
    """`once_per`: once in each unit of the calendar, apart for every ``key`` that an event has."""

    unit: Unit
    key: Callable[[Document], str] | None = None


def compile_once_per(text: str, faults: Faults) -> OncePer | None:
    """Return what ``day`` or ``day {{ subject }}`` says, None for nothing; what is wrong is noted."""
    word, _, key = text.strip().partition(" ")
    if not word:
        return None
    unit = next((unit for unit in UNITS if unit == word), None)
    if unit is None:
        faults.add(f'expected {", ".join(UNITS)}, perhaps with a key as in "day {{{{ subject }}}}"{mean(word, UNITS)}')
        return None
    return OncePer(unit, compile_text(key.strip(), faults) if key.strip() else None)


def compile_key(text: str, once_per: OncePer | None, faults: Faults) -> Callable[[Document], str] | None:
    """Return what makes the text under which a route remembers an event, None when its subject is that.

    Any text without a template is the same for all. ``once_per`` may name it just as well, but not both.
    """
    named = once_per.key if once_per is not None else None
    if not text.strip():
        return named
    if named is not None:
        faults.add("once_per names a key already: leave one of the two out")
    return compile_text(text.strip(), faults)


def check_times(settings: RouteSettings, faults: Faults) -> None:
    """Note what is wrong with the times of a route."""
    with faults.at("quiet_hours"):
        _check_quiet(settings.quiet_hours, faults)
    if settings.schedule is not None:
        with faults.at("schedule"):
            _check_schedule(settings.schedule, faults)


def _check_quiet(text: str, faults: Faults) -> None:
    start, dash, end = (part.strip() for part in text.partition("-"))
    if not text:
        return
    if not dash or _TIME.fullmatch(start) is None or (_TIME.fullmatch(end) is None and end != "24:00"):
        faults.add(f'expected two times of day such as "22:00-07:00", got {shown(text)}')
    elif start.zfill(5) == end.zfill(5):
        faults.add("begins and ends at the same time: leave it out, or set enabled = false")


def _check_schedule(schedule: ScheduleSettings, faults: Faults) -> None:
    times = _words(schedule.at)
    if not times and not schedule.every:
        faults.add('expected at = "07:30" or every = 3600')
    if len(times) > MOST_TIMES:
        faults.add(f"at most {MOST_TIMES} times: use every", "at")
    for index, time in enumerate(times):
        if _TIME.fullmatch(time.strip()) is None:
            place = ("at",) if isinstance(schedule.at, str) else ("at", index)
            faults.add(f'expected a time of day such as "07:30", got {shown(time)}', *place)
    if schedule.every and not 1 <= schedule.every <= WEEK:
        faults.add(f"expected 1 to {WEEK} seconds, got {shown(schedule.every)}", "every")
    if schedule.every > DAY and schedule.days:
        faults.add("more than a day goes not together with days: say at which time of these days", "every")
    for index, day in enumerate(_words(schedule.days)):
        if day not in DAYS:
            place = ("days",) if isinstance(schedule.days, str) else ("days", index)
            faults.add(f"expected {', '.join(DAYS)}, got {shown(day)}", *place)


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words
