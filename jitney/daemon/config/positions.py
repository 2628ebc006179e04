"""Where everything in a TOML document stands: tomllib gives the values, this gives the lines.

It reads documents that tomllib has accepted (TOML 1.0, and the inline tables of 1.1), so it checks nothing itself.
"""

import re
import tomllib
from bisect import bisect_left
from contextlib import suppress
from typing import Final

Key = tuple[str | int, ...]
"""The way to a value: names of keys and indices of arrays, counted from 0."""

_Name = tuple[str, int, int]
"""A name of a key, where it begins and where it ends."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'")
_LONG: Final = r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+|" + _QUOTED.pattern)
_SCALAR: Final = re.compile(rf"{_LONG}|{_QUOTED.pattern}|[^,\]}}#\n]+", re.DOTALL)

TEXTS: Final = re.compile(rf"{_LONG}|{_QUOTED.pattern}|#[^\n]*", re.DOTALL)
"""Each text in quotes of a document, and each comment, for in these there can be quotes too."""


def positions(text: str) -> dict[Key, int]:
    """Return the line of every table, key and array element; of a document that is not TOML, what was understood."""
    scan = _Scan(text)
    with suppress(_LostError):
        scan.document()
    return scan.lines


def names(text: str) -> list[tuple[Key, int, int]]:
    """Return where each name of a key is written, in headers and before values: the key, its begin and its end.

    Raises ValueError for a document that is not TOML.
    """
    scan = _Scan(text)
    scan.document()
    return scan.names


def unquoted(text: str) -> str:
    """Return what a text in quotes says; raises ValueError."""
    try:
        value = tomllib.loads("name = " + text)["name"]
    except tomllib.TOMLDecodeError as error:
        raise _LostError from error
    return str(value)


class _LostError(ValueError):
    """The text at this place is not TOML."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self.names: list[tuple[Key, int, int]] = []
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._last: dict[Key, int] = {}

    def document(self) -> None:
        """Scan all of it: headers, and the pairs below each."""
        table: Key = ()
        while self._peek(_BLANK):
            if self._found("[["):
                table = self._element()
            elif self._found("["):
                table = self._table()
            else:
                self._pair(table)

    def _table(self) -> Key:
        line = self._line()
        key = self._header("]", line)
        self.lines[key] = line
        return key

    def _element(self) -> Key:
        line = self._line()
        array = self._header("]]", line)
        index = self._last[array] = self._last.get(array, -1) + 1
        self.lines.setdefault(array, line)
        self.lines[*array, index] = line
        return (*array, index)

    def _header(self, end: str, line: int) -> Key:
        *ways, last = self._names()
        self._expect(end)
        key: Key = ()
        for way in ways:
            key = self._named(key, way)
            self.lines.setdefault(key, line)
            if key in self._last:
                key = (*key, self._last[key])
        return self._named(key, last)

    def _pair(self, table: Key) -> None:
        line = self._line()
        key = table
        for name in self._names():
            key = self._named(key, name)
            self.lines.setdefault(key, line)
        self._expect("=")
        self._peek(_SPACE)
        self._value(key)

    def _named(self, table: Key, name: _Name) -> Key:
        """Return the key of a name in a table, after noting where it is written."""
        text, begin, end = name
        self.names.append(((*table, text), begin, end))
        return (*table, text)

    def _names(self) -> list[_Name]:
        names = [self._name()]
        while self._peek(_SPACE) == ".":
            self._expect(".")
            names.append(self._name())
        return names

    def _name(self) -> _Name:
        self._peek(_SPACE)
        name = self._take(_NAME)
        return unquoted(name) if name[0] in "\"'" else name, self._at - len(name), self._at

    def _value(self, key: Key) -> None:
        if self._found("["):
            self._array(key)
        elif self._found("{"):
            while self._peek(_BLANK) != "}":
                self._pair(key)
                if self._peek(_BLANK) == ",":
                    self._expect(",")
            self._expect("}")
        else:
            self._take(_SCALAR)

    def _array(self, key: Key) -> None:
        index = 0
        while self._peek(_BLANK) != "]":
            self.lines[*key, index] = self._line()
            self._value((*key, index))
            index += 1
            if self._peek(_BLANK) == ",":
                self._expect(",")
        self._expect("]")

    def _line(self) -> int:
        return bisect_left(self._breaks, self._at) + 1

    def _peek(self, skipped: re.Pattern[str]) -> str:
        """Return the character after what is ``skipped``, empty at the end."""
        match = skipped.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _found(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _expect(self, text: str) -> None:
        if not self._found(text):
            raise _LostError

    def _take(self, wanted: re.Pattern[str]) -> str:
        match = wanted.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match[0]
