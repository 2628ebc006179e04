"""Whatever a template says: it is refused when it is loaded, or it ends soon and small."""

import sys
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jitney.daemon.routes.bounds import MOST_CHARACTERS
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, TemplateFault
from jitney.daemon.routes.filters import FILTERS, PATTERNED, TESTS
from jitney.daemon.routes.templates import MOST_BYTES, Template, compile_expression, compile_template
from jitney.daemon.routes.vetting import DEEPEST, MOST_NODES
from tests.daemon.routes.making import document

CALLS_A_NODE = 60
"""Function calls for one node of a template, at most, when the lists of an event are short."""

FIELDS = ["data", "data.n", "data.t", "data.list", "data.o.p", "data.long", "data.missing", "data.null", "data.yes"]
OTHERS = [
    "subject",
    "actor",
    "time",
    "hops",
    "owner.name",
    "variables.v",
    "get('v')",
    "get(data.t, 0)",
    "now()",
    "now().hour",
]
CONSTANTS = ["0", "1", "-3", "2.5", "99999999999", "''", "'a'", "'on'", "true", "none", "[]", "['a', 1]", "(1, 2)"]
TOKENS = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "in",
    "endfor",
    "set",
    "=",
    "x",
    "_",
]
MORE_TOKENS = [
    "(",
    ")",
    "[",
    "]",
    ".",
    ",",
    "|",
    "~",
    "+",
    "*",
    "**",
    "==",
    "<",
    "not",
    "and",
    "is",
    ":",
    "-",
    "raw",
    "endraw",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abnopt"), inner, max_size=4),
    max_leaves=8,
)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def form(text: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda found: text.format(*found))

    filters = st.sampled_from(sorted(FILTERS.keys() - PATTERNED))
    tests = st.sampled_from(sorted(TESTS.keys() - PATTERNED))
    return st.one_of(
        form("({} {} {})", inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
        form("({} {} {})", inner, st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "in", "not in"]), inner),
        form("({} {} {})", inner, st.sampled_from(["and", "or", "~"]), inner),
        form("({} < {} <= {})", inner, inner, inner),
        form("(not {})", inner),
        form("(-{})", inner),
        form("({} | {})", inner, filters),
        form("({} | {}({}))", inner, filters, inner),
        form("({} | {}({}, {}))", inner, filters, inner, inner),
        form("({} is {})", inner, tests),
        form("({} | regex_search('(?i)a.*b'))", inner),
        form("({} is match('[a-z]+'))", inner),
        form("({} if {} else {})", inner, inner, inner),
        form("{}[{}]", inner, st.sampled_from(["0", "-1", "'a'", "data.t", ":3", "-2:", "1:2"])),
        form("({}).a", inner),
        form("[{}, {}]", inner, inner),
    )


EXPRESSIONS = st.recursive(st.sampled_from([*FIELDS, *OTHERS, *CONSTANTS]), _combined, max_leaves=12)
TEMPLATES = st.recursive(
    EXPRESSIONS.map(lambda one: "{{ " + one + " }}") | st.text("ab {}%#\n", max_size=4),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map("".join)
        | st.tuples(EXPRESSIONS, inner, inner).map(
            lambda one: "{% if " + one[0] + " %}" + one[1] + "{% else %}" + one[2] + "{% endif %}"
        )
    ),
    max_leaves=4,
)
SOUP = st.lists(st.sampled_from([*TOKENS, *MORE_TOKENS, *FIELDS, *OTHERS, *CONSTANTS]), max_size=12).map(" ".join)


def calls(run: Callable[[], object]) -> int:
    """Return how many functions, of Python and of C, are called."""
    number = 0

    def count(_frame: object, what: str, _argument: object) -> None:
        nonlocal number
        number += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return number


def ends_soon_and_small(template: Template, one: Document) -> None:
    def render() -> None:
        try:
            value = template.render(one)
        except TemplateError as error:
            assert str(error)  # noqa: PT017 - that it has words is all there is to say
        else:
            assert len(msgspec.json.encode(value)) <= MOST_BYTES

    render()
    assert calls(render) <= CALLS_A_NODE * MOST_NODES


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(text=TEMPLATES, n=VALUES, t=st.text(max_size=5), listed=st.lists(VALUES, max_size=5))
def test_what_is_let_in_ends_soon_and_small(text: str, n: object, t: str, listed: list[object]) -> None:
    try:
        template = compile_template(text)
    except TemplateFault as fault:
        assert fault.line >= 1  # noqa: PT017 - refused at load, with its line
        assume(False)  # noqa: FBT003 - hypothesis' word for: another one
    data = {
        "n": n,
        "t": t,
        "list": listed,
        "o": {"p": n},
        "long": "ab" * (MOST_CHARACTERS // 2),
        "null": None,
        "yes": True,
    }
    ends_soon_and_small(template, document(data, variables={"v": n, t: 1}))


@settings(deadline=None)
@given(text=SOUP | st.text())
def test_any_text_is_refused_or_ends_soon_and_small(text: str) -> None:
    for compile_any in (compile_template, compile_expression):
        try:
            template = compile_any(text)
        except TemplateFault as fault:
            assert fault.line >= 1  # noqa: PT017 - refused at load, with its line
            assert fault.reason  # noqa: PT017
        else:
            ends_soon_and_small(template, document({"n": 1, "t": "a", "list": [1]}))


@settings(deadline=None)
@given(expression=EXPRESSIONS, n=VALUES)
def test_an_expression_holds_or_not_or_cannot_be_told(expression: str, n: object) -> None:
    try:
        template = compile_expression(expression)
    except TemplateFault:
        assume(False)  # noqa: FBT003 - hypothesis' word for: another one
    try:
        assert template.holds(document({"n": n, "t": "a"})) in (True, False)
    except TemplateError as error:
        assert str(error)  # noqa: PT017 - that it has words is all there is to say


def test_the_most_that_fits_into_a_template_ends_soon() -> None:
    one = document({"t": "ab" * (MOST_CHARACTERS // 2), "list": [[1] * 9] * 500})
    for part in ("{{ data.t|length }}", "{{ data.list|length }}", "{{ data.t == data.t }}", "{{ 'x' in data.t }}"):
        ends_soon_and_small(compile_template(part * (MOST_NODES // 7)), one)


@pytest.mark.parametrize(
    ("before", "middle", "after"),
    [
        ("{% if data.n %}", "{{ data.t }}", "{% endif %}"),
        ("{% if data.n %}a{% else %}", "{{ data.t }}", "{% endif %}"),
        ("", "data.t", " | upper"),
        ("(1 if data.n else ", "2", ")"),
        ("[", "1", "]"),
        ("(1 + ", "2", ")"),
        ("(data.t ~ ", "2", ")"),
        ("(data.n < ", "2", ")"),
        ("(not ", "data.n", ")"),
        ("(", "data.t", " | default(1))"),
        ("", "data.list", "[0]"),
        ("", "data.list", "[:1]"),
    ],
)
def test_what_is_nested_as_deeply_as_allowed_can_be_run(before: str, middle: str, after: str) -> None:
    one = document({"n": 1, "t": "a", "list": [1]})
    deepest = 0
    for depth in range(1, DEEPEST + 2):
        text = before * depth + middle + after * depth
        try:
            template = compile_template(text if "{%" in text else "{{ " + text + " }}")
        except TemplateFault:
            continue
        deepest = depth
        ends_soon_and_small(template, one)
    assert 10 <= deepest < DEEPEST
