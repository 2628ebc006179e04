"""What the process of a Python file writes, be it with print: lines for the log, of which there are not too many."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final, Literal

from jitney.adapters.base import Clock
from jitney.daemon.log import bound, get

MOST_LINES: Final = 20
"""Lines of a process that the log gets in a minute; of the others it gets the number."""

MOST_BYTES: Final = 1 << 20
"""Bytes that a process may write about one event."""

LONGEST_LINE: Final = 500
LAST_LINES: Final = 10

_MINUTE: Final = 60.0
_FRAME: Final = re.compile(r' +File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)')

_log = get("python")


class Printed(asyncio.Protocol):
    """Reads what one process writes; ``too_much`` is called when that is more than ``MOST_BYTES``."""

    def __init__(self, *, file: str, owner: str, too_much: Callable[[], None], clock: Clock = time.monotonic) -> None:
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        """The newest lines."""
        self.flooded = False
        """Whether it was too much."""
        self.closed = asyncio.Event()
        """Set when everything has been read."""
        self.placed = asyncio.Event()
        self.place = (0, "")
        """The line of the file, and its function, where the process was, once it has told that."""
        self._file = file
        self._owner = owner
        self._too_much = too_much
        self._clock = clock
        self._bytes = 0
        self._rest = b""
        self._lines = 0
        self._left_out = 0
        self._since = -_MINUTE
        self._path = ""
        # The loop reads the pipe in the context of whoever started the process: a line belongs to the event answered.
        self._context = Context()

    def data_received(self, data: bytes) -> None:
        """Take a part of it."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            if not self.flooded:
                self.flooded = True
                self._too_much()
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: 4 * LONGEST_LINE]
        for line in lines:
            self._line(line.decode(errors="replace").rstrip()[:LONGEST_LINE])

    def begin(self) -> None:
        """Learn that the event that is bound to lines of the log now is answered from now on."""
        self._bytes = 0
        self._context = copy_context()

    def say(self, text: str, level: Literal["debug", "info", "warning"] = "info") -> None:
        """Write a line into the log, if there were not too many."""
        if self._clock() - self._since >= _MINUTE:
            self.summarise()
            self._since, self._lines = self._clock(), 0
        self._lines += 1
        if self._lines > MOST_LINES:
            self._left_out += 1
            return
        self._context.run(self._write, level, "said", text=text)

    def summarise(self) -> None:
        """Write how many lines were left out, about whichever event."""
        left_out, self._left_out = self._left_out, 0
        if left_out:
            Context().run(self._write, "warning", "said more than the log takes", lines=left_out)

    def await_dump(self, path: str) -> None:
        """Learn that what comes now is what the process is doing, maybe in the file at a path."""
        self._path = path

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that nothing more comes."""
        del exc
        self.closed.set()

    def _write(self, level: str, said: str, **fields: object) -> None:
        with bound(owner=self._owner):
            getattr(_log, level)(said, file=self._file, **fields)

    def _line(self, text: str) -> None:
        if self._path:
            self._placed(text)
        elif text:
            self.last.append(text)
            self.say(text)

    def _placed(self, text: str) -> None:
        """Look whether a line of a traceback, whose innermost frame comes first, is in the file."""
        match = _FRAME.fullmatch(text)
        if match is not None and match["file"] == self._path and not self.placed.is_set():
            self.place = int(match["line"]), match["function"]
            self.placed.set()
