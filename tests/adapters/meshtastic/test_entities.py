"""What Home Assistant is shown of a radio and of nodes: pure, from how they look to what it is told."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from jitney.adapters.entities import (
    AnyEntity,
    Asking,
    At,
    Button,
    Device,
    DeviceTracker,
    EventEntity,
    Notify,
    Sensor,
    Text,
)
from jitney.adapters.meshtastic import Meshtastic, last_messages, statistics, uplink
from jitney.adapters.meshtastic.asked import read as read_data
from jitney.adapters.meshtastic.commands import COMMANDS
from jitney.adapters.meshtastic.entities import RadioView, devices
from jitney.adapters.meshtastic.measurements import SENSORS
from jitney.adapters.meshtastic.node_record import Node
from jitney.adapters.meshtastic.node_state import NodeState
from jitney.adapters.meshtastic.outline import Outline, outline
from jitney.adapters.meshtastic.radio import Channel, RadioInfo
from jitney.daemon.discovery import rules
from jitney.daemon.discovery.payload import announcements
from jitney.topics import HOUSE, Command
from tests.adapters.meshtastic.shown import (
    ALLOWED,
    GARDEN,
    INFO,
    NODE,
    OWN,
    bare,
    by_key,
    components,
    entities,
    everything,
    node,
    view,
)
from tests.daemon.discovery.announcing import PREFIX, announced, golden, place
from tests.fakes.meshtastic.payloads import NAMES

STATES: dict[str, type[Struct]] = {
    statistics.SUBJECT: statistics.StatisticsState,
    uplink.SUBJECT: uplink.UplinkState,
    last_messages.CHANNEL: last_messages.MessageState,
    last_messages.DIRECT: last_messages.MessageState,
}
READ_BY_FRONTEND = {"icon", "device_class", "entity_picture", "unit_of_measurement"}
"""Attributes that would change how Home Assistant draws an entity."""


def sources(device: Device) -> Iterator[At]:
    for entity in device.entities:
        for field in fields(type(entity)):
            value = getattr(entity, field.name)
            if isinstance(value, At):
                yield value


def asking(*shown: Device) -> Iterator[Asking]:
    return (entity for device in shown for entity in device.entities if isinstance(entity, Asking))


def leads_somewhere(source: At) -> bool:
    """Tell whether a state of its subject can have a value there."""
    kind: Any = STATES.get(source.subject, NodeState)
    for key in source.path.split(".") if source.path else ():
        hints = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, Struct) else {}
        if key in hints:
            (kind, *_) = [one for one in get_args(hints[key]) if one is not NoneType] or [hints[key]]
            kind = hints[key] if get_args(hints[key]) and get_args(hints[key])[0] is str else kind
        elif get_args(kind)[:1] != (str,) or source.path not in SENSORS:
            return False
    return True


def test_the_radio() -> None:
    found = by_key(view(radio=RadioView(own=outline(node(OWN, metrics={})), is_shared=False), allowed=ALLOWED))
    golden("meshtastic-radio", announced(found[""], place("alice", "base")).payload)
    golden("meshtastic-private", announced(found["private"], place("alice", "base")).payload)


def test_a_node() -> None:
    found = by_key(view(nodes=(outline(node()),)))
    golden("meshtastic-node", announced(found[NODE], place("alice", "base")).payload)
    golden("meshtastic-node-imperial", announced(found[NODE], place("alice", "base", system="imperial")).payload)
    golden("meshtastic-health", announced(found[f"{NODE}_health"], place("alice", "base")).payload)


def test_a_node_of_which_nothing_is_known() -> None:
    found = by_key(view(nodes=(bare(),)))
    golden("meshtastic-node-bare", announced(found[NODE], place("alice", "base")).payload)


@pytest.mark.parametrize("system", ["metric", "imperial", "native"])
def test_home_assistant_accepts_every_entity_whatever_the_units_and_the_version(system: Any) -> None:  # noqa: ANN401
    where = place("alice", "base", system=system)
    for device in everything().values():
        assert components(device, where)
        for one in announcements(device, where, prefix=PREFIX, per_component=True):
            assert rules.faults(one.payload, per_component=True) == []


def test_everything_that_is_shown_is_somewhere_in_a_state() -> None:
    found = {source for device in everything().values() for source in sources(device)}
    assert len(found) > 100
    assert {source.subject for source in found} == {*STATES, NODE, f"node_{OWN:08x}"}
    assert [source for source in found if not leads_somewhere(source)] == []
    assert not leads_somewhere(At(NODE, "environment.nonsense"))
    assert not leads_somewhere(At(NODE, "nonsense"))
    assert not {key for source in found for key in source.path.split(".")} & set(dir(dict))


def test_every_event_that_is_shown_is_one_of_the_radio() -> None:
    kinds = {kind.type.removeprefix("meshtastic."): kind for kind in Meshtastic.kinds}
    shown = [one for device in everything().values() for one in device.entities if isinstance(one, EventEntity)]
    assert len(shown) > 8
    for entity in shown:
        assert set(entity.kinds) <= kinds.keys()
        assert not {field for kind in entity.kinds for field in get_type_hints(kinds[kind])} & READ_BY_FRONTEND
        if entity.where is not None:
            assert all(entity.where[0] in get_type_hints(kinds[kind]) for kind in entity.kinds)


def test_every_command_that_is_offered_is_one_of_the_radio_with_the_data_that_it_takes() -> None:
    person = by_key(view(radio=None, person="Bob", allowed=ALLOWED))
    offered = list(asking(*everything().values(), *person.values()))
    assert {type(one) for one in offered} == {Button, Notify, Text}
    for entity in offered:
        data = {**entity.data, **({entity.text: "typed"} if isinstance(entity, Notify | Text) else {})}
        command = Command(
            id="1", owner="alice", adapter="base", name=entity.command, data=msgspec.Raw(msgspec.json.encode(data))
        )
        assert read_data(command, COMMANDS[entity.command])


def test_no_two_entities_of_a_device_have_the_same_name() -> None:
    for device in everything().values():
        names = [(type(entity), entity.name) for entity in device.entities]
        assert len(set(names)) == len(names)
        assert all(entity.name and not entity.name.startswith(device.name) for entity in device.entities)


def test_what_is_rare_is_announced_but_not_enabled() -> None:
    shown = everything()
    for device, key in (
        ("", "alarm"),
        ("", "duplicates"),
        ("", "traced"),
        ("private", "sending"),
        (NODE, "channel_utilization"),
        (NODE, "air_quality_particles_03um"),
        (NODE, "host_load1"),
    ):
        assert not entities(shown[device])[key].enabled
    for device, key in (("", "message"), ("", "say"), (NODE, "battery_level"), (NODE, "environment_temperature")):
        assert entities(shown[device])[key].enabled


def test_only_what_a_node_has_measured_is_shown() -> None:
    one = outline(Node(number=GARDEN, long_name="Garden", metrics={"environment": {"temperature": 20, "odd": 1}}))
    found = by_key(view(nodes=(one,)))
    assert set(found) == {"", "private", NODE}
    shown = entities(found[NODE])
    assert "environment_temperature" in shown
    assert shown.keys() & {"battery_level", "powered", "voltage", "position", "altitude", "environment_odd"} == set()
    assert "request_environment" in shown
    assert "request_environment" not in entities(by_key(view(nodes=(bare(),)))[NODE])


def test_a_node_that_reads_nothing_is_not_written_to() -> None:
    shown = entities(by_key(view(nodes=(outline(node(unmessagable=True)),)))[NODE])
    assert "write" not in shown
    assert "traceroute" in shown


def test_the_radio_is_not_asked_over_the_air_where_it_is_somebodys_node() -> None:
    (device,) = by_key(view(radio=None, person="Alice", nodes=(outline(node(OWN, metrics={})),))).values()
    assert "battery_level" in entities(device)
    assert list(asking(device)) == []


def test_what_is_meant_for_one_person_is_private_but_in_a_house_that_shares_its_radio() -> None:
    shown = everything()
    assert {key for key, device in shown.items() if device.private} == {
        "private",
        f"{NODE}_health",
        f"node_{OWN:08x}_health",
    }
    open_ones = [device for device in shown.values() if not device.private]
    assert not [entity.key for device in open_ones for entity in device.entities if "health" in entity.key]
    assert "direct_message" not in {source.subject for device in open_ones for source in sources(device)}
    (message,) = (entity for entity in shown[""].entities if entity.key == "message")
    assert isinstance(message, EventEntity)
    assert message.where == ("to", "broadcast")
    shared = by_key(view(radio=RadioView(own=None, is_shared=True)))
    assert not shared["private"].private


def test_the_radio_is_called_as_it_calls_itself_and_says_what_it_is() -> None:
    device = announced(by_key(view(name="Roof"))[""], place("alice", "base")).payload["device"]
    assert {key: device[key] for key in ("name", "manufacturer", "model", "sw_version", "serial_number")} == {
        "name": "Roof",
        "manufacturer": "Meshtastic",
        "model": "HELTEC V3",
        "sw_version": "2.7.26.54e0d8d",
        "serial_number": "!a1b2c3d4",
    }


def test_every_channel_has_a_way_to_speak_on_it() -> None:
    def said(*channels: Channel) -> dict[str, tuple[str, object]]:
        found = entities(by_key(view(info=replace(INFO, channels=channels)))[""])
        return {
            key: (one.name, one.data["channel"])
            for key, one in found.items()
            if isinstance(one, Notify) and one.command == "send_text"
        }

    def channel(index: int, name: str, role: str = "SECONDARY") -> Channel:
        return Channel(index, name, role, uplink=False, downlink=False)

    first = channel(0, "LongFast", "PRIMARY")
    assert said() == {}
    assert said(first) == {"say": ("Say on the mesh", 0)}
    assert said(first, channel(1, "Family"), channel(2, "LongFast"), channel(3, "LongFast"), channel(4, " ")) == {
        "say": ("Say on the mesh", 0),
        "say_1": ("Say on Family", 1),
        "say_2": ("Say on LongFast 2", 2),
        "say_3": ("Say on LongFast 3", 3),
        "say_4": ("Say on 4", 4),
    }


@pytest.mark.parametrize(
    ("allowed", "offered"),
    [
        (frozenset(), set()),
        (frozenset({"reboot"}), {"reboot"}),
        (frozenset({"set_owner"}), {"long_name", "short_name"}),
        (ALLOWED, {"reboot", "long_name", "short_name"}),
    ],
)
def test_the_radio_is_controlled_only_by_who_may(allowed: frozenset[str], offered: set[str]) -> None:
    possible = {"reboot", "long_name", "short_name"}
    assert entities(by_key(view(allowed=allowed))[""]).keys() & possible == offered


def test_a_person_is_shown_a_shared_radio_only_where_they_may_control_it_and_nothing_else_of_it() -> None:
    (device,) = by_key(view(radio=None, person="Bob", allowed=ALLOWED)).values()
    assert (device.key, device.name, list(entities(device))) == ("", "Roof of Alice Bob", ["reboot"])
    assert devices(view(radio=None, person="Bob", allowed=frozenset({"set_owner"}))) == ()
    assert set(by_key(view(radio=None, person="Bob", nodes=(bare(),)))) == {NODE}


NAME = st.sampled_from(NAMES) | st.text(max_size=70)
NUMBERS = st.integers(1, 0xFFFFFFFE)
PATHS = st.sampled_from(sorted(SENSORS)) | st.text(max_size=20)


@st.composite
def outlines(draw: st.DrawFn, number: int) -> Outline:
    """Return how any node looks, whatever it says."""
    kinds = st.dictionaries(st.sampled_from(["environment", "power", "health", "host", "traffic", "x"]), st.just({}))
    measured: dict[str, dict[str, int | float]] = {kind: {} for kind in draw(kinds)}
    for path in draw(st.lists(PATHS, max_size=8)):
        kind, _, name = path.rpartition(".")
        measured.setdefault(kind, {})[name] = 1.5
    return outline(
        Node(
            number=number,
            long_name=draw(NAME),
            short_name=draw(NAME),
            hardware=draw(NAME),
            battery_level=draw(st.none() | st.integers(0, 100)),
            uptime=draw(st.none() | st.integers(0)),
            metrics=measured,
            unmessagable=draw(st.booleans()),
        )
    )


CHANNELS = st.lists(
    st.builds(
        Channel, st.integers(0, 7), NAME, st.sampled_from(["PRIMARY", "SECONDARY"]), st.booleans(), st.booleans()
    ),
    max_size=8,
    unique_by=(lambda channel: channel.index, lambda channel: channel.role if channel.role == "PRIMARY" else channel),
)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), name=NAME, channels=CHANNELS, is_shared=st.booleans())
def test_whatever_a_mesh_says_is_shown_without_a_fault(
    *, data: st.DataObject, name: str, channels: list[Channel], is_shared: bool
) -> None:
    own, *others = data.draw(st.lists(NUMBERS, min_size=1, max_size=3, unique=True))
    info = RadioInfo(number=own, node_id=f"!{own:08x}", hardware=name, firmware=name, channels=tuple(channels))
    seen = view(
        info=info,
        name=name,
        radio=RadioView(own=data.draw(outlines(own)), is_shared=is_shared),
        nodes=tuple(data.draw(outlines(number)) for number in others),
        allowed=data.draw(st.sampled_from([frozenset[str](), ALLOWED])),
    )
    where = place(HOUSE if is_shared else "alice", "base")
    found = by_key(seen)
    topics = [announced(device, where).topic for device in found.values()]
    assert len(set(topics)) == len(topics)
    for device in found.values():
        assert components(device, where)
        keys: list[AnyEntity] = list(device.entities)
        assert len({entity.key for entity in keys}) == len(keys)
        assert all(entity.key.isascii() for entity in keys)


def test_every_entity_has_an_icon_of_its_own_or_of_its_class() -> None:
    for device in everything().values():
        for entity in device.entities:
            assert entity.icon or getattr(entity, "device_class", "") or isinstance(entity, DeviceTracker)


def test_every_number_makes_statistics_where_a_mean_says_something() -> None:
    numbers = [one for device in everything().values() for one in device.entities if isinstance(one, Sensor)]
    without = {one.key for one in numbers if not one.state_class}
    assert without == {"last_message", "mqtt", "last_heard", "environment_wind_direction"}
