"""Event ids: sortable and unique, or derived from a source that can deliver twice."""

import time
from hashlib import blake2b
from os import urandom
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 26


def new_id() -> str:
    """Return a ULID: 26 characters, sorted by time, unique (specification: github.com/ulid/spec)."""
    return _crockford(time.time_ns() // 1_000_000 << 80 | int.from_bytes(urandom(10)))


def derived_id(*parts: str) -> str:
    """Return the same 26 characters for the same parts, whatever they contain."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return _crockford(int.from_bytes(digest.digest()))


def _crockford(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
