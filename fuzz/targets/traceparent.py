"""``traceparent``: followed where it is one, else left out."""

import re
from collections.abc import Iterable

from hypothesis import strategies as st

from fuzz.oracle import check
from jitney.topics.traceparent import follow

WORDS = (b"00-", b"ff-", b"-01", b"0" * 32, b"0" * 16, b"-00-", b"\n")
_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", re.ASCII)


def one(data: bytes) -> None:
    """Feed a text."""
    text = data.decode("utf-8", "surrogateescape")
    found = follow(text)
    if not found:
        return
    check(_FORM.fullmatch(found), f"{found!r} is no traceparent")
    check(found[3:35] == text[3:35], "the trace is another one")
    check(found[36:52] != "0" * 16, "a span of zeros")
    check(found[3:35] != "0" * 32, "a trace of zeros")


def seeds() -> Iterable[bytes]:
    """Return good ones, later ones, and bad ones."""
    good = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    yield good
    yield b"cc" + good[2:] + b"-what-comes"
    yield good + b"-x"
    yield b"ff" + good[2:]
    yield good.replace(b"b7ad6b7169203331", b"0" * 16)
    yield good + b"\n"


def inputs() -> st.SearchStrategy[bytes]:
    """Return what looks like one."""
    pattern = r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
    return (st.from_regex(pattern) | st.text()).map(lambda text: text.encode("utf-8", "surrogatepass"))
