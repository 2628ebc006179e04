"""The systemd journal: one datagram per line, with fields to filter by (`journalctl JITNEY_OWNER=alice`).

Protocol: systemd.io/JOURNAL_NATIVE_PROTOCOL.
"""

import errno
import os
import re
import socket
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import msgspec

SOCKET: Final = "/run/systemd/journal/socket"

_PRIORITIES: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_NOT_OF_A_NAME: Final = re.compile(r"[^A-Z0-9]+")
_NEEDS_QUOTES: Final = re.compile(r"[\s=\"']|^$")
_NO_WORDS: Final = frozenset({"event", "level", "exception"})
_LONGEST_NAME: Final = 64
_SHORTEST_CUT: Final = 64


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether what is written to ``stream`` goes to the journal ($JOURNAL_STREAM, systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream of Python alone
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def fields(_logger: object, _method: str, line: MutableMapping[str, Any]) -> dict[str, str]:
    """Return a log line as the fields of a journal entry; its message is a sentence that can be read alone."""
    entry = {
        "MESSAGE": _sentence(line),
        "PRIORITY": str(_PRIORITIES.get(line.get("level", ""), _PRIORITIES["info"])),
        "SYSLOG_IDENTIFIER": "jitney",
    }
    for name, value in line.items():
        if name not in _NO_WORDS:
            entry[_field_name(name)] = _text(value)
    return entry


class Journal:
    """Sends entries; one that the journal does not take at once is dropped, and told with the next that it takes."""

    def __init__(self, path: str = SOCKET) -> None:
        self.lost = 0
        self._path = path
        self._socket: socket.socket | None = None

    def msg(self, **entry: str) -> None:
        """Send one entry, its values cut where it is longer than a datagram may be."""
        if self.lost:
            entry["JITNEY_LOST_LINES"] = str(self.lost)
        values = {name: value.encode("utf-8", "backslashreplace") for name, value in entry.items()}
        longest = max(map(len, values.values()))
        while (failure := self._send(values)) == errno.EMSGSIZE and longest > _SHORTEST_CUT:
            longest //= 2
            values = {name: _cut(value, longest) for name, value in values.items()}
        self.lost = self.lost + 1 if failure else 0

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        """Close the socket; it opens again by itself."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, values: Mapping[str, bytes]) -> int | None:
        """Send one datagram without waiting; returns the number of the error if it failed."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.sendto(b"".join(_encoded(name, value) for name, value in values.items()), self._path)
        except OSError as error:
            return error.errno or errno.EIO
        return None


def _encoded(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name.encode(), value)


def _cut(value: bytes, longest: int) -> bytes:
    return value if len(value) <= longest else value[:longest].decode("utf-8", "ignore").encode() + "…".encode()


def _sentence(line: Mapping[str, Any]) -> str:
    words = [str(line.get("event", ""))]
    words += [f"{name}={_quoted(_text(value))}" for name, value in line.items() if name not in _NO_WORDS]
    if trace := line.get("exception"):
        words.append(f"\n{trace}")
    return " ".join(words)


def _quoted(text: str) -> str:
    return repr(text) if _NEEDS_QUOTES.search(text) else text


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _field_name(name: str) -> str:
    """Return the name of a field as the journal takes it: upper case, ours by its prefix."""
    return ("JITNEY_" + _NOT_OF_A_NAME.sub("_", name.upper()).strip("_"))[:_LONGEST_NAME]
