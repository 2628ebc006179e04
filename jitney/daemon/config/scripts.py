"""The Python files of routes: read and checked, never run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.daemon.config.convert import Converter, any_invalid, fields_of
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.references import References
from jitney.daemon.config.schema import Script
from jitney.daemon.routes.declarations import WORDS, Declaration, declared
from jitney.daemon.routes.settings import HandlerSettings, RouteSettings

LARGEST: Final = 256 * 1024
"""Bytes of the largest file that is read."""

_OTHERS_MAY_WRITE: Final = 0o002
_KEY: Final[Key] = ("routing", "python")


class Place(Struct, frozen=True):
    """Where what is wrong with a route is noted: with a file, below a key."""

    problems: Problems
    key: Key


class Scripts(Struct, frozen=True):
    """The files, the routes that they declare, and the place of each of these."""

    files: tuple[Script, ...]
    routes: tuple[HandlerSettings, ...]
    places: tuple[Place, ...]


def read_scripts(names: Sequence[str], problems: Problems, *, folder: Path) -> Scripts:
    """Return what the files of `[routing] python` declare; what is wrong is noted, each with its own file and line."""
    files: list[Script] = []
    routes: list[HandlerSettings] = []
    places: list[Place] = []
    for index, name in enumerate(names):
        key = (*_KEY, index)
        if name in names[:index]:
            problems.add(key, f"{name} is named twice: leave one out")
            continue
        path = folder / name
        source = _read(path, problems, key)
        if source is None:
            continue
        files.append(Script(name=name, path=str(path.absolute()), source=source))
        for route, place in _routes(name, source, problems, path=path):
            routes.append(route)
            places.append(place)
    return Scripts(tuple(files), tuple(routes), tuple(places))


def _read(path: Path, problems: Problems, key: Key) -> str | None:
    """Return the text of a file, None after noting why it cannot be had."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except (OSError, ValueError) as error:
        problems.add(key, f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not a path'}")
        return None
    if len(raw) > LARGEST:
        problems.add(key, f"{path} is larger than {LARGEST // 1024} KiB: put what it needs into modules beside it")
        return None
    if mode & _OTHERS_MAY_WRITE:
        problems.warn(key, f"everybody on this machine can change what the bus runs here: chmod o-w {path}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.beside(str(path), {}).add_at(line, (), "not UTF-8: save it in that encoding")
        return None


def _routes(name: str, source: str, problems: Problems, *, path: Path) -> list[tuple[HandlerSettings, Place]]:
    found, mistakes = declared(source)
    numbers: dict[str, int] = {}
    keys: list[Key] = []
    lines: dict[Key, int] = {}
    for one in found:
        number = numbers[one.function] = numbers.get(one.function, 0) + 1
        key: Key = (one.function,) if number == 1 else (one.function, number - 1)
        keys.append(key)
        lines |= {(*key, *place): line for place, line in one.lines.items()}
    beside = problems.beside(str(path), lines)
    for mistake in mistakes:
        beside.add_at(mistake.line, (mistake.function,) if mistake.function else (), mistake.text)
    converter = Converter(beside, References(beside, folder=path.parent, environ={}))
    settings = (_settings(name, one, key, converter) for one, key in zip(found, keys, strict=True))
    return [(one, Place(beside, key)) for one, key in zip(settings, keys, strict=True) if one is not None]


def _settings(name: str, declaration: Declaration, key: Key, converter: Converter) -> HandlerSettings | None:
    known = [field for field in fields_of(RouteSettings) if field.encode_name in WORDS.values()]
    values = converter.fields(known, declaration.words, key)
    if any_invalid(values.values()):
        return None
    return HandlerSettings(file=name, handler=declaration.function, **values)
