"""From a file to a TOML document, with the place of each of its keys."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.config.migrations import STEPS, Steps, due, migrated
from jitney.daemon.config.positions import Key, positions
from jitney.daemon.config.problems import ConfigError, Problem, one_line

LARGEST: Final = 1024 * 1024
"""The largest file in bytes that is read."""

_WHERE: Final = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)

_HINTS: Final = {
    "Invalid value": "expected a value: a text must stand in quotes",
    "Cannot overwrite a value": "this key or table stands twice",
    "Invalid statement": "expected a key, a [table] or a # comment",
    "Invalid initial character for a key part": "expected a key; one with more than letters, digits, - and _ is quoted",
    "Illegal character '\\n'": "a text does not end on its line: the closing quote is missing",
}
"""What tomllib says, in words that name the remedy."""


class Part(Struct, frozen=True):
    """One file of a configuration: where it is, what it says, the lines of its keys, its mode, and itself.

    What a file of an older version says is told in the newest: then ``older`` is its version, and ``was`` what those
    keys are called there that have another name now.
    """

    path: Path
    document: dict[str, Any]
    lines: Mapping[Key, int]
    mode: int = 0
    raw: bytes = b""
    older: int = 0
    was: Mapping[Key, str] = {}


def part(path: Path, *, steps: Steps = STEPS) -> Part:
    """Return what a file says; raises ConfigError where that cannot be read."""
    raw, mode = _read(path)
    return replace(parsed(decoded(raw, path), path, steps=steps), mode=mode, raw=raw)


def parsed(text: str, path: Path, *, steps: Steps = STEPS) -> Part:
    """Return what a text would say as a file; raises ConfigError."""
    document, lines = _parse(text, path)
    if since := due(document, steps):
        now = migrated(text, path, since=since, steps=steps)
        if now.text != text:
            return Part(path, tomllib.loads(now.text), now.lines, older=since, was=now.was)
    return Part(path, document, lines)


def decoded(raw: bytes, path: Path) -> str:
    """Return a file as a text without its byte order mark, whose lines end in one character; raises ConfigError."""
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise unreadable(path, "not UTF-8: save it in that encoding", line=line) from None


def _read(path: Path) -> tuple[bytes, int]:
    """Return a file and its mode."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise unreadable(path, f"there is no such file: `jitney init -c {path}` writes one") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise unreadable(path, f"cannot be read by this user: {reason}") from None
    if len(raw) > LARGEST:
        raise unreadable(path, f"larger than {LARGEST // 1024} KiB: this is not a configuration of Jitney")
    return raw, mode


def _parse(text: str, file: Path) -> tuple[dict[str, Any], Mapping[Key, int]]:
    """Return the document and where its keys stand."""
    try:
        return tomllib.loads(text), positions(text)
    except RecursionError:
        raise unreadable(file, "arrays or tables are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        message, line = str(error), 0
        if where := _WHERE.fullmatch(message):
            line = int(where["line"] or text.count("\n") + 1)
            place = f"column {where['column']}" if where["column"] else "at the end of the file"
            message = f"{_HINTS.get(where['what'], where['what'])} ({place})"
    except ValueError as error:  # a number of thousands of digits
        message, line = f"a value cannot be read ({error})", 0
    raise unreadable(file, f"not TOML: {message}", line=line)


def unreadable(path: Path, message: str, *, line: int = 0) -> ConfigError:
    """Return the error that a file cannot be used at all."""
    return ConfigError([Problem(str(path), line, "", one_line(message))])
