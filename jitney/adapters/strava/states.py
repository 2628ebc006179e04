"""What is retained of one owner, as (subject, value) pairs: pure functions of what is known."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec.structs import asdict, replace

from jitney.adapters.strava import sports, weeks
from jitney.adapters.strava.clean import epoch, text
from jitney.adapters.strava.kinds import (
    ActivityData,
    AthleteData,
    AthleteState,
    GearState,
    PhotoData,
    PhotosState,
    QuotaState,
    StatsData,
    SubscriptionState,
    WeekState,
    Window,
)
from jitney.adapters.strava.limiter import Quota

MOST_PHOTOS: Final = 30
MOST_SPORTS: Final = 64
"""Sport types that have a state of their own; more than Strava has."""

LONGEST_DESCRIPTION: Final = 500
LONGEST_POLYLINE: Final = 6_000
"""What of an activity is longer than this is only in its events: Home Assistant keeps no more than 16 KB of a state."""


def recent(activities: Iterable[ActivityData], *, most: int) -> Iterator[tuple[str, ActivityData]]:
    """Yield the newest activities, the newest as ``recent_1``."""
    for slot, activity in enumerate(_newest_first(activities)[:most], start=1):
        yield f"recent_{slot}", brief(activity)


def latest(activities: Iterable[ActivityData]) -> Iterator[tuple[str, ActivityData]]:
    """Yield the newest activity of each sport type, like ``latest_trail_run``."""
    found: dict[str, ActivityData] = {}
    for activity in _newest_first(activities):
        found.setdefault(sports.word(activity.sport_type), activity)
    for sport, activity in list(found.items())[:MOST_SPORTS]:
        yield f"latest_{sport}", brief(activity)


def brief(activity: ActivityData) -> ActivityData:
    """Return an activity that fits into a state: a long description is shortened, a long route left out."""
    cut = set(activity.cut)
    description, polyline = activity.description, activity.polyline
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        cut.add("description")
    if polyline is not None and len(polyline) > LONGEST_POLYLINE:
        cut.add("polyline")
        polyline = None
    description = text(description, most=LONGEST_DESCRIPTION)
    return replace(activity, description=description, polyline=polyline, cut=tuple(sorted(cut)))


def week(activities: Iterable[ActivityData], *, now: float) -> tuple[str, WeekState]:
    """Return the sums of the week that it is at Unix time ``now`` where the athlete was active last."""
    known = list(activities)
    return "week", weeks.week(known, today=weeks.today(known, now=now))


def stats(data: StatsData) -> tuple[str, StatsData]:
    """Return Strava's statistics."""
    return "stats", data


def gear(items: Iterable[GearState]) -> Iterator[tuple[str, GearState]]:
    """Yield each bike and pair of shoes, like ``gear_b12345``."""
    for item in items:
        yield f"gear_{sports.word(item.id)}", item


def photos(items: Iterable[PhotoData]) -> tuple[str, PhotosState]:
    """Return the links of the newest photos, each photo once."""
    once = {photo.unique_id: photo for photo in items}
    newest = sorted(once.values(), key=lambda photo: (photo.created or "", photo.unique_id), reverse=True)
    return "photos", PhotosState(photos=tuple(newest[:MOST_PHOTOS]))


def photo(found: PhotosState, *, turn: int) -> Iterator[tuple[str, PhotoData]]:
    """Yield the photo whose turn it is, when there is any."""
    if found.photos:
        yield "photo", found.photos[turn % len(found.photos)]


def quota(left: Quota) -> tuple[str, QuotaState]:
    """Return how many calls the app has left."""
    return "quota", QuotaState(
        quarter=Window(
            limit=left.short_limit, used=left.short_used, left=left.short_left, resets=epoch(left.short_resets_at)
        ),
        day=Window(limit=left.day_limit, used=left.day_used, left=left.day_left, resets=epoch(left.day_resets_at)),
        blocked_until=epoch(left.blocked_until),
    )


def subscription(
    mode: Literal["webhook", "poll"], *, state: str, reason: str = "", last_event: float = 0.0
) -> tuple[str, SubscriptionState]:
    """Return how news come; ``last_event`` in Unix seconds, 0 for never."""
    return "subscription", SubscriptionState(
        mode=mode, state=state, reason=text(reason, most=LONGEST_DESCRIPTION) or None, last_event=epoch(last_event)
    )


def athlete(data: AthleteData, *, scopes: Iterable[str], since: float) -> tuple[str, AthleteState]:
    """Return who is connected with which scopes, ``since`` when in Unix seconds."""
    return "athlete", AthleteState(**asdict(data), scopes=tuple(scopes), connected=epoch(since))


def _newest_first(activities: Iterable[ActivityData]) -> list[ActivityData]:
    return sorted(activities, key=lambda activity: (activity.start or "", activity.id), reverse=True)
