"""Choosing where log lines go, once, when the command line knows."""

import os
import sys
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from jitney.daemon.log import journal, libraries, redact
from jitney.daemon.log.levels import ALL, Listener, levels, rank
from jitney.daemon.log.logger import parts, renew
from jitney.daemon.log.stream import Columns, Lines, as_json, has_colours
from jitney.daemon.log.structured import structlog
from jitney.topics import JitneyError

Format = Literal["auto", "console", "json", "journal"]
Level = Literal["debug", "info", "warning", "error"]

_open: Final[list[journal.Journal]] = []


class LogFormatError(JitneyError):
    """The lines cannot go where the configuration wants them."""


class UnknownPartError(JitneyError):
    """No part of the daemon has that name."""


def configure(format: Format, level: Level, *, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's name
    """Send every line of ``level`` and above, and the warnings of libraries, to ``stream`` (default: stderr).

    ``auto`` speaks the journal's own protocol when the stream goes there, is readable on a terminal and JSON
    elsewhere. Calling it again replaces what was chosen before. Raises LogFormatError where there is no journal.
    """
    stream = stream or sys.stderr
    sink, renderers = _way(_chosen(format, stream), stream)
    _close()
    levels.written = rank(level)
    if isinstance(sink, journal.Journal):
        _open.append(sink)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            redact.redact,
            levels.hand_on,
            *renderers,
        ],
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    libraries.listen()
    renew()


def hear(listener: Listener | None, level: Level | Literal["off"]) -> None:
    """Let somebody have every line of ``level`` and above, redacted, besides where they are written."""
    levels.listener, levels.heard = listener, rank(level)
    renew()


def change(part: str, level: Level | None) -> None:
    """Let a part, or all of them for an empty one, write from another level on; None: as it was.

    Raises UnknownPartError.
    """
    if part != ALL and part not in parts():
        raise UnknownPartError(f"there is no part {part!r}: known here are {', '.join(sorted(parts()))}")
    if level is None:
        levels.changed.pop(part, None)
    else:
        levels.changed[part] = rank(level)
    renew()


def reset() -> None:
    """Forget what was configured and which secrets were registered: for tests."""
    _close()
    levels.changed.clear()
    levels.listener = None
    libraries.leave()
    redact.forget()
    structlog.reset_defaults()
    renew()


def _chosen(wanted: Format, stream: TextIO) -> Format:
    if wanted != "auto":
        return wanted
    if journal.is_journal(stream, os.environ):
        return "journal"
    return "console" if stream.isatty() else "json"


def _way(chosen: Format, stream: TextIO) -> tuple[object, list[Any]]:
    if chosen == "journal":
        if not Path(journal.SOCKET).exists():
            message = f'[bus] log_format = "journal", but there is no journal at {journal.SOCKET}: use "auto" or "json"'
            raise LogFormatError(message)
        return journal.Journal(), [journal.fields]
    renderer = as_json if chosen == "json" else Columns(colours=has_colours(stream, os.environ))
    return Lines(stream), [renderer]


def _close() -> None:
    while _open:
        _open.pop().close()
