"""What must hold whatever comes in, and the guard around a target that sees to the rest: time and memory."""

import os
import resource
import time
from functools import cache
from typing import Final

from fuzz.targets import Target

MOST_MEMORY: Final = 64 << 20
"""Bytes by which one input may make the process larger, however shortly."""

MOST_SECONDS: Final = 5.0
"""Seconds of the processor that one input may take; what a target promises is shorter."""

_FIRST: Final = 4
"""So many times as much may the first input take, for it builds what the others use."""

_PAGE: Final = 1024


class OracleError(AssertionError):
    """Something came out that must not, whatever went in."""


def check(holds: object, text: str) -> None:
    """Raise OracleError with ``text`` unless something holds."""
    if not holds:
        raise OracleError(text)


class Guard:
    """Feeds a target one input at a time; raises what it raises, and OracleError for one that takes too much."""

    def __init__(self, target: Target, *, most_memory: int = MOST_MEMORY, most_seconds: float = MOST_SECONDS) -> None:
        self._one = target.one
        self._most_memory = most_memory
        self._most_seconds = most_seconds
        self._more = _FIRST

    def one(self, data: bytes) -> None:
        """Feed one input."""
        forget_peak()
        before, began = peak(), time.process_time()
        self._one(data)
        took, grown = time.process_time() - began, peak() - before
        more, self._more = self._more, 1
        check(took <= self._most_seconds * more, f"one input took {took:.1f} s of the processor")
        check(grown <= self._most_memory * more, f"one input took {grown >> 20} MB of memory")


def peak() -> int:
    """Return the most bytes of memory that this process has had since the last ``forget_peak``."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PAGE


def forget_peak() -> None:
    """Let the peak be what there is now (Linux: proc(5), clear_refs)."""
    os.pwrite(_clear_refs(), b"5", 0)


@cache
def _clear_refs() -> int:
    """Return the descriptor of what resets the peak; it stays open, for it is used at every input."""
    return os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)


def resident() -> int:
    """Return the bytes of memory that this process has now (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - the quicker of the two
        return int(file.read().split()[1]) * resource.getpagesize()
