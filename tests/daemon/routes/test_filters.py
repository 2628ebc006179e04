"""Filters behave as in Home Assistant."""

import os
import time
from collections.abc import Iterator

import pytest

from jitney.daemon.routes.faults import TemplateError
from jitney.daemon.routes.filters import FILTERS, TESTS
from jitney.daemon.routes.templates import compile_template
from tests.daemon.routes.making import document

DATA = {"n": 2.5, "t": "25.3", "bad": "unknown", "list": [3, 1.5, "10", None], "nums": [3, 1.5, 2], "null": None}
DATA |= {
    "text": "Hello big-World they're",
    "stamp": 1795244460.5,
    "iso": "2026-11-21T05:41:00+02:00",
    "yes": True,
    "obj": {"a": [1]},
}


@pytest.fixture(autouse=True)
def in_helsinki() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "EET-2EEST,M3.5.0/3,M10.5.0/4"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "becomes"),
    [
        ("data.n | round", 2),
        ("3.5 | round", 4),
        ("data.t | round(1)", 25.3),
        ("1234.5678 | round(2)", 1234.57),
        ("1234 | round(-2)", 1200.0),
        ("1.21 | round(1, 'ceil')", 1.3),
        ("1.29 | round(1, 'floor')", 1.2),
        ("1.3 | round(1, 'half')", 1.5),
        ("1.3 | round(0, 'half')", 1),
        ("data.bad | round(1, default=-1)", -1),
        ("data.missing | round(1, default=none)", None),
        ("data.t | float", 25.3),
        ("data.bad | float(0)", 0),
        ("data.bad | float(default='x')", "x"),
        ("data.missing | float(0)", 0),
        ("data.null | float(0)", 0),
        ("'nan' | float(0)", 0),
        ("'inf' | float(0)", 0),
        ("' 7 ' | float", 7.0),
        ("true | float", 1.0),
        ("data.t | int", 25),
        ("'-7.9' | int", -7),
        ("data.n | int", 2),
        ("data.bad | int(0)", 0),
        ("data.missing | int(default=5)", 5),
        ("'ff' | int(base=16)", 255),
        ("'xx' | int(1, 16)", 1),
        ("'12345678901234567890' | int", 12345678901234567890),
        ("'on' | bool", True),
        ("' No ' | bool", False),
        ("1 | bool", True),
        ("data.bad | bool(false)", False),
        ("data.bad | is_number", False),
        ("data.t | is_number", True),
        ("data.missing | is_number", False),
        ("data.missing | default('d')", "d"),
        ("data.missing | d", ""),
        ("data.null | default('d')", None),
        ("data.null | default('d', true)", "d"),
        ("data.n | is_defined", 2.5),
        ("data.text | upper", "HELLO BIG-WORLD THEY'RE"),
        ("data.text | lower", "hello big-world they're"),
        ("data.text | title", "Hello Big-World They're"),
        ("data.text | capitalize", "Hello big-world they're"),
        ("5 | upper", "5"),
        ("' a ' | trim", "a"),
        ("data.text | replace('big-', '')", "Hello World they're"),
        ("data.text | truncate(9)", "Hello..."),
        ("data.text | truncate(9, true, '…')", "Hello bi…"),
        ("data.text | truncate(20)", "Hello big-World they're"),
        ("data.text | length", 23),
        ("data.list | count", 4),
        ("data.list | join(', ')", "3, 1.5, 10, None"),
        ("data.list | first", 3),
        ("data.text | last", "e"),
        ("data.nums | min", 1.5),
        ("data.nums | max", 3),
        ("data.nums | sum", 6.5),
        ("data.nums | sort(reverse=true) | first", 3),
        ("['b', 'A'] | sort", ["A", "b"]),
        ("-2 | abs", 2),
        ("(-2) | abs", 2),
        ("'2' | add(3)", 5.0),
        ("data.bad | add(3, 'x')", "x"),
        ("'2' | multiply(3)", 6.0),
        ("true | iif('a', 'b')", "a"),
        ("data.missing | iif('a', 'b')", "b"),
        ("data.null | iif('a', 'b', 'c')", "c"),
        ("data.nums | contains(2)", True),
        ("data.text | contains('big')", True),
        ("data.obj | to_json", '{"a":[1]}'),
        ("('[1, 2]' | from_json)[1]", 2),
        ("data.bad | from_json('x')", "x"),
        ("data.n | string", "2.5"),
        ("data.text | regex_match('hello')", False),
        ("data.text | regex_match('hello', ignorecase=true)", True),
        ("data.text | regex_search('big')", True),
        ("data.text | regex_match('big')", False),
        ("data.text is search('big') and data.text is not match('big')", True),
        ("'a/b ü' | urlencode", "a%2Fb%20%C3%BC"),
        ("data.stamp | timestamp_custom", "2026-11-21 09:01:00"),
        ("data.stamp | timestamp_custom('%H:%M')", "09:01"),
        ("data.stamp | timestamp_custom('%H:%M', false)", "07:01"),
        ("data.bad | timestamp_custom('%H', default='x')", "x"),
        ("1e300 | timestamp_custom('%H', true, 'x')", "x"),
        ("data.stamp | timestamp_local", "2026-11-21T09:01:00.500000+02:00"),
        ("data.stamp | timestamp_utc", "2026-11-21T07:01:00.500000+00:00"),
        ("data.bad | timestamp_local(0)", 0),
        ("data.bad | timestamp_utc(0)", 0),
        ("data.iso | as_timestamp", 1795232460.0),
        ("as_timestamp(data.iso)", 1795232460.0),
        ("as_timestamp(data.bad, 0)", 0),
        ("as_timestamp(data.iso) | timestamp_custom('%-d.%-m.%Y')", "21.11.2026"),
        ("now() | as_timestamp == now().timestamp()", True),
        ("now() | timestamp_custom('%H')", "20"),
        ("3 is odd and 4 is even and data.n is float and 3 is integer", True),
        ("data.null is none and data.yes is true and data.yes is boolean and false is false", True),
        ("data.n is number and data.yes is not number and data.t is string", True),
        ("data.obj is mapping and data.list is list and data.x is undefined and data.n is defined", True),
    ],
)
def test_a_filter_gives_what_it_gives_there(expression: str, becomes: object) -> None:
    found = compile_template("{{ " + expression + " }}").render(document(DATA))
    assert found == becomes
    assert type(found) is type(becomes)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("data.bad | round(1)", "round cannot use 'unknown': give it a default, round(default=0)"),
        ("data.bad | float", "float cannot use 'unknown': give it a default"),
        ("data.bad | int", "int cannot use"),
        ("data.bad | bool", "bool cannot use"),
        ("data.null | add(1)", "add cannot use 'None'"),
        ("data.missing | float", "missing is missing"),
        ("data.missing | timestamp_utc", "missing is missing"),
        ("data.missing | is_defined", "missing is missing"),
        ("data.bad | as_timestamp", "expects a time"),
        ("data.stamp | timestamp_custom('%999999Y')", "expected a format"),
        ("data.stamp | timestamp_custom('%')", "expected a format"),
        (
            "data.stamp | timestamp_custom('x' ~ data.text ~ data.text ~ data.text ~ data.text ~ data.text)",
            "expected a format",
        ),
        ("data.n | round(100)", "at most 20"),
        ("data.n | round(0.5)", "whole digits"),
        ("data.n | round(1, 'up')", "round knows common, ceil, floor and half"),
        ("'ff' | int(base=99)", "int cannot use"),
        ("data.n | length", "only texts, lists and tables"),
        ("[] | first", "empty"),
        ("[] | min", "empty"),
        ("data.list | max", "expected a number"),
        ("data.list | sort", "not supported"),
        ("data.text | sum", "expected a list, got a text"),
        ("data.text | replace('', 'x')", "a text that is to be replaced"),
        ("data.n | truncate", "expected a text"),
        ("'%s' is even", "expected a number"),
        ("data.bad | from_json", "from_json cannot use"),
    ],
)
def test_a_filter_says_what_it_cannot_use(expression: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("{{ " + expression + " }}").render(document(DATA))
    assert words in str(caught.value)


def test_every_filter_and_test_has_been_tried() -> None:
    tried = " ".join(str(mark.args[1]) for mark in test_a_filter_gives_what_it_gives_there.pytestmark)
    assert [name for name in FILTERS if f"| {name}" not in tried] == []
    assert [name for name in TESTS if f"is {name}" not in tried and f"is not {name}" not in tried] == []
