"""The trace of a larger system is carried on as W3C Trace Context has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.topics.traceparent import follow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


@given(hexadecimal(32), hexadecimal(16), st.sampled_from(["00", "01"]))
def test_the_trace_and_whether_it_is_sampled_stay_and_the_span_is_new(trace: str, span: str, flags: str) -> None:
    version, followed, new, sampled = follow(f"00-{trace}-{span}-{flags}").split("-")
    assert (version, followed, sampled) == ("00", trace, flags)
    assert new != span
    assert follow(f"00-{followed}-{new}-{sampled}")


@given(st.text() | st.from_regex(r"[0-9a-fA-F]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}", fullmatch=True))
def test_whatever_comes_something_valid_follows_or_nothing(text: str) -> None:
    followed = follow(text)
    assert not followed or follow(followed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_not_one_is_not_carried_on(text: str) -> None:
    assert follow(text) == ""


def test_of_a_later_version_what_is_known_is_carried_on() -> None:
    assert follow(f"01-{TRACE}-{SPAN}-03-more").startswith(f"00-{TRACE}-")
    assert follow(f"01-{TRACE}-{SPAN}-03-more").endswith("-01")
