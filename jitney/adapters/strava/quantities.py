"""What is measured, and how Home Assistant shows it: in which unit, as what, with how many decimals."""

from typing import Final

from msgspec import Struct

from jitney.adapters.entities import Category, Sensor, Source, StateClass


class Quantity(Struct, frozen=True, kw_only=True):
    """Something that can be measured: its ``unit`` in the states, and what a sensor says of it."""

    unit: str = ""
    shown_as: tuple[str, str] = ("", "")
    device_class: str = ""
    precision: int = 0
    icon: str = ""


DISTANCE: Final = Quantity(
    unit="m", shown_as=("km", "mi"), device_class="distance", precision=2, icon="mdi:map-marker-distance"
)
SWUM: Final = Quantity(unit="m", shown_as=("m", "yd"), device_class="distance", icon="mdi:map-marker-distance")
DISTANCES: Final = Quantity(
    unit="m", shown_as=("km", "mi"), device_class="distance", precision=1, icon="mdi:map-marker-distance"
)
"""A sum of them."""

HEIGHT: Final = Quantity(unit="m", shown_as=("m", "ft"), device_class="distance", icon="mdi:elevation-rise")
TIME: Final = Quantity(
    unit="s", shown_as=("min", "min"), device_class="duration", precision=2, icon="mdi:timer-outline"
)
"""With two decimals Home Assistant shows minutes and seconds of it, as it shows hours and minutes of a sum."""

TIMES: Final = Quantity(unit="s", shown_as=("h", "h"), device_class="duration", precision=2, icon="mdi:timer-outline")
SPEED: Final = Quantity(unit="m/s", shown_as=("km/h", "mph"), device_class="speed", precision=1, icon="mdi:speedometer")
PACE: Final = Quantity(unit="s/km", shown_as=("min/km", "min/mi"), precision=2, icon="mdi:run-fast")
HEART_RATE: Final = Quantity(unit="bpm", icon="mdi:heart-pulse")
POWER: Final = Quantity(unit="W", device_class="power", icon="mdi:lightning-bolt")
WORK: Final = Quantity(unit="kJ", device_class="energy", icon="mdi:lightning-bolt-circle")
CALORIES: Final = Quantity(unit="kcal", device_class="energy", icon="mdi:fire")
TEMPERATURE: Final = Quantity(unit="°C", shown_as=("°C", "°F"), device_class="temperature", icon="mdi:thermometer")
WEIGHT: Final = Quantity(
    unit="kg", shown_as=("kg", "lb"), device_class="weight", precision=1, icon="mdi:scale-bathroom"
)
NUMBER: Final = Quantity(icon="mdi:counter")

_ONLY_SUMS: Final = frozenset({"energy"})
"""Classes that Home Assistant takes for what a meter counts: what was used up at once has no state class there."""


def sensor(
    of: Quantity,
    key: str,
    name: str,
    value: Source,
    *,
    state_class: StateClass = "measurement",
    icon: str = "",
    category: Category = "",
    enabled: bool = True,
) -> Sensor:
    """Return the sensor of a quantity at ``value``."""
    return Sensor(
        key=key,
        name=name,
        value=value,
        unit=of.unit,
        shown_as=of.shown_as,
        device_class=of.device_class,
        precision=of.precision,
        state_class="" if of.device_class in _ONLY_SUMS else state_class,
        icon=icon or of.icon,
        category=category,
        enabled=enabled,
    )


def clock(key: str, name: str, value: Source, *, enabled: bool = True) -> Sensor:
    """Return the sensor of seconds as a person reads them: ``1:02:03``."""
    text = "'%d:%02d:%02d' % (value // 3600, value // 60 % 60, value % 60)"
    return Sensor(key=key, name=name, value=value, expression=text, icon=TIME.icon, enabled=enabled)


def pace(key: str, name: str, value: Source, *, kilometres: float, imperial: bool, enabled: bool) -> Sensor:
    """Return the sensor of seconds for each kilometre as a person reads them for so many ``kilometres``: ``5:12``.

    It is for those who measure ``imperial``, or for the others.
    """
    seconds = f"(value * {kilometres!r}) | round | int"
    return Sensor(
        key=key,
        name=name,
        value=value,
        expression=f"'%d:%02d' % (({seconds}) // 60, ({seconds}) % 60)",
        icon=PACE.icon,
        system="imperial" if imperial else "metric",
        enabled=enabled,
    )
