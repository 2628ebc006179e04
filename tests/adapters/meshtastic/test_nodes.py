"""The node database: what it learns, keeps, publishes and warns of."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import kinds, kinds_nodes
from jitney.adapters.meshtastic.node_state import NEW_KEY
from jitney.adapters.meshtastic.nodes import LOOK_EVERY, SAVE_EVERY, STATE_EVERY, Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.radio import KnownNode, KnownPosition
from jitney.topics import HOUSE, Event, EventData, Kinds
from jitney.topics.tree import StateTopic, TopicTree
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, HOUR, RADIO, household, mesh_packet, read
from tests.fakes.context import RecordingContext

FIRST_KEY = b64encode(b"1" * 32).decode()
OTHER_KEY = b64encode(b"2" * 32).decode()
THIRD_KEY = b64encode(b"3" * 32).decode()
KNOWN = Kinds(kinds.KINDS)


class Mesh:
    """The node database of a radio, and what that radio hears."""

    def __init__(self, *, kept: dict[str, bytes] | None = None, owner: str = HOUSE, **rules: Any) -> None:  # noqa: ANN401
        self.ctx = RecordingContext(name="base", owners=household(), default_owner=owner, kept=kept)
        self.nodes = Nodes(self.ctx, NodeOwners(self.ctx.owners, owner), radio=RADIO, **rules)

    def hears(
        self, packet: mesh_pb2.MeshPacket, *, arrived: float = ARRIVED, tell: bool = True
    ) -> list[EventData | None]:
        """Hear a packet and return what is told about its sender."""
        return [KNOWN.data(event) for event in self.events(packet, arrived=arrived, tell=tell)]

    def events(self, packet: mesh_pb2.MeshPacket, *, arrived: float = ARRIVED, tell: bool = True) -> list[Event]:
        found = read(packet, arrived=arrived)
        data = data_of(found, radio=RADIO)
        return self.nodes.heard(found, None if isinstance(data, Nothing) else data, tell=tell)

    def meets(self, sender: int, long_name: str, short_name: str = "", **user: Any) -> list[EventData | None]:  # noqa: ANN401
        """Hear a node tell its names."""
        names = mesh_pb2.User(id="!x", long_name=long_name, short_name=short_name, **user)
        return self.hears(mesh_packet(Port.NODEINFO_APP, names, sender=sender))

    def battery(self, level: int, **fields: Any) -> list[EventData | None]:  # noqa: ANN401
        metrics = telemetry_pb2.DeviceMetrics(battery_level=level, voltage=3.5)
        return self.hears(mesh_packet(Port.TELEMETRY_APP, telemetry_pb2.Telemetry(device_metrics=metrics), **fields))

    def watch(self, start: float, end: float) -> list[Event]:
        """Look for silent nodes every minute, the last time at ``end``."""
        found = []
        now = start
        while now < end:
            found += self.nodes.silent(now)
            now += LOOK_EVERY
        return found + self.nodes.silent(end)

    def state(self, number: int, *, owner: str = HOUSE) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bytes(self.ctx.states[owner, f"node_{number:08x}"].data or b""))
        return found


async def restarted(mesh: Mesh, now: float, **rules: Any) -> Mesh:  # noqa: ANN401 - as in Nodes
    await mesh.nodes.save(now, at_once=True)
    later = Mesh(kept=mesh.ctx.kept, **rules)
    await later.nodes.load()
    return later


def test_a_node_is_new_once() -> None:
    mesh = Mesh()
    mesh.meets(BOB, "Bob")
    new = mesh.hears(mesh_packet(1, b"x", sender=ALICE))
    assert new == [kinds_nodes.NodeNew(node="!a11ce001", hops=0, snr=6.25)]
    assert mesh.hears(mesh_packet(1, b"x", sender=ALICE, id=78)) == []


def test_the_radio_itself_is_never_new() -> None:
    assert Mesh().hears(mesh_packet(1, b"x", sender=RADIO)) == []


def test_what_the_radio_already_knew_is_not_new() -> None:
    mesh = Mesh()
    assert mesh.nodes.meet([KnownNode(number=ALICE, node_id="!x")], ARRIVED) == []
    assert mesh.hears(mesh_packet(1, b"x", sender=ALICE)) == []


def test_a_copy_teaches_but_is_not_told() -> None:
    mesh = Mesh()
    assert mesh.hears(mesh_packet(1, b"x"), tell=False) == []
    assert mesh.hears(mesh_packet(1, b"y")) == []


def test_a_node_gathers_what_its_packets_say() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", "AL", hw_model=43, public_key=b"1" * 32)
    mesh.hears(mesh_packet(3, mesh_pb2.Position(latitude_i=525000000, longitude_i=134000000, precision_bits=14)))
    mesh.battery(101, hop_limit=1, rx_snr=-3)
    for metrics in ({"temperature": 21.5}, {"lux": 7}):
        environment = telemetry_pb2.EnvironmentMetrics(**metrics)
        mesh.hears(mesh_packet(67, telemetry_pb2.Telemetry(environment_metrics=environment)))
    stats = telemetry_pb2.LocalStats(uptime_seconds=60, channel_utilization=12.5)
    mesh.hears(mesh_packet(67, telemetry_pb2.Telemetry(local_stats=stats), via_mqtt=True, rx_snr=9, hop_limit=2))
    mesh.nodes.publish(ARRIVED)
    assert mesh.state(ALICE, owner="alice") == {
        "node": "!a11ce001",
        "long_name": "Alice",
        "short_name": "AL",
        "hardware": "HELTEC_V3",
        "role": "CLIENT",
        "silent": False,
        "first_heard": "2026-11-21T06:00:00.000Z",
        "last_heard": "2026-11-21T06:00:00.000Z",
        "hops": 1,
        "snr": 6.25,
        "rssi": -92,
        "via_mqtt": True,
        "latitude": 52.5,
        "longitude": 13.4,
        "precision_bits": 14,
        "accuracy": pytest.approx(1459.1),
        "battery_level": 100,
        "powered": True,
        "voltage": 3.5,
        "channel_utilization": 12.5,
        "air_util_tx": 0.0,
        "uptime": 60,
        "environment": {"temperature": 21.5, "lux": 7.0},
        "public_key": FIRST_KEY,
        "new_key": False,
    }


def test_names_that_a_node_leaves_out_are_not_forgotten() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", "AL")
    mesh.meets(ALICE, "", "")
    node = mesh.nodes.get(ALICE)
    assert node is not None
    assert (node.long_name, node.short_name) == ("Alice", "AL")


def test_the_radio_introduces_the_nodes_that_it_knows() -> None:
    mesh = Mesh()
    place = KnownPosition(latitude=52.5, longitude=13.4, altitude=30, time=int(ARRIVED) - 60, precision_bits=32)
    known = KnownNode(
        number=ALICE,
        node_id="!a11ce001",
        long_name="Alice\n",
        short_name="AL",
        hardware="TBEAM",
        role="ROUTER",
        last_heard=int(ARRIVED) - 60,
        snr=5.5,
        hops=0,
        battery=101,
        position=place,
        public_key=FIRST_KEY,
        favourite=True,
    )
    assert mesh.nodes.meet([known, KnownNode(number=RADIO, node_id="!0000ba5e")], ARRIVED) == []
    mesh.nodes.publish(ARRIVED)
    assert mesh.state(ALICE, owner="alice") == {
        "node": "!a11ce001",
        "long_name": "Alice\ufffd",
        "short_name": "AL",
        "hardware": "TBEAM",
        "role": "ROUTER",
        "favourite": True,
        "silent": False,
        "first_heard": "2026-11-21T05:59:00.000Z",
        "last_heard": "2026-11-21T05:59:00.000Z",
        "hops": 0,
        "snr": 5.5,
        "latitude": 52.5,
        "longitude": 13.4,
        "altitude": 30,
        "precision_bits": 32,
        "fixed": "2026-11-21T05:59:00.000Z",
        "battery_level": 100,
        "powered": True,
        "public_key": FIRST_KEY,
        "new_key": False,
    }
    assert mesh.state(RADIO) == {"node": "!0000ba5e", "own": True, "silent": False}


def test_what_the_radio_remembers_does_not_replace_what_was_heard_since() -> None:
    mesh = Mesh()
    mesh.hears(mesh_packet(3, mesh_pb2.Position(latitude_i=525000000, longitude_i=134000000)))
    old = KnownPosition(latitude=1.0, longitude=1.0)
    mesh.nodes.meet([KnownNode(number=ALICE, node_id="!x", last_heard=int(ARRIVED) - 900, position=old)], ARRIVED)
    node = mesh.nodes.get(ALICE)
    assert node is not None
    assert node.place is not None
    assert (node.place.latitude, node.last_heard) == (52.5, int(ARRIVED))


async def test_nodes_outlive_a_restart() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", "AL", public_key=b"1" * 32)
    mesh.battery(10, sender=BOB)
    later = await restarted(mesh, ARRIVED)
    assert later.nodes.get(ALICE) == mesh.nodes.get(ALICE)
    assert later.hears(mesh_packet(1, b"x", sender=ALICE)) == []
    assert later.battery(9, sender=BOB) == []
    later.nodes.publish(ARRIVED)
    assert set(later.ctx.states) == {("alice", "node_a11ce001"), ("bob", "node_0b0b0001")}
    assert sorted(later.nodes.subjects()) == [("alice", "node_a11ce001"), ("bob", "node_0b0b0001")]


async def test_what_cannot_be_read_any_more_is_removed() -> None:
    mesh = Mesh(kept={"node/a11ce001": b"{", "node/0b0b0001": b'{"number":"x"}', "other": b"{"})
    await mesh.nodes.load()
    assert len(mesh.nodes) == 0
    assert mesh.ctx.kept == {"other": b"{"}
    assert mesh.ctx.counts["unreadable_nodes"] == 2


async def test_a_full_disk_does_not_keep_the_nodes_from_being_read() -> None:
    mesh = Mesh()
    mesh.hears(mesh_packet(1, b"x"))
    await mesh.nodes.save(ARRIVED)
    later = Mesh(kept={**mesh.ctx.kept, "node/0b0b0001": b"{"})
    later.ctx.full = True
    await later.nodes.load()
    assert [node.number for node in later.nodes.all()] == [ALICE]
    assert later.ctx.counts["nodes_not_saved"] == 1


async def test_changes_are_written_together_and_not_too_often() -> None:
    mesh = Mesh()
    for sender in (ALICE, BOB):
        mesh.hears(mesh_packet(1, b"x", sender=sender))
    await mesh.nodes.save(ARRIVED)
    assert sorted(mesh.ctx.kept) == ["node/0b0b0001", "node/a11ce001"]
    mesh.hears(mesh_packet(1, b"x", sender=CAROL))
    await mesh.nodes.save(ARRIVED + SAVE_EVERY - 1)
    assert len(mesh.ctx.kept) == 2
    await mesh.nodes.save(ARRIVED + SAVE_EVERY)
    assert len(mesh.ctx.kept) == 3


async def test_what_a_full_disk_refuses_is_written_later() -> None:
    mesh = Mesh()
    mesh.hears(mesh_packet(1, b"x"))
    mesh.ctx.full = True
    await mesh.nodes.save(ARRIVED)
    assert mesh.ctx.counts["nodes_not_saved"] == 1
    mesh.ctx.full = False
    await mesh.nodes.save(ARRIVED + SAVE_EVERY)
    assert sorted(mesh.ctx.kept) == ["node/a11ce001"]


async def test_a_state_from_before_a_restart_goes_with_its_node() -> None:
    mesh = Mesh()
    mesh.hears(mesh_packet(1, b"x", sender=7))
    later = await restarted(mesh, ARRIVED, most=1)
    later.hears(mesh_packet(1, b"x", sender=8))
    assert later.ctx.removed == [(HOUSE, "node_00000007")]


async def test_of_too_many_nodes_those_heard_longest_ago_go_but_not_those_that_matter() -> None:
    mesh = Mesh(most=5)
    favourite = KnownNode(number=1, node_id="!1", favourite=True, last_heard=int(ARRIVED) - 900)
    mesh.nodes.meet([favourite], ARRIVED)
    for number in (ALICE, 2, 3, 4):
        mesh.hears(mesh_packet(1, b"x", sender=number))
    mesh.hears(mesh_packet(1, b"x", sender=2))
    mesh.nodes.publish(ARRIVED)
    await mesh.nodes.save(ARRIVED)
    mesh.hears(mesh_packet(1, b"x", sender=5))
    assert [node.number for node in mesh.nodes.all()] == [1, ALICE, 4, 2, 5]
    assert mesh.ctx.counts["nodes_dropped"] == 1
    assert (HOUSE, "node_00000003") in mesh.ctx.removed
    await mesh.nodes.save(ARRIVED, at_once=True)
    assert "node/00000003" not in mesh.ctx.kept
    assert len(mesh.ctx.kept) == 5


def test_when_all_nodes_matter_the_oldest_goes_all_the_same() -> None:
    mesh = Mesh(most=1)
    mesh.hears(mesh_packet(1, b"x", sender=ALICE))
    mesh.hears(mesh_packet(1, b"x", sender=BOB))
    assert [node.number for node in mesh.nodes.all()] == [BOB]


def test_the_state_of_a_node_is_published_only_every_few_seconds() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice")
    mesh.nodes.publish(ARRIVED)
    mesh.meets(ALICE, "Alice II")
    mesh.nodes.publish(ARRIVED + STATE_EVERY - 1)
    assert mesh.state(ALICE, owner="alice")["long_name"] == "Alice"
    mesh.nodes.publish(ARRIVED + STATE_EVERY)
    assert mesh.state(ALICE, owner="alice")["long_name"] == "Alice II"
    mesh.ctx.states.clear()
    mesh.nodes.publish(ARRIVED + 100)
    assert mesh.ctx.states == {}


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice")
    mesh.nodes.publish(ARRIVED)
    mesh.meets(ALICE, "Alice II")
    mesh.nodes.publish(ARRIVED - 10**6)
    assert mesh.state(ALICE, owner="alice")["long_name"] == "Alice II"


def test_a_node_falls_silent_once_until_it_is_heard_again() -> None:
    mesh = Mesh(silent_after=2)
    mesh.meets(ALICE, "Alice", "AL")
    mesh.nodes.meet([], ARRIVED)
    assert mesh.watch(ARRIVED, ARRIVED + 2 * HOUR - 1) == []
    (event,) = mesh.watch(ARRIVED + 2 * HOUR, ARRIVED + 9 * HOUR)
    assert (event.owner, event.subject) == ("alice", "!a11ce001")
    assert KNOWN.data(event) == kinds_nodes.NodeSilent(
        node="!a11ce001", hours=2, last_heard="2026-11-21T06:00:00.000Z", long_name="Alice", short_name="AL"
    )
    later = ARRIVED + 9 * HOUR
    mesh.hears(mesh_packet(1, b"x", rx_time=int(later)), arrived=later)
    (again,) = mesh.watch(later, later + 3 * HOUR)
    assert again.id != event.id


def test_nodes_are_looked_at_only_every_minute() -> None:
    mesh = Mesh(silent_after=1)
    assert mesh.nodes.silent(ARRIVED) == []
    mesh.hears(mesh_packet(1, b"x"), arrived=ARRIVED - 2 * HOUR)
    assert mesh.nodes.silent(ARRIVED + LOOK_EVERY - 1) == []
    assert len(mesh.nodes.silent(ARRIVED + LOOK_EVERY)) == 1


def test_a_clock_that_jumps_makes_nobody_silent() -> None:
    mesh = Mesh(silent_after=2)
    mesh.hears(mesh_packet(1, b"x"))
    assert mesh.nodes.silent(ARRIVED) == []
    jumped = ARRIVED + 100 * HOUR
    assert mesh.watch(jumped, jumped + 2 * HOUR - 1) == []
    assert len(mesh.watch(jumped + 2 * HOUR, jumped + 3 * HOUR)) == 1


def test_the_radio_itself_is_never_silent_and_silence_can_be_switched_off() -> None:
    mesh = Mesh(silent_after=1)
    mesh.hears(mesh_packet(1, b"x", sender=RADIO))
    assert mesh.watch(ARRIVED, ARRIVED + 3 * HOUR) == []
    off = Mesh(silent_after=0)
    off.hears(mesh_packet(1, b"x"))
    assert off.watch(ARRIVED, ARRIVED + 99 * HOUR) == []


async def test_a_node_is_not_silent_because_nobody_listened() -> None:
    mesh = Mesh(silent_after=2)
    mesh.hears(mesh_packet(1, b"x"))
    away = ARRIVED + 5 * HOUR
    later = await restarted(mesh, ARRIVED, silent_after=2)
    later.nodes.meet([KnownNode(number=ALICE, node_id="!x", last_heard=int(ARRIVED))], away)
    assert later.watch(away, away + 2 * HOUR - 1) == []
    assert len(later.watch(away + 2 * HOUR, away + 3 * HOUR)) == 1


async def test_a_node_that_the_radio_did_not_hear_either_while_it_heard_others_is_silent() -> None:
    mesh = Mesh(silent_after=2)
    mesh.hears(mesh_packet(1, b"x"))
    away = ARRIVED + 5 * HOUR
    later = await restarted(mesh, ARRIVED, silent_after=2)
    later.nodes.meet([KnownNode(number=BOB, node_id="!x", last_heard=int(away) - 60)], away)
    (event,) = later.nodes.silent(away)
    assert event.subject == "!a11ce001"


def test_nodes_that_were_silent_before_they_were_known_are_not_told() -> None:
    mesh = Mesh(silent_after=2)
    old = KnownNode(number=ALICE, node_id="!x", last_heard=int(ARRIVED - 9 * HOUR))
    fresh = KnownNode(number=BOB, node_id="!x", last_heard=int(ARRIVED))
    never = KnownNode(number=CAROL, node_id="!x")
    mesh.nodes.meet([old, fresh, never], ARRIVED)
    assert mesh.watch(ARRIVED, ARRIVED + HOUR) == []


async def test_a_silent_node_that_the_radio_heard_meanwhile_can_fall_silent_again() -> None:
    mesh = Mesh(silent_after=2)
    mesh.hears(mesh_packet(1, b"x"))
    assert len(mesh.watch(ARRIVED, ARRIVED + 3 * HOUR)) == 1
    later = await restarted(mesh, ARRIVED + 3 * HOUR, silent_after=2)
    back = int(ARRIVED + 4 * HOUR)
    later.nodes.meet([KnownNode(number=ALICE, node_id="!x", last_heard=back)], back + 60)
    assert later.nodes.silent(back + 61) == []
    assert len(later.watch(back + 121, back + 3 * HOUR)) == 1


def test_a_battery_is_low_once_until_it_has_recovered() -> None:
    mesh = Mesh(low_battery=20)
    assert mesh.battery(21, id=1)[1:] == []
    assert mesh.battery(20, id=2) == [kinds_nodes.BatteryLow(node="!a11ce001", battery_level=20, limit=20, voltage=3.5)]
    assert mesh.battery(5, id=3) == []
    assert mesh.battery(24, id=4) == []
    assert mesh.battery(19, id=5) == []
    assert mesh.battery(25, id=6) == []
    assert len(mesh.battery(19, id=7)) == 1


def test_mains_end_a_low_battery_and_are_never_low() -> None:
    mesh = Mesh(low_battery=100)
    assert mesh.battery(101, id=1)[1:] == []
    assert len(mesh.battery(3, id=2)) == 1
    assert mesh.battery(101, id=3) == []
    assert len(mesh.battery(3, id=4)) == 1


def test_no_battery_is_low_where_that_is_switched_off() -> None:
    assert Mesh(low_battery=0).battery(0, id=1)[1:] == []


def test_another_key_of_a_node_is_a_warning_each_key_once() -> None:
    mesh = Mesh()
    assert mesh.meets(ALICE, "Alice", public_key=b"1" * 32)[1:] == []
    assert mesh.meets(ALICE, "Alice") == []
    (changed,) = mesh.meets(ALICE, "Alice", "AL", public_key=b"2" * 32)
    assert changed == kinds_nodes.KeyChanged(
        node="!a11ce001", public_key=OTHER_KEY, before=FIRST_KEY, long_name="Alice", short_name="AL"
    )
    assert mesh.meets(ALICE, "Alice", public_key=b"1" * 32) == []
    assert mesh.meets(ALICE, "Alice", public_key=b"2" * 32) == []
    (third,) = mesh.meets(ALICE, "Alice", public_key=b"3" * 32)
    assert third == kinds_nodes.KeyChanged(
        node="!a11ce001", public_key=THIRD_KEY, before=OTHER_KEY, long_name="Alice", short_name="AL"
    )
    mesh.nodes.publish(ARRIVED)
    assert mesh.state(ALICE, owner="alice")["key_changed"] == "2026-11-21T06:00:00.000Z"


def test_a_changed_key_is_new_for_a_week() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", public_key=b"1" * 32)
    mesh.meets(ALICE, "Alice", public_key=b"2" * 32)
    mesh.nodes.publish(ARRIVED)
    assert mesh.state(ALICE, owner="alice")["new_key"] is True
    week = int(ARRIVED) + NEW_KEY
    for now, new in ((week - 1, True), (week + LOOK_EVERY, False)):
        mesh.nodes.silent(now)
        mesh.nodes.publish(now)
        assert mesh.state(ALICE, owner="alice")["new_key"] is new
    mesh.ctx.states.clear()
    mesh.nodes.silent(week + 9 * LOOK_EVERY)
    mesh.nodes.publish(week + 9 * LOOK_EVERY)
    assert mesh.ctx.states == {}


def test_a_key_that_a_direct_message_proves_is_said_to_be_proved() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", public_key=b"1" * 32)
    (changed,) = mesh.hears(mesh_packet(1, b"x", to=RADIO, pki_encrypted=True, public_key=b"2" * 32))
    assert isinstance(changed, kinds_nodes.KeyChanged)
    assert (changed.proved, changed.public_key) == (True, OTHER_KEY)


async def test_a_key_that_changed_while_the_bus_was_away_is_a_warning_too() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice", public_key=b"1" * 32)
    later = await restarted(mesh, ARRIVED)
    (event,) = later.nodes.meet([KnownNode(number=ALICE, node_id="!x", public_key=OTHER_KEY)], ARRIVED)
    changed = KNOWN.data(event)
    assert isinstance(changed, kinds_nodes.KeyChanged)
    assert (event.owner, changed.before, changed.public_key) == ("alice", FIRST_KEY, OTHER_KEY)


def test_a_node_is_found_by_either_name_in_any_case() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Alice's Straße", "AL")
    mesh.meets(BOB, "Bob 🚀", "🚀")
    assert mesh.nodes.by_name(" alice's STRASSE ").number == ALICE
    assert mesh.nodes.by_name("al").number == ALICE
    assert mesh.nodes.by_name("🚀").number == BOB


def test_a_name_of_several_nodes_lists_them() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "Base", "AL")
    mesh.meets(BOB, "Bob", "base")
    with pytest.raises(RefusedError, match=r"!a11ce001 \(AL / Base\), !0b0b0001 \(base / Bob\)") as refused:
        mesh.nodes.by_name("BASE")
    assert refused.value.code == "ambiguous_node"


@pytest.mark.parametrize("name", ["", "  ", "nobody"])
def test_a_name_of_no_node_is_refused(name: str) -> None:
    mesh = Mesh()
    mesh.hears(mesh_packet(1, b"x"))
    with pytest.raises(RefusedError, match="get_nodes") as refused:
        mesh.nodes.by_name(name)
    assert refused.value.code == "unknown_node"


def test_a_node_may_be_meant_by_its_id_or_its_name() -> None:
    mesh = Mesh()
    mesh.meets(ALICE, "deadbeef", "AL")
    assert mesh.nodes.number("!A11CE001") == mesh.nodes.number("a11ce001") == mesh.nodes.number("al") == ALICE
    assert mesh.nodes.number("!deadbeef") == 0xDEADBEEF
    assert mesh.nodes.number("deadbeef") == ALICE
    assert mesh.nodes.number("12345678") == 0x12345678
    with pytest.raises(RefusedError):
        mesh.nodes.number("nobody")


def test_online_are_those_that_were_heard_in_the_last_two_hours_and_not_the_radio() -> None:
    mesh = Mesh()
    for sender, hours in ((ALICE, 3), (BOB, 2), (CAROL, 0), (RADIO, 0)):
        mesh.hears(mesh_packet(1, b"x", sender=sender), arrived=ARRIVED - hours * HOUR)
    assert mesh.nodes.online(ARRIVED) == 2
    assert mesh.nodes.online(ARRIVED + 1) == 1


def test_a_place_that_the_radio_knows_is_as_exact_as_it_was_told() -> None:
    mesh = Mesh()
    blurred = KnownPosition(latitude=52.5, longitude=13.4, precision_bits=14)
    mesh.nodes.meet([KnownNode(number=ALICE, node_id="!x", position=blurred)], ARRIVED)
    mesh.nodes.publish(ARRIVED)
    assert mesh.state(ALICE, owner="alice")["accuracy"] == pytest.approx(1459.1)


def test_an_owner_has_their_nodes_and_the_owner_of_the_radio_all() -> None:
    mesh = Mesh()
    for sender in (ALICE, BOB, CAROL):
        mesh.hears(mesh_packet(1, b"x", sender=sender))
    assert [node.number for node in mesh.nodes.of_owner("alice")] == [ALICE]
    assert [node.number for node in mesh.nodes.of_owner(HOUSE)] == [ALICE, BOB, CAROL]
    assert mesh.nodes.of_owner("carol") == []


async def test_what_is_known_of_an_owners_nodes_can_be_erased() -> None:
    mesh = Mesh()
    for sender in (ALICE, BOB):
        mesh.hears(mesh_packet(1, b"x", sender=sender))
    mesh.nodes.publish(ARRIVED)
    await mesh.nodes.save(ARRIVED)
    await mesh.nodes.erase("alice")
    assert sorted(mesh.ctx.kept) == ["node/0b0b0001"]
    assert sorted(mesh.ctx.states) == [("bob", "node_0b0b0001")]
    assert mesh.nodes.get(ALICE) is None


@given(st.text(), st.text())
def test_no_name_is_too_odd(long_name: str, short_name: str) -> None:
    mesh = Mesh()
    mesh.meets(ALICE, long_name, short_name)
    mesh.nodes.publish(ARRIVED)
    state = mesh.state(ALICE, owner="alice")
    assert not set(state.get("long_name", "") + state.get("short_name", "")) & set("\x00\n\r\x1b\x7f\x85")
    topic = TopicTree().name(StateTopic("alice", "base", next(iter(mesh.ctx.states))[1]))
    assert topic == "jitney/alice/state/base/node_a11ce001"
