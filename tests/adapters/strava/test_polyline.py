"""Encoded polylines: what was encoded comes back, and everything else is refused with the place."""

import re
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.strava import polyline

LATITUDES = st.integers(-9_000_000, 9_000_000)
LONGITUDES = st.integers(-18_000_000, 18_000_000)
ALPHABET = st.characters(min_codepoint=63, max_codepoint=126)


def encode(points: Iterable[tuple[int, int]]) -> str:
    """Return points in hundred-thousandths of a degree as the format's description says."""
    text, before = "", (0, 0)
    for point in points:
        for now, then in zip(point, before, strict=True):
            bits = (now - then) << 1
            bits = ~bits if now < then else bits
            while bits > 0x1F:
                text += chr((bits & 0x1F | 0x20) + 63)
                bits >>= 5
            text += chr(bits + 63)
        before = point
    return text


def outcome(text: str) -> list[tuple[float, float]] | str:
    """Return the route, or why there is none."""
    try:
        return polyline.decode(text)
    except ValueError as error:
        return str(error)


def test_the_example_of_the_description_is_decoded() -> None:
    assert polyline.decode("_p~iF~ps|U_ulLnnqC_mqNvxq`@") == [(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]


def test_no_text_is_no_route() -> None:
    assert polyline.decode("") == []


@given(st.lists(st.tuples(LATITUDES, LONGITUDES), max_size=50))
def test_what_was_encoded_comes_back(points: list[tuple[int, int]]) -> None:
    found = polyline.decode(encode(points))
    assert found == [(latitude / 100_000, longitude / 100_000) for latitude, longitude in points]


@given(st.text() | st.text(ALPHABET, max_size=200))
def test_anything_else_is_refused_with_the_place(text: str) -> None:
    found = outcome(text)
    if isinstance(found, str):
        assert re.search(r"^polyline: .+, at character \d+$", found)
    else:
        assert all(abs(latitude) <= 90 and abs(longitude) <= 180 for latitude, longitude in found)


@given(st.lists(st.tuples(LATITUDES, LONGITUDES), min_size=1, max_size=5), st.data())
def test_a_route_that_was_cut_off_is_refused_or_ends_earlier(
    points: list[tuple[int, int]], data: st.DataObject
) -> None:
    whole = encode(points)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with suppress(ValueError):
        assert polyline.decode(cut) == polyline.decode(whole)[: len(polyline.decode(cut))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("_p~iF~ps|U €", "' ' cannot be in one, at character 10"),
        ("_p~iF~ps|U_ul", "cut off in a number, at character 10"),
        ("_p~iF", "ends with a latitude alone, at character 0"),
        ("~~~~~~~~~~?", "a number without end, at character 0"),
        (encode([(9_000_001, 0)]), "90.00001 degrees is outside the world, at character 0"),
        (encode([(0, -18_000_001)]), "-180.00001 degrees is outside the world, at character 1"),
    ],
)
def test_the_reason_names_the_place(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        polyline.decode(text)


def test_a_route_may_not_be_longer_than_was_said() -> None:
    assert len(polyline.decode("??" * 10, most=10)) == 10
    with pytest.raises(ValueError, match="more than 10 points, at character 20"):
        polyline.decode("??" * 11, most=10)


def test_a_text_that_is_far_too_long_is_not_read_to_its_end() -> None:
    with pytest.raises(ValueError, match="more than 100000 points"):
        polyline.decode("??" * polyline.MOST_POINTS + "? nonsense")
