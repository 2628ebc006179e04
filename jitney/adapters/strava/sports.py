"""Kinds of sport: which group one belongs to, and its name as a word of a topic."""

import re
from collections.abc import Mapping
from typing import Final, Literal

Sport = Literal["ride", "run", "swim", "walk", "snow", "skate", "water", "ball", "fitness", "other"]
"""A group of sport types; ``ball`` has everything that is played, ``other`` also what nobody knows yet."""

UNKNOWN: Final = "Other"
"""The sport type of an activity that has none."""

_GROUPS: Final[Mapping[Sport, tuple[str, ...]]] = {
    "ride": (
        "EBikeRide",
        "EMountainBikeRide",
        "GravelRide",
        "Handcycle",
        "MountainBikeRide",
        "Ride",
        "Velomobile",
        "VirtualRide",
    ),
    "run": ("Run", "TrailRun", "VirtualRun"),
    "swim": ("Swim",),
    "walk": ("Hike", "Walk"),
    "snow": ("AlpineSki", "BackcountrySki", "NordicSki", "Snowboard", "Snowshoe"),
    "skate": ("IceSkate", "InlineSkate", "RollerSki", "Skateboard"),
    "water": (
        "Canoeing",
        "Kayaking",
        "Kitesurf",
        "Rowing",
        "Sail",
        "StandUpPaddling",
        "Surfing",
        "VirtualRow",
        "WaterSport",
        "Windsurf",
    ),
    "ball": (
        "Badminton",
        "Basketball",
        "Cricket",
        "Golf",
        "Padel",
        "Pickleball",
        "Racquetball",
        "Soccer",
        "Squash",
        "TableTennis",
        "Tennis",
        "Volleyball",
    ),
    "fitness": (
        "Crossfit",
        "Dance",
        "Elliptical",
        "HighIntensityIntervalTraining",
        "Pilates",
        "StairStepper",
        "WeightTraining",
        "Workout",
        "Yoga",
    ),
    "other": ("Other", "RockClimbing", "Wheelchair"),
}

SPORTS: Final[Mapping[str, Sport]] = {sport_type: sport for sport, types in _GROUPS.items() for sport_type in types}
"""The group of every known sport type (the reference's SportType, and what was seen besides)."""

ON_FOOT: Final = frozenset({"Hike", "Run", "Snowshoe", "TrailRun", "VirtualRun", "Walk"})
"""Where Strava counts the steps of one leg as cadence."""

_LONGEST_WORD: Final = 48
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")


def group(sport_type: str) -> Sport:
    """Return the group of a sport type, ``other`` for one that is not known."""
    return SPORTS.get(sport_type, "other")


def word(text: str) -> str:
    """Return any text as a short word of a-z, 0-9 and _: ``mountain_bike_ride`` of ``MountainBikeRide``."""
    snake = _UNSAFE.sub("_", _HUMP.sub("_", text[: 4 * _LONGEST_WORD]).lower()).strip("_")
    return snake[:_LONGEST_WORD].rstrip("_") or "other"
