"""Percent-encoding: any text becomes one safe level, and comes back unchanged."""

from collections.abc import Iterable

from hypothesis import strategies as st

from fuzz.oracle import check
from jitney.topics import InvalidTopicError, TopicTree
from jitney.topics.levels import carriable, escape, unescape
from jitney.topics.tree import EventTopic

WORDS = (b"%2F", b"%2f", b"%00", b"%", b"%25", b"%ED%A0%80", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"%C3%A9")
_tree = TopicTree()


def one(data: bytes) -> None:
    """Feed a text, with surrogates where the bytes are no UTF-8."""
    text = data.decode("utf-8", "surrogateescape")
    level = escape(text)
    check(level, "a level is empty")
    check(not set(level) & set("/+#\x00"), f"the level {level[:80]!r} is none")
    level.encode()
    check(unescape(level) == text, "a text does not come back")
    carriable(text).encode()
    try:
        back = unescape(text)
    except InvalidTopicError:
        pass
    else:
        check(escape(back) == text, "two levels mean the same")
    if len(text) < 2000:  # longer ones may not fit into a topic
        name = _tree.name(EventTopic("alice", text, "kind"))
        check(_tree.parse(name) == EventTopic("alice", text, "kind"), "a topic does not come back")


def seeds() -> Iterable[bytes]:
    """Return texts of every kind of character."""
    for text in (
        "",
        "light.desk",
        "a/+/#",
        "%2F",
        "%",
        "%%",
        "\u202e\ufeff\U0001f9d1\u200d\U0001f680",
        "line\nbreak\x00",
    ):
        yield text.encode()
    yield b"\xff\xfe\xed\xa0\x80"
    yield b"../../etc/passwd" * 20


def inputs() -> st.SearchStrategy[bytes]:
    """Return any text."""
    return st.text().map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=50)
