"""Long texts in parts."""

import re
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import texts

NUMBER = re.compile(r"(\d+)/(\d+) ")
FAMILY = "👩‍👩‍👧‍👦"


def bodies(parts: tuple[str, ...]) -> list[str]:
    """Return the parts without their numbers, which have to be right."""
    if len(parts) == 1:
        return list(parts)
    found = []
    for number, part in enumerate(parts, 1):
        match = NUMBER.match(part)
        assert match is not None
        assert (int(match[1]), int(match[2])) == (number, len(parts))
        found.append(part[match.end() :])
    return found


def test_a_text_that_fits_is_sent_as_it_is() -> None:
    assert texts.split("a" * 200) == ("a" * 200,)


def test_a_longer_text_is_cut_at_words_and_numbered() -> None:
    text = "the quick brown fox jumps over the lazy dog " * 8
    parts = texts.split(text.strip())
    assert [part[:4] for part in parts] == ["1/2 ", "2/2 "]
    assert "".join(bodies(parts)) == text.strip()
    assert bodies(parts)[0].endswith(" ")


def test_a_word_longer_than_a_part_is_cut_in_the_middle_rather_than_wasting_the_part() -> None:
    parts = texts.split("short " + "x" * 300)
    assert len(parts[0].encode()) == 200


def test_bytes_count_and_not_characters() -> None:
    parts = texts.split("ö" * 150)
    assert len(parts) == 2
    assert all(len(part.encode()) <= 200 for part in parts)


@pytest.mark.parametrize("sign", [FAMILY, "🇩🇪", "👍🏽", "e\u0301", "❤\ufe0f"])
def test_what_is_seen_as_one_character_stays_whole(sign: str) -> None:
    for before in range(4):
        parts = bodies(texts.split("x" * before + sign * 40))
        assert "".join(parts).count(sign) == 40
        assert sum(part.count(sign) for part in parts) == 40


def test_a_sign_that_never_ends_is_cut_all_the_same() -> None:
    parts = texts.split("a" + "\u0301" * 300)
    assert "".join(bodies(parts)) == "a" + "\u0301" * 300


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_is_not_sent(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        texts.split(text)
    assert caught.value.code == "invalid"


def test_more_than_the_parts_hold_is_refused_with_the_remedy() -> None:
    with pytest.raises(RefusedError, match="more than one command") as caught:
        texts.split("x" * 1600)
    assert caught.value.code == "too_long"
    assert len(texts.split("x" * 8 * 196)) == 8


def test_parts_with_two_digits_are_numbered_within_their_bytes() -> None:
    parts = texts.split("x" * 500, most_bytes=40, most_parts=20)
    assert 9 < len(parts) <= 20
    assert "".join(bodies(parts)) == "x" * 500
    assert all(len(part.encode()) <= 40 for part in parts)


@given(st.text(min_size=1, max_size=700), st.integers(40, 214), st.integers(1, 20))
def test_parts_are_the_text_and_fit_whatever_it_is(text: str, most_bytes: int, most_parts: int) -> None:
    wasted = most_bytes // 4 + 6 + 32
    if not text.strip() or len(text.encode()) > most_parts * max(most_bytes - wasted, 1):
        with suppress(RefusedError):
            texts.split(text, most_bytes=most_bytes, most_parts=most_parts)
        return
    parts = texts.split(text, most_bytes=most_bytes, most_parts=most_parts)
    assert len(parts) <= most_parts
    assert all(0 < len(part.encode()) <= most_bytes for part in parts)
    assert "".join(bodies(parts)) == text


@given(st.text(max_size=300), st.integers(4, 200))
def test_a_cut_text_is_the_beginning_of_it(text: str, most_bytes: int) -> None:
    short = texts.cut(text, most_bytes)
    assert text.startswith(short)
    assert len(short.encode()) <= most_bytes
    assert short == text or unicodedata.category(text[len(short)]) not in ("Mn", "Me") or len(short) <= most_bytes
