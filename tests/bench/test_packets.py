from hypothesis import given
from hypothesis import strategies as st

from bench.packets import packets, publish

PUBLISH = b"\x32\x07\x00\x01t\x00\x05ab"
LONG = b"\x30\x87\x01" + b"\x00\x01t" + 132 * b"x"


@given(st.lists(st.sampled_from([PUBLISH, LONG, b"\xc0\x00"]), max_size=5), st.integers(0, 300))
def test_only_complete_packets_are_found(whole: list[bytes], cut: int) -> None:
    data = b"".join(whole)[:cut]
    found = list(packets(data))
    assert found == whole[: len(found)]
    assert len(data) - len(b"".join(found)) < len(LONG)


def test_a_message_is_taken_apart() -> None:
    assert publish(PUBLISH) == ("t", b"\x00\x05", b"ab")
    assert publish(LONG) == ("t", b"", 132 * b"x")
