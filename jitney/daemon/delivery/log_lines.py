"""A log line as everybody may read it who may read what the bus says of itself: nothing in it about people."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from jitney.topics import HOUSE, utc_now

MACHINERY: Final = frozenset(
    {"app", "broker", "config", "fleet", "log", "retention", "run", "service", "store", "vault"}
)
"""Parts whose lines are about the bus itself; those of all others are about what people do and have."""

HARMLESS: Final = (
    "level",
    "event",
    "part",
    "adapter",
    "code",
    "after_seconds",
    "failures",
    "next_attempt_in",
    "more_like_this",
)
"""What stays of a line about people: what happened, in words that are the same for everybody, to which adapter."""

MOST_BYTES: Final = 16_384

_FOREIGN: Final = "a library has said something"
_encode = msgspec.json.Encoder(decimal_format="number").encode


def public(line: Mapping[str, Any], *, parts: Collection[str], lost: int = 0) -> bytes:
    """Return a redacted line as JSON; with ``withheld`` where something was left out.

    ``parts`` are the parts of the daemon: whatever else is in a line comes from a library, which may say anything.
    """
    part = line.get("part", "")
    whole = part in MACHINERY and line.get("owner", HOUSE) == HOUSE
    fields: dict[str, Any] = {"time": utc_now(), **(line if whole else _harmless(line))}
    if part not in parts:
        fields["event"] = _FOREIGN
    if lost:
        fields["lost"] = lost
    payload = _encode(fields)
    if len(payload) > MOST_BYTES:
        payload = _encode({"time": fields["time"], **_harmless(line), "event": str(fields["event"])[:200]})
    return payload


def _harmless(line: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: line[name] for name in HARMLESS if name in line}
    return kept if len(kept) == len(line) else {**kept, "withheld": True}
