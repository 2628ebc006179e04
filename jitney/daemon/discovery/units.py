"""Units that a value can be shown in instead of its own."""

from typing import Final

from msgspec import Struct

_SIZES: Final[tuple[dict[str, float], ...]] = (
    {
        "mm": 0.001,
        "cm": 0.01,
        "m": 1,
        "km": 1000,
        "in": 0.0254,
        "ft": 0.3048,
        "yd": 0.9144,
        "mi": 1609.344,
        "nmi": 1852,
    },
    {"m/s": 1, "km/h": 1 / 3.6, "mph": 0.44704, "ft/s": 0.3048, "kn": 1852 / 3600},
    {"mm/h": 1, "mm/d": 1 / 24, "in/h": 25.4, "in/d": 25.4 / 24},
    {"s/m": 1, "s/km": 0.001, "min/km": 0.06, "min/mi": 60 / 1609.344, "s/100m": 0.01, "min/100m": 0.6},
    {"mg": 1e-6, "g": 0.001, "kg": 1, "oz": 0.028349523125, "lb": 0.45359237, "st": 6.35029318},
    {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400},
    {
        "Pa": 1,
        "hPa": 100,
        "mbar": 100,
        "kPa": 1000,
        "bar": 1e5,
        "mmHg": 133.322387415,
        "inHg": 3386.388640341,
        "psi": 6894.757293168,
    },
    {"J": 1, "kJ": 1000, "MJ": 1e6, "cal": 4.184, "kcal": 4184, "Wh": 3600, "kWh": 3.6e6},
    {"mW": 0.001, "W": 1, "kW": 1000},
    {"mV": 0.001, "V": 1},
    {"mA": 0.001, "A": 1},
    {"Hz": 1, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    {"mL": 0.001, "L": 1, "m³": 1000, "fl. oz.": 0.0295735295625, "gal": 3.785411784, "ft³": 28.316846592},
)
"""How much of the same thing one of each unit is."""

_DEGREES: Final = {("°C", "°F"): (1.8, 32.0), ("°F", "°C"): (5 / 9, -160 / 9), ("K", "°C"): (1.0, -273.15)}


class Conversion(Struct, frozen=True):
    """A value times ``factor`` plus ``offset`` is the same in the other unit."""

    factor: float
    offset: float = 0.0


def conversion(unit: str, other: str) -> Conversion | None:
    """Return how a value in ``unit`` becomes one in ``other``, None where that is not known."""
    if (degrees := _DEGREES.get((unit, other))) is not None:
        return Conversion(*degrees)
    for sizes in _SIZES:
        if unit in sizes and other in sizes:
            return Conversion(sizes[unit] / sizes[other])
    return None
