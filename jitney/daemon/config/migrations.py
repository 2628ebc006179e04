"""From an older version of the file's format to the newest, step by step; the file itself is left as it is.

A file that names no version is of the first; where no step has anything to do in it, it need not name one.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from jitney.daemon.config.positions import Key, positions
from jitney.daemon.config.problems import ConfigError, Problem, dotted

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

    from jitney.daemon.config.rewriting import Change, Rename

VERSION: Final = "version"
"""The key that each file has for itself."""

FIRST: Final = 1


class Step(Struct, frozen=True):
    """What turns a file of one version into one of the next: first all ``renames``, then ``edit``.

    ``edit`` changes the document and returns what it changed; in it every key may be missing and every value anything.
    It does not change the version. It raises ByHandError for what only a person can decide.
    """

    renames: "tuple[Rename, ...]" = ()
    edit: "Callable[[TOMLDocument], Iterable[Change]] | None" = None


Steps = Sequence[Step]

STEPS: Final[Steps] = ()
"""The first leads from version 1 to 2, and so on."""


class Note(Struct, frozen=True):
    """What a migration changes, and in which line of the user's file; 0 for what is not there."""

    line: int
    text: str


class Migrated(Struct, frozen=True):
    """A file as it would be in a newer version.

    ``lines`` says where its keys stand in the user's file, ``was`` what they are called there if that is another name.
    """

    text: str
    notes: tuple[Note, ...]
    lines: Mapping[Key, int]
    was: Mapping[Key, str]


def newest(steps: Steps = STEPS) -> int:
    """Return the version to which all steps lead."""
    return FIRST + len(steps)


def due(document: Mapping[str, Any], steps: Steps = STEPS) -> int:
    """Return the version of a document that is older than the newest; 0 for every other."""
    version = document.get(VERSION, FIRST)
    return version if type(version) is int and FIRST <= version < newest(steps) else 0


def migrated(text: str, path: Path, *, since: int, steps: Steps = STEPS, to: int = 0) -> Migrated:
    """Return what a text of version ``since`` is in version ``to``, or in the newest; raises ConfigError."""
    from jitney.daemon.config.rewriting import (  # noqa: PLC0415 - memory for those whose file is older
        ByHandError,
        edited,
        renamed,
        versioned,
    )

    to = to or newest(steps)
    trail = _Trail(positions(text))
    now = text
    try:
        for step in steps[since - FIRST : to - FIRST]:
            now, changes = renamed(now, step.renames)
            trail.add(changes)
            if step.edit is not None:
                now, changes = edited(now, step.edit)
                trail.add(changes)
    except ByHandError as error:
        key = trail.back(error.key)
        message = f"cannot be brought from version {since} to {to} by itself: {error}"
        raise ConfigError([Problem(str(path), trail.line(key), dotted(key), message)]) from error
    if now != text or VERSION in tomllib.loads(text):
        now = versioned(now, to)
    return Migrated(now, tuple(trail.notes), *trail.places(text, now))


def found(value: Any, pattern: Key, *, key: Key = ()) -> Iterator[tuple[Key, Any]]:  # noqa: ANN401 - anything that a document holds
    """Yield what a document has at the keys of a pattern, in which ANY is every name or index, each with its key."""
    from jitney.daemon.config.rewriting import matches  # noqa: PLC0415

    if not pattern:
        yield key, value
    elif isinstance(value, dict | list):
        for name, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if matches((name,), pattern[:1]):
                yield from found(inner, pattern[1:], key=(*key, name))


class _Trail:
    """What has changed so far, and the way back from a key to the line of the user's file."""

    def __init__(self, old: Mapping[Key, int]) -> None:
        self.notes: list[Note] = []
        self._old = old
        self._stages: list[dict[Key, Key]] = []

    def add(self, changes: "Iterable[Change]") -> None:
        """Remember what one stage of a step has changed."""
        changes = tuple(changes)
        self.notes += [Note(self.line(self.back(change.before)), str(change)) for change in changes]
        self._stages.append({change.after: change.before for change in changes if change.before and change.after})

    def back(self, key: Key) -> Key:
        """Return what a key of the newer file is called in the user's."""
        for stage in reversed(self._stages):
            end = next((end for end in range(len(key), 0, -1) if key[:end] in stage), 0)
            key = (*stage[key[:end]], *key[end:]) if end else key
        return key

    def line(self, key: Key) -> int:
        """Return the line of a key of the user's file, or of the nearest table around it, 0 where there is none."""
        return next((self._old[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self._old), 0)

    def places(self, old: str, new: str) -> tuple[dict[Key, int], dict[Key, str]]:
        """Return where the keys of the newer text stand in the older, and those names that are others there.

        A line that is there unchanged tells it, else the name that the key has there, else the nearest line.
        """
        from jitney.daemon.config.rewriting import Origins  # noqa: PLC0415

        origins = Origins(old.split("\n"), new.split("\n"))
        lines: dict[Key, int] = {}
        was: dict[Key, str] = {}
        for key, line in positions(new).items():
            before = self.back(key)
            if before != key:
                was[key] = dotted(before)
            if origins.same[line - 1] or (before not in self._old and key != (VERSION,)):
                lines[key] = origins.nearest[line - 1] + 1
            else:
                lines[key] = self._old.get(before, 0)
        return lines, was
