"""The encoded polyline format, a route as text.

Source: developers.google.com/maps/documentation/utilities/polylinealgorithm
"""

from collections.abc import Iterator
from typing import Final

MOST_POINTS: Final = 100_000
"""More points than a day of recording every second has."""

_PRECISION: Final = 100_000
_OFFSET: Final = 63
_LAST: Final = 126
_MORE: Final = 0x20
_LONGEST: Final = 30
"""Bits of the largest difference between two places, rounded up to whole characters."""


def decode(text: str, *, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Return the (latitude, longitude) pairs in degrees that ``text`` stands for.

    Raises ValueError, which says where: it is no polyline, leaves the world, or has more than ``most`` points.
    """
    points: list[tuple[float, float]] = []
    latitude = longitude = 0
    numbers = list(_numbers(text, most=2 * most))
    if len(numbers) % 2:
        message = f"polyline: ends with a latitude alone, at character {numbers[-1][0]}"
        raise ValueError(message)
    for (at, northward), (at_longitude, eastward) in zip(numbers[::2], numbers[1::2], strict=True):
        latitude += northward
        longitude += eastward
        _check(latitude, most=90, at=at)
        _check(longitude, most=180, at=at_longitude)
        points.append((latitude / _PRECISION, longitude / _PRECISION))
    return points


def _numbers(text: str, *, most: int) -> Iterator[tuple[int, int]]:
    """Yield where each number begins, and the number."""
    begin = value = shift = count = 0
    for at, character in enumerate(text):
        code = ord(character)
        if not _OFFSET <= code <= _LAST:
            message = f"polyline: {character!r} cannot be in one, at character {at}"
            raise ValueError(message)
        if shift >= _LONGEST:
            message = f"polyline: a number without end, at character {begin}"
            raise ValueError(message)
        bits = code - _OFFSET
        value |= (bits & (_MORE - 1)) << shift
        shift += 5
        if bits < _MORE:
            count += 1
            if count > most:
                message = f"polyline: more than {most // 2} points, at character {begin}"
                raise ValueError(message)
            yield begin, ~(value >> 1) if value & 1 else value >> 1
            begin, value, shift = at + 1, 0, 0
    if shift:
        message = f"polyline: cut off in a number, at character {begin}"
        raise ValueError(message)


def _check(coordinate: int, *, most: int, at: int) -> None:
    if abs(coordinate) > most * _PRECISION:
        message = f"polyline: {coordinate / _PRECISION} degrees is outside the world, at character {at}"
        raise ValueError(message)
