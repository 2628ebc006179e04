"""The lines that positions.py finds, against documents whose lines are known because they were written here."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.config.positions import Key, positions

EXAMPLE = '''# a comment with [a.table] = 1
title = "not # a comment"
[owners.alice]
name = """
three
lines"""
home."x.y" = { person = "p", list = [
    1, # one
    [2,
     3],
  ] }

[[routes]]
on = 'a'
[[routes]]
on = 'b'
[routes.when]
"quoted \\u00fc" = 1
[[routes.do]]
send = true
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("owners",), 3),
        (("owners", "alice"), 3),
        (("owners", "alice", "name"), 4),
        (("owners", "alice", "home"), 7),
        (("owners", "alice", "home", "x.y", "person"), 7),
        (("owners", "alice", "home", "x.y", "list", 0), 8),
        (("owners", "alice", "home", "x.y", "list", 1, 1), 10),
        (("routes",), 13),
        (("routes", 0), 13),
        (("routes", 1, "on"), 16),
        (("routes", 1, "when", "quoted ü"), 18),
        (("routes", 1, "do", 0, "send"), 20),
    ],
)
def test_a_key_is_found_on_its_line(key: Key, line: int) -> None:
    assert positions(EXAMPLE)[key] == line


def test_a_table_that_is_named_later_than_its_child_stands_where_it_is_named() -> None:
    assert positions("[a.b]\n\n[a]\n")["a",] == 3


def test_quotes_at_the_end_of_a_long_text_belong_to_it() -> None:
    assert positions('a = """x""""" # "\nb = \'\'\'y\'\'\'\'\'\nc = 1')["c",] == 3


class Writer:
    """Writes a document and remembers on which line everything was written."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], end: str) -> None:
        self.lines: dict[Key, int] = {}
        self.text = ""
        self._draw = draw
        self._end = end

    def section(self, key: Key, *, depth: int) -> None:
        for name in self._names(3):
            self._break()
            self._pair((*key, name), [name])
        if depth:
            for name in self._names(2):
                if (*key, name) not in self.lines:
                    self._child((*key, name), depth)

    def _child(self, key: Key, depth: int) -> None:
        if self._draw(st.booleans()):
            if self._draw(st.booleans()):
                self._header("[", key)
            self.section(key, depth=depth - 1) if key in self.lines else self._children(key, depth)
            return
        for index in range(self._draw(st.integers(1, 3))):
            self.lines.setdefault(key, self._header("[[", key))
            self.lines[*key, index] = self._line()
            self.section((*key, index), depth=depth - 1)

    def _children(self, key: Key, depth: int) -> None:
        """Write tables below a table that has no header of its own."""
        for name in self._names(2):
            self._header("[", (*key, name))
            self.section((*key, name), depth=depth - 1)

    def _header(self, bracket: str, key: Key) -> int:
        self._break()
        names = [part for part in key if isinstance(part, str)]
        self.text += bracket + self._dotted(names) + {"[": "]", "[[": "]]"}[bracket]
        for end in range(1, len(key)):
            self.lines.setdefault(key[:end], self._line())
        if bracket == "[":
            self.lines[key] = self._line()
        return self._line()

    def _pair(self, key: Key, names: list[str]) -> None:
        self.lines[key] = self._line()
        while self._draw(st.integers(0, 3)) == 0:
            more = self._draw(NAMES)
            names, key = [*names, more], (*key, more)
            self.lines[key] = self._line()
        self.text += self._dotted(names) + self._draw(SPACES) + "=" + self._draw(SPACES)
        self._value(key)

    def _value(self, key: Key) -> None:
        kinds = ["scalar", "scalar", "array", "table"] if len(key) < DEEPEST else ["scalar"]
        match self._draw(st.sampled_from(kinds)):
            case "scalar":
                self.text += self._draw(SCALARS).replace("\n", self._end)
            case "array":
                self.text += "["
                for index in range(self._draw(st.integers(0, 3))):
                    self._gap()
                    self.lines[*key, index] = self._line()
                    self._value((*key, index))
                    self._gap()
                    self.text += ","
                self._gap()
                self.text += "]"
            case "table":
                self.text += "{"
                for comma, name in zip(["", ",", ","], self._names(3), strict=False):
                    self.text += comma + self._draw(SPACES)
                    self._pair((*key, name), [name])
                self.text += self._draw(SPACES) + "}"

    def _names(self, most: int) -> Iterator[str]:
        yield from self._draw(st.lists(NAMES, max_size=most, unique=True))

    def _dotted(self, names: list[str]) -> str:
        dot = self._draw(st.sampled_from([".", " . "]))
        return dot.join(self._quoted(name) for name in names)

    def _quoted(self, name: str) -> str:
        if re.fullmatch("[A-Za-z0-9_-]+", name) and self._draw(st.booleans()):
            return name
        if "'" not in name and name.isprintable() and self._draw(st.booleans()):
            return f"'{name}'"
        return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")

    def _break(self) -> None:
        self.text += self._draw(COMMENTS) + self._end if self.text else ""
        self._gap()

    def _gap(self) -> None:
        for _ in range(self._draw(st.integers(0, 1))):
            self.text += self._draw(SPACES) + self._draw(COMMENTS) + self._end

    def _line(self) -> int:
        return self.text.count("\n") + 1


DEEPEST = 6
SPACES = st.sampled_from(["", " ", "\t "])
COMMENTS = st.sampled_from(["", "", ' # [x] = "', "# '''"])
NAMES = st.text(st.characters(codec="utf-8"), max_size=3) | st.sampled_from(["a", "b", "c", "1", "a.b", '"', "#", "="])
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "inf",
        "1979-05-27 07:32:00",
        '""',
        '"a # [b] = \\" c"',
        "''",
        "'a\\'",
        '"""\n# no\n[x]\na = 1 \\""" ""\\\\"""',
        '""""quoted"""""',
        "'''\n\n it's ''}]\n'''",
    ]
)


@st.composite
def documents(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, dict[Key, int]]:
    writer = Writer(draw, draw(st.sampled_from(["\n", "\r\n"])))
    writer.section((), depth=2)
    return writer.text, writer.lines


def keys(value: object, key: Key = ()) -> Iterator[Key]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in pairs:
        yield (*key, part)
        yield from keys(inner, (*key, part))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents())
def test_everything_that_was_written_is_found_on_its_line(document: tuple[str, dict[Key, int]]) -> None:
    text, written = document
    assert set(written) == set(keys(tomllib.loads(text)))
    assert positions(text) == written


@settings(deadline=None)
@given(st.text(st.sampled_from("ab.=[]{}\"'#,\n \\1")))
def test_any_text_is_read_without_an_error(text: str) -> None:
    found = positions(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(found) == set(keys(document))
