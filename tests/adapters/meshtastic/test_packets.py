"""Reading packets: what the library leaves out, lies about or spells as words."""

import json
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from jitney.adapters.meshtastic import packets
from jitney.adapters.meshtastic.addresses import BROADCAST, address, node_id, node_number
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.ports import NO_PORT, Port, find_port, port_name, port_number
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, RADIO, mesh_packet, published, read
from tests.adapters.meshtastic.protobufs import messages

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
HEADER = st.fixed_dictionaries(
    {"from": st.integers(1, BROADCAST - 1) | JSON},
    optional={
        "to": st.integers(0, BROADCAST) | JSON,
        "id": st.integers(0, BROADCAST) | JSON,
        "rxTime": st.integers() | JSON,
        "rxSnr": st.floats() | JSON,
        "rxRssi": st.integers(-200, 0) | JSON,
        "hopStart": st.integers(0, 9) | JSON,
        "hopLimit": st.integers(0, 9) | JSON,
        "publicKey": st.text() | JSON,
        "encrypted": st.text() | JSON,
        "decoded": JSON,
        "raw": st.builds(object),
    },
)


def test_a_packet_is_read_with_everything_that_it_says() -> None:
    packet = read(
        mesh_packet(
            Port.TEXT_MESSAGE_APP,
            b"hello",
            to=RADIO,
            channel=2,
            hop_limit=1,
            via_mqtt=True,
            pki_encrypted=True,
            public_key=b"k" * 32,
            reply_id=5,
            request_id=6,
            emoji=1,
            want_response=True,
            transport_mechanism=mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_MQTT,
        )
    )
    assert packet == Packet(
        sender=ALICE,
        to=RADIO,
        id=77,
        channel=2,
        port=Port.TEXT_MESSAGE_APP,
        port_name="TEXT_MESSAGE_APP",
        payload=b"hello",
        time=float(int(ARRIVED)),
        arrived=ARRIVED,
        stamp=int(ARRIVED),
        hops=2,
        snr=6.25,
        rssi=-92,
        via_mqtt=True,
        over_mqtt=True,
        pki=True,
        public_key="a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
        want_response=True,
        request_id=6,
        reply_id=5,
        emoji=True,
    )


def test_what_the_protocol_leaves_out_is_its_default() -> None:
    packet = packets.read({"from": ALICE, "decoded": {"portnum": "TEXT_MESSAGE_APP"}}, ARRIVED)
    assert packet is not None
    assert (packet.to, packet.id, packet.channel, packet.hops, packet.snr, packet.rssi) == (0, 0, 0, None, None, None)
    assert packet.time == ARRIVED
    assert (packet.via_mqtt, packet.pki, packet.payload) == (False, False, b"")


def test_no_snr_is_zero_only_where_the_packet_was_heard() -> None:
    assert read(mesh_packet(1, rx_snr=0.0)).snr == 0.0
    assert read(mesh_packet(1, rx_snr=0.0, rx_rssi=0)).snr is None


@pytest.mark.parametrize("snr", [nan, inf, -inf, 1e30])
def test_an_snr_that_is_no_number_is_left_out(snr: float) -> None:
    assert read(mesh_packet(1, rx_snr=snr)).snr is None


@pytest.mark.parametrize(
    ("start", "limit", "hops"), [(3, 3, 0), (3, 1, 2), (7, 0, 7), (0, 3, None), (2, 3, None), (200, 1, None)]
)
def test_hops_are_known_only_where_the_packet_says_where_it_started(start: int, limit: int, hops: int | None) -> None:
    packet = read(mesh_packet(1, hop_start=start, hop_limit=limit))
    assert packet.hops == hops
    assert packet.first_hand is (hops == 0)


def test_what_went_over_mqtt_was_not_heard_first_hand() -> None:
    assert not read(mesh_packet(1, via_mqtt=True)).first_hand


@pytest.mark.parametrize(
    "stamp",
    [0, 60, 1_500_000_000, int(ARRIVED) + 1, int(ARRIVED) + 10**8, int(ARRIVED) - 90_000],
    ids=["none", "since the start", "in 2017", "ahead", "far ahead", "more than a day behind"],
)
def test_a_radio_whose_clock_is_wrong_gets_the_time_of_arrival(stamp: int) -> None:
    assert read(mesh_packet(1, rx_time=stamp)).time == ARRIVED


def test_the_time_of_a_packet_that_waited_in_the_radio_is_when_the_radio_heard_it() -> None:
    assert read(mesh_packet(1, rx_time=int(ARRIVED) - 7200)).time == int(ARRIVED) - 7200


def test_an_encrypted_packet_has_a_size_and_no_port() -> None:
    packet = read(mesh_packet(encrypted=b"secret" * 3, channel=200))
    assert (packet.encrypted, packet.port, packet.port_name, packet.channel) == (True, NO_PORT, "ENCRYPTED", 200)
    assert len(packet.payload) == 18


def test_a_packet_with_no_content_at_all_is_not_taken_for_an_encrypted_one() -> None:
    packet = mesh_packet(encrypted=b"x")
    packet.ClearField("encrypted")
    assert (read(packet).encrypted, read(packet).port) == (False, Port.UNKNOWN_APP)


def test_a_port_without_a_name_keeps_its_number() -> None:
    assert (read(mesh_packet(300)).port, read(mesh_packet(300)).port_name) == (300, "300")
    assert (read(mesh_packet(0)).port, read(mesh_packet(0)).port_name) == (0, "UNKNOWN_APP")


def test_a_port_whose_name_only_a_newer_library_knows_keeps_its_name() -> None:
    packet = packets.read({"from": ALICE, "decoded": {"portnum": "TELEPATHY_APP", "payload": b"x"}}, ARRIVED)
    assert packet is not None
    assert (packet.port, packet.port_name) == (NO_PORT, "TELEPATHY_APP")


def test_every_port_of_the_library_is_known() -> None:
    for name, number in portnums_pb2.PortNum.items():
        assert port_number(name) == number
        assert port_name(number) == name


@pytest.mark.parametrize("text", ["text_message", "TEXT_MESSAGE_APP", " 1 ", "Text_Message_App"])
def test_a_person_may_name_a_port_as_they_like(text: str) -> None:
    assert find_port(text) == Port.TEXT_MESSAGE_APP


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "512", "9" * 5000, "²"])
def test_what_is_no_port_is_none(text: str) -> None:
    assert find_port(text) is None


@given(st.integers(1, BROADCAST - 1))
def test_a_node_id_and_its_number_are_one(number: int) -> None:
    assert node_number(node_id(number)) == number
    assert node_number(node_id(number)[1:].upper()) == number
    assert address(number) == node_id(number)


@pytest.mark.parametrize(
    "text", ["", "!", "!a1b2c3d", "!a1b2c3d4e", "!ffffffff", "!00000000", "Bob", "!" + "\u0661" * 8]
)
def test_what_is_no_node_id_has_no_number(text: str) -> None:
    assert node_number(text) is None


def test_a_packet_delivered_again_has_the_same_event_id_and_a_later_one_with_its_id_another() -> None:
    first = read(mesh_packet(1, b"hello"))
    again = read(mesh_packet(1, b"hello"), arrived=ARRIVED + 600)
    later = read(mesh_packet(1, b"hello", rx_time=int(ARRIVED) + 10**6), arrived=ARRIVED + 10**6)
    assert first.event_id == again.event_id != later.event_id


def test_without_a_clock_the_content_tells_packets_with_one_id_apart() -> None:
    first = read(mesh_packet(1, b"hello", rx_time=0))
    again = read(mesh_packet(1, b"hello", rx_time=0), arrived=ARRIVED + 86_400)
    other = read(mesh_packet(1, b"goodbye", rx_time=0), arrived=ARRIVED + 86_400)
    assert first.event_id == again.event_id != other.event_id


def test_packets_without_an_id_are_told_apart_by_their_arrival() -> None:
    assert read(mesh_packet(1, id=0)).event_id != read(mesh_packet(1, id=0), arrived=ARRIVED + 0.002).event_id


@given(messages(mesh_pb2.MeshPacket))
def test_whatever_the_library_publishes_can_be_read(packet: mesh_pb2.MeshPacket) -> None:
    dictionary = published(packet)
    if dictionary is not None:
        found = packets.read(dictionary, ARRIVED)
        assert (found is None) == (getattr(packet, "from") == BROADCAST)
        if found is not None:
            assert found.sender == getattr(packet, "from")
            assert 0 <= found.time <= ARRIVED
            json.dumps([found.snr, found.rssi, found.event_id, found.port_name], allow_nan=False)


@given(JSON | HEADER)
def test_no_dictionary_is_too_odd(dictionary: object) -> None:
    found = packets.read(dictionary, ARRIVED)  # type: ignore[arg-type] - that is what is tried
    assert found is None or 0 < found.sender < BROADCAST
