"""Topic names: one that is of the tree is told by its address, and nothing else is."""

from collections.abc import Iterable

from hypothesis import strategies as st
from msgspec.structs import asdict

from fuzz.fields import apart, joined, text
from fuzz.oracle import check
from jitney.topics import InvalidOwnerError, InvalidTopicError, TopicTree
from jitney.topics.owners import owner as owner_id
from jitney.topics.tree import LAYOUT

WORDS = (b"jitney/", b"/event/", b"/state/", b"/status/", b"/command/", b"/reply/", b"/inbox/", b"/shared/", b"/alert/")
_DEEPEST = 6


def one(data: bytes) -> None:
    """Feed a root and a name."""
    root, name = apart(data, 2)
    try:
        tree = TopicTree(text(root))
    except InvalidTopicError:
        tree = TopicTree()
    topic = text(name)
    try:
        address = tree.parse(topic)
    except InvalidTopicError as error:
        check(len(str(error)) < 4000 + len(repr(tree.root)), "an error repeats a long name")
        return
    check(tree.name(address) == topic, "a topic has an address that is another one's")
    check(topic.count("/") - tree.root.count("/") <= _DEEPEST, "a topic is too deep")
    for field, value in asdict(address).items():
        if field in ("owner", "giver"):
            try:
                owner_id(value)
            except InvalidOwnerError as error:
                raise AssertionError(f"{value!r} passed as an owner") from error


def seeds() -> Iterable[bytes]:
    """Return one topic of each kind, and wild ones."""
    for layout in LAYOUT.values():
        levels = layout.replace("{owner}", "alice").replace("{giver}", "bob").replace("{", "").replace("}", "")
        yield joined("jitney", f"jitney/{levels}")
        yield joined("house/bus", f"house/bus/{levels}%2F")
    yield joined("$SYS", "jitney/+/event/#")
    yield joined("jitney", "jitney/_bus/event/request/x")
    yield joined("a/%/b", "/" * 300)


def inputs() -> st.SearchStrategy[bytes]:
    """Return names of the words of the tree."""
    words = [
        "alice",
        "_house",
        "_bus",
        "main",
        "event",
        "state",
        "status",
        "command",
        "reply",
        "inbox",
        "shared",
        "alert",
    ]
    level = st.sampled_from([*words, "request", "response", "a%2Fb", "+", "#", ""]) | st.text(max_size=4)
    names = st.lists(level, max_size=7).map(lambda levels: "/".join(["jitney", *levels]))
    return st.builds(joined, st.sampled_from(["jitney", "a/b", "$x", ""]), names)
