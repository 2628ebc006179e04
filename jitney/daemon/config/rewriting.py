"""Changing the text of a TOML file so that every line that is not concerned stays as somebody wrote it."""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from jitney.daemon.config.positions import Key, names, positions
from jitney.daemon.config.problems import dotted

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

ANY: Final = "*"
"""In a pattern of keys: every name and every index."""

_HEAD: Final = re.compile(r"(?:(?:[ \t]*#[^\n]*\n)+[ \t]*\n)?")
"""The comment about the whole file, which an empty line ends."""

_BOM: Final = b"\xef\xbb\xbf"


class ByHandError(Exception):
    """A person has to change the file at ``key``; the text says what and why."""

    def __init__(self, key: Key, message: str) -> None:
        super().__init__(message)
        self.key = key


class Change(Struct, frozen=True):
    """A key with another name or value, and why; ``before`` is empty for a new one, ``after`` for one that is gone."""

    before: Key
    after: Key
    why: str

    def __str__(self) -> str:
        if self.before and self.after and self.before != self.after:
            what = f"{dotted(self.before)} is now {dotted(self.after)}"
        else:
            how = "is new" if not self.before else "is gone" if not self.after else "has another value"
            what = f"{dotted(self.before or self.after)} {how}"
        return f"{what}: {self.why}"


class Rename(Struct, frozen=True):
    """Keys of the older file, by a pattern in which ANY is every name or index, and their new name: a bare key."""

    pattern: Key
    name: str
    why: str


def matches(key: Key, pattern: Key) -> bool:
    """Tell whether a key is one of those of a pattern."""
    return len(key) == len(pattern) and all(one in (ANY, part) for part, one in zip(key, pattern, strict=True))


def renamed(text: str, renames: Sequence[Rename]) -> tuple[str, list[Change]]:
    """Return a text with other names, wherever and however they are written; raises ByHandError."""
    if not renames:
        return text, []
    try:
        written = names(text)
    except ValueError as error:
        raise ByHandError((), "its layout is not understood") from error
    changes: dict[Key, Change] = {}
    pieces, at = [], 0
    for key, begin, end in written:
        if (rename := _of(key, renames)) is not None:
            changes.setdefault(key, Change(key, _after(key, renames), rename.why))
            pieces += [text[at:begin], rename.name]
            at = end
    lines = positions(text)
    others = {_after(key, renames): key for key in lines if key not in changes}
    for change in changes.values():
        if (other := others.setdefault(change.after, change.before)) != change.before:
            message = f"it is called {change.after[-1]} now, which is there too (line {lines[other]}): leave one out"
            raise ByHandError(change.before, message)
    return "".join([*pieces, text[at:]]), list(changes.values())


def edited(text: str, edit: "Callable[[TOMLDocument], Iterable[Change]]") -> tuple[str, list[Change]]:
    """Return a text after a change of its document, and what was changed; raises ByHandError."""
    import tomlkit  # noqa: PLC0415 - memory for those whose file is of an older version
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    whole = text if text.endswith("\n") else f"{text}\n"  # or tomlkit puts what is new into a comment at the end
    try:
        document = tomlkit.parse(whole)
        before = document.as_string()
        changes = list(edit(document))
        after = document.as_string()
        if before == after:
            return text, changes
        result = _patched(whole, before, after)
        understood = document == tomllib.loads(result)
    except (TOMLKitError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ByHandError((), f"its tables are in an order that is not understood ({error})") from error
    if not understood:
        raise ByHandError((), "its tables are in an order that is not understood")
    return result, changes


def versioned(text: str, version: int) -> str:
    """Return a text with another version, at the top where it had none."""
    line = positions(text).get(("version",))
    if line is None:
        head = _HEAD.match(text)
        at = head.end() if head else 0
        return f"{text[:at]}version = {version}\n{text[at:]}"
    lines = text.split("\n")
    lines[line - 1] = re.sub(r"(=[ \t]*)[^\s#]+", rf"\g<1>{version}", lines[line - 1], count=1)
    return "\n".join(lines)


class Origins:
    """For each line of a newer text the ``nearest`` of the older, counted from 0, and whether it is the ``same``."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        from difflib import SequenceMatcher  # noqa: PLC0415 - memory for whoever has something rewritten

        self.nearest: list[int] = []
        self.same: list[bool] = []
        for how, begin, end, first, last in SequenceMatcher(None, old, new).get_opcodes():
            for offset in range(last - first):
                self.nearest.append(min(begin + offset, max(end - 1, begin - 1), len(old) - 1))
                self.same.append(how == "equal")


def encoded(text: str, old: bytes) -> bytes:
    """Return a changed text as bytes, with the byte order mark and the line ends of the file that it was."""
    mark = _BOM if old.startswith(_BOM) else b""
    lines = old.removeprefix(mark).split(b"\n")
    news = text.split("\n")
    origins = Origins([line.decode().removesuffix("\r") for line in lines], news)
    end = "\r" if lines[0].endswith(b"\r") else ""
    out = [
        lines[nearest] if same and nearest < len(lines) - 1 else f"{line}{end}".encode()
        for line, nearest, same in zip(news, origins.nearest, origins.same, strict=True)
    ]
    out[-1] = out[-1].removesuffix(b"\r")
    return mark + b"\n".join(out)


def _of(key: Key, renames: Sequence[Rename]) -> Rename | None:
    return next((rename for rename in renames if matches(key, rename.pattern)), None)


def _after(key: Key, renames: Sequence[Rename]) -> Key:
    """Return what a key becomes when it or tables around it have other names."""
    found = [_of(key[:end], renames) for end in range(1, len(key) + 1)]
    return tuple(part if rename is None else rename.name for part, rename in zip(key, found, strict=True))


def _patched(text: str, before: str, after: str) -> str:
    """Return a text with the lines in which ``after`` differs from ``before``, which is the text but for blanks."""
    lines, olds, news = (one.split("\n") for one in (text, before, after))
    if len(lines) != len(olds):
        raise ByHandError((), "its layout is not understood")
    origins = Origins(olds, news)
    return "\n".join(
        lines[nearest] if same else line
        for line, nearest, same in zip(news, origins.nearest, origins.same, strict=True)
    )
