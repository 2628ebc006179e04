"""Athletes: their activities, their gear and what is summed up of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.fakes.strava import activities

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.strava.activities import Activity
    from tests.fakes.strava.world import World

_FOUR_WEEKS: Final = 28 * 86_400
_METRES_PER_MILE: Final = 1609.344


@dataclass(eq=False)
class Gear:
    """A bike or a pair of shoes; ``distance`` in metres. Change it at will: nobody is told."""

    id: str
    name: str
    distance: float = 0.0
    nickname: str = ""
    primary: bool = False
    retired: bool = False
    brand_name: str = "Canyon"
    model_name: str = "Endurace"
    description: str | None = None
    frame_type: int = 3
    metric: bool = True

    def summary(self) -> dict[str, Any]:
        """Return it as the athlete and an activity show it."""
        unit = 1000 if self.metric else _METRES_PER_MILE
        return {
            "id": self.id,
            "primary": self.primary,
            "name": self.name,
            "nickname": self.nickname,
            "resource_state": 2,
            "retired": self.retired,
            "distance": int(self.distance) if self.distance == int(self.distance) else self.distance,
            "converted_distance": round(self.distance / unit, 1),
        }

    def detail(self) -> dict[str, Any]:
        """Return it as it is shown alone."""
        row = self.summary() | {
            "resource_state": 3,
            "brand_name": self.brand_name,
            "model_name": self.model_name,
            "description": self.description,
        }
        return row | ({"frame_type": self.frame_type, "weight": None} if self.id.startswith("b") else {})


@dataclass(eq=False)
class Athlete:
    """A person at Strava. ``fields`` override what ``/athlete`` shows, ``stats_fields`` what the statistics do."""

    world: World
    id: int
    firstname: str
    lastname: str = "Example"
    timezone: str = "(GMT+01:00) Europe/Amsterdam"
    utc_offset: float = 3600.0
    metric: bool = True
    subscriber: bool = False
    weight: float | None = 70.5
    ftp: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    stats_fields: dict[str, Any] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    gear: dict[str, Gear] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Athlete {self.id} {self.firstname}>"

    def add_activity(
        self,
        *,
        name: str = "Morning Ride",
        sport_type: str = "Ride",
        start: float | None = None,
        seconds: float = 3600,
        indoor: bool = False,
        manual: bool = False,
        private: bool = False,
        **fields: Any,  # noqa: ANN401 - any field of the API
    ) -> Activity:
        """Add an activity that began at ``start`` (None: ended now); ``fields`` as they are, ABSENT leaves one out."""
        begin = self.world.clock() - seconds - 60 if start is None else start
        made = activities.make(
            self.world.next_activity(),
            name=name,
            sport_type=sport_type,
            start=begin,
            seconds=seconds,
            utc_offset=self.utc_offset,
            timezone=self.timezone,
            indoor=indoor,
            manual=manual,
        )
        if private:
            made |= {"private": True, "visibility": "only_me"}
        made |= fields
        made["private"] = made["visibility"] == "only_me"
        activity = activities.Activity(self, made, start=begin)
        self.activities.append(activity)
        self.tell(activity, "create", {})
        return activity

    def add_bike(self, name: str, **fields: Any) -> Gear:  # noqa: ANN401 - any field of a gear
        """Add a bike and return it."""
        return self._add_gear(Gear(f"b{self.world.next_gear()}", name, metric=self.metric, **fields))

    def add_shoes(self, name: str, **fields: Any) -> Gear:  # noqa: ANN401 - any field of a gear
        """Add a pair of shoes and return it."""
        return self._add_gear(Gear(f"g{self.world.next_gear()}", name, metric=self.metric, **fields))

    def tell(self, activity: Activity, aspect: Literal["create", "update", "delete"], updates: dict[str, str]) -> None:
        """Tell the world that an activity has changed."""
        self.world.activity_changed(activity, aspect, updates)

    def origin(self) -> str:
        """Return where photos are served."""
        return self.world.origin

    def summary(self) -> dict[str, Any]:
        """Return the athlete as everybody may see them."""
        return {
            "id": self.id,
            "username": None,
            "resource_state": 2,
            "firstname": self.firstname,
            "lastname": self.lastname,
            "bio": None,
            "city": "Utrecht",
            "state": None,
            "country": "Netherlands",
            "sex": None,
            "premium": self.subscriber,
            "summit": self.subscriber,
            "created_at": "2019-04-01T08:00:00Z",
            "updated_at": "2026-11-01T08:00:00Z",
            "badge_type_id": 0,
            "weight": self.weight,
            "profile_medium": f"{self.origin()}/cdn/avatar-{self.id}-medium.jpg",
            "profile": f"{self.origin()}/cdn/avatar-{self.id}-large.jpg",
            "friend": None,
            "follower": None,
            **self.fields,
        }

    def detail(self) -> dict[str, Any]:
        """Return the athlete as ``profile:read_all`` sees them."""
        return {
            **self.summary(),
            "resource_state": 3,
            "follower_count": 5,
            "friend_count": 7,
            "mutual_friend_count": 0,
            "athlete_type": 1,
            "date_preference": "%m/%d/%Y",
            "measurement_preference": "meters" if self.metric else "feet",
            "clubs": [],
            "ftp": self.ftp,
            "bikes": [gear.summary() for key, gear in self.gear.items() if key.startswith("b")],
            "shoes": [gear.summary() for key, gear in self.gear.items() if key.startswith("g")],
            **self.fields,
        }

    def zones(self) -> dict[str, Any]:
        """Return the training zones; the last one has no end, which is written as -1."""
        edges = (0, 115, 152, 171, 190, -1)
        zones = [{"min": low, "max": high} for low, high in pairwise(edges)]
        return {"heart_rate": {"custom_zones": False, "zones": zones}}

    def stats(self) -> dict[str, Any]:
        """Return the statistics: of what everybody may see, and of rides, runs and swims only."""
        now = self.world.clock()
        year = datetime.fromtimestamp(now, UTC).replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        periods = {"recent": now - _FOUR_WEEKS, "ytd": year.timestamp(), "all": 0.0}
        rows: dict[str, Any] = {}
        for kind in ("ride", "run", "swim"):
            mine = [one for one in self.activities if self._counts(one, kind)]
            for period, since in periods.items():
                rows[f"{period}_{kind}_totals"] = _totals([one for one in mine if one.start >= since], period)
        rides = [_number(one, "distance") for one in self.activities if self._counts(one, "ride")]
        if rides:
            rows["biggest_ride_distance"] = float(max(rides))
        rows["biggest_climb_elevation_gain"] = None
        rows |= self.stats_fields
        return {key: value for key, value in rows.items() if value is not activities.ABSENT}

    def _counts(self, activity: Activity, kind: str) -> bool:
        return bool(activity.fields["visibility"] == "everyone" and str(activity.fields["type"]).lower() == kind)

    def _add_gear(self, gear: Gear) -> Gear:
        self.gear[gear.id] = gear
        return gear


def _totals(found: list[Activity], period: str) -> dict[str, Any]:
    def add(key: str, kind: Callable[[float], float]) -> float:
        return kind(sum(_number(one, key) for one in found))

    # Only the four weeks are written as floats.
    kind: Callable[[float], float] = float if period == "recent" else int
    row = {
        "count": len(found),
        "distance": add("distance", kind),
        "moving_time": add("moving_time", int),
        "elapsed_time": add("elapsed_time", int),
        "elevation_gain": add("total_elevation_gain", kind),
    }
    return row | ({"achievement_count": add("achievement_count", int)} if period == "recent" else {})


def _number(activity: Activity, key: str) -> float:
    value = activity.fields.get(key)
    return value if isinstance(value, int | float) else 0
