"""Templates of people: refused when the file is read, or filled in soon, small, and with every error in words."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st

from fuzz.fields import apart, joined
from fuzz.oracle import check
from fuzz.publishing import json
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, TemplateFault
from jitney.daemon.routes.filters import FILTERS, TESTS
from jitney.daemon.routes.templates import MOST_BYTES, Template, compile_expression, compile_template
from tests.daemon.routes.hostile import ALLOCATE, ESCAPE, SPIN
from tests.daemon.routes.making import document

MOST_SECONDS = 0.05
"""Seconds of the processor in which a template is filled in."""

WORDS = (
    b"{{ ",
    b" }}",
    b"{% if ",
    b"{% else %}",
    b"{% endif %}",
    b"{{ data.t }}",
    b"data.list",
    b" ~ ",
    b" | ",
    b" is ",
    b"now()",
    b"get('v', 0)",
    b"as_timestamp(time)",
    b" * 99999999",
    b"| regex_search('a.*b')",
    b"is match('[a-z]+')",
    b".strftime('%Y')",
    *(f"| {name}".encode() for name in sorted(FILTERS)),
    *(f"is {name}".encode() for name in sorted(TESTS)),
)
_MOST_DATA = 20_000
_TRIES = 3


def one(data: bytes) -> None:
    """Feed a template and the data of an event."""
    source, raw = apart(data, 2)
    text = source.decode("utf-8", "replace")
    for compiled in (compile_template, compile_expression):
        try:
            template = compiled(text)
        except TemplateFault as fault:
            check(fault.line >= 1, "a fault before the first line")
            check(fault.reason, "a fault without a reason")
        else:
            _fill_in(template, _data(raw))


def _data(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(raw[:_MOST_DATA])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"n": 1, "t": "a", "list": [1]}


def _fill_in(template: Template, data: object) -> None:
    _render(template, document(data))  # Jinja compiles at the first time, which only happens when a file is read
    took = min(
        _timed(template, document(data))
        for _ in range(_TRIES if _timed(template, document(data)) > MOST_SECONDS else 1)
    )
    check(took <= MOST_SECONDS, f"a template took {took * 1000:.0f} ms to fill in")


def _timed(template: Template, one: Document) -> float:
    began = time.process_time()
    _render(template, one)
    return time.process_time() - began


def _render(template: Template, one: Document) -> None:
    for fill_in in (template.render, template.holds):
        try:
            value = fill_in(one)
        except TemplateError as error:
            check(str(error), "an error without words")
        else:
            check(len(msgspec.json.encode(value)) <= MOST_BYTES, "a template became too large")


def seeds() -> Iterable[bytes]:
    """Return the templates that are known to be hostile, each filter and test, and ordinary ones."""
    data = b'{"n":20000.5,"t":"evening ride","list":[1,2,"a"],"o":{"p":null}}'
    for hostile in (ESCAPE, ALLOCATE, SPIN):
        for source, *_ in hostile:
            yield joined(source[:300], data)
    for name in sorted(FILTERS):
        yield joined(f"{{{{ data.t | {name} }}}} {{{{ data.list | {name} }}}} {{{{ data.n | {name}(2) }}}}", data)
    for name in sorted(TESTS):
        yield joined(f"{{% if data.n is {name} %}}a{{% else %}}{{{{ data.t is {name}('a') }}}}{{% endif %}}", data)
    yield joined("{{ owner.name }} rode {{ (data.n / 1000) | round(1) }} km at {{ now().strftime('%H:%M') }}", data)
    yield joined("data.n > 20000 and 'ride' in data.t", data)


def inputs() -> st.SearchStrategy[bytes]:
    """Return words of templates in any order."""
    words = st.lists(st.sampled_from(WORDS) | st.text(max_size=4).map(str.encode), max_size=14).map(b" ".join)
    return st.builds(joined, words, json())
