"""What is retained of one owner now, and for how long each part may be: seven days from when Strava said it."""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec.structs import replace

from jitney.adapters.strava import states
from jitney.adapters.strava.board import Shown
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.kinds import PhotoData
from jitney.adapters.strava.library import KEEP, Known, Library
from jitney.adapters.strava.memory import Memory


def activities(library: Library, *, slots: int, now: float) -> Iterator[Shown]:
    """Yield the newest activities, the newest of each sport and the sums of the week."""
    present = library.present()
    until = {known.id: known.fetched + KEEP for known in present}
    told = [known.data for known in present if known.data is not None]
    for subject, data in (*states.recent(told, most=slots), *states.latest(told)):
        yield Shown(subject, data, until[data.id])
    subject, week = states.week(told, now=now)
    yield Shown(subject, week, now + KEEP)


def photos(library: Library, files: Mapping[str, str], *, turn: int | None = None) -> Iterator[Shown]:
    """Yield the links of the newest photos and, where they take turns, the one whose ``turn`` it is.

    ``files`` are the names of those that were downloaded, by unique id.
    """
    known = [one for one in library.present() if one.photos]
    if known:
        items = [_with_file(photo, files) for one in known for photo in one.photos]
        until = _soonest(known)
        subject, found = states.photos(items)
        yield Shown(subject, found, until)
        if turn is not None:
            yield from (Shown(*one, until) for one in states.photo(found, turn=turn))


def profile(memory: Memory, grant: Grant) -> Iterator[Shown]:
    """Yield the athlete, the gear and the statistics."""
    if memory.athlete is not None:
        until = memory.athlete_fetched + KEEP
        yield Shown(*states.athlete(memory.athlete, scopes=grant.scopes, since=memory.since), until)
        for subject, gear in states.gear(memory.gear):
            yield Shown(subject, gear, until)
    if memory.stats is not None:
        yield Shown(*states.stats(memory.stats), memory.stats_fetched + KEEP)


def news(memory: Memory, *, mode: Literal["webhook", "poll"], state: str, reason: str) -> Shown:
    """Return how news come; it has nothing of Strava's."""
    return Shown(*states.subscription(mode, state=state, reason=reason, last_event=memory.last_event))


def _soonest(known: list[Known]) -> float:
    return min(one.fetched for one in known) + KEEP


def _with_file(photo: PhotoData, files: Mapping[str, str]) -> PhotoData:
    name = files.get(photo.unique_id)
    return photo if name is None else replace(photo, file=name)
