"""Owner ids: who an event belongs to."""

import re
from typing import Final

from jitney.topics.errors import InvalidOwnerError

HOUSE: Final = "_house"
"""What belongs to nobody in particular."""

UNCLAIMED: Final = "_unclaimed"
"""What arrived for an id that nobody is known for."""

RESERVED: Final = frozenset({HOUSE, UNCLAIMED})
"""The owners that exist without being configured."""

_PERSON = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def person(text: str) -> str:
    """Return ``text`` when it can be the id of a person; raises InvalidOwnerError."""
    if _PERSON.fullmatch(text) is None:
        rule = "use 1 to 32 of a-z, 0-9, '-' and '_', starting with a letter or digit"
        message = f"{text[:80]!r} is not an owner id: {rule}"
        raise InvalidOwnerError(message)
    return text


def owner(text: str) -> str:
    """Return ``text`` when it is a person's id or a reserved owner; raises InvalidOwnerError."""
    return text if text in RESERVED else person(text)
