"""Which files make up a configuration and its secrets, and whether one of them is another one than before."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from jitney.daemon.config.parts import beside, folder
from jitney.daemon.config.problems import ConfigError, Mark

Marks = Mapping[Path, Mark | None]
"""Of each file; None for what is not there."""


def look(path: Path, files: Iterable[str | Path] = ()) -> Marks:
    """Return the marks of the files of a configuration, of the folder of those beside it, and of ``files``."""
    return {one: mark(one) for one in (path.absolute(), folder(path).absolute(), *_beside(path), *map(Path, files))}


def _beside(path: Path) -> list[Path]:
    try:
        return [one.absolute() for one in beside(path)]
    except ConfigError:
        return []  # who reads the configuration tells it


def mark(path: Path) -> Mark | None:
    """Return the mark of a file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - one call for all of it
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
