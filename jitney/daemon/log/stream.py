"""Log lines on a stream: JSON for programs, columns for a person at a terminal."""

from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec

from jitney.daemon.log.structured import structlog
from jitney.topics import utc_now

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Lines:
    """Writes lines to a stream; one that cannot be written is dropped and counted, because nobody reads there."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0
        self._stream = stream

    def msg(self, line: bytes) -> None:
        """Write one line."""
        try:
            binary = getattr(self._stream, "buffer", None)
            if binary is None:
                self._stream.write(line.decode() + "\n")
            else:
                binary.write(line + b"\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lost += 1

    debug = info = warning = error = critical = msg


def as_json(_logger: object, _method: str, line: MutableMapping[str, Any]) -> bytes:
    """Return a redacted log line as one JSON object."""
    return _encode({"time": utc_now(), "level": "info", **line})


class Columns:
    """Renders a redacted log line for a person: time, level, sentence, fields."""

    def __init__(self, *, colours: bool) -> None:
        self._stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        self._render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )

    def __call__(self, logger: Any, method: str, line: MutableMapping[str, Any]) -> bytes:  # noqa: ANN401 - structlog's
        """Return the line."""
        text = self._render(logger, method, self._stamp(logger, method, line))
        return text.encode("utf-8", "backslashreplace")


def has_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal whose owner wants colours (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
