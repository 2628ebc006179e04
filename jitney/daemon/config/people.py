"""Changing what a configuration says of the people: in the text of the file that says it, so that comments stay."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.config.draft import quoted
from jitney.daemon.config.migrations import VERSION, newest
from jitney.daemon.config.parts import Whole, folder
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import ConfigError, Problem, dotted
from jitney.daemon.config.reading import decoded, parsed
from jitney.daemon.config.rewriting import ByHandError, Change, edited, encoded

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = str | bool | int | list[str]
"""What can be written at a key; a list is added to the one that is there."""


class Edited(Struct, frozen=True):
    """A file of a configuration with another text, and the ``whole`` with it; ``raw`` is empty for a new file."""

    path: Path
    old: str
    new: str
    raw: bytes
    whole: Whole

    @property
    def content(self) -> bytes:
        """What is to be written."""
        return encoded(self.new, self.raw) if self.raw else self.new.encode()


def introduced(whole: Whole, owner: str, *, name: str, identities: Mapping[str, Mapping[str, Value]]) -> Edited:
    """Return a new file beside the first one, named after an owner, in which that owner is declared.

    Raises ConfigError where there is such a file already.
    """
    path = folder(whole.parts[0].path) / f"{owner}.toml"
    if any(part.path == path for part in whole.parts):
        message = f"is there already, and says nothing of {owner}: write the section [owners.{owner}] into it by hand"
        raise ConfigError([Problem(str(path), 0, "", message)])
    lines = [f"{VERSION} = {newest()}", "", f"[owners.{owner}]"]
    if name:
        lines.append(f"name = {quoted(name)}")
    for kind, keys in identities.items():
        inside = ", ".join(f"{key} = {_toml(value)}" for key, value in keys.items())
        lines.append(f"{kind} = {{ {inside} }}")
    text = "\n".join(lines) + "\n"
    new = parsed(text, path)
    parts = sorted((*whole.parts[1:], new), key=lambda part: part.path)
    return Edited(path, "", text, b"", Whole((whole.parts[0], *parts)))


def changed(whole: Whole, key: Key, value: Value, *, why: str) -> Edited:
    """Return the file in which a key stands, or the nearest table around it, with another value; ``why`` in words.

    Raises ConfigError where a person has to do it, with what to write where.
    """
    part = whole.part(key)
    text = decoded(part.raw, part.path)
    try:
        new, _ = edited(text, _setting(key, value, why, older=bool(part.older)))
    except ByHandError as error:
        line = whole.places[found].line if (found := _nearest(whole, key)) else 0
        message = f"has to be changed by hand to {_toml(value)}: {error}"
        raise ConfigError([Problem(str(part.path), line, dotted(key), message)]) from error
    now = replace(parsed(new, part.path), mode=part.mode, raw=encoded(new, part.raw))
    parts = tuple(now if one is part else one for one in whole.parts)
    return Edited(part.path, text, new, part.raw, Whole(parts))


def says(whole: Whole, key: Key) -> str:
    """Return where a key or the nearest table around it stands, as file:line; empty where none of them does."""
    found = _nearest(whole, key)
    return f"{whole.places[found].file}:{whole.places[found].line}" if found else ""


def _nearest(whole: Whole, key: Key) -> Key:
    return next((key[:end] for end in range(len(key), 0, -1) if key[:end] in whole.places), ())


def _setting(key: Key, value: Value, why: str, *, older: bool) -> "Callable[[TOMLDocument], Iterable[Change]]":
    if older:
        raise ByHandError(key, "the file is of an older version: bring it to the newest first with `jitney migrate`")

    def edit(document: "TOMLDocument") -> Iterable[Change]:
        from tomlkit import inline_table  # noqa: PLC0415 - memory for those who change something

        table: Any = document
        *around, last = key
        for name in around:
            if name not in table:
                table[name] = inline_table()
            table = table[name]
        if isinstance(value, list) and last in table:
            for one in value:
                table[last].append(one)
        else:
            table[last] = value
        return [Change(key, key, why)]

    return edit


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return quoted(value) if isinstance(value, str) else str(value)
