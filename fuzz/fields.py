"""Inputs of several parts: texts and bytes one after the other, which the mutator knows apart."""

from typing import Final

SEPARATOR: Final = b"\x1e"
"""Between two parts; the last part may contain it."""


def joined(*parts: bytes | str) -> bytes:
    """Return parts as one input."""
    return SEPARATOR.join(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part for part in parts)


def apart(data: bytes, number: int) -> list[bytes]:
    """Return the ``number`` parts of an input; those that are missing are empty."""
    parts = data.split(SEPARATOR, number - 1)
    return parts + [b""] * (number - len(parts))


def text(part: bytes) -> str:
    """Return a part as a text; what is not UTF-8 becomes U+FFFD, as no broker hands that on."""
    return part.decode("utf-8", "replace")
