"""No secret in a log line: the processor that every line passes, whatever it is rendered to."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from jitney.adapters.secret import Secret

SHORTEST: Final = 6
"""Characters a registered secret has at least: a shorter one would be found in the middle of ordinary words."""

LONGEST: Final = 8192
"""Characters of one value; of a longer one the beginning is logged, of a traceback the end."""

_LONG: Final = 12
"""Characters that a secret has at least which is remembered: what nobody has chosen is longer than a word."""

_RECENT: Final = 64
"""How many secrets are remembered that come and go: tokens that a source replaces every few hours."""

_FIRST: Final = ("event", "level", "part", "owner", "adapter", "event_id")
_DEEPEST: Final = 6
_INT_BITS: Final = 63

_NAMES: Final = frozenset(
    ("access_token", "authorization", "client_secret", "passphrase", "password", "refresh_token", "secret", "token")
)
"""Names of fields whose value is taken for a secret, whatever it looks like."""

_LOOKS: Final = (
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*"  # a JSON Web Token, also one that was cut
    r"|(?<=://)[^\s/?#@]*:[^\s/?#]*(?=@)"  # user and password of a URL
    r"|(?i:(?P<scheme>bearer\s+)[^\s,;\"'<>]+)"
)

_registered: set[str] = set()
_remembered: dict[str, None] = {}
_pattern = re.compile(_LOOKS)


def register(*holders: object) -> None:
    """Mask every Secret in ``holders`` (structs, mappings, sequences) from now on, wherever its text turns up."""
    texts = {secret.reveal() for holder in holders for secret in _secrets(holder)}
    _registered.update(text for text in texts if len(text) >= SHORTEST)
    _compile()


def remember(secret: Secret) -> None:
    """Mask a secret that comes and goes, as long as it is one of the newest; of a JSON object each long text in it."""
    news = False
    for text in _texts(secret.reveal()):
        if len(text) >= _LONG and text not in _registered:
            news = news or text not in _remembered
            _remembered.pop(text, None)
            _remembered[text] = None
    if news:
        while len(_remembered) > _RECENT:
            del _remembered[next(iter(_remembered))]
        _compile()


def _compile() -> None:
    global _pattern  # noqa: PLW0603 - the secrets of a process are known to the whole process
    spelt = {spelling for text in (*_registered, *_remembered) for spelling in _spellings(text)}
    _pattern = re.compile("|".join([*map(re.escape, sorted(spelt, key=len, reverse=True)), _LOOKS]))


def forget() -> None:
    """Forget all secrets."""
    _registered.clear()
    _remembered.clear()
    _compile()


def mask(text: str) -> str:
    """Return ``text`` with every secret as dots and at most its last 4 characters, safe to print."""
    masked = _pattern.sub(_dots, text)
    return masked if masked.isprintable() else "".join(map(_printable, masked))


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a log line of plain values (texts, numbers, lists, dicts) without any secret, what it is about first."""
    names = dict.fromkeys((*(name for name in _FIRST if name in line), *line))
    return {name: _field(name, line[name], 0) for name in names}


def _field(name: str, value: object, depth: int) -> Any:  # noqa: ANN401 - any plain value
    if name == "exception" and isinstance(value, str):
        text = mask(value)
        return text if len(text) <= LONGEST else "…" + text[-LONGEST:]
    if value and name.lower() in _NAMES and isinstance(value, str | bytes):
        return str(Secret(value if isinstance(value, str) else value.decode("utf-8", "replace")))
    return _plain(value, depth)


def _plain(value: object, depth: int) -> Any:  # noqa: ANN401
    if value is None or type(value) in {bool, float}:
        return value
    if type(value) is int:
        return value if value.bit_length() <= _INT_BITS else hex(value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {mask(str(key)): _field(str(key), inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(inner, depth + 1) for inner in value]
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    text = mask(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _dots(match: re.Match[str]) -> str:
    scheme = match["scheme"] or ""
    return scheme + str(Secret(match[0][len(scheme) :]))


def _printable(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1]


def _texts(secret: str) -> list[str]:
    """Return what of a secret can turn up by itself."""
    try:
        parts = msgspec.json.decode(secret, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return [secret]
    return [text for text in parts.values() if isinstance(text, str)]


def _secrets(holder: object) -> Iterator[Secret]:
    if isinstance(holder, Secret):
        yield holder
        return
    inside: Iterable[object] = ()
    if isinstance(holder, Struct):
        inside = msgspec.structs.astuple(holder)
    elif isinstance(holder, Mapping):
        inside = holder.values()
    elif isinstance(holder, list | tuple | set | frozenset):
        inside = holder
    for value in inside:
        yield from _secrets(value)


def _spellings(text: str) -> set[str]:
    """Return a text as it may stand in a line: bare, in a URL, in a repr, in JSON."""
    quoted = quote(text, safe="", errors="surrogatepass")
    return {text, quoted, repr(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
