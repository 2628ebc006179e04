"""The same packet twice is one, whoever heard it, and another packet is another."""

from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.meshtastic.addresses import BROADCAST
from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.packets import Packet
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def packet(number: int = 77, *, sender: int = ALICE, encrypted: bool = False, via_mqtt: bool = False) -> Packet:
    return Packet(
        sender=sender,
        to=BROADCAST,
        id=number,
        channel=0,
        port=-1 if encrypted else 1,
        port_name="",
        payload=b"",
        time=ARRIVED,
        arrived=ARRIVED,
        encrypted=encrypted,
        via_mqtt=via_mqtt,
    )


def test_a_packet_heard_by_radio_and_by_mqtt_is_one() -> None:
    duplicates = Duplicates(clock=Clock())
    assert duplicates.is_first("alice", packet())
    assert not duplicates.is_first("alice", packet(via_mqtt=True))


def test_each_owner_has_a_packet_once() -> None:
    duplicates = Duplicates(clock=Clock())
    assert duplicates.is_first("alice", packet())
    assert duplicates.is_first("bob", packet())
    assert not duplicates.is_first("bob", packet())


def test_one_id_of_two_senders_is_two_packets() -> None:
    duplicates = Duplicates(clock=Clock())
    assert duplicates.is_first("alice", packet())
    assert duplicates.is_first("alice", packet(sender=BOB))


def test_an_id_that_comes_again_after_a_while_is_another_packet() -> None:
    clock = Clock()
    duplicates = Duplicates(clock=clock, ttl=600)
    assert duplicates.is_first("alice", packet())
    clock.now += 599
    assert not duplicates.is_first("alice", packet())
    clock.now += 1
    assert duplicates.is_first("alice", packet())


def test_packets_without_an_id_are_never_the_same() -> None:
    duplicates = Duplicates(clock=Clock())
    assert duplicates.is_first("alice", packet(0))
    assert duplicates.is_first("alice", packet(0))


def test_the_readable_copy_of_an_encrypted_packet_is_news_but_not_the_other_way_round() -> None:
    duplicates = Duplicates(clock=Clock())
    assert duplicates.is_first("alice", packet(encrypted=True))
    assert not duplicates.is_first("alice", packet(encrypted=True))
    assert duplicates.is_first("alice", packet())
    assert not duplicates.is_first("alice", packet())
    assert not duplicates.is_first("alice", packet(encrypted=True))


def test_only_so_many_packets_are_remembered() -> None:
    duplicates = Duplicates(clock=Clock(), most=10)
    for number in range(1, 12):
        assert duplicates.is_first("alice", packet(number))
    assert duplicates.is_first("alice", packet(1))
    assert not duplicates.is_first("alice", packet(11))


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.floats(0, 200)), max_size=40))
def test_within_its_time_a_packet_is_told_at_most_once_readable_and_once_encrypted(
    heard: list[tuple[int, bool, float]],
) -> None:
    clock = Clock()
    duplicates = Duplicates(clock=clock, ttl=600)
    told: dict[tuple[int, bool], float] = {}
    for number, encrypted, pause in heard:
        clock.now += pause
        if duplicates.is_first("alice", packet(number, encrypted=encrypted)):
            assert clock.now - told.get((number, encrypted), float("-inf")) >= 600
            if encrypted:
                assert clock.now - told.get((number, False), float("-inf")) >= 600
            told[number, encrypted] = clock.now
        else:
            last = [told.get((number, False), float("-inf"))]
            if encrypted:
                last.append(told.get((number, True), float("-inf")))
            assert clock.now - max(last) < 600
