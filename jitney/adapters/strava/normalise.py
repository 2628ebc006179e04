"""From what Strava's API answers to what is published. No answer is too odd: what makes no sense is left out."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Final, Literal

from jitney.adapters.strava import models, sports
from jitney.adapters.strava.clean import local, number, shifted, text, utc, whole
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import (
    ActivityData,
    AthleteData,
    GearState,
    Period,
    PhotoData,
    Position,
    StatsData,
    Totals,
    UsedGear,
)
from jitney.topics import rfc3339

LONGEST_NAME: Final = 500
LONGEST_DESCRIPTION: Final = 5_000
LONGEST_CAPTION: Final = 200
LONGEST_POLYLINE: Final = 20_000
"""Characters of a simplified route; a longer one is left out, because a part of it would be another route."""

_LONGEST_WORD: Final = 100
_LONGEST_URL: Final = 1_000
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9][!#-\[\]-~]*")
"""No quote and no backslash, which an address has not and JSON doubles."""

_LONGEST_SIZE: Final = 10
_HIDDEN: Final = time(0, 0, 1)
_DETAIL: Final = 3
_VIDEO: Final = 2
_NO_GEAR: Final = frozenset({"", "none"})
_KINDS: Final[Mapping[str, Literal["bike", "shoe"]]] = {"b": "bike", "g": "shoe"}
_PAGE: Final = "https://www.strava.com/activities/"


def activity(model: models.Activity, *, privacy: Privacy) -> ActivityData:
    """Return an activity, of a list or in detail, as it is published; an empty description says that there is none."""
    sport_type = _word(model.sport_type) or _word(model.type) or sports.UNKNOWN
    start, start_local = _start(model)
    moving_time = whole(model.moving_time)
    name, polyline = model.name, _polyline(model.map) if privacy.polylines else None
    description = model.description or ("" if model.resource_state == _DETAIL else None)
    limits = {
        "name": (name, LONGEST_NAME),
        "description": (description, LONGEST_DESCRIPTION),
        "polyline": (polyline, LONGEST_POLYLINE),
    }
    cut = tuple(field for field, (value, most) in limits.items() if value is not None and len(value) > most)
    return ActivityData(
        id=model.id,
        name=text(name, most=LONGEST_NAME),
        description=text(description, most=LONGEST_DESCRIPTION),
        sport_type=sport_type,
        sport=sports.group(sport_type),
        start=None if start is None else rfc3339(start),
        start_local=None if start_local is None else start_local.isoformat(timespec="seconds"),
        start_hidden=start_local is not None and start_local.time() == _HIDDEN,
        timezone=_zone(model.timezone),
        utc_offset=whole(model.utc_offset, least=-86_400, most=86_400),
        distance=number(model.distance),
        moving_time=moving_time,
        elapsed_time=whole(model.elapsed_time),
        elevation_gain=number(model.total_elevation_gain),
        elevation_high=number(model.elev_high, least=-12_000),
        elevation_low=number(model.elev_low, least=-12_000),
        average_speed=_speed(model),
        max_speed=number(model.max_speed, digits=3),
        pace=_pace(model.distance, moving_time),
        average_heart_rate=number(model.average_heartrate),
        max_heart_rate=number(model.max_heartrate),
        average_power=number(model.average_watts),
        weighted_power=number(model.weighted_average_watts),
        max_power=number(model.max_watts),
        energy=number(model.kilojoules),
        calories=number(model.calories),
        cadence=number(model.average_cadence, factor=2.0 if sport_type in sports.ON_FOOT else 1.0),
        temperature=number(model.average_temp, least=-273.15),
        suffer_score=number(model.suffer_score),
        kudos=whole(model.kudos_count),
        comments=whole(model.comment_count),
        achievements=whole(model.achievement_count),
        personal_records=whole(model.pr_count),
        pr_segments=_segments(model, "pr_rank", best=3),
        kom_segments=_segments(model, "kom_rank", best=10),
        athletes=whole(model.athlete_count),
        photos=whole(model.photo_count if model.total_photo_count is None else model.total_photo_count),
        gear=_gear(model),
        device=text(model.device_name, most=_LONGEST_WORD),
        trainer=model.trainer,
        commute=model.commute,
        manual=model.manual,
        only_me=model.private if model.visibility is None else bool(model.private) or model.visibility == "only_me",
        visibility=_word(model.visibility),
        hide_from_home=model.hide_from_home,
        flagged=model.flagged,
        start_position=_position(model.start_latlng) if privacy.coordinates else None,
        end_position=_position(model.end_latlng) if privacy.coordinates else None,
        polyline=None if "polyline" in cut else text(polyline, most=LONGEST_POLYLINE),
        url=f"{_PAGE}{model.id}",
        cut=cut,
    )


def athlete(model: models.AthleteInfo) -> AthleteData:
    """Return an athlete as published; the name is the user name where the profile has none."""
    full = " ".join(filter(None, (model.firstname, model.lastname))) or model.username
    return AthleteData(
        id=model.id,
        name=text(full, most=LONGEST_NAME),
        measurement_preference=_word(model.measurement_preference),
        ftp=number(model.ftp),
        weight=number(model.weight),
    )


def stats(model: models.Stats) -> StatsData:
    """Return Strava's statistics as published; sums that are missing are zero, records that are missing left out."""
    return StatsData(
        recent=_period(model.recent_ride_totals, model.recent_run_totals, model.recent_swim_totals),
        year=_period(model.ytd_ride_totals, model.ytd_run_totals, model.ytd_swim_totals),
        all=_period(model.all_ride_totals, model.all_run_totals, model.all_swim_totals),
        biggest_ride_distance=number(model.biggest_ride_distance),
        biggest_climb_elevation_gain=number(model.biggest_climb_elevation_gain),
    )


def gear(model: models.GearSummary, before: GearState | None = None) -> GearState:
    """Return a bike or shoes as published; what a profile does not tell of them stays as it was ``before``."""
    known = before or GearState(id=model.id, kind="other")
    brand, make, description = known.brand, known.model, known.description
    if isinstance(model, models.Gear):
        brand, make = _word(model.brand_name), _word(model.model_name)
        description = text(model.description, most=LONGEST_NAME) or None
    return GearState(
        id=_word(model.id) or "",
        kind=_KINDS.get(model.id[:1], "other"),
        name=text(model.name, most=LONGEST_NAME),
        nickname=text(model.nickname, most=LONGEST_NAME) or None,
        brand=brand,
        model=make,
        description=description,
        distance=number(model.distance),
        primary=model.primary,
        retired=model.retired,
    )


def photos(told: Iterable[models.Photo], *, activity: int) -> tuple[PhotoData, ...]:
    """Return the photos of an activity as published, each with its largest picture; one without any is left out.

    Of one that Strava still processes the address ``is_placeholder``.
    """
    found = (_photo(model, activity) for model in told)
    return tuple(photo for photo in found if photo is not None)


def is_placeholder(url: str) -> bool:
    """Tell whether an address is that of the picture which stands for a photo that is not ready."""
    return "placeholder" in url.partition("?")[0].rpartition("/")[2].lower()


def _photo(model: models.Photo, activity_id: int) -> PhotoData | None:
    pictures = {size: url for size, url in (model.urls or {}).items() if _is_address(url)}
    if not pictures or not model.unique_id:
        return None
    largest = max(pictures, key=lambda size: (not is_placeholder(pictures[size]), _size(size)))
    created = utc(model.created_at) or utc(model.uploaded_at)
    width, height, *_ = *((model.sizes or {}).get(largest) or ()), None, None
    return PhotoData(
        unique_id=_word(model.unique_id) or "",
        activity=activity_id,
        url=pictures[largest],
        created=None if created is None else rfc3339(created),
        caption=text(model.caption, most=LONGEST_CAPTION) or None,
        video=model.type == _VIDEO,
        width=whole(width),
        height=whole(height),
    )


def _size(key: str) -> int:
    """Return the number of pixels that a picture is listed under, 0 for none."""
    return int(key) if key.isdecimal() and len(key) < _LONGEST_SIZE else 0


def _start(model: models.Activity) -> tuple[datetime | None, datetime | None]:
    """Return the start in UTC and by the clock where it was; one is found by the other where it is missing."""
    start, start_local = utc(model.start_date), local(model.start_date_local)
    offset = whole(model.utc_offset, least=-86_400, most=86_400)
    if offset is not None and start is None:
        start = shifted(None if start_local is None else start_local.replace(tzinfo=UTC), -offset)
    if offset is not None and start_local is None:
        start_local = shifted(None if start is None else start.replace(tzinfo=None), offset)
    return start, start_local


def _word(value: str | None) -> str | None:
    return text(value, most=_LONGEST_WORD) or None


def _zone(value: str | None) -> str | None:
    """Return the name in ``(GMT+01:00) Europe/Oslo``."""
    zone = value or ""
    return _word(zone.partition(" ")[2] if zone.startswith("(") else zone)


def _speed(model: models.Activity) -> float | None:
    told = number(model.average_speed, digits=3)
    distance, moving_time = number(model.distance), whole(model.moving_time)
    if told is not None or distance is None or not moving_time:
        return told
    return number(distance / moving_time, digits=3)


def _pace(distance: float | None, moving_time: int | None) -> float | None:
    """Return seconds per kilometre; None without a distance that one could have gone."""
    metres = number(distance, digits=3)
    return number(1000 * moving_time / metres, most=1e6) if metres and moving_time else None


def _segments(model: models.Activity, rank: str, *, best: int) -> int | None:
    """Return on how many segments a rank is from 1 to ``best``; None where segments are not told."""
    if model.segment_efforts is None:
        return None
    ranks = [whole(getattr(effort, rank)) for effort in model.segment_efforts]
    return sum(1 <= place <= best for place in ranks if place is not None)


def _gear(model: models.Activity) -> UsedGear | None:
    told = model.gear
    gear_id = _word(model.gear_id or (None if told is None else told.id))
    if gear_id is None or gear_id in _NO_GEAR:
        return None
    return UsedGear(gear_id, text(told.name, most=LONGEST_NAME) if told is not None and told.id == gear_id else None)


def _position(pair: tuple[float, ...] | None) -> Position | None:
    if pair is None or len(pair) != 2:  # noqa: PLR2004 - latitude and longitude
        return None
    latitude = number(pair[0], least=-90, most=90, digits=6)
    longitude = number(pair[1], least=-180, most=180, digits=6)
    return None if latitude is None or longitude is None else Position(latitude, longitude)


def _polyline(route: models.ActivityMap | None) -> str | None:
    """Return the simplified route, None where there is none."""
    return None if route is None else route.summary_polyline or route.polyline or None


def _period(ride: models.Totals | None, run: models.Totals | None, swim: models.Totals | None) -> Period:
    return Period(ride=_totals(ride), run=_totals(run), swim=_totals(swim))


def _totals(model: models.Totals | None) -> Totals:
    if model is None:
        return Totals()
    return Totals(
        count=whole(model.count) or 0,
        distance=number(model.distance, most=1e12) or 0.0,
        moving_time=whole(model.moving_time, most=10**12) or 0,
        elapsed_time=whole(model.elapsed_time, most=10**12) or 0,
        elevation_gain=number(model.elevation_gain, most=1e12) or 0.0,
    )


def _is_address(url: str) -> bool:
    return len(url) <= _LONGEST_URL and _ADDRESS.fullmatch(url) is not None
