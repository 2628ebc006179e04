"""The files of one configuration: `config.toml`, and all of `config.d/*.toml` in the order of their names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jitney.daemon.config.migrations import STEPS, VERSION, Steps
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import ConfigError, Place, Problem
from jitney.daemon.config.reading import Part, part, unreadable

LISTS: Final = ("routes", "grants")
"""Sections of which each file can have some; any other key stands in one file only."""


class Whole:
    """Several files as one document; ``places`` says where each key stands, ``clashes`` which stand twice."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        self.document: dict[str, Any] = {}
        self.places: dict[Key, Place] = {}
        self.clashes: list[tuple[Key, str]] = []
        self._owners: dict[Key, Part] = {}
        for one in parts:
            shifts = {name: len(self.document.get(name, ())) for name in LISTS if _is_list(one.document, name)}
            self._add(one)
            for key, line in one.lines.items():
                shifted = _shifted(key, shifts)
                if key != (VERSION,) and self._owners.setdefault(shifted, one) is one:
                    self.places.setdefault(shifted, Place(str(one.path), line, one.was.get(key, "")))

    def part(self, key: Key) -> Part:
        """Return the file in which a key stands."""
        found = (self._owners[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self._owners)
        return next(found, self.parts[0])

    def _add(self, one: Part) -> None:
        for name, value in one.document.items():
            if name in LISTS and isinstance(value, list) and isinstance(self.document.get(name, []), list):
                self.document[name] = [*self.document.get(name, []), *value]
            elif name != VERSION:
                self._merge(self.document, name, value, (name,))

    def _merge(self, table: dict[str, Any], name: str, value: object, key: Key) -> None:
        """Put a value into a table; a table that is there already gets what it has not."""
        if name not in table:
            table[name] = _copied(value)
        elif isinstance(table[name], dict) and isinstance(value, dict):
            for inner, one in value.items():
                self._merge(table[name], inner, one, (*key, inner))
        else:
            first = self.places.get(key)
            where = f" ({first.file}:{first.line})" if first is not None else ""
            self.clashes.append((key, f"stands in another file too{where}: leave one of the two out"))


def together(path: Path, *, steps: Steps = STEPS) -> Whole:
    """Return all files of the configuration at ``path``; raises ConfigError with everything that cannot be read.

    What files of an older version say is told in the newest, to which ``steps`` lead.
    """
    parts: list[Part] = []
    problems: list[Problem] = []
    for one in (path, *beside(path)):
        try:
            parts.append(part(one, steps=steps))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return Whole(tuple(parts))


def folder(path: Path) -> Path:
    """Return the folder in which further files of a configuration lie: `config.d` of `config.toml`."""
    return path.with_suffix(".d")


def beside(path: Path) -> Iterator[Path]:
    """Yield the further files of a configuration, in the order of their names; raises ConfigError."""
    where = folder(path)
    try:
        found = sorted(one for one in where.iterdir() if one.suffix == ".toml") if where.is_dir() else []
    except OSError as error:
        raise unreadable(where, f"cannot be read by this user: {error.strerror}") from None
    yield from found


def _copied(value: object) -> object:
    return {name: _copied(one) for name, one in value.items()} if isinstance(value, dict) else value


def _is_list(document: Mapping[str, Any], name: str) -> bool:
    return isinstance(document.get(name), list)


def _shifted(key: Key, shifts: Mapping[str, int]) -> Key:
    """Return the key in the whole document of one in a file whose lists come after others."""
    match key:
        case (str(name), int(index), *rest) if name in shifts:
            return (name, index + shifts[name], *rest)
    return key
