"""Bytes become packets, however they are cut; what is not MQTT 5 becomes an error and nothing else."""

from contextlib import suppress
from unittest.mock import patch

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.broker.sessions.packets5 import LARGEST_PACKET, MalformedPacketError, PacketReader

# The codec tells Python of text that is not UTF-8 as an exception that cannot be raised, before it panics.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TOPIC = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1, max_size=20)


def _publish(topic: str, payload: bytes, properties: list[tuple[str, str]]) -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket(
        topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1, content_type="x", user_properties=properties
    )


PACKETS = st.one_of(
    st.builds(_publish, _TOPIC, st.binary(max_size=300), st.lists(st.tuples(_TEXT, _TEXT), max_size=3)),
    st.builds(mqtt5.PubAckPacket, st.integers(1, 65_535)),
    st.builds(mqtt5.PingRespPacket),
    st.builds(mqtt5.DisconnectPacket, reason_str=_TEXT),
)


def taken(reader: PacketReader) -> list[mqtt5.Packet]:
    packets = []
    while (packet := reader.take()) is not None:
        packets.append(packet)
    return packets


@given(st.lists(PACKETS, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_packets_come_out_whole_however_the_stream_is_cut(packets: list[mqtt5.Packet], cuts: list[int]) -> None:
    stream = b"".join(packet.write() for packet in packets)
    reader, found, at, turn = PacketReader(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        reader.feed(memoryview(stream[at : at + size]))
        found += [repr(packet) for packet in taken(reader)]
        at, turn = at + size, turn + 1
    assert found == [repr(packet) for packet in packets]


@given(st.lists(PACKETS, min_size=1, max_size=5))
def test_what_was_kept_survives_its_buffer(packets: list[mqtt5.Packet]) -> None:
    reader = PacketReader()
    buffer = bytearray(b"".join(packet.write() for packet in packets))
    reader.feed(memoryview(buffer))
    first = reader.take()
    reader.keep()
    buffer[:] = b"\xff" * len(buffer)
    assert [repr(packet) for packet in (first, *taken(reader))] == [repr(packet) for packet in packets]


@given(st.lists(PACKETS, min_size=1, max_size=5))
def test_what_is_fed_before_everything_was_taken_is_appended(packets: list[mqtt5.Packet]) -> None:
    reader = PacketReader()
    for packet in packets:
        reader.feed(memoryview(packet.write()))
    assert [repr(packet) for packet in taken(reader)] == [repr(packet) for packet in packets]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_give_packets_or_a_malformed_packet_error(pieces: list[bytes]) -> None:
    reader = PacketReader()
    with suppress(MalformedPacketError):
        for piece in pieces:
            reader.feed(memoryview(piece))
            taken(reader)


@given(PACKETS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_packet_gives_packets_or_a_malformed_packet_error(
    packet: mqtt5.Packet, damages: list[tuple[int, int]]
) -> None:
    damaged = bytearray(packet.write())
    for at, byte in damages:
        damaged[at % len(damaged)] = byte
    reader = PacketReader()
    reader.feed(memoryview(bytes(damaged)))
    with suppress(MalformedPacketError):
        taken(reader)


def test_text_that_is_not_utf_8_is_malformed_and_not_a_panic() -> None:
    reader = PacketReader()
    reader.feed(memoryview(mqtt5.PublishPacket("abcd", b"").write().replace(b"abcd", b"\xff\xfe\xff\xfe")))
    with pytest.raises(MalformedPacketError, match="not UTF-8") as malformed:
        reader.take()
    assert malformed.value.head == 0x30


def test_an_interrupt_while_reading_is_passed_on() -> None:
    reader = PacketReader()
    reader.feed(memoryview(b"\xd0\x00"))
    with patch.object(mqtt5, "read", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        reader.take()


def test_a_big_packet_in_small_pieces_is_not_read_again_with_every_piece() -> None:
    reader, reads = PacketReader(), []
    packet = mqtt5.PublishPacket("big", b"x" * 1_000_000).write()

    def counted(data: memoryview) -> tuple[mqtt5.Packet, int]:
        reads.append(len(data))
        return read(data)

    read = mqtt5.read
    with patch.object(mqtt5, "read", counted):
        for at in range(0, len(packet), 1000):
            reader.feed(memoryview(packet[at : at + 1000]))
            found = taken(reader)
    assert len(found) == 1
    assert len(reads) <= 3


@pytest.mark.parametrize("head", [b"\x30\xff\xff\xff\x7f", b"\x30\x81\x80\x80\x01"])
def test_a_packet_larger_than_allowed_is_refused_before_it_is_collected(head: bytes) -> None:
    reader = PacketReader()
    reader.feed(memoryview(head))
    with pytest.raises(MalformedPacketError, match=f"more than the {LARGEST_PACKET}"):
        reader.take()
