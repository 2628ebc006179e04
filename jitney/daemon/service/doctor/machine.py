"""The machine: Python, the user, the clock, and the power that a Raspberry Pi gets."""

import ctypes
import os
import platform
import pwd
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jitney
from jitney.adapters.base import Found
from jitney.daemon.service.doctor.case import Case

OLDEST: Final = (3, 11)
_NEWEST: Final = (3, 14)

_UNSYNCHRONISED: Final = 5
"""TIME_ERROR: what adjtimex returns while nobody sets the clock by another one (adjtimex(2))."""
_TIMEX_BYTES: Final = 512
"""More than the structure of adjtimex has anywhere; zeroes in it ask for nothing to be changed."""

_THROTTLED: Final = "sys/devices/platform/soc/soc:firmware/get_throttled"
_LOW_NOW: Final = 1 << 0
_LOW_BEFORE: Final = 1 << 16
"""Bits of that file: the voltage is too low, or has been since the start (Raspberry Pi, `vcgencmd get_throttled`)."""


def look(case: Case) -> Iterator[Found]:
    """Yield how the machine is."""
    yield _python()
    yield Found("ok", f"runs as user {user_name(os.geteuid())}")
    yield from clock(time.time(), synchronised=_synchronised())
    yield from _power(case.root)


def user_name(number: int) -> str:
    """Return the name of a user, the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def clock(now: float, *, synchronised: bool | None) -> Iterator[Found]:
    """Yield how the clock is; ``synchronised`` is None where the kernel does not say."""
    installed = Path(jitney.__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now))
    remedy = "let it be set over the network: sudo timedatectl set-ntp true"
    if now < installed:
        yield Found("problem", f"the clock says {shown}, which is before Jitney was installed", remedy)
    elif synchronised is False:
        yield Found("warning", f"the clock says {shown}, and nobody sets it by another one", remedy)
    else:
        told = ", set by another one" if synchronised else ""
        yield Found("ok", f"the clock says {shown}{told}")


def _python() -> Found:
    version = ".".join(map(str, sys.version_info[:3]))
    text = f"Jitney {jitney.__version__}, Python {version}, {platform.machine()}"
    if sys.version_info[:2] > _NEWEST:
        return Found("note", f"{text}: this Python is newer than what Jitney was tried with")
    if sys.maxsize < 2**32:
        return Found("note", f"{text}: 32 bits", "install the 64-bit system: it is the one that Jitney is made for")
    return Found("ok", text)


def _synchronised() -> bool | None:
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def _power(root: Path) -> Iterator[Found]:
    try:
        bits = int((root / _THROTTLED).read_text(encoding="ascii"), 16)
    except (OSError, ValueError):  # no Raspberry Pi
        return
    remedy = "use the power supply made for this model, and a short cable: low voltage damages SD cards"
    if bits & _LOW_NOW:
        yield Found("problem", "the Raspberry Pi gets too little voltage now", remedy)
    elif bits & _LOW_BEFORE:
        yield Found("warning", "the Raspberry Pi got too little voltage since it was started", remedy)
    else:
        yield Found("ok", "the Raspberry Pi gets enough voltage")
