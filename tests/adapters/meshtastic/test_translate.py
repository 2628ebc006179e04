"""From what a radio heard to events: each under its owner, once, and nothing that raises."""

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf import admin_pb2, mesh_pb2, telemetry_pb2
from msgspec import UNSET

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import kinds, payloads
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.heard import Notice, Received
from jitney.adapters.meshtastic.last_messages import LastMessages
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.radio import RadioInfo
from jitney.adapters.meshtastic.statistics import Statistics
from jitney.adapters.meshtastic.translate import Listeners, Translator
from jitney.adapters.meshtastic.uplink import Uplink
from jitney.topics import HOUSE, Event, Kinds
from tests.adapters.meshtastic.hearing import (
    ALICE,
    ARRIVED,
    BOB,
    CAROL,
    RADIO,
    household,
    mesh_packet,
    published,
)
from tests.adapters.meshtastic.linked import hear, linked
from tests.adapters.meshtastic.protobufs import messages
from tests.adapters.meshtastic.sending import item
from tests.adapters.meshtastic.test_packets import HEADER, JSON
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic.payloads import ALL_PORTS, UNNAMED_PORTS, sample

INFO = RadioInfo(number=RADIO, node_id="!0000ba5e", long_name="Base", firmware="2.7.26")
KNOWN = Kinds(kinds.KINDS)


class Radio:
    """One radio of the household with everything that listens to it."""

    def __init__(
        self, name: str = "base", *, owner: str = HOUSE, duplicates: Duplicates | None = None, info: RadioInfo = INFO
    ) -> None:
        self.ctx = RecordingContext(name=name, owners=household(), default_owner=owner)
        owners = NodeOwners(self.ctx.owners, owner)
        self.log = PacketLog(owner)
        self.nodes = Nodes(self.ctx, owners, radio=info.number)
        self.statistics = Statistics(self.ctx, since=ARRIVED)
        self.guard = Guard(Limits(), Airtime(Limits()))
        self.request = (0, 0)
        self.asked = item()
        self.messages = LastMessages(self.ctx)
        listeners = Listeners(
            nodes=self.nodes,
            statistics=self.statistics,
            uplink=Uplink(self.ctx, info),
            log=self.log,
            guard=self.guard,
            messages=self.messages,
        )
        self.translator = Translator(
            self.ctx,
            info,
            owners=owners,
            duplicates=duplicates or Duplicates(),
            listeners=listeners,
            request=lambda *request: self.asked if request == self.request else None,
        )

    def hears(self, packet: mesh_pb2.MeshPacket, *, arrived: float = ARRIVED) -> list[Event]:
        dictionary = published(packet)
        assert dictionary is not None
        return self.translator.events(Received(dictionary, arrived))


def told(events: list[Event]) -> list[str]:
    return [event.type.removeprefix("meshtastic.") for event in events]


def test_a_packet_is_an_event_of_its_sender_with_the_time_of_its_reception() -> None:
    event, new = Radio().hears(mesh_packet(1, b"hello", hop_limit=2))
    assert (event.type, event.owner, event.source, event.subject) == (
        "meshtastic.message",
        "alice",
        "/base",
        "!a11ce001",
    )
    assert (event.time, event.observed) == ("2026-11-21T06:00:00.000Z", "2026-11-21T06:00:00.250Z")
    assert json.loads(bytes(event.data)) == {
        "node": "!a11ce001",
        "to": "broadcast",
        "packet_id": 77,
        "hops": 1,
        "snr": 6.25,
        "rssi": -92,
        "channel": 0,
        "text": "hello",
    }
    assert (new.type, new.owner, new.id) == ("meshtastic.node_new", "alice", f"{event.id}-new")


def test_a_text_says_what_its_sender_calls_itself_once_that_is_known() -> None:
    radio = Radio()
    user = mesh_pb2.User(id="!a11ce001", long_name="Alice\n🚲", short_name="AL")
    names = [
        json.loads(bytes(radio.hears(mesh_packet(port, payload, id=number))[0].data)).get("name")
        for number, (port, payload) in enumerate([(1, b"x"), (4, user.SerializeToString()), (1, b"x")], 1)
    ]
    assert names == [None, None, "Alice\ufffd🚲"]


@pytest.mark.parametrize("owner", ["alice", HOUSE])
def test_the_answer_to_a_packet_of_ours_names_what_led_to_that_and_counts_on(owner: str) -> None:
    radio = Radio(owner=owner)
    radio.request = (9, BOB)
    radio.asked = item(owner="alice", to=BOB, command="asked", causation="heard", hops=3, traceparent="00-1")
    ack = mesh_pb2.Routing(error_reason=0)
    (event, *_) = radio.hears(mesh_packet(Port.ROUTING_APP, ack, sender=BOB, request_id=9))
    assert (event.type, event.owner, event.hops) == ("meshtastic.ack", "alice" if owner == "alice" else "bob", 3)
    assert event.causationid == ("heard" if owner == "alice" else UNSET)
    assert event.traceparent == ("00-1" if owner == "alice" else UNSET)
    for packet_id, sender in ((9, CAROL), (8, BOB)):
        (event, *_) = radio.hears(mesh_packet(Port.ROUTING_APP, ack, sender=sender, request_id=packet_id, id=packet_id))
        assert (event.hops, event.causationid) == (0, UNSET)


def test_the_guard_of_answers_learns_of_every_text_under_its_owner() -> None:
    radio = Radio()
    radio.hears(mesh_packet(1, "🤖 pong".encode(), id=5))
    assert radio.guard.question("bob", 5, answers=[], now=0.0) is None
    with pytest.raises(RefusedError, match="a machine has written"):
        radio.guard.question("alice", 5, answers=[], now=0.0)


def test_on_a_shared_radio_packets_belong_to_the_owner_of_their_sender() -> None:
    radio = Radio()
    owners = [radio.hears(mesh_packet(1, b"x", sender=sender))[0].owner for sender in (ALICE, BOB, CAROL, RADIO)]
    assert owners == ["alice", "bob", HOUSE, HOUSE]


def test_a_node_that_nobody_has_named_is_told_with_its_name_and_nobody_elses_is() -> None:
    radio = Radio()
    for sender in (ALICE, BOB, RADIO, CAROL):
        radio.hears(mesh_packet(1, b"x", sender=sender))
    assert radio.ctx.strangers == {("node", node_id(CAROL)): ""}
    own = Radio(owner="alice")
    own.hears(mesh_packet(1, b"x", sender=CAROL))
    assert own.ctx.strangers == {}


def test_on_a_radio_of_somebody_every_packet_is_theirs() -> None:
    radio = Radio(owner="alice")
    assert [radio.hears(mesh_packet(1, b"x", sender=sender))[0].owner for sender in (BOB, CAROL)] == ["alice", "alice"]


def test_the_same_packet_through_two_radios_of_one_owner_is_one_event() -> None:
    duplicates = Duplicates()
    roof, cellar = Radio("roof", duplicates=duplicates), Radio("cellar", duplicates=duplicates)
    assert told(roof.hears(mesh_packet(1, b"x"))) == ["message", "node_new"]
    assert cellar.hears(mesh_packet(1, b"x", rx_time=int(ARRIVED) - 1, via_mqtt=True)) == []
    assert cellar.ctx.counts["duplicates"] == 1
    node = cellar.nodes.get(ALICE)
    assert node is not None
    assert node.via_mqtt


def test_radios_of_two_owners_each_tell_their_own() -> None:
    duplicates = Duplicates()
    hers = Radio("hers", owner="alice", duplicates=duplicates)
    his = Radio("his", owner="bob", duplicates=duplicates)
    packet = mesh_packet(1, b"x", sender=CAROL)
    assert [hers.hears(packet)[0].owner, his.hears(packet)[0].owner] == ["alice", "bob"]


def test_what_a_restarted_bus_hears_again_has_the_same_event_id() -> None:
    first = Radio().hears(mesh_packet(1, b"x"))
    again = Radio().hears(mesh_packet(1, b"x"), arrived=ARRIVED + 30)
    assert [event.id for event in first] == [event.id for event in again]


def test_the_readable_copy_of_an_encrypted_packet_is_told_too() -> None:
    radio = Radio()
    assert told(radio.hears(mesh_packet(encrypted=b"xyz"))) == ["encrypted", "node_new"]
    assert told(radio.hears(mesh_packet(1, b"x"))) == ["message"]


def test_what_says_nothing_is_counted_and_its_sender_is_still_heard() -> None:
    radio = Radio()
    admin = admin_pb2.AdminMessage(session_passkey=b"canary-passkey")
    assert told(radio.hears(mesh_packet(Port.ADMIN_APP, admin, id=1))) == ["node_new"]
    assert radio.hears(mesh_packet(Port.POSITION_APP, mesh_pb2.Position(), id=2)) == []
    assert radio.hears(mesh_packet(Port.TELEMETRY_APP, telemetry_pb2.Telemetry(), id=3)) != []
    assert (radio.ctx.counts["admin"], radio.ctx.counts["no_fix"]) == (1, 1)
    (entry,) = radio.log.entries("alice", port=Port.ADMIN_APP)
    assert (entry.port_name, entry.type) == ("ADMIN_APP", "")
    assert "canary" not in repr(radio.log.entries("alice"))


def test_what_is_no_packet_is_counted() -> None:
    radio = Radio()
    assert radio.translator.events(Received({"from": "!a11ce001"}, ARRIVED)) == []
    assert radio.ctx.counts["unreadable"] == 1
    assert radio.statistics.state().unreadable == 1
    assert len(radio.nodes) == 0


def test_the_firmware_speaks_to_the_owner_of_the_radio() -> None:
    event = Radio(owner="bob").translator.notice(Notice("WARNING", "Too fast\x1b", 5, ARRIVED))
    assert (event.owner, event.subject, event.time) == ("bob", "!0000ba5e", "2026-11-21T06:00:00.250Z")
    assert KNOWN.data(event) == kinds.Notification(level="WARNING", message="Too fast\ufffd", request_id=5)


def test_the_link_to_a_radio_comes_and_goes_with_a_reason() -> None:
    translator = Radio().translator
    came, went = translator.connected(ARRIVED), translator.disconnected(ARRIVED + 1, "unplugged")
    assert KNOWN.data(came) == kinds.Radio(state="connected", node="!0000ba5e", long_name="Base", firmware="2.7.26")
    assert KNOWN.data(went) == kinds.Radio(state="disconnected", node="!0000ba5e", reason="unplugged")
    assert (came.owner, went.time) == (HOUSE, "2026-11-21T06:00:01.250Z")


@pytest.mark.parametrize("port", [port for port in Port if port != Port.ADMIN_APP])
def test_every_port_gives_an_event_that_its_schema_describes(port: Port) -> None:
    dictionary = published(mesh_packet(port, b""))
    assert dictionary is not None or port == Port.NODEINFO_APP
    for event in Radio().translator.events(Received(dictionary or {}, ARRIVED)):
        assert KNOWN.data(event) is not None


async def test_what_a_radio_sends_over_its_socket_becomes_events_in_order() -> None:
    async with linked() as (_, node, link):
        radio = Radio(info=link.info)
        assert radio.nodes.meet(link.known, ARRIVED) == []
        ports = sorted({*ALL_PORTS, *UNNAMED_PORTS})
        sent = [node.send(port, sample(port)) for port in ports]
        events = [
            event for received in await hear(link, Received, len(ports)) for event in radio.translator.events(received)
        ]
        found = [KNOWN.data(event) for event in events]
        told_ids = [data.packet_id for data in found if isinstance(data, kinds.Heard)]
        assert told_ids == [number for number, port in zip(sent, ports, strict=True) if port != Port.ADMIN_APP]
        answers_nothing = Port.ROUTING_APP
        unknown = {data.port for data in found if isinstance(data, kinds.Unknown)}
        assert unknown == set(ports) - set(payloads._READERS) | {answers_nothing}
        assert all(event.subject == node.id for event in events)


@settings(max_examples=200)
@given(st.lists(messages(mesh_pb2.MeshPacket), max_size=4))
def test_whatever_the_library_publishes_gives_events_that_are_json(sent: list[mesh_pb2.MeshPacket]) -> None:
    radio = Radio()
    for packet in sent:
        dictionary = published(packet)
        if dictionary is not None:
            check(radio, dictionary)


@given(JSON | HEADER)
def test_no_dictionary_makes_the_translator_raise(dictionary: object) -> None:
    check(Radio(), cast("dict[str, Any]", dictionary))


def check(radio: Radio, dictionary: dict[str, Any]) -> None:
    for event in radio.translator.events(Received(dictionary, ARRIVED)):
        assert KNOWN.data(event) is not None
        assert json.loads(bytes(event.data))["node"] == event.subject
    for entry in radio.log.entries(HOUSE):
        assert entry.node.startswith("!")
    radio.nodes.publish(ARRIVED)
    radio.statistics.publish()
    for state in radio.ctx.states.values():
        assert isinstance(json.loads(bytes(state.data or b"")), dict)
