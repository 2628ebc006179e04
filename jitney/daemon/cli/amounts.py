"""Amounts in words."""

from typing import Final

_STEP: Final = 1000


def size(number: int) -> str:
    """Return so many bytes in words, like 12.3 MB."""
    value = float(number)
    for unit in ("bytes", "kB", "MB"):
        if value < _STEP:
            return f"{value:.1f} {unit}" if unit != "bytes" else f"{number} bytes"
        value /= _STEP
    return f"{value:.1f} GB"


def counted(number: int, what: str) -> str:
    """Return so many things in words, like 2 events."""
    return f"{number} {what}" + ("" if number == 1 else "s")
