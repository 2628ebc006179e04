"""Units that a value can be shown in."""

import pytest

from jitney.daemon.discovery.units import conversion


@pytest.mark.parametrize(
    ("unit", "other", "value", "shown"),
    [
        ("m", "km", 12345, 12.345),
        ("m", "mi", 1609.344, 1),
        ("m", "ft", 1000, 3280.8399),
        ("m/s", "km/h", 10, 36),
        ("m/s", "mph", 10, 22.3694),
        ("kg", "lb", 75, 165.3467),
        ("°C", "°F", 21.5, 70.7),
        ("°F", "°C", 212, 100),
        ("s", "min", 90, 1.5),
        ("hPa", "inHg", 1013.25, 29.9213),
        ("min/km", "min/mi", 5, 8.04672),
        ("s/km", "min/km", 300, 5),
        ("s/m", "min/km", 0.3, 5),
        ("kJ", "kcal", 4.184, 1),
        ("mm/h", "in/h", 25.4, 1),
        ("m³", "L", 1, 1000),
        ("km", "km", 3, 3),
    ],
)
def test_a_value_is_the_same_in_the_other_unit(unit: str, other: str, value: float, shown: float) -> None:
    found = conversion(unit, other)
    assert found is not None
    assert value * found.factor + found.offset == pytest.approx(shown, rel=1e-5)


def test_what_is_not_the_same_thing_is_not_converted() -> None:
    assert conversion("m", "kg") is None
    assert conversion("m", "°F") is None
    assert conversion("steps", "m") is None
