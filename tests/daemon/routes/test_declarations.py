"""What a Python file declares is read without running it, and what is wrong with it is told with its line."""

import ast
import inspect

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.declarations import IMPORT, WORDS, Declaration, declared
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.scripts import api


def found(source: str) -> list[Declaration]:
    declarations, mistakes = declared(source)
    assert mistakes == []
    return declarations


def mistakes(source: str) -> list[tuple[int, str]]:
    _, wrong = declared(source)
    return [(one.line, f"{one.function}: {one.text}" if one.function else one.text) for one in wrong]


def one_route(arguments: str, function: str = "async def f(event, bus): ...") -> str:
    return f"{IMPORT}\n@route({arguments})\n{function}\n"


def test_the_arguments_are_the_words_of_the_configuration_with_the_line_of_each() -> None:
    source = f"""{IMPORT}

raise SystemExit  # it is not run

@route(
    on=["a.b", "c.*"],
    owner=("alice", "bob"),
    when={{
        "data.distance": {{"gt": -1.5}},
    }},
    if_="data.x" " > 1",
    for_=3, enabled=False,
)
async def long_ride(event: Event, bus: Bus) -> None:
    pass
"""
    (declaration,) = found(source)
    assert declaration.function == "long_ride"
    assert declaration.words == {
        "name": "long_ride",
        "on": ["a.b", "c.*"],
        "owner": ["alice", "bob"],
        "when": {"data.distance": {"gt": -1.5}},
        "if": "data.x > 1",
        "for": 3,
        "enabled": False,
    }
    assert declaration.lines[()] == 5
    assert declaration.lines["on", 1] == 6
    assert declaration.lines["when", "data.distance", "gt"] == 9
    assert declaration.lines["if",] == 11
    assert declaration.lines["for",] == 12


@pytest.mark.parametrize(
    ("imported", "written"),
    [
        (IMPORT, "route"),
        ("from jitney.daemon.scripts import route as on_event", "on_event"),
        ("import jitney.daemon.scripts", "jitney.daemon.scripts.route"),
        ("import jitney.daemon.scripts as jitney", "jitney.route"),
        ("from jitney.daemon import scripts", "scripts.route"),
        ("try:\n    from jitney.daemon.scripts import route\nexcept ImportError:\n    raise", "route"),
    ],
)
def test_the_decorator_is_known_however_it_was_imported(imported: str, written: str) -> None:
    (declaration,) = found(f"{imported}\n@{written}(on='a.b')\nasync def f(event, bus): ...\n")
    assert declaration.words == {"on": "a.b", "name": "f"}


def test_a_function_can_answer_for_several_routes_and_have_other_decorators() -> None:
    source = f"{IMPORT}\n@route(on='a.b', name='one')\n@other\n@route(on='c.d', name='two')\nasync def f(e, b): ...\n"
    assert [one.words["name"] for one in found(source)] == ["one", "two"]


def test_other_functions_and_decorators_of_other_libraries_are_no_matter_here() -> None:
    source = one_route("on='a.b'") + (
        "import bottle\n@bottle.route('/x')\ndef page(): yield 1\n"
        "class A:\n    @property\n    def x(self): return [y for y in ()]\n"
    )
    assert [one.function for one in found(source)] == ["f"]
    elsewhere = "from bottle import route\n@route('/x')\ndef page(): ...\n"
    assert mistakes(elsewhere) == [(0, f"declares no route: put @route(on=…, owner=…) above an `async def`; {IMPORT}")]


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("", 0, "declares no route"),
        ("@route(on='a.b')\nasync def f(event, bus): ...", 1, f"f: route is not imported: {IMPORT}"),
        (f"{IMPORT}\n@route\nasync def f(event, bus): ...", 2, "f: needs its arguments: @route(on=…, owner=…)"),
        (one_route("'a.b'"), 2, "f: give every argument by its name"),
        (one_route("**WORDS"), 2, "f: ** is not allowed"),
        (one_route("on=TYPE"), 2, "f: on: not a literal value: it must be written out here"),
        (one_route("on=f'{x}.b'"), 2, "f: on: not a literal value"),
        (one_route("on=\n'a'.upper()"), 3, "f: on: not a literal value"),
        (one_route("when={[]: 1}"), 2, "f: when: not a literal value"),
        (one_route("on={'a.b'}"), 2, "f: on: expected a text, a number, true or false, a list or a table, got set"),
        (one_route("on=None"), 2, "f: on: expected a text, a number, true or false, a list or a table, got NoneType"),
        (one_route("on=b'a.b'"), 2, "got bytes"),
        (one_route("when={1: 2}"), 2, "f: when: the keys of a table are texts"),
        (one_route("wen={}"), 2, 'f: unknown argument wen: did you mean "when"?'),
        (one_route("do=[]"), 2, "f: do: what is done stands in the function"),
        (one_route("on='a.b'", "def f(event, bus): ..."), 3, "f: write `async def f(event: Event, bus: Bus) -> None:`"),
        (one_route("on='a.b'", "class f: ..."), 3, "f: write `async def"),
        (one_route("on='a.b'", "async def f(event): ..."), 3, "f: must have two parameters"),
        (one_route("on='a.b'", "async def f(event, bus, *, x): ..."), 3, "f: must have two parameters"),
        (one_route("on='a.b'", "async def f(*both): ..."), 3, "f: must have two parameters"),
        (one_route("on='a.b'", "async def f(event, bus):\n  if event:\n    yield 1"), 3, "f: must not yield"),
        (one_route("on='a.b'") + "async def f(): ...", 3, "f: another definition further down has this name"),
        (f"{IMPORT}\nif 1:\n @route(on='a.b')\n async def f(event, bus): ...", 4, "f: must stand at the top level"),
        (f"{IMPORT}\nclass A:\n @route(on='a.b')\n async def f(self, bus): ...", 4, "f: must stand at the top level"),
        ("x = (", 1, "not Python: '(' was never closed"),
        ("\nreturn 1", 2, "not Python: 'return' outside function"),
        ("\0", 0, "not Python"),
        ("(" * 1000 + ")" * 1000, 1, "not Python"),
        ("-" * 100_000 + "1", 0, "not Python"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line_and_the_remedy(source: str, line: int, text: str) -> None:
    ((at, told), *_) = mistakes(source)
    assert text in told
    assert at in (line, 0) if text == "not Python" else at == line


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    source = one_route("on=X, wen=1", "def f(event): ...") + "@route()\nasync def g(event): yield\n"
    assert len(mistakes(source)) == 5


def test_a_function_inside_of_a_handler_may_yield() -> None:
    found(one_route("on='a.b'", "async def f(event, bus):\n  def numbers():\n    yield 1\n  return"))


def test_the_decorator_takes_what_the_configuration_takes_but_what_is_done() -> None:
    assert WORDS.keys() == inspect.signature(api.route).parameters.keys()
    assert {*WORDS.values(), "do"} == {field.encode_name for field in msgspec.structs.fields(RouteSettings)}
    defaults = {field.name: field.default for field in msgspec.structs.fields(RouteSettings) if field.name in WORDS}
    for name, parameter in inspect.signature(api.route).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if name != "name" and defaults[name] is not msgspec.NODEFAULT:
            assert (parameter.default or None) == (defaults[name] or None)


LITERALS = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=LITERALS)
def test_every_value_that_is_written_out_is_read_as_it_was_meant(value: object) -> None:
    try:
        source = one_route(f"when={value!r}")
        ast.parse(source)
    except (SyntaxError, UnicodeEncodeError):
        return
    assert found(source)[0].words["when"] == value


@given(source=st.text() | st.builds(one_route, st.text(), st.text()))
def test_no_text_is_too_strange_to_be_read(source: str) -> None:
    declarations, wrong = declared(source)
    assert declarations or wrong
