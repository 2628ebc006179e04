"""A text that is too long for one packet: cut into numbered parts, each a whole text in itself."""

import unicodedata
from typing import Final

from jitney.adapters.errors import RefusedError

MOST_BYTES: Final = 200
"""Bytes of UTF-8 in one packet. The firmware has room for some more, less what a key and a reply take."""

MOST_PARTS: Final = 8

_NEAR: Final = 4
"""A cut moves back to the last blank unless more than the fourth part of the room would be wasted."""

_JOINER: Final = "\u200d"
_MARKS: Final = frozenset({"Mn", "Me", "Mc"})
_REGIONAL: Final = range(0x1F1E6, 0x1F200)
_FLAG_LETTERS: Final = "".join(map(chr, _REGIONAL))
"""Two of these in a row are seen as one flag."""
_SKIN: Final = range(0x1F3FB, 0x1F400)


def split(text: str, *, most_bytes: int = MOST_BYTES, most_parts: int = MOST_PARTS) -> tuple[str, ...]:
    """Return a text as the parts that are sent: itself where it fits, else each part with ``1/3 `` before it.

    Without the numbers the parts are the text, character for character. Raises RefusedError when it is empty or too
    long.
    """
    size = len(text.encode())
    if not text.strip():
        raise RefusedError("invalid", "text: there is nothing in it to send")
    if size <= most_bytes:
        return (text,)
    for digits in (1, 2):
        most = min(most_parts, 10**digits - 1)
        pieces = _pieces(text, most_bytes - 2 * digits - 2, most=most)
        if pieces:
            return tuple(f"{number}/{len(pieces)} {piece}" for number, piece in enumerate(pieces, 1))
    message = (
        f"text: its {size} bytes of UTF-8 do not fit into {most_parts} parts of {most_bytes} with their numbers: "
        "send less, or in more than one command"
    )
    raise RefusedError("too_long", message)


def cut(text: str, most_bytes: int = MOST_BYTES) -> str:
    """Return as much of the beginning of a text as fits into so many bytes, ending behind a whole character."""
    return text[: _end(text, 0, most_bytes)] if text else ""


def _pieces(text: str, room: int, *, most: int) -> list[str]:
    """Cut a text into pieces of at most ``room`` bytes, none when these would be more than ``most``."""
    pieces: list[str] = []
    start = 0
    while start < len(text):
        if len(pieces) == most:
            return []
        end = _end(text, start, room)
        pieces.append(text[start:end])
        start = end
    return pieces


def _end(text: str, start: int, room: int) -> int:
    """Return where the piece that begins at ``start`` ends: behind a blank where one is near, never in a character."""
    end, size = start, 0
    while end < len(text) and size + (length := len(text[end].encode())) <= room:
        size += length
        end += 1
    if end == len(text) or text[end].isspace():
        return end
    whole = [at for at in range(end, start, -1) if not _joined(text, at)] or [end]
    blank = next((at for at in whole if text[at - 1].isspace()), start)
    return blank if blank > start and len(text[blank:end].encode()) <= room // _NEAR else whole[0]


def _joined(text: str, at: int) -> bool:
    """Tell whether what stands before and after a place is seen as one character: accents, emoji of several parts."""
    before, after = text[at - 1], text[at]
    if _JOINER in (before, after) or unicodedata.category(after) in _MARKS or ord(after) in _SKIN:
        return True
    if ord(before) in _REGIONAL and ord(after) in _REGIONAL:
        flags = len(text[:at]) - len(text[:at].rstrip(_FLAG_LETTERS))
        return flags % 2 == 1
    return False
