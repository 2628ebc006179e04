"""The mutator: from one input to another that is nearly as well formed. It knows bytes, parts, JSON and the words."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from fuzz.fields import SEPARATOR

LONGEST: Final = 16_384
"""Bytes of an input."""

_ROUNDS: Final = 5
_MOST_DEEP: Final = 400
_INTERESTING: Final = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x80\x80",
    b"/",
    b"+",
    b"#",
    b"%",
    b"%2F",
    b"$share/x/",
    b"..",
    b"{{",
    b"}}",
    b'"',
    b"\\",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbf",
    b"\xe2\x80\xae",
    b"1e999",
    b"-0",
    b"9" * 25,
    b"null",
    b"alice",
    b"bob",
    b"_house",
    b"_bus",
)
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    9,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    1e308,
    -0.0,
    "",
    "bob",
    "\x00",
    "\u202e",
    "\ufeff",
    "../..",
    "jitney/bob/reply/x/1",
    "x" * 300,
    [],
    {},
    [[]],
    {"owner": "bob"},
)
_STEP: Final = 3

_load = msgspec.json.Decoder().decode
_dump = msgspec.json.Encoder().encode


class Mutator:
    """Makes inputs out of inputs; the same ``random`` makes the same ones. ``words`` belong to the target."""

    def __init__(self, source: random.Random, words: Sequence[bytes]) -> None:
        self._random = source
        self._words = (*words, *_INTERESTING)
        self._ways: tuple[Callable[[bytes, bytes], bytes], ...] = (
            self._flip,
            self._overwrite,
            self._insert,
            self._insert,
            self._remove,
            self._repeat,
            self._splice,
            self._part,
            self._part,
            self._json,
            self._json,
            self._json,
        )

    def mutated(self, data: bytes, other: bytes) -> bytes:
        """Return an input that is like ``data``, with something of ``other`` now and then."""
        for _ in range(self._random.randint(1, _ROUNDS)):
            data = self._random.choice(self._ways)(data, other)[:LONGEST]
        return data

    def _at(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _span(self, data: bytes, most: int = 32) -> tuple[int, int]:
        begin = self._at(data)
        return begin, min(len(data), begin + self._random.randint(1, most))

    def _flip(self, data: bytes, _other: bytes) -> bytes:
        if not data:
            return bytes([self._random.randrange(256)])
        changed, at = bytearray(data), self._random.randrange(len(data))
        changed[at] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _overwrite(self, data: bytes, _other: bytes) -> bytes:
        begin, end = self._span(data, 4)
        return data[:begin] + self._random.randbytes(end - begin) + data[end:]

    def _insert(self, data: bytes, _other: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.choice(self._words) + data[at:]

    def _remove(self, data: bytes, _other: bytes) -> bytes:
        begin, end = self._span(data)
        return data[:begin] + data[end:]

    def _repeat(self, data: bytes, _other: bytes) -> bytes:
        begin, end = self._span(data)
        times = self._random.choice((1, 1, 2, 5, 100))
        return data[:end] + data[begin:end] * times + data[end:]

    def _splice(self, data: bytes, other: bytes) -> bytes:
        return data[: self._at(data)] + other[self._at(other) :]

    def _part(self, data: bytes, other: bytes) -> bytes:
        """Change one part, or take it from the other input."""
        parts, others = data.split(SEPARATOR), other.split(SEPARATOR)
        index = self._random.randrange(len(parts))
        if self._random.random() < 1 / _STEP and index < len(others):
            parts[index] = others[index]
        elif self._random.random() < 1 / _STEP:
            parts[index] = self._random.choice(self._words)
        else:
            parts[index] = self._random.choice(self._ways[:5])(parts[index], b"")
        return SEPARATOR.join(parts)

    def _json(self, data: bytes, other: bytes) -> bytes:
        """Change the JSON that is the last part, or the first that begins like JSON in it."""
        head, separator, tail = data.rpartition(SEPARATOR)
        begin = min((at for at in (tail.find(b"{"), tail.find(b"[")) if at >= 0), default=-1)
        try:
            value = _load(tail[begin:]) if begin >= 0 else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = None
        if not isinstance(value, dict | list):
            return self._insert(data, other)
        if self._random.random() < 1 / 50:
            deep = self._random.randint(2, _MOST_DEEP)
            told = b"[" * deep + b"]" * deep
        else:
            told = _dump(self._changed(value))
        return head + separator + tail[:begin] + told

    def _changed(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return JSON with one thing changed, somewhere."""
        if isinstance(value, dict) and value:
            return self._changed_table(dict(value))
        if isinstance(value, list) and value:
            changed = list(value)
            at = self._random.randrange(len(changed))
            changed[at] = self._changed(changed[at])
            return changed
        return self._value(value)

    def _changed_table(self, table: dict[str, Any]) -> dict[str, Any]:
        key = self._random.choice(list(table))
        match self._random.randrange(5):
            case 0:
                del table[key]
            case 1:
                table[self._word()] = table[key]
            case 2:
                table[self._word()] = self._value(None)
            case _:
                table[key] = self._changed(table[key])
        return table

    def _value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, str) and self._random.random() < 1 / 2:
            return value[: self._random.randint(0, len(value))] + self._word() + value[self._random.randint(0, 9) :]
        if isinstance(value, int) and self._random.random() < 1 / 2:
            return self._random.choice((value + 1, -value, value * 2**20 % 2**63, str(value)))
        return self._random.choice((*_VALUES, self._word()))

    def _word(self) -> str:
        return self._random.choice(self._words).decode("utf-8", "replace")
