"""Colours and widths on a terminal."""

import unicodedata
from typing import Final
from zlib import crc32

BOLD: Final = "1"
FAINT: Final = "2"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"

_OF_OWNERS: Final = ("38;5;39", "38;5;208", "38;5;170", "38;5;78", "38;5;203", "38;5;178", "38;5;105")
"""Of the 256 colours, those that tell each other apart on dark and on light."""

_WIDE: Final = frozenset("WF")


class Paint:
    """Colours texts, or leaves them as they are."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    def __call__(self, text: str, *codes: str) -> str:
        """Return ``text`` in the given colour and weight (ECMA-48 section 8.3.117)."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._enabled and codes and text else text


def colour_of(owner: str) -> str:
    """Return the colour of an owner, the same everywhere and each time."""
    if owner.startswith("_"):
        return FAINT
    return _OF_OWNERS[crc32(owner.encode()) % len(_OF_OWNERS)]


def width(text: str) -> int:
    """Return how many columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def padded(text: str, columns: int) -> str:
    """Return ``text`` with spaces after it, at least as wide as ``columns``."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits; the last column tells when that is not all."""
    if width(text) <= columns:
        return text
    kept, left = "", columns - 1
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept += character
    return kept + "…" if columns > 0 else ""


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
