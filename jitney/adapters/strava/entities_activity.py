"""What Home Assistant is shown of one activity: the state of a slot, or of the latest of a sport."""

from collections.abc import Iterator
from typing import Final

from jitney.adapters.entities import AnyEntity, At, BinarySensor, Button, DeviceTracker, Sensor
from jitney.adapters.strava import sports
from jitney.adapters.strava.quantities import (
    CALORIES,
    DISTANCE,
    HEART_RATE,
    HEIGHT,
    NUMBER,
    PACE,
    POWER,
    SPEED,
    SWUM,
    TEMPERATURE,
    TIME,
    WORK,
    Quantity,
    clock,
    pace,
    sensor,
)
from jitney.adapters.strava.sports import Sport

MILE: Final = 1.609344
HUNDRED_METRES: Final = 0.1
HUNDRED_YARDS: Final = 0.09144
"""All of them in kilometres."""

ICONS: Final[dict[Sport, str]] = {
    "ride": "mdi:bike",
    "run": "mdi:run",
    "swim": "mdi:swim",
    "walk": "mdi:hiking",
    "snow": "mdi:ski",
    "skate": "mdi:roller-skate",
    "water": "mdi:rowing",
    "ball": "mdi:tennis",
    "fitness": "mdi:weight-lifter",
    "other": "mdi:medal",
}

_ON_FOOT: Final = frozenset[Sport | None]({"run", "walk"})
_OFF_WHEELS: Final = _ON_FOOT | {"swim"}
_PEDALLED: Final = frozenset[Sport | None]({None, "ride"})
_WITH_CADENCE: Final = _ON_FOOT | _PEDALLED


def of_activity(subject: str, sport_type: str = "", *, activity: int = 0, places: bool) -> tuple[AnyEntity, ...]:
    """Return the entities of the activity in the state ``subject``, always of this ``sport_type`` or, empty, of any.

    ``activity`` is its number, as long as there is one; with ``places`` it shows where it began.
    """
    sport = sports.group(sport_type) if sport_type else None
    return (
        *_what(subject, sport),
        *_way(subject, sport),
        *_pace(subject, sport),
        *_effort(subject, sport, sport_type),
        *_applause(subject),
        *_circumstances(subject),
        *([_start(subject, enabled=sport is None)] if places else []),
        _refresh(activity),
    )


def _what(subject: str, sport: Sport | None) -> Iterator[AnyEntity]:
    yield Sensor(
        key="title",
        value=At(subject, "name"),
        icon=ICONS[sport] if sport else "mdi:medal",
        attributes=At(subject),
    )
    yield Sensor(
        key="start",
        name="Start",
        value=At(subject, "start"),
        device_class="timestamp",
        icon="mdi:calendar-clock",
    )
    if sport is None:
        yield Sensor(key="sport", name="Sport", value=At(subject, "sport_type"), icon="mdi:medal")
    yield Sensor(key="gear", name="Gear", value=At(subject, "gear.name"), icon="mdi:shoe-sneaker")


def _way(subject: str, sport: Sport | None) -> Iterator[AnyEntity]:
    fast = sport not in _OFF_WHEELS
    climbs = sport != "swim"
    yield sensor(SWUM if sport == "swim" else DISTANCE, "distance", "Distance", At(subject, "distance"))
    for key, name in (("moving_time", "Moving time"), ("elapsed_time", "Elapsed time")):
        yield sensor(TIME, key, name, At(subject, key))
        yield clock(f"{key}_text", f"{name} as text", At(subject, key), enabled=False)
    yield sensor(HEIGHT, "elevation_gain", "Elevation gain", At(subject, "elevation_gain"), enabled=climbs)
    yield sensor(HEIGHT, "elevation_high", "Highest point", At(subject, "elevation_high"), enabled=False)
    yield sensor(HEIGHT, "elevation_low", "Lowest point", At(subject, "elevation_low"), enabled=False)
    yield sensor(SPEED, "average_speed", "Average speed", At(subject, "average_speed"), enabled=fast)
    yield sensor(SPEED, "max_speed", "Maximum speed", At(subject, "max_speed"), enabled=fast)


def _pace(subject: str, sport: Sport | None) -> Iterator[AnyEntity]:
    told = At(subject, "pace")
    paced = sport is None or sport in _ON_FOOT
    yield sensor(PACE, "pace", "Pace", told, enabled=paced)
    units = [("kilometre", 1.0, False, paced), ("mile", MILE, True, paced)]
    if sport == "swim":
        units += [("100_metres", HUNDRED_METRES, False, True), ("100_yards", HUNDRED_YARDS, True, True)]
    for unit, kilometres, imperial, enabled in units:
        name = f"Pace per {unit.replace('_', ' ')}"
        yield pace(f"pace_per_{unit}", name, told, kilometres=kilometres, imperial=imperial, enabled=enabled)


def _effort(subject: str, sport: Sport | None, sport_type: str) -> Iterator[AnyEntity]:
    pedalled = sport in _PEDALLED
    cadence = Quantity(unit=_cadence_unit(sport, sport_type), icon="mdi:metronome")
    yield sensor(HEART_RATE, "average_heart_rate", "Average heart rate", At(subject, "average_heart_rate"))
    yield sensor(HEART_RATE, "max_heart_rate", "Maximum heart rate", At(subject, "max_heart_rate"))
    yield sensor(cadence, "cadence", "Cadence", At(subject, "cadence"), enabled=sport in _WITH_CADENCE)
    yield sensor(POWER, "average_power", "Average power", At(subject, "average_power"), enabled=pedalled)
    yield sensor(POWER, "weighted_power", "Weighted power", At(subject, "weighted_power"), enabled=sport == "ride")
    yield sensor(POWER, "max_power", "Maximum power", At(subject, "max_power"), enabled=sport == "ride")
    yield sensor(WORK, "energy", "Work", At(subject, "energy"), enabled=False)
    yield sensor(CALORIES, "calories", "Calories", At(subject, "calories"))
    yield sensor(NUMBER, "suffer_score", "Relative effort", At(subject, "suffer_score"), icon="mdi:arm-flex")


def _applause(subject: str) -> Iterator[AnyEntity]:
    for key, name, icon, enabled in (
        ("kudos", "Kudos", "mdi:thumb-up-outline", True),
        ("comments", "Comments", "mdi:comment-outline", False),
        ("achievements", "Achievements", "mdi:trophy-outline", True),
        ("personal_records", "Personal records", "mdi:podium-gold", True),
        ("pr_segments", "Segment records", "mdi:podium", False),
        ("kom_segments", "Segment top tens", "mdi:crown-outline", False),
        ("photos", "Photos", "mdi:camera-outline", False),
        ("athletes", "Participants", "mdi:account-group", False),
    ):
        yield sensor(NUMBER, key, name, At(subject, key), icon=icon, enabled=enabled)


def _circumstances(subject: str) -> Iterator[AnyEntity]:
    yield sensor(TEMPERATURE, "temperature", "Temperature", At(subject, "temperature"), enabled=False)
    yield Sensor(
        key="device",
        name="Recorded with",
        value=At(subject, "device"),
        icon="mdi:watch-variant",
        category="diagnostic",
        enabled=False,
    )
    for key, name, icon in (
        ("commute", "Commute", "mdi:briefcase-outline"),
        ("trainer", "Indoors", "mdi:home-outline"),
        ("only_me", "Private", "mdi:lock-outline"),
    ):
        yield BinarySensor(key=key, name=name, value=At(subject, key), icon=icon, enabled=False)


def _start(subject: str, *, enabled: bool) -> DeviceTracker:
    return DeviceTracker(
        key="start_place",
        name="Start place",
        place=At(subject, "start_position"),
        icon="mdi:map-marker",
        enabled=enabled,
    )


def _refresh(activity: int) -> Button:
    """Return what fetches the activity anew, or while there is none, looks for some."""
    if not activity:
        return Button(key="refresh", name="Refresh", command="refresh", icon="mdi:refresh")
    data = {"activity": activity}
    return Button(key="refresh", name="Refresh", command="get_activity", data=data, icon="mdi:refresh")


def _cadence_unit(sport: Sport | None, sport_type: str) -> str:
    if sport_type in sports.ON_FOOT:
        return "steps/min"
    return {"ride": "rpm", "swim": "strokes/min"}.get(sport or "", "/min")
