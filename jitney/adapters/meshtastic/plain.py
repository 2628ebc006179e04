"""Text from the mesh made harmless: anybody may have written it, and it ends on terminals and in topics."""

import re
from typing import Final

MOST_TEXT: Final = 1000
"""Characters of a text that are kept; a packet has room for a quarter of that."""

MOST_NAME: Final = 64
"""Characters of a name that are kept; the firmware allows 39 bytes."""

_REPLACEMENT: Final = "\ufffd"
_NEWLINE: Final = re.compile(r"\r\n?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNNAMEABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str, most: int = MOST_TEXT) -> str:
    """Return a text with U+FFFD for control characters other than newline and tab, cut after ``most`` characters."""
    return _CONTROL.sub(_REPLACEMENT, _NEWLINE.sub("\n", text[:most]))


def plain_name(text: str) -> str:
    """Return a name on one line: U+FFFD for what controls lines or directions, without blanks around it, cut."""
    return _UNNAMEABLE.sub(_REPLACEMENT, text[:MOST_NAME]).strip()


def decoded(payload: bytes) -> str:
    """Return the text of a payload; U+FFFD stands for what is not UTF-8, like a character that a split cut in two."""
    return plain_text(payload.decode("utf-8", "replace"))
