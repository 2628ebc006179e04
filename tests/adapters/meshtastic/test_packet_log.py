"""The log of packets: bounded, and everybody sees only what is theirs."""

import json

import msgspec
from msgspec import UNSET, Raw

from jitney.adapters.meshtastic.packet_log import Entry, PacketLog
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.ports import NO_PORT, Port
from jitney.topics import HOUSE, event
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, RADIO, mesh_packet, read

OWNERS = {ALICE: "alice", BOB: "bob"}


def note(log: PacketLog, text: str, *, sender: int = ALICE, at: float = ARRIVED, to: int = 0xFFFFFFFF) -> None:
    packet = read(mesh_packet(1, text.encode(), sender=sender, to=to), arrived=at)
    data = data_of(packet, radio=RADIO)
    assert not isinstance(data, Nothing)
    owner = OWNERS.get(sender, HOUSE)
    log.note(packet, owner=owner, event=event(data, adapter="base", owner=owner))


def texts(entries: list[Entry]) -> list[str | None]:
    return [json.loads(bytes(entry.data))["text"] if isinstance(entry.data, Raw) else None for entry in entries]


def test_an_entry_is_a_packet_with_what_it_said() -> None:
    log = PacketLog(HOUSE)
    note(log, "hello", to=RADIO)
    (entry,) = log.entries("alice")
    found = json.loads(msgspec.json.encode(entry))
    data = found.pop("data")
    assert found == {
        "arrived": "2026-11-21T06:00:00.250Z",
        "time": "2026-11-21T06:00:00.000Z",
        "node": "!a11ce001",
        "to": "!0000ba5e",
        "port": 1,
        "port_name": "TEXT_MESSAGE_APP",
        "packet_id": 77,
        "channel": 0,
        "size": 5,
        "hops": 0,
        "snr": 6.25,
        "rssi": -92,
        "type": "meshtastic.message",
    }
    assert data["text"] == "hello"


def test_nobody_sees_the_packets_of_another_owner() -> None:
    log = PacketLog(HOUSE)
    note(log, "hers", sender=ALICE)
    note(log, "his", sender=BOB)
    assert texts(log.entries("alice")) == ["hers"]
    assert texts(log.entries("bob")) == ["his"]
    assert log.entries("carol") == []


def test_the_owner_of_the_radio_sees_that_there_were_packets_but_not_what_others_wrote() -> None:
    log = PacketLog(HOUSE)
    note(log, "hers", sender=ALICE)
    note(log, "nobody's", sender=CAROL)
    entries = log.entries(HOUSE)
    assert texts(entries) == [None, "nobody's"]
    assert (entries[0].node, entries[0].type, entries[0].data) == ("!a11ce001", "meshtastic.message", UNSET)
    assert b"hers" not in msgspec.json.encode(entries)


def test_a_radio_of_somebody_shows_them_everything() -> None:
    log = PacketLog("alice")
    packet = read(mesh_packet(1, b"x", sender=BOB))
    log.note(packet, owner="alice", event=None)
    assert [entry.type for entry in log.entries("alice")] == [""]


def test_the_newest_packets_are_returned_in_the_order_in_which_they_came() -> None:
    log = PacketLog("alice", most=3)
    for number in range(5):
        note(log, str(number), at=ARRIVED + number)
    assert texts(log.entries("alice")) == ["2", "3", "4"]
    assert texts(log.entries("alice", limit=2)) == ["3", "4"]
    assert log.entries("alice", limit=0) == log.entries("alice", limit=-1) == []
    assert texts(log.entries("alice", since=ARRIVED + 3)) == ["4"]
    assert len(log) == 3


def test_packets_can_be_chosen_by_node_and_by_port() -> None:
    log = PacketLog("alice")
    for packet in (
        mesh_packet(1, b"from", sender=BOB),
        mesh_packet(1, b"to", sender=CAROL, to=BOB),
        mesh_packet(300, b"x", sender=CAROL),
        mesh_packet(encrypted=b"xyz", sender=CAROL),
    ):
        log.note(read(packet), owner="alice", event=None, copy=True)
    assert [entry.size for entry in log.entries("alice", node=BOB)] == [4, 2]
    assert [entry.port_name for entry in log.entries("alice", port=300)] == ["300"]
    assert [entry.size for entry in log.entries("alice", port=NO_PORT)] == [3]
    assert [entry.copy for entry in log.entries("alice", node=BOB, port=Port.TEXT_MESSAGE_APP)] == [True, True]
    assert log.entries("alice", node=ALICE) == []


def test_no_bytes_of_a_packet_are_kept() -> None:
    log = PacketLog("alice")
    log.note(read(mesh_packet(Port.PRIVATE_APP, b"canary", sender=BOB)), owner="alice", event=None)
    (kept,) = log._kept
    assert (kept.packet.payload, kept.packet.content, kept.size) == (b"", None, 6)


def test_the_packets_of_an_owner_can_be_forgotten() -> None:
    log = PacketLog(HOUSE, most=5)
    note(log, "hers", sender=ALICE)
    note(log, "his", sender=BOB)
    log.forget("alice")
    assert log.entries("alice") == []
    assert texts(log.entries("bob")) == ["his"]
