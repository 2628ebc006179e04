"""What a radio, or anybody on its mesh, sends: the library's own reader, our fence around it, and what follows."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from unittest.mock import patch

from google.protobuf.message import Message
from hypothesis import strategies as st
from meshtastic import mesh_interface
from meshtastic.protobuf import localonly_pb2, mesh_pb2, telemetry_pb2

from fuzz.oracle import check
from jitney.adapters.meshtastic import library, pubsub
from jitney.adapters.meshtastic.addresses import BROADCAST, node_id
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.description import known_nodes, radio_info
from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.heard import Notice, Received
from jitney.adapters.meshtastic.library import FencedTcp, silence
from jitney.adapters.meshtastic.link import LONGEST_PAYLOAD
from jitney.adapters.meshtastic.memory import Memory
from jitney.adapters.meshtastic.radio import Channel, RadioInfo
from jitney.adapters.meshtastic.session import Session
from jitney.topics import cloudevents
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, RADIO, household, mesh_packet
from tests.adapters.meshtastic.protobufs import messages
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic.frames import frame
from tests.fakes.meshtastic.payloads import NAMES, PORTS, UNDECODABLE

if TYPE_CHECKING:
    import socket

    from jitney.adapters.base import Context
    from jitney.adapters.meshtastic.link import Link

WORDS: Final = (
    b"\x94\xc3",
    b"\x94\xc3\x02\x00",
    b"\x94\xc3\xff\xff",
    b"\x0d\x01\xe0\x1c\xa1",
    b"\x0d\x01\x00\x0b\x0b",
    b"\x08\x01\x12",
    b"\x08\x03\x12",
    b"\x08\x43\x12",
    b"\x40\x01",
    UNDECODABLE,
    *(name.encode() for name in NAMES),
)
_FROM: Final = "from"
_WHOSE: Final = {node_id(ALICE): "alice", node_id(BOB): "bob"}
_MOST_EVENTS: Final = 2000
_LONGEST_EVENT: Final = 64_000
_INFO: Final = RadioInfo(
    number=RADIO,
    node_id=node_id(RADIO),
    long_name="Base",
    region="EU_868",
    modem_preset="LONG_FAST",
    channels=(Channel(0, "LongFast", "PRIMARY", uplink=False, downlink=False),),
)
CONFIG: Final = Config(connection="tcp://radio.invalid", packets=50, allow={"alice": "*"})


silence()


class _AtOnce:
    """The library's publishing thread, in ours: what fails in it is seen."""

    def queueWork(self, work: Callable[[], None]) -> None:  # noqa: N802 - the library's name
        work()


class _Stream:
    """A socket that gives the input."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, most: int) -> bytes:
        given, self._data = self._data[:most], self._data[most:]
        return given

    def sendall(self, data: bytes) -> None:
        """Take what is sent."""

    def shutdown(self, how: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _Ear:
    """Who listens to the library, as a link does."""

    def __init__(self) -> None:
        self.heard: list[Received | Notice] = []

    def received(self, packet: Mapping[str, Any]) -> None:
        self.heard.append(Received(packet, ARRIVED))

    def noticed(self, level: str, message: str, reply_id: int) -> None:
        self.heard.append(Notice(level, message, reply_id, ARRIVED))

    def lost(self) -> None:
        """Know the end."""


def _nothing(*_: object) -> None:
    """Leave the random numbers of the mutator alone, which the library would seed anew."""


class Linked:
    """A link as the session sees it, to a radio that takes everything."""

    info = _INFO

    async def admin(self, action: str, **arguments: object) -> None:
        """Take it."""

    async def send(self, data: bytes, *, port: int, to: int, **more: object) -> int:
        """Take it and return its id."""
        del more
        check(port > 0 and len(data) <= LONGEST_PAYLOAD, f"{len(data)} bytes for port {port} are sent")
        check(0 < to <= BROADCAST, f"sent to {to}")
        return 4711

    def configuration(self) -> tuple[Any, Any]:
        """Return what a new radio has."""
        return localonly_pb2.LocalConfig(), localonly_pb2.LocalModuleConfig()


def one(data: bytes) -> None:
    """Feed a byte (whether the handshake is over) and what comes from the radio's socket."""
    at_once = _AtOnce()
    with (
        patch.object(mesh_interface, "publishingThread", at_once),
        patch.object(library, "publishingThread", at_once),
        patch("random.seed", _nothing),
    ):
        interface = FencedTcp("radio.invalid", 4403, patience=1.0)
        ear = _Ear()
        pubsub.listen(interface, ear)
        try:
            _read(interface, data[1:], handshaken=not data or bool(data[0] & 1))
        finally:
            pubsub.forget(interface)
    _look_at_handshake(interface)
    _look_at(ear)


def _read(interface: FencedTcp, data: bytes, *, handshaken: bool) -> None:
    interface.on_message = lambda message: check(message.WhichOneof("payload_variant"), "an empty message is told")
    interface._startConfig = interface.records.clear  # type: ignore[method-assign] # it would write to the radio
    interface.myInfo = None
    interface.nodes, interface.nodesByNum = {}, {}
    if handshaken:
        interface._settled.set()
        interface.isConnected.set()
    interface.socket = cast("socket.socket", _Stream(data))
    reader = interface._StreamInterface__reader  # what the library runs in its thread
    reader()


def _look_at_handshake(interface: FencedTcp) -> None:
    """Read what the handshake told, as a link does once it is over."""
    nodes = known_nodes(interface.records)
    check(all(node.number for node in nodes), "a node without a number")
    if interface.myInfo is not None:
        own = next((one for one in interface.records if one.num == interface.myInfo.my_node_num), None)
        info = radio_info(interface, own)
        check(info.node_id.startswith("!"), f"the radio is {info.node_id!r}")


def _look_at(ear: _Ear) -> None:
    """Translate what was heard; raises OracleError where something of one person is given to another."""
    ctx = RecordingContext(name="base", owners=household())
    session = Session(cast("Context", ctx), CONFIG, Memory(CONFIG), link=cast("Link", Linked()))
    session._translator._duplicates = Duplicates()  # that of the process would know the last input
    number = 0
    for item in ear.heard:
        events = [session._translator.notice(item)] if isinstance(item, Notice) else session._translator.events(item)
        number += len(events)
        for event in events:
            expected = _WHOSE.get(str(event.subject), "_house")
            check(event.owner == expected, f"an event of {event.subject} belongs to {event.owner!r}")
            written = cloudevents.encode(event)
            check(len(written) <= _LONGEST_EVENT, f"an event of {len(written)} bytes")
            cloudevents.decode(written)
            cloudevents.properties(event)
    check(number <= _MOST_EVENTS, f"{number} events of one input")


def _from_radio(**fields: Any) -> bytes:  # noqa: ANN401 - fields of FromRadio
    return bytes(frame(mesh_pb2.FromRadio(**fields)))


def _payloads() -> list[tuple[int, bytes | Message]]:
    when = int(ARRIVED)
    metrics = telemetry_pb2.DeviceMetrics(battery_level=15, voltage=3.7, channel_utilization=float("nan"))
    weather = telemetry_pb2.EnvironmentMetrics(temperature=float("inf"), relative_humidity=55.5)
    return [
        (PORTS.TEXT_MESSAGE_APP, "Grüße".encode()),
        (PORTS.TEXT_MESSAGE_APP, b"\xff\xfe"),
        (PORTS.POSITION_APP, mesh_pb2.Position(latitude_i=525_000_000, longitude_i=134_000_000, time=when)),
        (PORTS.NODEINFO_APP, mesh_pb2.User(id="!0b0b0001", long_name=NAMES[2], short_name="BOB")),
        (PORTS.ROUTING_APP, mesh_pb2.Routing(error_reason=mesh_pb2.Routing.NO_ROUTE)),
        (PORTS.WAYPOINT_APP, mesh_pb2.Waypoint(id=7, latitude_i=1, longitude_i=2, name="Camp", expire=when)),
        (PORTS.TRACEROUTE_APP, mesh_pb2.RouteDiscovery(route=[ALICE, BOB, 0, 2**32 - 1], snr_back=[-128])),
        (PORTS.NEIGHBORINFO_APP, mesh_pb2.NeighborInfo(node_id=BOB)),
        (PORTS.ADMIN_APP, b"\x08\x01"),
        (PORTS.TELEMETRY_APP, telemetry_pb2.Telemetry(time=when, device_metrics=metrics)),
        (PORTS.TELEMETRY_APP, telemetry_pb2.Telemetry(environment_metrics=weather)),
        (PORTS.DETECTION_SENSOR_APP, b"Door open"),
        (300, b"unnamed"),
        (70_000, UNDECODABLE),
    ]


def seeds() -> Iterable[bytes]:
    """Return a handshake, a packet of each kind by alice, bob and a stranger, and what is broken."""
    user = mesh_pb2.User(id="!a11ce001", long_name="Alice", short_name="A")
    handshake = [
        _from_radio(my_info=mesh_pb2.MyNodeInfo(my_node_num=RADIO)),
        _from_radio(node_info=mesh_pb2.NodeInfo(num=ALICE, user=user, snr=6.25, last_heard=int(ARRIVED))),
        _from_radio(node_info=mesh_pb2.NodeInfo(num=RADIO)),
        _from_radio(metadata=mesh_pb2.DeviceMetadata(firmware_version="2.7.26")),
        _from_radio(config_complete_id=1),
    ]
    yield b"\x00" + b"".join(handshake)
    packets = [
        _from_radio(packet=mesh_packet(port, payload, sender=sender, id=77 + number))
        for sender in (ALICE, BOB, CAROL)
        for number, (port, payload) in enumerate(_payloads())
    ]
    yield from (b"\x01" + packet for packet in packets)
    yield b"\x01" + b"".join(packets[:12])
    yield b"\x00" + b"".join((*handshake, *packets[14:20]))
    yield b"\x01" + _from_radio(packet=mesh_packet(encrypted=b"secret"))
    yield b"\x01" + _from_radio(queueStatus=mesh_pb2.QueueStatus(free=1, maxlen=16))
    yield b"\x01" + _from_radio(clientNotification=mesh_pb2.ClientNotification(message=NAMES[2]))
    yield b"\x01" + _from_radio(rebooted=True) + packets[0]
    yield b"\x01" + b"a line of a log\n" + packets[0] + b"\x94\xc3\x02\x00" + b"a" * 520


def inputs() -> st.SearchStrategy[bytes]:
    """Return any messages of a radio, one after the other, with noise between them."""
    packets = st.sampled_from([ALICE, BOB, CAROL]).flatmap(
        lambda sender: messages(mesh_pb2.Data, deep=1).map(
            lambda data: _from_radio(packet=mesh_pb2.MeshPacket(decoded=data, id=7, **{_FROM: sender}))
        )
    )
    any_message = messages(mesh_pb2.FromRadio).map(lambda message: bytes(frame(message)))
    stream = st.lists(packets | any_message | st.binary(max_size=5), max_size=3).map(b"".join)
    return st.builds(lambda mode, rest: mode + rest, st.sampled_from([b"\x00", b"\x01"]), stream)
