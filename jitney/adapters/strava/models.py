"""What Strava's API answers, as tolerant structs.

Every field may be missing or null (``None``) except the id of what has one; unknown fields are ignored, words are plain
texts because Strava adds new ones without notice, and numbers are what was sent: 5 here and 5.0 there. Units are
Strava's own: metres, seconds, metres per second, watts, kilojoules, degrees Celsius; times are texts.
"""

from typing import TypeAlias

from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.adapters.strava.reading import Odd, each, ignore, one

__all__ = [
    "Activity",
    "ActivityMap",
    "ActivityZones",
    "ApiFault",
    "AthleteInfo",
    "AthleteRef",
    "FaultDetail",
    "Gear",
    "GearSummary",
    "Number",
    "Odd",
    "Photo",
    "PlaceholderImage",
    "SegmentEffort",
    "Stats",
    "Subscription",
    "TokenAnswer",
    "Totals",
    "ZoneRange",
    "ZoneSet",
    "Zones",
    "each",
    "ignore",
    "one",
]

Number: TypeAlias = float | int


class AthleteRef(Struct, frozen=True, kw_only=True):
    """Whose something is."""

    id: int | None = None


class ActivityMap(Struct, frozen=True, kw_only=True):
    """The route, encoded; ``polyline`` only in the detail, both may be empty."""

    id: str | None = None
    polyline: str | None = None
    summary_polyline: str | None = None


class GearSummary(Struct, frozen=True, kw_only=True):
    """A bike (``b…``) or shoes (``g…``) as part of something else; distance in metres."""

    id: str
    name: str | None = None
    nickname: str | None = None
    primary: bool | None = None
    retired: bool | None = None
    distance: Number | None = None


class Gear(GearSummary, frozen=True, kw_only=True):
    """The answer to ``/gear/{id}``."""

    brand_name: str | None = None
    model_name: str | None = None
    frame_type: Number | None = None
    description: str | None = None


class SegmentEffort(Struct, frozen=True, kw_only=True):
    """How well a segment went: 1 to 3 of the athlete's own efforts, 1 to 10 of everybody's."""

    pr_rank: Number | None = None
    kom_rank: Number | None = None


class Activity(Struct, frozen=True, kw_only=True):
    """An activity: of the list (``resource_state`` 2) or in detail (3), which alone has what is named last.

    ``start_date`` is UTC; ``start_date_local`` ends in Z and is local all the same. ``type`` is the older word for
    ``sport_type``.
    """

    id: int
    resource_state: Number | None = None
    athlete: AthleteRef | None = None
    name: str | None = None
    type: str | None = None
    sport_type: str | None = None
    workout_type: Number | None = None
    start_date: str | None = None
    start_date_local: str | None = None
    timezone: str | None = None
    utc_offset: Number | None = None
    distance: Number | None = None
    moving_time: Number | None = None
    elapsed_time: Number | None = None
    total_elevation_gain: Number | None = None
    elev_high: Number | None = None
    elev_low: Number | None = None
    average_speed: Number | None = None
    max_speed: Number | None = None
    has_heartrate: bool | None = None
    average_heartrate: Number | None = None
    max_heartrate: Number | None = None
    device_watts: bool | None = None
    average_watts: Number | None = None
    weighted_average_watts: Number | None = None
    max_watts: Number | None = None
    kilojoules: Number | None = None
    average_cadence: Number | None = None
    average_temp: Number | None = None
    suffer_score: Number | None = None
    achievement_count: Number | None = None
    pr_count: Number | None = None
    kudos_count: Number | None = None
    comment_count: Number | None = None
    athlete_count: Number | None = None
    photo_count: Number | None = None
    total_photo_count: Number | None = None
    start_latlng: tuple[Number, ...] | None = None
    end_latlng: tuple[Number, ...] | None = None
    map: ActivityMap | None = None
    trainer: bool | None = None
    commute: bool | None = None
    manual: bool | None = None
    private: bool | None = None
    visibility: str | None = None
    flagged: bool | None = None
    gear_id: str | None = None
    device_name: str | None = None
    upload_id: int | None = None
    external_id: str | None = None
    calories: Number | None = None
    description: str | None = None
    private_note: str | None = None
    hide_from_home: bool | None = None
    gear: GearSummary | None = None
    segment_efforts: tuple[SegmentEffort, ...] | None = None


class AthleteInfo(Struct, frozen=True, kw_only=True):
    """The answer to ``/athlete``; without ``profile:read_all`` there is no weight, ftp, bikes and shoes."""

    id: int
    resource_state: Number | None = None
    username: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    weight: Number | None = None
    ftp: Number | None = None
    measurement_preference: str | None = None
    bikes: tuple[GearSummary, ...] | None = None
    shoes: tuple[GearSummary, ...] | None = None


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over the activities of one sport in one period."""

    count: Number | None = None
    distance: Number | None = None
    moving_time: Number | None = None
    elapsed_time: Number | None = None
    elevation_gain: Number | None = None
    achievement_count: Number | None = None


class Stats(Struct, frozen=True, kw_only=True):
    """The answer to ``/athletes/{id}/stats``: only of activities that everyone can see; recent means 4 weeks."""

    biggest_ride_distance: Number | None = None
    biggest_climb_elevation_gain: Number | None = None
    recent_ride_totals: Totals | None = None
    recent_run_totals: Totals | None = None
    recent_swim_totals: Totals | None = None
    ytd_ride_totals: Totals | None = None
    ytd_run_totals: Totals | None = None
    ytd_swim_totals: Totals | None = None
    all_ride_totals: Totals | None = None
    all_run_totals: Totals | None = None
    all_swim_totals: Totals | None = None


class PlaceholderImage(Struct, frozen=True, kw_only=True):
    """What is shown while a photo is still being processed."""

    light_url: str | None = None
    dark_url: str | None = None


class Photo(Struct, frozen=True, kw_only=True):
    """A photo (``type`` 1) or video (2) of an activity; ``urls`` and ``sizes`` (width, height) by size asked for."""

    unique_id: str
    activity_id: int | None = None
    athlete_id: int | None = None
    caption: str | None = None
    type: Number | None = None
    source: Number | None = None
    status: Number | None = None
    uploaded_at: str | None = None
    created_at: str | None = None
    created_at_local: str | None = None
    urls: dict[str, str] | None = None
    sizes: dict[str, tuple[Number, ...]] | None = None
    default_photo: bool | None = None
    location: tuple[Number, ...] | None = None
    placeholder_image: PlaceholderImage | None = None
    video_url: str | None = None
    duration: Number | None = None


class ZoneRange(Struct, frozen=True, kw_only=True):
    """From ``min`` below ``max``, -1 for no end; ``time`` in seconds where an activity's are meant."""

    min: Number | None = None
    max: Number | None = None
    time: Number | None = None


class ZoneSet(Struct, frozen=True, kw_only=True):
    """An athlete's zones of one kind."""

    custom_zones: bool | None = None
    zones: tuple[ZoneRange, ...] | None = None


class Zones(Struct, frozen=True, kw_only=True):
    """The answer to ``/athlete/zones``."""

    heart_rate: ZoneSet | None = None
    power: ZoneSet | None = None


class ActivityZones(Struct, frozen=True, kw_only=True):
    """An item of the answer to ``/activities/{id}/zones``; ``type`` is heartrate or power."""

    type: str | None = None
    sensor_based: bool | None = None
    score: Number | None = None
    distribution_buckets: tuple[ZoneRange, ...] | None = None


class TokenAnswer(Struct, frozen=True, kw_only=True):
    """The answer to ``oauth/token``: ``expires_at`` in Unix seconds; ``athlete`` only after an exchange."""

    access_token: Secret
    refresh_token: Secret
    expires_at: Number
    expires_in: Number | None = None
    athlete: AthleteInfo | None = None


class Subscription(Struct, frozen=True, kw_only=True):
    """A webhook subscription of an app."""

    id: int
    application_id: int | None = None
    callback_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class FaultDetail(Struct, frozen=True, kw_only=True):
    """What of a request was wrong, in Strava's words."""

    resource: str = ""
    field: str = ""
    code: str = ""


class ApiFault(Struct, frozen=True, kw_only=True):
    """An error as Strava tells it; ``errors`` is a text in older answers."""

    message: str | None = None
    errors: tuple[FaultDetail, ...] | str | None = None

    @property
    def details(self) -> tuple[FaultDetail, ...]:
        """What was wrong, as far as it is told item by item."""
        return self.errors if isinstance(self.errors, tuple) else ()

    def __str__(self) -> str:
        """Return all that is told, in one line."""
        if isinstance(self.errors, str):
            parts = [self.errors]
        else:
            parts = [" ".join(filter(None, (one.resource, one.field, one.code))) for one in self.details]
        return ": ".join(filter(None, (self.message, "; ".join(filter(None, parts)))))
