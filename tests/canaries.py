"""Secrets that can be recognised wherever they turn up, however they were spelt there."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from secrets import choice, token_hex
from typing import Final
from urllib.parse import quote

PIECE: Final = 12
"""Characters of a secret that must not be seen in a row; its last four may be."""

_ODD: Final = 'ü%+/"\\& =:@'
_JOINTS: Final = b" \t\r\n\"',.;:|-_\\()[]{}"
"""What somebody may have put between the pieces of a secret, as a table, a repr or the end of a line does."""


def canary(*, odd: bool = False) -> str:
    """Return a secret that is nowhere else; an odd one has characters that every encoding spells in its own way."""
    middle = f"{choice(_ODD)}{choice(_ODD)}" if odd else "q"
    return f"Kn{token_hex(9)}{middle}{token_hex(9)}"


class Leak:
    """A secret by its name, where it was seen, and how it was spelt."""

    def __init__(self, name: str, place: str, how: str, around: bytes) -> None:
        self.name = name
        self.place = place
        self.how = how
        self.around = around

    def __repr__(self) -> str:
        return f"{self.name} in {self.place} ({self.how}): {self.around!r}"


class Canaries:
    """The secrets that were planted, by name; ``may`` says in which places a name may be seen."""

    def __init__(self) -> None:
        self.planted: dict[str, bytes] = {}
        self._may: dict[str, set[str]] = {}

    def plant(self, name: str, *, odd: bool = False) -> str:
        """Return a new secret."""
        secret = canary(odd=odd)
        self.know(name, secret)
        return secret

    def know(self, name: str, secret: str | bytes) -> None:
        """Look for a secret that somebody else has made."""
        self.planted[name] = secret if isinstance(secret, bytes) else secret.encode()

    def allow(self, name: str, *places: str) -> None:
        """Take no offence at a secret in places, by their patterns, where it has to be."""
        self._may.setdefault(name, set()).update(places)

    def search(self, places: Mapping[str, bytes]) -> list[Leak]:
        """Return every secret that is somewhere where it must not be, once for each place."""
        spelt = {name: list(_spellings(secret)) for name, secret in self.planted.items()}
        found: list[Leak] = []
        for place, text in places.items():
            compact = text.translate(None, _JOINTS)
            for name, needles in spelt.items():
                if not any(fnmatchcase(place, may) for may in self._may.get(name, ())):
                    found += _first(name, place, needles, (text, compact))
        return found


def _first(name: str, place: str, needles: list[tuple[str, bytes]], texts: tuple[bytes, bytes]) -> list[Leak]:
    for how, needle in needles:
        for text in texts:
            at = text.find(needle)
            if at >= 0:
                return [Leak(name, place, how, text[max(0, at - 80) : at + len(needle) + 20])]
    return []


def _spellings(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the pieces of a secret in every spelling, with the name of that."""
    for piece in _pieces(secret):
        yield "as it is", piece
        yield "compact", piece.translate(None, _JOINTS)
        yield "reversed", piece[::-1]
        yield "in hexadecimal", piece.hex().encode()
        yield "in hexadecimal", piece.hex().upper().encode()
        yield "in hexadecimal", piece.hex(" ").encode()
        yield "as numbers", b", ".join(b"%d" % byte for byte in piece)
        yield "UTF-16", b"\0".join(bytes([byte]) for byte in piece)
        for before in range(3):
            for encode in (b64encode, urlsafe_b64encode):
                yield "in base64", _core(encode(b"\0" * before + piece), before, len(piece))
        text = piece.decode("utf-8", "ignore")
        if text.encode() == piece:
            yield "in a URL", quote(text, safe="").encode()
            yield "in a URL", quote(text, safe="").lower().encode()
            yield "in JSON", json.dumps(text)[1:-1].encode()
            yield "in JSON", json.dumps(text, ensure_ascii=False)[1:-1].encode()
            yield "in a repr", repr(text)[1:-1].encode()
            yield "in a repr", repr(piece)[2:-1].encode()


def _pieces(secret: bytes) -> Iterator[bytes]:
    """Yield the beginning, the middle and the end of a secret."""
    middle = (len(secret) - PIECE) // 2
    for start in {0, max(0, middle), max(0, len(secret) - PIECE)}:
        yield secret[start : start + PIECE]


def _core(encoded: bytes, before: int, size: int) -> bytes:
    """Return the characters of base64 that do not depend on what stands around the piece."""
    return encoded[-(-before * 8 // 6) : (before + size) * 8 // 6]
