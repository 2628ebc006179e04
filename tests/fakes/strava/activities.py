"""Activities, as awkward as real ones: what is absent, null or empty, an int here and a float there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.fakes.strava import polyline
from tests.fakes.strava.photos import Photo

if TYPE_CHECKING:
    from tests.fakes.strava.athletes import Athlete

ABSENT: Final[Any] = object()
"""As the value of a field: the answers do not have it."""

STILL: Final = frozenset({"WeightTraining", "Yoga", "Workout", "Crossfit", "Pilates", "HighIntensityIntervalTraining"})
"""Sports without a distance and a map."""
LEGACY: Final = {
    "MountainBikeRide": "Ride",
    "GravelRide": "Ride",
    "TrailRun": "Run",
    "VirtualRun": "VirtualRun",
    "EMountainBikeRide": "EBikeRide",
}
"""The older ``type`` of a sport type where it has another name."""

_DETAIL_ONLY: Final = frozenset(
    {
        "best_efforts",
        "available_zones",
        "calories",
        "description",
        "embed_token",
        "gear",
        "hide_from_home",
        "laps",
        "partner_brand_tag",
        "perceived_exertion",
        "photos",
        "prefer_perceived_exertion",
        "private_note",
        "segment_efforts",
        "segment_leaderboard_opt_out",
        "splits_metric",
        "splits_standard",
        "stats_visibility",
    }
)
_PACES: Final = {"Ride": (7.2, 61.5), "Run": (2.9, 84.5), "Swim": (0.9, 27.0)}
"""Metres per second and cadence per minute; others go as a walk."""


class Activity:
    """An activity of an athlete; ``fields`` is what its detail is made of, to be read by tests, changed by ``edit``.

    ``unlisted``: it takes its place on a page of the list of activities and is not shown there.
    """

    def __init__(self, athlete: Athlete, fields: dict[str, Any], *, start: float) -> None:
        self.athlete = athlete
        self.fields = fields
        self.start = start
        self.photos: list[Photo] = []
        self.deleted = False
        self.unlisted = False

    def __repr__(self) -> str:
        return f"<Activity {self.id} {self.fields['name']!r} of {self.athlete.id}>"

    @property
    def id(self) -> int:
        """Its number, larger than 32 bits."""
        number: int = self.fields["id"]
        return number

    @property
    def private(self) -> bool:
        """Whether only the athlete may see it."""
        return bool(self.fields["visibility"] == "only_me")

    def edit(self, **changes: Any) -> None:  # noqa: ANN401 - any field of the API
        """Change fields as the athlete does; title, sport and privacy are told to subscribers, nothing else is."""
        updates: dict[str, str] = {}
        if changes.get("name", self.fields["name"]) != self.fields["name"]:
            updates["title"] = changes["name"]
        if changes.get("sport_type", self.fields["sport_type"]) != self.fields["sport_type"]:
            changes["type"] = updates["type"] = LEGACY.get(changes["sport_type"], changes["sport_type"])
        if "private" in changes:
            changes["visibility"] = "only_me" if changes["private"] else "everyone"
        was_private = self.private
        self.fields.update(changes)
        self.fields["private"] = self.private
        if self.private != was_private:
            updates["private"] = "true" if self.private else "false"
        if updates:
            self.athlete.tell(self, "update", updates)

    def delete(self) -> None:
        """Delete it."""
        self.deleted = True
        self.athlete.activities.remove(self)
        self.athlete.tell(self, "delete", {})

    def add_photo(self, **fields: Any) -> Photo:  # noqa: ANN401 - any field of a photo
        """Add a photo, which is told to nobody, and return it."""
        photo = Photo(default=not self.photos, **fields)
        self.photos.append(photo)
        return photo

    def summary(self) -> dict[str, Any]:
        """Return it as a list shows it."""
        row = {key: value for key, value in self._shown().items() if key not in _DETAIL_ONLY}
        row["resource_state"] = 2
        if isinstance(row.get("map"), dict):
            row["map"] = {key: value for key, value in row["map"].items() if key != "polyline"} | {"resource_state": 2}
        return row

    def detail(self) -> dict[str, Any]:
        """Return it as it is shown alone."""
        row = self._shown()
        gear = self.athlete.gear.get(str(row.get("gear_id")))
        row.setdefault("gear", gear.summary() if gear else None)
        row.setdefault("photos", self._primary_photo())
        return row

    def _shown(self) -> dict[str, Any]:
        row = {"resource_state": 3, "athlete": {"id": self.athlete.id, "resource_state": 1}, **self.fields}
        row.setdefault("photo_count", 0)
        row.setdefault("total_photo_count", len(self.photos))
        return {key: value for key, value in row.items() if value is not ABSENT}

    def _primary_photo(self) -> dict[str, Any]:
        shown: dict[str, Any] | None = None
        if self.photos:
            first, origin = self.photos[0], self.athlete.origin()
            sizes = {str(size): first.url(origin, size) for size in (100, 600)}
            shown = {"unique_id": first.unique_id, "urls": sizes, "source": 1, "media_type": 2 if first.video else 1}
        return {"primary": shown, "use_primary_photo": False, "count": len(self.photos)}


def make(
    number: int,
    *,
    name: str,
    sport_type: str,
    start: float,
    seconds: float,
    utc_offset: float,
    timezone: str,
    indoor: bool = False,
    manual: bool = False,
) -> dict[str, Any]:
    """Return the fields of the detail of a new activity; like real ones it has ints where others have floats."""
    speed, cadence = _PACES.get(LEGACY.get(sport_type, sport_type), (1.3, 55.0))
    distance = 0.0 if sport_type in STILL else round(speed * seconds + number % 97, 1)
    mapped = not (indoor or manual or sport_type in STILL)
    fields = {
        "id": number,
        "name": name,
        "type": LEGACY.get(sport_type, sport_type),
        "sport_type": sport_type,
        "start_date": _iso(start),
        "start_date_local": _iso(start + utc_offset),
        "timezone": timezone,
        "utc_offset": utc_offset,
        "distance": _whole(distance),
        "moving_time": int(seconds),
        "elapsed_time": int(seconds) + 60,
        "average_speed": round(distance / seconds, 3) if seconds else 0,
        "max_speed": round(speed * 1.8, 1) if distance else 0,
        "calories": _whole(round(seconds / 6, 1)),
        "private_note": "",
        "description": None,
        "hide_from_home": False,
        **_people(),
        **_upload(number, manual=manual),
        **_route(number, mapped=mapped),
    }
    if not manual:
        fields |= _sensors(number, cadence=cadence if distance else 0, seconds=seconds, ride=fields["type"] == "Ride")
    return fields


def _people() -> dict[str, Any]:
    counts = ("achievement_count", "kudos_count", "comment_count", "pr_count")
    return {
        **dict.fromkeys(counts, 0),
        "athlete_count": 1,
        "trainer": False,
        "commute": False,
        "flagged": False,
        "private": False,
        "visibility": "everyone",
        "workout_type": None,
        "gear_id": None,
        "location_city": None,
        "location_state": None,
        "location_country": None,
        "has_kudoed": False,
        "from_accepted_tag": False,
        "heartrate_opt_out": False,
        "display_hide_heartrate_option": True,
        "segment_efforts": [],
        "splits_metric": [],
        "splits_standard": [],
        "laps": [],
        "best_efforts": [],
    }


def _upload(number: int, *, manual: bool) -> dict[str, Any]:
    if manual:
        return {"manual": True, "upload_id": None, "external_id": None, "device_name": None}
    upload = number + 1_000_000_000
    return {
        "manual": False,
        "upload_id": upload,
        "upload_id_str": str(upload),
        "external_id": f"garmin_ping_{number}",
        "device_name": "Garmin Edge 840",
    }


def _route(number: int, *, mapped: bool) -> dict[str, Any]:
    if not mapped:
        nothing = {"id": f"a{number}", "polyline": "", "summary_polyline": "", "resource_state": 3}
        return {"map": nothing, "start_latlng": [], "end_latlng": [], "total_elevation_gain": 0}
    fine = polyline.loop(52.09, 5.12, points=60)
    return {
        "map": {
            "id": f"a{number}",
            "polyline": polyline.encode(fine),
            "summary_polyline": polyline.encode(fine[::6] + fine[-1:]),
            "resource_state": 3,
        },
        "start_latlng": list(fine[0]),
        "end_latlng": list(fine[-1]),
        "total_elevation_gain": 120.4 + number % 50,
        "elev_high": 41.2,
        "elev_low": -1,
    }


def _sensors(number: int, *, cadence: float, seconds: float, ride: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "has_heartrate": number % 3 != 0,
        "suffer_score": 30 + number % 40 if number % 3 else None,
        "average_temp": 14,
    }
    if number % 3:
        fields |= {"average_heartrate": 138.4, "max_heartrate": 171 if number % 2 else 171.0}
    if cadence:
        fields["average_cadence"] = cadence
    if ride:
        fields |= {"average_watts": 158.3, "weighted_average_watts": 171, "max_watts": 612, "device_watts": True}
        fields["kilojoules"] = round(seconds * 0.1583, 1)
    return fields


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
