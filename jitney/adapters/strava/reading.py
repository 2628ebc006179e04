"""From the bytes of an answer to structs: what cannot be read harms nothing beside it.

A field that cannot be read is as if it were missing, an item of a list is left out, and both are told. Details name the
place and the types, never what stood there.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import UnavailableError

ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""

Odd: TypeAlias = Callable[[str, str], None]
"""Is told a kind (``odd_item``, ``odd_field``) and a detail of whatever cannot be read."""

T = TypeVar("T", bound=Struct)

_ESCAPE: Final = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT: Final = rb"\ufffd"

_rows = msgspec.json.Decoder(list[Raw]).decode
_skip = msgspec.json.Decoder(Raw).decode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def ignore(_kind: str, _detail: str) -> None:
    """Be the ``Odd`` for whoever takes what cannot be read for missing."""


def one(raw: bytes, kind: type[T], odd: Odd = ignore) -> T:
    """Return the answer as a ``kind``; raises UnavailableError when it is none: HTML, cut off, another shape."""
    try:
        found: T = _salvaged(_readable(raw), kind, odd)
    except ERRORS as error:
        raise UnavailableError(f"Strava's answer is not readable as {kind.__name__}: {_reason(error)}") from None
    return found


def each(raw: bytes, kind: type[T], odd: Odd) -> list[T]:
    """Return the items of the answer that are a ``kind``, in order; the others are told to ``odd``.

    Raises UnavailableError when the answer is not a list at all.
    """
    try:
        found: list[T] = _decoder(list[kind])(raw)  # type: ignore[valid-type] # a type made at run time
    except ERRORS:
        pass
    else:
        return found
    try:
        rows = _rows(_readable(raw))
    except ERRORS as error:
        raise UnavailableError(f"Strava's answer is not readable as a list: {_reason(error)}") from None
    return _items(rows, kind, odd)


def _readable(raw: bytes) -> bytes:
    """Return JSON with what no text can contain replaced: bytes that are not UTF-8 and halves of surrogate pairs.

    The decoder would refuse the whole answer because of one such character in one name.
    """
    try:
        raw.decode()
        _skip(raw)
    except ERRORS:
        return _ESCAPE.sub(_whole, raw.decode("utf-8", "replace").encode())
    return raw


def _whole(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape["half"] is None else _REPLACEMENT


def _items(rows: list[Raw], kind: Any, odd: Odd) -> list[Any]:  # noqa: ANN401 - any type of a field
    found = []
    for row in rows:
        try:
            found.append(_salvaged(row, kind, odd))
        except ERRORS as error:
            odd("odd_item", f"{_name(kind)}: {_reason(error)}")
    return found


def _salvaged(raw: bytes | Raw, kind: Any, odd: Odd) -> Any:  # noqa: ANN401 - any type of a field
    """Return what of ``raw`` is a ``kind``; raises one of ERRORS when not even the necessary is."""
    try:
        return _decoder(kind)(raw)
    except ERRORS:
        struct, item = _inside(kind)
        if struct is not None:
            return _struct(_fields(raw), struct, odd)
        if item is not None:
            return tuple(_items(_rows(raw), item, odd))
        raise


def _struct(given: dict[str, Raw], kind: type[Struct], odd: Odd) -> Struct:
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in given:
            if field.required:
                raise msgspec.ValidationError(f"Object missing required field `{field.encode_name}`")
            continue
        try:
            values[field.name] = _salvaged(given[field.encode_name], field.type, odd)
        except ERRORS as error:
            if field.required:
                raise
            odd("odd_field", f"{kind.__name__}.{field.name}: {_reason(error)}")
    return kind(**values)


@cache
def _inside(kind: Any) -> tuple[type[Struct] | None, Any]:  # noqa: ANN401 - any type of a field
    """Return the struct in a type, and the item of its tuple of structs; None for what it has not."""
    for part in get_args(kind) or (kind,):
        if isinstance(part, type) and issubclass(part, Struct):
            return (None, part) if get_origin(kind) is tuple else (part, None)
        if get_origin(part) is tuple:
            return None, _inside(part)[1]
    return None, None


@cache
def _decoder(kind: Any) -> Callable[[bytes | Raw], Any]:  # noqa: ANN401 - any type of a field
    return msgspec.json.Decoder(kind, dec_hook=_secret).decode


def _secret(kind: type, value: object) -> Secret:
    """Make a secret of a text as it is decoded, so that no struct can print it."""
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    message = "Expected a text that is not empty"
    raise ValueError(message)


def _name(kind: Any) -> str:  # noqa: ANN401 - any type of a field
    return str(getattr(kind, "__name__", kind))


def _reason(error: Exception) -> str:
    """Return why, without what stood there."""
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error) or type(error).__name__
