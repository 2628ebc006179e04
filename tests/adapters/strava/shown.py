"""What is retained of alice at Strava, and how a Home Assistant reads it through what she announces."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from jitney.adapters.entities import Device
from jitney.adapters.strava import states
from jitney.adapters.strava.board import Shown
from jitney.adapters.strava.config import Show
from jitney.adapters.strava.entities import devices, scene
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
from jitney.adapters.strava.limiter import Quota
from tests.daemon.discovery.announcing import announced, place, rendered

ATHLETE = 1001
NAME = "Strava Alice"
EVERYTHING = Show(photos=True)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()

RIDE = ActivityData(
    id=16500000007,
    name="Round the lake",
    sport_type="GravelRide",
    sport="ride",
    start="2026-11-21T07:12:40.000Z",
    start_local="2026-11-21T08:12:40",
    timezone="Europe/Oslo",
    distance=42195.0,
    moving_time=7260,
    elapsed_time=7900,
    elevation_gain=512.0,
    average_speed=5.812,
    max_speed=14.3,
    pace=172.1,
    average_heart_rate=141.2,
    average_power=187.0,
    energy=1357.6,
    calories=1511.0,
    cadence=81.5,
    temperature=7.0,
    kudos=0,
    commute=False,
    gear=UsedGear("b12", "Gravel bike"),
    start_position=Position(59.91, 10.75),
    url="https://www.strava.com/activities/16500000007",
)
RUN = ActivityData(
    id=16400000001,
    name='Run "easy" {{ 1 }}',
    sport_type="Run",
    sport="run",
    start="2026-11-19T06:00:00.000Z",
    start_local="2026-11-19T07:00:00",
    distance=10000.0,
    moving_time=2999,
    pace=299.9,
    average_speed=3.334,
    commute=True,
    url="https://www.strava.com/activities/16400000001",
)
SWIM = ActivityData(
    id=16300000003,
    name="Pool",
    sport_type="Swim",
    sport="swim",
    start="2026-10-01T06:00:00.000Z",
    start_local="2026-10-01T08:00:00",
    distance=1500.0,
    moving_time=1800,
    pace=1200.0,
    url="https://www.strava.com/activities/16300000003",
)
ACTIVITIES = (RIDE, RUN, SWIM)
GEAR = (
    GearState(id="b12", kind="bike", name="Gravel bike", brand="Canyon", model="Grizl", distance=8_100_250.0),
    GearState(id="g7", kind="shoe", name="Pegasus", distance=412_000.0, retired=False),
    GearState(id="b3", kind="bike", name="Old one", distance=20_000_000.0, retired=True),
    GearState(id="b4", kind="bike", nickname="Wreck", distance=1_000.0),
)
STATS = StatsData(
    recent=Period(ride=Totals(count=4, distance=160_000.0, moving_time=27_000, elevation_gain=1_900.0)),
    year=Period(ride=Totals(count=91, distance=3_456_789.0, moving_time=540_000, elevation_gain=45_678.0)),
    all=Period(swim=Totals(count=7, distance=9_800.0, moving_time=12_600)),
    biggest_ride_distance=201_400.0,
)
PHOTOS = tuple(
    PhotoData(unique_id=f"p{number}", activity=RIDE.id, url=f"https://photos.example/{number}.jpg", caption="Up there")
    for number in range(3)
)
QUOTA = Quota(
    short_limit=100,
    short_used=30,
    short_resets_at=NOW + 900,
    day_limit=1000,
    day_used=412,
    day_resets_at=NOW + 43_200,
    blocked_until=0.0,
)


def retained(
    activities: Iterable[ActivityData] = ACTIVITIES, gear: Iterable[GearState] = GEAR, *, most: int = 5, turn: int = 0
) -> list[Shown]:
    """Return what is retained of alice when she did and has that."""
    done = list(activities)
    subject, photos = states.photos(PHOTOS)
    pairs = [
        *states.recent(done, most=most),
        *states.latest(done),
        states.week(done, now=NOW),
        (subject, photos),
        *states.photo(photos, turn=turn),
        states.athlete(AthleteData(id=ATHLETE, name="Alice", weight=61.5, ftp=210.0), scopes=("read",), since=NOW),
        *states.gear(gear),
        states.stats(STATS),
        states.quota(QUOTA),
        states.subscription("webhook", state="active", last_event=NOW),
    ]
    return [Shown(*pair) for pair in pairs]


def alices(show: Show = EVERYTHING, *, states: Iterable[Shown] | None = None, places: bool = True) -> dict[str, Device]:
    """Return the devices of alice by their keys."""
    there = scene(retained() if states is None else states, show, athlete=ATHLETE)
    return {device.key: device for device in devices(there, show, name=NAME, places=places)}


def read(
    device: Device, states: Iterable[Shown], *, system: Literal["metric", "imperial"] = "metric"
) -> dict[str, str]:
    """Return what Home Assistant shows of the sensors of a device, by key: the value with its unit."""
    values: Mapping[str, Any] = {one.subject: msgspec.to_builtins(one.value) for one in states}
    components = announced(device, place("alice", "strava", system=system)).payload["components"]
    found = {}
    for key, options in components.items():
        subject = str(options.get("state_topic", "")).partition("/state/strava/")[2]
        if subject:
            told = rendered(options["value_template"], values.get(subject, {}))
            found[key] = f"{told} {options.get('unit_of_measurement', '')}".strip()
    return found


def without(activity: ActivityData, *fields: str) -> ActivityData:
    """Return an activity of which Strava does not tell some things."""
    return replace(activity, **dict.fromkeys(fields))
