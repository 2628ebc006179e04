"""Routes: points on a map, and the polyline in which Strava writes them."""

from collections.abc import Iterable
from math import cos, pi, sin
from typing import Final

_PRECISION: Final = 100_000
_FIRST_LETTER: Final = 63


def loop(latitude: float, longitude: float, *, points: int) -> list[tuple[float, float]]:
    """Return a closed route of about ten kilometres that begins north of a place."""
    angles = [2 * pi * number / (points - 1) for number in range(points)]
    return [(round(latitude + 0.015 * cos(angle), 6), round(longitude + 0.02 * sin(angle), 6)) for angle in angles]


def encode(points: Iterable[tuple[float, float]]) -> str:
    """Return points (latitude, longitude) as an encoded polyline of precision 5."""
    letters: list[str] = []
    before = (0, 0)
    for latitude, longitude in points:
        here = (round(latitude * _PRECISION), round(longitude * _PRECISION))
        letters += [*_number(here[0] - before[0]), *_number(here[1] - before[1])]
        before = here
    return "".join(letters)


def _number(value: int) -> Iterable[str]:
    value = ~(value << 1) if value < 0 else value << 1
    while value >= 0x20:
        yield chr((0x20 | (value & 0x1F)) + _FIRST_LETTER)
        value >>= 5
    yield chr(value + _FIRST_LETTER)
