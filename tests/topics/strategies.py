"""What comes from outside, and what is made of it."""

import string
from typing import Final

from hypothesis import strategies as st
from msgspec import UNSET, Raw

from jitney.topics import Event
from jitney.topics.owners import HOUSE, UNCLAIMED
from jitney.topics.tree import LAYOUT, Topic

PERSON: Final = string.ascii_lowercase + string.digits
NASTY: Final = (
    *"/+#%$~ .:\\",
    *"\x00\x01\n\x1f\x7f\x80\x9f",
    *"\ud800\udbff\udc00\udfff",
    *"\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff",
    *"é€😀\u202e\u00ad\ufeff",
    *("..", "%2F", "%2f", "%25", "%", "%00", "%ED%A0%80", "%C3%A9", "_bus", "event", "status", "$SYS", "+", "#"),
)

any_text = st.text(st.characters(exclude_categories=[]))
"""Every text that Python can hold, lone surrogates too."""

nasty_text = st.lists(st.sampled_from(NASTY), max_size=8).map("".join)
texts = st.one_of(any_text, nasty_text)

persons = st.builds(str.__add__, st.sampled_from(PERSON), st.text(st.sampled_from(PERSON + "_-"), max_size=31))
owners = st.one_of(persons, st.sampled_from([HOUSE, UNCLAIMED]))


def address(kind: type[Topic]) -> st.SearchStrategy[Topic]:
    """Addresses of one kind, with an owner where one belongs and anything elsewhere."""
    fields = {name: owners if name in {"owner", "giver"} else texts for name in kind.__struct_fields__}
    return st.builds(kind, **fields)


kinds = st.sampled_from(list(LAYOUT))
addresses = kinds.flatmap(address)

encodable = st.text()
"""What JSON can hold: every text without surrogates."""

left_out = st.just(UNSET)
json_objects = st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=5), max_size=3)


def events(text: st.SearchStrategy[str] = encodable) -> st.SearchStrategy[Event]:
    """Events with any attributes."""
    some = st.one_of(left_out, text.filter(bool))
    return st.builds(
        Event,
        id=text,
        source=text.map("/".__add__),
        type=text,
        subject=some,
        time=text,
        observed=some,
        owner=owners,
        seq=st.integers(0, 2**63 - 1),
        hops=st.integers(0, 9),
        actor=some,
        causationid=some,
        correlationid=some,
        traceparent=some,
        data=st.sampled_from([b"{}", b'{"a":1}', b'{"a":"\xc3\xa9"}', b"[1]", b"null"]).map(Raw),
    )
