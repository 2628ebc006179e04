"""Which nodes are shown to whom, and that they are announced when something has changed about them, and only then."""

from collections.abc import Iterable
from typing import Any

import pytest
from meshtastic.protobuf import mesh_pb2, telemetry_pb2
from msgspec.structs import replace

from jitney.adapters.base import Owner
from jitney.adapters.entities import Device
from jitney.adapters.meshtastic.config import Config, Identity
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.radio import KnownNode, RadioInfo
from jitney.adapters.meshtastic.showing import EVERY, Showing, named
from jitney.topics import HOUSE
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, RADIO, household, mesh_packet, read
from tests.adapters.meshtastic.shown import entities
from tests.fakes.context import RecordingContext

INFO = RadioInfo(number=RADIO, node_id="!0000ba5e", long_name="Base")


class Noting(RecordingContext):
    """A bus that notes whom something was announced to."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401
        super().__init__(**fields)
        self.announced: list[str] = []

    def announce(self, owner: str, devices: Iterable[Device]) -> None:
        self.announced.append(owner)
        super().announce(owner, devices)


class Mesh:
    """A radio that knows the nodes of alice, bob and carol, and what the bus is told to show of it."""

    def __init__(
        self,
        *show: str,
        owner: str = "alice",
        known: tuple[int, ...] = (ALICE, BOB, CAROL),
        **settings: Any,  # noqa: ANN401 - the keys of Config
    ) -> None:
        self.ctx = Noting(name="base", owners=household(), default_owner=owner)
        config = Config(connection="tcp://192.168.1.9", show=show, **settings)
        owners = NodeOwners(self.ctx.owners, owner)
        self.nodes = Nodes(self.ctx, owners, radio=RADIO, keep=named(config, owners), most=settings.get("nodes", 500))
        self.showing = Showing(self.ctx, config, info=INFO, nodes=self.nodes, owners=owners)
        self.now = ARRIVED
        self.meets(*known)

    def meets(self, *numbers: int, **fields: Any) -> None:  # noqa: ANN401 - the fields of KnownNode
        known = {"long_name": "", **fields}
        self.nodes.meet([KnownNode(number=number, node_id="!x", **known) for number in numbers], self.now)

    def hears(self, port: int, payload: Any, **fields: Any) -> None:  # noqa: ANN401
        packet = read(mesh_packet(port, payload, **fields), arrived=self.now)
        data = data_of(packet, radio=RADIO)
        self.nodes.heard(packet, None if isinstance(data, Nothing) else data)

    def calls_itself(self, number: int, name: str) -> None:
        self.hears(4, mesh_pb2.User(id="!x", long_name=name), sender=number)

    def measures(self, number: int, **environment: float) -> None:
        metrics = telemetry_pb2.EnvironmentMetrics(**environment)
        self.hears(67, telemetry_pb2.Telemetry(environment_metrics=metrics), sender=number)

    def looks(self, seconds: float = EVERY, *, at_once: bool = False) -> list[str]:
        """Let time pass and look; returns whom something was announced to."""
        self.now += seconds
        self.ctx.announced.clear()
        self.showing.look(self.now, at_once=at_once)
        return sorted(self.ctx.announced)

    def shown(self, owner: str = "alice") -> set[str]:
        """Return the keys of the devices that an owner is shown."""
        return {device.key for device in self.ctx.devices.get(owner, ())}

    def device(self, key: str, owner: str = "alice") -> Device:
        (found,) = (device for device in self.ctx.devices[owner] if device.key == key)
        return found


RADIOS = {"", "private"}
HERS, HIS, CAROLS = (f"node_{number:08x}" for number in (ALICE, BOB, CAROL))


def test_an_owner_is_shown_their_radio_and_the_nodes_that_they_named_as_theirs() -> None:
    mesh = Mesh("own")
    assert mesh.looks() == ["alice"]
    assert mesh.shown() == RADIOS | {HERS}
    assert Mesh("own").ctx.devices == {}


@pytest.mark.parametrize(
    ("show", "shown"),
    [
        ((), set()),
        (("own", "!0b0b0001"), {HERS, HIS}),
        (("CA501001", "!ca501001"), {CAROLS}),
        (("favourites",), {HIS}),
        (("own", "favourites", "!dddddddd"), {HERS, HIS}),
    ],
)
def test_the_configuration_chooses_more_nodes_or_none(show: tuple[str, ...], shown: set[str]) -> None:
    mesh = Mesh(*show)
    mesh.meets(BOB, favourite=True)
    mesh.looks()
    assert mesh.shown() == RADIOS | shown


def test_never_is_every_node_shown_that_is_heard() -> None:
    mesh = Mesh("own")
    for number in range(1, 50):
        mesh.hears(1, b"x", sender=number)
    mesh.looks()
    assert mesh.shown() == RADIOS | {HERS}


def test_of_a_shared_radio_people_are_shown_their_own_nodes_and_only_the_house_the_radio() -> None:
    mesh = Mesh("own", "!ca501001", "favourites", owner=HOUSE)
    mesh.meets(0xD0000001, favourite=True)
    assert mesh.looks() == [HOUSE, "alice", "bob"]
    assert mesh.shown(HOUSE) == RADIOS | {CAROLS, "node_d0000001"}
    assert mesh.shown("alice") == {HERS}
    assert mesh.shown("bob") == {HIS}
    for owner, other in (("alice", f"{BOB:08x}"), ("bob", f"{ALICE:08x}"), (HOUSE, f"{BOB:08x}")):
        assert other not in repr(mesh.ctx.devices[owner])


def test_on_a_radio_of_ones_own_a_node_of_somebody_else_is_shown_only_when_it_is_chosen() -> None:
    mesh = Mesh("own", "!0b0b0001")
    assert mesh.looks() == ["alice"]
    assert mesh.shown() == RADIOS | {HERS, HIS}


def test_who_may_restart_a_shared_radio_is_shown_that_and_the_others_are_not() -> None:
    mesh = Mesh("own", owner=HOUSE, allow={"carol": ("reboot",), "bob": ("shutdown",)})
    assert mesh.looks() == [HOUSE, "alice", "bob", "carol"]
    assert (mesh.shown("alice"), mesh.shown("bob"), mesh.shown("carol")) == ({HERS}, {HIS}, {""})
    assert mesh.device("", "carol").name == "Base Carol"
    assert "reboot" not in entities(mesh.device("", HOUSE))


def test_the_owner_of_a_radio_may_restart_it_only_where_that_is_allowed() -> None:
    for allow, offered in (({}, False), ({"alice": ("reboot",)}, True), ({"alice": "*"}, True), ({"bob": "*"}, False)):
        mesh = Mesh(allow=allow)
        assert mesh.looks() == ["alice"]
        assert ("reboot" in entities(mesh.device(""))) is offered


def test_a_node_is_shown_once_it_is_known() -> None:
    mesh = Mesh("own", known=())
    mesh.looks()
    assert mesh.shown() == RADIOS
    mesh.hears(1, b"here I am", sender=ALICE)
    assert mesh.looks() == ["alice"]
    assert mesh.device(HERS).name == "Meshtastic e001"


def test_only_what_changes_how_something_looks_is_announced() -> None:
    mesh = Mesh("own", "!0b0b0001")
    mesh.looks()
    assert mesh.looks() == []
    for number in range(20):
        mesh.hears(1, b"x", sender=ALICE, id=100 + number)
        mesh.calls_itself(CAROL, f"Carol {number}")
        assert mesh.looks() == []
    mesh.calls_itself(ALICE, "Garden")
    assert mesh.looks() == ["alice"]
    assert mesh.device(HERS).name == "Garden"
    mesh.measures(ALICE, temperature=20)
    assert mesh.looks() == ["alice"]
    mesh.measures(ALICE, temperature=21)
    assert mesh.looks() == []
    mesh.hears(3, mesh_pb2.Position(latitude_i=525000000, longitude_i=134000000), sender=ALICE)
    assert mesh.looks() == ["alice"]
    assert {"environment_temperature", "position"} <= entities(mesh.device(HERS)).keys()
    mesh.hears(3, mesh_pb2.Position(latitude_i=535000000, longitude_i=134000000), sender=ALICE)
    assert mesh.looks() == []


def test_a_node_that_changes_all_the_time_is_announced_only_now_and_then() -> None:
    mesh = Mesh("own")
    mesh.looks()
    told = 0
    for second in range(60):
        mesh.calls_itself(ALICE, f"Name {second}")
        told += len(mesh.looks(1.0))
    assert told == 60 / EVERY
    mesh.looks()
    assert mesh.device(HERS).name == "Name 59"


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    mesh = Mesh("own")
    mesh.looks()
    mesh.calls_itself(ALICE, "Garden")
    assert mesh.looks(-100_000.0) == ["alice"]


def test_the_radio_is_called_as_it_calls_itself_now() -> None:
    mesh = Mesh("own")
    mesh.looks()
    assert (mesh.device("").name, mesh.device("private").name) == ("Base", "Base private")
    mesh.calls_itself(RADIO, "Roof")
    assert mesh.looks() == ["alice"]
    assert mesh.device("").name == "Roof"


def test_a_radio_without_a_name_is_called_as_the_firmware_calls_it() -> None:
    mesh = Mesh()
    mesh.showing._info = replace(INFO, long_name=" ")
    mesh.looks()
    assert mesh.device("").name == "Meshtastic ba5e"


def test_what_the_radio_measures_is_on_its_own_device_and_it_is_no_node_beside_it() -> None:
    mesh = Mesh("own", "!0000ba5e", "favourites")
    mesh.meets(RADIO, favourite=True)
    mesh.looks()
    assert "environment_temperature" not in entities(mesh.device(""))
    mesh.measures(RADIO, temperature=20)
    assert mesh.looks() == ["alice"]
    assert mesh.shown() == RADIOS | {HERS}
    assert "environment_temperature" in entities(mesh.device(""))


def test_a_shared_radio_that_somebody_named_as_theirs_is_a_node_of_that_person() -> None:
    mesh = Mesh("own", owner=HOUSE, known=(RADIO,))
    owner = Owner("alice", "Alice", Identity(nodes=("!0000ba5e",)))
    owners = NodeOwners({"alice": owner}, HOUSE)
    config = Config(connection="tcp://192.168.1.9")
    showing = Showing(mesh.ctx, config, info=INFO, nodes=mesh.nodes, owners=owners)
    mesh.measures(RADIO, temperature=20)
    showing.look(ARRIVED)
    assert "environment_temperature" not in entities(mesh.device("", HOUSE))
    assert mesh.shown("alice") == {"node_0000ba5e"}
    assert not {"write", "traceroute"} & entities(mesh.device("node_0000ba5e", "alice")).keys()


def test_a_node_that_is_no_favourite_any_more_is_taken_back() -> None:
    mesh = Mesh("favourites")
    mesh.meets(BOB, favourite=True)
    mesh.looks()
    assert mesh.shown() == RADIOS | {HIS}
    mesh.meets(BOB)
    assert mesh.looks() == ["alice"]
    assert mesh.shown() == RADIOS


async def test_what_is_erased_is_taken_back_at_once() -> None:
    mesh = Mesh("own", owner=HOUSE)
    mesh.looks()
    await mesh.nodes.erase("bob")
    assert mesh.looks(0.0) == []
    assert mesh.looks(0.0, at_once=True) == ["bob"]
    assert mesh.ctx.devices["bob"] == ()
    mesh.hears(1, b"back again", sender=BOB)
    assert mesh.looks() == ["bob"]
    assert mesh.shown("bob") == {HIS}


def test_nodes_that_are_shown_are_among_the_last_to_be_dropped() -> None:
    mesh = Mesh("own", "!ca501001", nodes=10)
    for number in range(1, 40):
        mesh.hears(1, b"x", sender=number)
    assert mesh.nodes.get(CAROL) is not None
    assert mesh.nodes.get(ALICE) is not None
    assert mesh.nodes.get(BOB) is None
    assert len(mesh.nodes) == 10


def test_a_look_says_whether_anything_was_announced_so_that_it_is_kept_at_once() -> None:
    mesh = Mesh("own")
    assert mesh.showing.look(mesh.now, at_once=True)
    assert not mesh.showing.look(mesh.now, at_once=True)
    mesh.measures(ALICE, temperature=21.5)
    assert mesh.showing.look(mesh.now, at_once=True)
