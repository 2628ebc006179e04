"""Templates of Home Assistant that never fail: whatever a topic has, or nothing at all, they give something valid.

They are Jinja2 as Home Assistant 2024.11 and later have it. ``None`` is what it takes for an unknown value, and the
words ``value`` and ``value_json`` are its own. A template begins with statements of ``taken`` that set ``value``, none
for what is missing. Only an entity's ``expression`` is code; every other text goes through ``literal``.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from jitney.daemon.discovery.units import Conversion

LONGEST_STATE: Final = 255
"""Characters of a state in Home Assistant."""

MOST_ATTRIBUTES: Final = 15_000
"""Characters of all attributes: beyond 16 KiB Home Assistant's recorder warns and keeps none of them."""

PLAIN: Final = "value"
"""The expression that changes nothing."""

NO_PICTURE: Final = "http://0.0.0.0/"
"""Home Assistant logs an error for anything that is no address, even for a topic that was cleared."""

_NOTHING: Final = "'{}'"
_POSITION: Final = re.compile(r"[0-9]{1,9}")
_SPECIAL: Final = re.compile(r"[^\w !$&()*+,./:;<=>?@\[\]^|~-]")
_NUMBER: Final = "value is number and value is not boolean"


def literal(thing: object) -> str:
    """Return a value of JSON as an expression; raises TypeError for anything else."""
    if thing is None:
        return "none"
    if isinstance(thing, bool):
        return "true" if thing else "false"
    if isinstance(thing, str):
        return f"'{_SPECIAL.sub(_escaped, thing)}'"
    if isinstance(thing, int | float) and math.isfinite(thing):
        return f"({thing!r})" if thing < 0 else repr(thing)
    if isinstance(thing, Mapping):
        return "{" + ", ".join(f"{literal(str(key))}: {literal(one)}" for key, one in thing.items()) + "}"
    if isinstance(thing, Sequence) and not isinstance(thing, bytes):
        return "[" + ", ".join(map(literal, thing)) + "]"
    raise TypeError(f"{thing!r:.50} is nothing that JSON has")


def taken(path: str, *, of: str = "value_json") -> str:
    """Return statements that set ``value`` to what lies at ``path`` in a variable, to none when nothing does."""
    statements = []
    keys = path.split(".") if path else []
    # Jinja2 takes what is not defined for an empty sequence.
    if not keys or _POSITION.fullmatch(keys[0]):
        statements.append(f"{{% set value = {of} | default(none) %}}")
        of = "value"
    for key in keys:
        found = f"{of}.get({literal(key)}) if {of} is mapping else "
        if _POSITION.fullmatch(key):
            found += f"{of}[{int(key)}] | default(none) if {of} is sequence and {of} is not string else "
        statements.append(f"{{% set value = {found}none %}}")
        of = "value"
    return "".join(statements)


def number(path: str, expression: str, *, conversion: Conversion | None, decimals: int) -> str:
    """Return the template of a number, in another unit with so many ``decimals``."""
    shown = "value"
    if conversion is not None:
        offset = f" + {conversion.offset!r}" if conversion.offset else ""
        shown = f"(value * {conversion.factor!r}{offset}) | round({decimals})"
    return f"{_reckoned(path, expression)}{{{{ {shown} if {_NUMBER} else none }}}}"


def text(path: str, expression: str) -> str:
    """Return the template of a text, cut to what a state can be; an empty one is unknown."""
    shown = f"(value | string | trim)[:{LONGEST_STATE}] or none"
    return f"{_reckoned(path, expression)}{{{{ {shown} if value is not none else none }}}}"


def moment(path: str, expression: str) -> str:
    """Return the template of a time or a date."""
    return f"{_reckoned(path, expression)}{{{{ value or none }}}}"


def choice(path: str, expression: str, options: Sequence[str]) -> str:
    """Return the template of one of some texts; any other is unknown."""
    return f"{_reckoned(path, expression)}{{{{ value if value in {literal(list(options))} else none }}}}"


def on_off(path: str, on: Sequence[bool | int | str]) -> str:
    """Return the template of ON and OFF."""
    return f"{taken(path)}{{{{ none if value is none else 'ON' if value in {literal(list(on))} else 'OFF' }}}}"


def typed(path: str, longest: int) -> str:
    """Return the template of a text that can be typed: it has no word for unknown."""
    return f"{taken(path)}{{{{ (value | string)[:{longest}] if value is not none else '' }}}}"


def attributes(path: str) -> str:
    """Return the template of the attributes, an object."""
    return f"{taken(path)}{{% set value = value | tojson if value is mapping else '{{}}' %}}{_fitting(_NOTHING)}"


def position(path: str, beside: str | None) -> str:
    """Return the template of a place, with the object at the path ``beside`` for further attributes."""
    more = ""
    fields = "'latitude': place.latitude, 'longitude': place.longitude, 'gps_accuracy': accuracy"
    shown = f"{{{fields}}}"
    if beside is not None:
        more = f"{taken(beside)}{{% set more = value if value is mapping else {{}} %}}"
        shown = f"dict(more, **{shown})"
    return (
        f"{more}{_place(path)}{{% set accuracy = place.accuracy if place.accuracy is number else 0 %}}"
        f"{{% set value = {shown} | tojson if known else '{{}}' %}}{_fitting(_NOTHING)}"
    )


def place_known(path: str) -> str:
    """Return the template of whether there is a place: Home Assistant never forgets one by itself."""
    return f"{_place(path)}{_available('known')}"


def picture(path: str) -> str:
    """Return the template of the address of a picture."""
    return f"{taken(path)}{{{{ value if {_ADDRESS} else {literal(NO_PICTURE)} }}}}"


def picture_known(path: str) -> str:
    """Return the template of whether there is a picture."""
    return f"{taken(path)}{_available(_ADDRESS)}"


def version(path: str) -> str:
    """Return the template of the installed version."""
    shown = f"{{'installed_version': (value | string)[:{LONGEST_STATE}]}} | tojson"
    return f"{taken(path)}{{{{ {shown} if value is not none else '{{}}' }}}}"


def latest_version(path: str) -> str:
    """Return the template of the latest version; what is empty is ignored."""
    return f"{taken(path)}{{{{ (value | string)[:{LONGEST_STATE}] if value is not none else '' }}}}"


def word_among(words: Sequence[str]) -> str:
    """Return the template of availability by the ``state`` of a status."""
    return f"{taken('state')}{_available(f'value in {literal(list(words))}')}"


def event(kinds: Sequence[str], where: tuple[str, str] | None) -> str:
    """Return the template of an event out of its CloudEvent, empty for one that is not meant."""
    kind = "{% set kind = (value_json.get('type') | string).partition('.')[2] if value_json is mapping else '' %}"
    data = f"{taken('data')}{{% set data = value if value is mapping else {{}} %}}"
    meant = f"kind in {literal(list(kinds))}"
    if where is not None:
        path, wanted = where
        data += taken(path, of="data")
        meant += f" and value is not none and value | string == {literal(wanted)}"
    shown = "{% set value = dict(data, event_type=kind) | tojson %}" + _fitting("{'event_type': kind} | tojson")
    return f"{kind}{data}{{% if {meant} %}}{shown}{{% endif %}}"


def command(data: Mapping[str, object], key: str) -> str:
    """Return the template of a command's data with what was typed or chosen at ``key``."""
    fixed = "".join(f"{literal(name)}: {literal(one)}, " for name, one in data.items() if name != key)
    return f"{{{{ {{{fixed}{literal(key)}: value}} | tojson }}}}"


_ADDRESS: Final = (
    "value is string and value.split('://')[0] in ['http', 'https'] and value.split('/')[2] | default('')"
    " and value.split() | length == 1"
)


def _reckoned(path: str, expression: str) -> str:
    if expression == PLAIN:
        return taken(path)
    return f"{taken(path)}{{% set value = ({expression}) if value is not none else none %}}"


def _place(path: str) -> str:
    return (
        f"{taken(path)}{{% set place = value if value is mapping else {{}} %}}"
        "{% set known = place.latitude is number and place.longitude is number %}"
    )


def _available(condition: str) -> str:
    return f"{{{{ 'online' if {condition} else 'offline' }}}}"


def _fitting(otherwise: str) -> str:
    """Return what prints the JSON text ``value``, or the value of an expression when it is too much."""
    return f"{{{{ value if value | length < {MOST_ATTRIBUTES} else {otherwise} }}}}"


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 - what \x and \u can name
