"""Noticing edits: what counts as one, and comparing what is known with what is told now."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.strava.kinds import ActivityData, AthleteData, StatsData, UsedGear

IN_LISTS: Final = (
    "name",
    "sport_type",
    "start",
    "timezone",
    "distance",
    "moving_time",
    "elapsed_time",
    "elevation_gain",
    "gear",
    "trainer",
    "commute",
    "manual",
    "only_me",
    "visibility",
    "flagged",
)
"""What counts as an edit of an activity and is told by a list as well as by the activity itself."""

IN_DETAIL: Final = ("description", "hide_from_home")
"""What counts as an edit and only the activity itself tells."""

_ONLY_IN_DETAIL: Final = (*IN_DETAIL, "calories", "device", "pr_segments", "kom_segments")

_Data = TypeVar("_Data", ActivityData, AthleteData)


def changed(old: _Data, new: _Data) -> tuple[str, ...]:
    """Return the fields that were edited: of an activity not what others or Strava add, like kudos.

    What a list does not tell is not compared where one of the two comes from a list.
    """
    return tuple(
        field
        for field in _edited(new)
        if _compared(old, field) != _compared(new, field) and not (field in IN_DETAIL and _is_untold(field, old, new))
    )


def refreshed(known: ActivityData, listed: ActivityData) -> ActivityData:
    """Return an activity as a list tells it now, with what only its detail tells as it is known."""
    kept = {field: getattr(known, field) for field in _ONLY_IN_DETAIL if getattr(listed, field) is None}
    gear = listed.gear
    if gear is not None and gear.name is None and known.gear is not None and known.gear.id == gear.id:
        gear = known.gear
    cut = {*listed.cut, *(field for field in known.cut if field in kept)}
    return replace(listed, **kept, gear=gear, cut=tuple(sorted(cut)))


def summary(activity: ActivityData) -> str:
    """Return the fingerprint of what a list tells: the same for an activity's item in a list and for its detail.

    Besides what counts as an edit it has the number of photos, for which an activity must be looked at as well.
    """
    return _hash([_compared(activity, field) for field in (*IN_LISTS, "photos")])


def fingerprint(value: ActivityData | AthleteData | StatsData) -> str:
    """Return the fingerprint of everything in which an edit can be, the same after a restart."""
    if isinstance(value, StatsData):
        return _hash(value)
    return _hash([_compared(value, field) for field in _edited(value)])


def _edited(value: ActivityData | AthleteData) -> Iterable[str]:
    return (*IN_LISTS, *IN_DETAIL) if isinstance(value, ActivityData) else value.__struct_fields__


def _is_untold(field: str, *values: Struct) -> bool:
    return any(getattr(value, field) is None for value in values)


def _compared(value: Struct, field: str) -> object:
    """Return what is compared of a field: whole metres, gear by its id; nothing, no and not told are the same."""
    found = getattr(value, field)
    if isinstance(found, float):
        found = round(found)
    return (found.id if isinstance(found, UsedGear) else found) or None


def _hash(value: Struct | list[object]) -> str:
    return blake2b(msgspec.json.encode(value), digest_size=12).hexdigest()
