"""Telling systemd how it stands, in the one datagram that sd_notify(3) sends."""

import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final

from jitney.daemon.log import get
from jitney.daemon.log.redact import mask

PATIENCE: Final = 2.0
"""Seconds until a message that matters is given up, because systemd does not read."""

LONGEST_STATUS: Final = 240
"""Characters of a status."""

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

_log = get("service")


class Notifier:
    """Speaks to whoever started this process, if that wants to be told: else every method does nothing.

    ``watchdog`` are the seconds without ``alive`` after which systemd takes this process for frozen, 0 for never.
    The variables that say so are removed from ``environ``: no child speaks for the daemon.
    """

    def __init__(self, environ: MutableMapping[str, str], *, pid: int) -> None:
        address, microseconds, for_whom = (environ.pop(variable, "") for variable in _VARIABLES)
        self.watchdog = 0.0
        if address and microseconds.isdecimal() and for_whom in ("", str(pid)):
            self.watchdog = int(microseconds) / 1e6
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.ready_told = False
        self._leaving = False
        self._remark = ""
        self._status = ""

    @property
    def wanted(self) -> bool:
        """Tell whether anybody is told."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """Tell that events can be accepted."""
        self.ready_told = True
        self._send("READY=1", *self._changed(status))

    def status(self, text: str) -> None:
        """Tell in words how it stands; the same words again are not sent."""
        text = "; ".join(filter(None, (self._remark, text)))
        if self._leaving:
            text = f"stopping, {text}"
        if text != self._status:
            self._send(*self._changed(text), patience=0.0)

    def remark(self, text: str) -> None:
        """Put words before every status from now on, none with an empty text: what somebody still has to see to."""
        self._remark = text

    def alive(self) -> None:
        """Tell that everything makes progress."""
        self._send("WATCHDOG=1", patience=0.0)

    def extend(self, seconds: float) -> None:
        """Ask for so many seconds more, for a start or a stop that takes long and goes on."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1e6:.0f}", patience=0.0)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that the configuration is read again, and in the end, whatever came of it, that events are accepted.

        Before ``ready`` nothing is told: reloading is over then as soon as the start is.
        """
        if not self.ready_told or self._leaving:
            yield
            return
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            self._send("READY=1")

    def stopping(self) -> None:
        """Tell that it is about to end."""
        self._leaving = True
        self._send("STOPPING=1", *self._changed("stopping"))

    def _changed(self, status: str) -> list[str]:
        """Return the lines that tell a status, none for no words."""
        if not status:
            return []
        self._status = status
        return [f"STATUS={mask(' '.join(status.split()))[:LONGEST_STATUS]}"]

    def _send(self, *lines: str, patience: float = PATIENCE) -> None:
        """Send lines as one datagram; one that is not taken in time is dropped."""
        if not (self._address and lines):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(patience)
            try:
                out.sendto("\n".join(lines).encode(), self._address)
            except OSError as error:
                _log.debug("systemd was not told", message=lines[0], reason=str(error))
