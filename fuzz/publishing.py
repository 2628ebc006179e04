"""Parts of a message, as texts of an input and as strategies."""

from typing import Final

import msgspec
from hypothesis import strategies as st

PAIR_END: Final = "\x1f"
"""Ends a user property in an input; its name ends at the first '='."""

TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=20)
PROPERTIES: Final = st.lists(
    st.tuples(
        st.sampled_from(["specversion", "id", "source", "type", "time", "owner", "hops", "traceparent", "x"]) | TEXT,
        st.sampled_from(["1.0", "/x", "bell", "bob", "9", "2026-11-21T05:41:00Z"]) | TEXT,
    ),
    max_size=9,
)

_KEYS: Final = st.sampled_from(
    [
        *(
            "specversion",
            "data",
            "data_base64",
            "transaction",
            "client",
            "owner",
            "id",
            "type",
            "time",
            "subject",
            "hops",
        ),
        *("causationid", "correlationid", "traceparent", "source", "datacontenttype", "text"),
    ]
)
_SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["1.0", "bob", "alice", "bell", "inbox.bell", "2026-11-21T05:41:00Z", "\x00", "x" * 300])
    | TEXT
)


def json() -> st.SearchStrategy[bytes]:
    """Return JSON that often has the keys that mean something to the bus, and bytes that are none."""
    values = st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | TEXT, inner, max_size=6),
        max_leaves=10,
    )
    return st.dictionaries(_KEYS | TEXT, values, max_size=9).map(msgspec.json.encode) | st.binary(max_size=30)


def properties(part: bytes) -> tuple[tuple[str, str], ...]:
    """Return the user properties that a part of an input tells."""
    found = []
    for pair in part.decode("utf-8", "replace").split(PAIR_END)[:-1]:
        name, _, value = pair.partition("=")
        found.append((name, value))
    return tuple(found)


def told(pairs: list[tuple[str, str]]) -> str:
    """Return user properties as a part of an input."""
    return "".join(f"{name}={value}{PAIR_END}" for name, value in pairs)
