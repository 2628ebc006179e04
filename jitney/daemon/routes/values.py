"""Data of actions: tables and lists of the file whose texts may be templates, filled in for an event."""

from collections.abc import Callable, Mapping
from datetime import date, time
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Raw

from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import NESTED_TOO_DEEPLY, Faults, Path, TemplateError, TemplateFault
from jitney.daemon.routes.templates import Template, compile_template
from jitney.daemon.routes.words import shown, sort

MOST_BYTES: Final = 64_000
"""Of the data of one action, filled in, as JSON; what a command may have."""

DEEPEST: Final = 16

Make = Callable[[Document], Any]
"""Returns a value for an event; raises TemplateError with its place."""

_LARGEST: Final = 2**63

_encode = msgspec.json.Encoder().encode


def compile_text(value: object, faults: Faults, *, empty: bool = False) -> Callable[[Document], str]:
    """Return what makes the text of a template; what is wrong is noted."""
    if not isinstance(value, str) or not (value or empty):
        faults.add(f"expected a text, got {shown(value)}")
        return lambda _: ""
    template, place = _template(value, faults), faults.path
    if template.is_constant:
        return lambda _: value
    return lambda document: _placed(template.text, document, place)


def compile_data(value: object, faults: Faults) -> Callable[[Document], Raw]:
    """Return what makes the JSON object of a table with templates in it; what is wrong is noted."""
    if not isinstance(value, Mapping):
        faults.add(f"expected a table, got {sort(value)}")
    return compile_json(value, faults)


def compile_json(value: object, faults: Faults) -> Callable[[Document], Raw]:
    """Return what makes the JSON of any value with templates in it; what is wrong is noted."""
    before, place = len(faults.found), faults.path
    make, constant = _value(value, faults, deep=0)
    if len(faults.found) > before:
        return lambda _: Raw(b"null")
    if constant:
        encoded = Raw(_encode(value))
        if len(encoded) > MOST_BYTES:
            faults.add(f"is {len(encoded)} bytes long: at most {MOST_BYTES} are allowed")
        return lambda _: encoded

    def render(document: Document) -> Raw:
        encoded = Raw(_encode(make(document)))
        if len(encoded) > MOST_BYTES:
            raise TemplateError(f"it became {len(encoded)} bytes long, at most {MOST_BYTES} are allowed", place)
        return encoded

    return render


def _value(value: object, faults: Faults, *, deep: int) -> tuple[Make, bool]:
    """Return what makes a value, and whether it is always the same."""
    match value:
        case str():
            template, place = _template(value, faults), faults.path
            return (lambda document: _placed(template.render, document, place)), template.is_constant
        case dict() | list() | tuple() if deep >= DEEPEST:
            faults.add(NESTED_TOO_DEEPLY)
        case dict():
            return _table(value, faults, deep=deep)
        case list() | tuple():
            return _list(value, faults, deep=deep)
        case float() if not isfinite(value):
            faults.add(f"JSON has no {value}")
        case int() if not -_LARGEST <= value < _LARGEST:
            faults.add("the number is too large")
        case bool() | int() | float() | date() | time():
            pass
        case _:
            faults.add(f"JSON has no such value: {sort(value)}")
    return (lambda _: value), True


def _table(value: dict[Any, Any], faults: Faults, *, deep: int) -> tuple[Make, bool]:
    fields: list[tuple[str, Make]] = []
    constant = True
    for key, one in value.items():
        with faults.at(key):
            if not _is_plain(key):
                faults.add("templates are for values, not for keys")
            make, same = _value(one, faults, deep=deep + 1)
        fields.append((key, make))
        constant = constant and same
    return (lambda document: {key: make(document) for key, make in fields}), constant


def _list(value: list[Any] | tuple[Any, ...], faults: Faults, *, deep: int) -> tuple[Make, bool]:
    makes: list[Make] = []
    constant = True
    for index, one in enumerate(value):
        with faults.at(index):
            make, same = _value(one, faults, deep=deep + 1)
        makes.append(make)
        constant = constant and same
    return (lambda document: [make(document) for make in makes]), constant


def _is_plain(key: object) -> bool:
    """Tell whether a key is a plain text."""
    return isinstance(key, str) and "{{" not in key and "{%" not in key and _encodable(key)


def _template(text: str, faults: Faults) -> Template:
    if not _encodable(text):
        faults.add("not a text that can be written in UTF-8")
        return Template("")
    try:
        return compile_template(text)
    except TemplateFault as fault:
        faults.add(str(fault))
        return Template("")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _placed(render: Callable[[Document], Any], document: Document, place: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return render(document)
    except TemplateError as error:
        raise TemplateError(error.text, place) from None
