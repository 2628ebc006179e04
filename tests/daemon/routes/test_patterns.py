import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.patterns import LONGEST, compile_pattern

PARTS = [
    "a",
    "b",
    ".",
    "[ab]",
    r"\w",
    "^",
    "$",
    "(a|b)",
    "(?:ab|cd)",
    "|",
    "(",
    ")",
    "*",
    "+",
    "?",
    "*?",
    "{2}",
    "{1,3}",
]
MORE = ["++", "(?i)", "(?m)", "(?=a)", r"\1", "(?P<n>a)", "(?>a)", r"\b", "{1,99999}", "[", "(?#x)", "(?x)"]


@pytest.mark.parametrize(
    ("expression", "reach"),
    [
        ("ping", 16_384),
        ("^ping$", 16_384),
        ("(?i)ping", 16_384),
        ("^.*$", 16_384),
        ("a.*b", 2048),
        (r"^turn (on|off) (\w+)$", 16_384),
        (r"^(\w+) to (\w+)$", 2048),
        (r"(?m)^(\w+) to (\w+)$", 240),
        ("a.*b.*c", 240),
        (r"[0-9]{1,3}\.[0-9]{1,3}", 16_384),
        ("(on|off)+", 2048),
        ("a++b", 2048),
    ],
)
def test_an_expression_reaches_as_far_as_it_is_fast(expression: str, reach: int) -> None:
    assert compile_pattern(expression).reach == reach


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(a+)+b", "nested quantifiers"),
        ("(a*)*", "nested quantifiers"),
        ("(a|a)*b", "nested quantifiers"),
        ("(a|ab)*c", "nested quantifiers"),
        ("(?:a{1,9}){1,9}", "nested quantifiers"),
        ("((a+))*", "nested quantifiers"),
        ("(?>a+)*", "nested quantifiers"),
        ("((?:a|b+))*", "nested quantifiers"),
        ("(a?b)*", "nested quantifiers"),
        (".*.*.*.*x", "could take very long"),
        ("a?" * 40 + "a" * 40, "could take very long"),
        ("(a|a)" * 30, "could take very long"),
        ("a{0,900}b{0,900}c{0,900}", "could take very long"),
        ("(){999}", "may be empty"),
        (r"(\b)*x", "may be empty"),
        ("a{5000}", "more than 1000 times"),
        ("a{1,5000}", "more than 1000 times"),
        (r"(a*)\1", "own groups"),
        ("(a)?(?(1)b|c)", "own groups"),
        ("(?=a)b", "ahead or behind"),
        ("(?<!a)b", "ahead or behind"),
        ("(", "not a regular expression"),
        ("a{99999999999999}", "not a regular expression"),
        ("[[a]", "not a regular expression"),
        ("x" * (LONGEST + 1), "at most 200 characters"),
    ],
)
def test_an_expression_that_could_spin_is_refused(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_pattern(expression)


def test_a_text_beyond_its_reach_is_not_searched() -> None:
    pattern = compile_pattern("a.*b.*c")
    assert pattern.search("a" + "-" * 100 + "b" + "c")
    assert not pattern.search("abc" + "-" * 300)
    assert not pattern.match("abc" + "-" * 300)


@given(expression=st.lists(st.sampled_from([*PARTS, *MORE]), max_size=12).map("".join) | st.text(max_size=20))
def test_every_expression_is_used_as_it_is_or_refused(expression: str) -> None:
    try:
        pattern = compile_pattern(expression)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - that it has words is all there is to say
    else:
        for text in ("", "a", "ab ba", "A\nb"):
            assert pattern.search(text) == bool(re.search(expression, text))
            assert pattern.match(text) == bool(re.match(expression, text))
