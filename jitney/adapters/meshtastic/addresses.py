"""Node numbers, and how people write them: ``!a1b2c3d4``."""

import re
from typing import Final

BROADCAST: Final = 0xFFFFFFFF
"""The number that means every node."""

EVERYBODY: Final = "broadcast"
"""How the bus writes the address of every node."""

_ID: Final = re.compile(r"!?([0-9a-fA-F]{8})")


def node_id(number: int) -> str:
    """Return a node's id: always derived from its number, since the id in its packets is only a claim."""
    return f"!{number:08x}"


def address(number: int) -> str:
    """Return to whom a packet goes: a node's id, or ``broadcast``."""
    return EVERYBODY if number == BROADCAST else node_id(number)


def node_number(text: str) -> int | None:
    """Return the number of a node's id, with or without its ``!``, None when it is none."""
    match = _ID.fullmatch(text.strip())
    number = int(match[1], 16) if match else 0
    return number if 0 < number < BROADCAST else None
