"""Event ids: sortable and unique, or derived from a source that can deliver twice."""

import time
from collections.abc import Iterator
from hashlib import blake2b
from os import urandom
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
"""Two characters for each ten bits."""

_TAIL_BITS: Final = 60
_TAIL: Final = (1 << _TAIL_BITS) - 1
_HEAD: Final = tuple(range(60, -1, -10))
_REST: Final = tuple(range(50, -1, -10))
"""Where in the two halves of 130 bits they begin."""

_TIME_LENGTH: Final = 10
_BEGINNING: Final = 24

_run: tuple[int, str, Iterator[str]] = (-1, "", iter(()))
"""The millisecond of the last new id, the beginning of all ids of it, and the ends that are left."""


def new_id() -> str:
    """Return a ULID: 26 characters, sorted by time, unique (specification: github.com/ulid/spec).

    Most ids of one millisecond differ from each other in their end alone.
    """
    global _run  # noqa: PLW0603 - one after the other also from threads: a run is replaced as a whole
    millisecond = time.time_ns() // 1_000_000
    at, beginning, ends = _run
    if at != millisecond or (end := next(ends, None)) is None:
        first = _crockford(millisecond << 80 | int.from_bytes(urandom(10)))
        beginning = first[:_BEGINNING]
        ends = iter(_PAIRS[_PAIRS.index(first[_BEGINNING:]) :])
        end = next(ends)
        _run = millisecond, beginning, ends
    return beginning + end


def made_at(ulid: str) -> float:
    """Return when an id of ``new_id`` was made, in Unix seconds, to the millisecond."""
    number = 0
    for character in ulid[:_TIME_LENGTH]:
        number = number << 5 | _ALPHABET.index(character)
    return number / 1000


def derived_id(*parts: str) -> str:
    """Return the same 26 characters for the same parts, whatever they contain."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return _crockford(int.from_bytes(digest.digest()))


def _crockford(number: int) -> str:
    head, tail = number >> _TAIL_BITS, number & _TAIL  # small numbers are shifted faster
    return "".join(
        [_PAIRS[head >> shift & 1023] for shift in _HEAD] + [_PAIRS[tail >> shift & 1023] for shift in _REST]
    )
