"""How it stands with people and their Strava accounts, in words for a person."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from jitney.adapters.strava.grants import PROFILE, WRITE
from jitney.adapters.strava.pages import BOXES
from jitney.adapters.strava.standing import Standing
from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, YELLOW, Paint, colour_of, padded, width
from jitney.daemon.config.problems import one_line

_HEADS: Final = ("athlete", "since", "news by", "webhooks", "last news", "calls left")
_GAP: Final = "  "
_MATTER: Final = ("activity:read_all", PROFILE, WRITE)
"""The scopes without which something is missing; what activity:read allows is in activity:read_all too."""


def table(standings: Sequence[Standing], wanted: Callable[[str], Iterable[str]], paint: Paint) -> Iterator[str]:
    """Yield the lines of a table; ``wanted`` are the scopes of an owner. What is wrong stands below their line."""
    rows = {standing.owner: _row(standing) for standing in standings if standing.connected}
    widths = [max(map(width, column)) for column in zip(_HEADS, *rows.values(), strict=True)]
    margin = max((width(standing.owner) for standing in standings), default=0)
    if rows:
        yield paint(f"{' ' * margin}{_GAP}{_line(_HEADS, widths)}", FAINT)
    for standing in standings:
        owner = paint(padded(standing.owner, margin), colour_of(standing.owner), BOLD) + _GAP
        notes = [paint(one_line(note), YELLOW) for note in _notes(standing, wanted(standing.owner))]
        first = _line(rows[standing.owner], widths) if standing.connected else notes.pop(0)
        yield owner + first
        yield from (" " * margin + _GAP + note for note in notes)


def welcome(standing: Standing, wanted: Iterable[str], paint: Paint) -> Iterator[str]:
    """Yield what to say after a sign-in: who is connected, and what was not allowed."""
    yield paint(f"{standing.owner} is connected to Strava as athlete {standing.athlete}.", GREEN)
    missing = _missing(standing, wanted)
    if missing:
        yield f"Not ticked on Strava's page: {missing}."
        yield f"To change that:  jitney strava connect {standing.owner}  and leave every box ticked."


def _row(standing: Standing) -> tuple[str, ...]:
    return (
        str(standing.athlete),
        _time(standing.since),
        one_line(standing.mode),
        one_line(standing.subscription),
        _time(standing.last_event),
        f"{standing.calls_left_quarter} now, {standing.calls_left_day} today",
    )


def _notes(standing: Standing, wanted: Iterable[str]) -> Iterator[str]:
    if standing.reason or not standing.connected:
        yield standing.reason or "not connected"
    missing = _missing(standing, wanted) if standing.connected else ""
    if missing:
        yield f"not ticked on Strava's page: {missing}"


def _missing(standing: Standing, wanted: Iterable[str]) -> str:
    """Return what stands beside the boxes that were not ticked, empty where all that matter were."""
    lacking = (scope for scope in wanted if scope in _MATTER and scope not in standing.scopes)
    return ", ".join(f"“{BOXES[scope]}”" for scope in lacking)


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return _GAP.join(padded(cell, columns) for cell, columns in zip(cells, widths, strict=True)).rstrip()


def _time(seconds: float) -> str:
    """Return Unix seconds as local date and time, a dash for never."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M") if seconds else "-"
