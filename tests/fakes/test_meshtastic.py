"""The fake radio behaves as the firmware does, and the real library works with it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2, portnums_pb2
from meshtastic.tcp_interface import TCPInterface
from pubsub import pub

from tests.fakes.meshtastic import BROADCAST, DELIVERED, RELAYED, UNHEARD, Answer, Handshake, Node, Radio
from tests.fakes.meshtastic.frames import LONGEST, Stream, frame
from tests.fakes.meshtastic.limits import NO_ROOM, SLOTS
from tests.fakes.meshtastic.payloads import ALL_PORTS, NAMES, PORTS, UNDECODABLE, UNNAMED_PORTS, sample
from tests.fakes.meshtastic.rival import Rival
from tests.waiting import until

BOB = 0xB0B00001


class Wall:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Library:
    """The real library, connected to a radio."""

    def __init__(self, interface: TCPInterface, packets: list[dict[str, Any]]) -> None:
        self.interface = interface
        self.packets = packets

    async def packet(self, number: int = 1) -> dict[str, Any]:
        """Return the ``number``-th packet that the library published."""
        await until(lambda: len(self.packets) >= number)
        return self.packets[number - 1]

    async def routing(self, number: int = 1) -> tuple[str, int]:
        """Return reason and sender of the ``number``-th routing packet."""
        await until(lambda: len(self._routing()) >= number)
        packet = self._routing()[number - 1]
        return packet["decoded"]["routing"]["errorReason"], packet["from"]

    async def send(self, port: int = PORTS.TEXT_MESSAGE_APP, data: bytes = b"hi", **fields: object) -> int:
        packet = await asyncio.to_thread(self.interface.sendData, data, portNum=port, **fields)
        return int(packet.id)

    def told(self) -> mesh_pb2.QueueStatus | None:
        """Return the last state of the transmit queue that the library knows."""
        return self.interface.queueStatus

    def _routing(self) -> list[dict[str, Any]]:
        return [packet for packet in self.packets if packet["decoded"].get("routing")]


@contextmanager
def published(interface: TCPInterface) -> Iterator[list[dict[str, Any]]]:
    packets: list[dict[str, Any]] = []

    def received(packet: dict[str, Any], interface: object) -> None:
        if interface is wanted:
            packets.append(packet)

    wanted = interface
    pub.subscribe(received, "meshtastic.receive")
    yield packets
    pub.unsubscribe(received, "meshtastic.receive")


@asynccontextmanager
async def library(radio: Radio) -> AsyncIterator[Library]:
    interface = TCPInterface("127.0.0.1", portNumber=radio.port, connectNow=False)
    with published(interface) as packets:
        try:
            await asyncio.to_thread(interface.connect)
            yield Library(interface, packets)
        finally:
            await asyncio.to_thread(interface.close)
            await radio.disconnected()


@asynccontextmanager
async def connected(**fields: object) -> AsyncIterator[tuple[Radio, Node, Library]]:
    async with Radio(**fields) as radio:
        bob = radio.node(BOB, long_name="Bob")
        async with library(radio) as client:
            yield radio, bob, client


async def test_the_library_is_told_the_whole_configuration() -> None:
    async with connected() as (radio, _, client):
        local = client.interface.localNode
        assert client.interface.myInfo.my_node_num == radio.own.number
        assert client.interface.metadata.firmware_version == radio.settings.metadata.firmware_version
        assert local.localConfig.lora.region == radio.settings.local.lora.region
        assert local.moduleConfig.mqtt.address == "mqtt.example.org:8883"
        assert [channel.settings.name for channel in local.channels][:2] == ["", "Family"]
        assert set(client.interface.nodesByNum) == {radio.own.number, BOB}


@pytest.mark.parametrize("port", sorted({*ALL_PORTS, *UNNAMED_PORTS}))
async def test_a_packet_of_every_port_reaches_the_library(port: int) -> None:
    async with connected() as (_, bob, client):
        number = bob.send(port, sample(port))
        packet = await client.packet()
        assert packet["id"] == number
        assert packet["decoded"]["payload"] == sample(port)
        assert packet["decoded"]["portnum"] in (port, portnums_pb2.PortNum.Name(port) if port in ALL_PORTS else port)


async def test_nodes_with_hostile_names_are_in_the_database_and_announce_themselves() -> None:
    async with Radio() as radio:
        for number, name in enumerate(NAMES):
            radio.node(BOB + number, long_name=name, short_name=name[:4])
        async with library(radio) as client:
            for number, name in enumerate(NAMES):
                radio.nodes[BOB + number].announce()
                assert (await client.packet(number + 1))["decoded"]["user"]["longName"] == name


@pytest.mark.parametrize(
    "damage",
    [
        b"a line of a log\r\n",
        b"\x94",
        b"\x94\x94\x94",
        b"\x94\xc4\x00\x05",
        b"\x94\xc3\xff\xff",
        bytes(range(256)).replace(b"\x94", b""),
        frame(b"x" * (LONGEST + 1))[:4],
    ],
)
async def test_garbage_between_frames_harms_nothing(damage: bytes) -> None:
    async with connected() as (radio, bob, client):
        bob.text("before")
        radio.send_raw(damage)
        bob.text("lost with the garbage, perhaps")
        bob.text("after")
        await until(lambda: any(packet["decoded"]["text"] == "after" for packet in client.packets))


async def test_a_frame_may_come_byte_by_byte() -> None:
    async with connected() as (radio, bob, client):
        packet = bob.packet(PORTS.TEXT_MESSAGE_APP, b"slowly")
        for byte in frame(mesh_pb2.FromRadio(packet=packet)):
            radio.send_raw(bytes([byte]))
        assert (await client.packet())["decoded"]["text"] == "slowly"


async def test_an_undecodable_protobuf_is_lost_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DecodeError):
        mesh_pb2.FromRadio.FromString(UNDECODABLE)
    async with connected() as (radio, bob, client):
        radio.send_frame(UNDECODABLE)
        bob.send(PORTS.POSITION_APP, UNDECODABLE)
        bob.text("after")
        assert (await client.packet())["decoded"]["text"] == "after"
    assert "DecodeError" in capfd.readouterr().err


async def test_a_text_to_a_neighbour_is_acked_by_it() -> None:
    async with connected() as (_, _, client):
        await client.send(destinationId=BOB, wantAck=True)
        assert await client.routing() == ("NONE", BOB)


async def test_a_text_over_two_hops_is_acked_implicitly_and_then_by_its_destination() -> None:
    async with connected() as (radio, bob, client):
        bob.hops = 2
        await client.send(destinationId=BOB, wantAck=True)
        assert await client.routing(1) == ("NONE", radio.own.number)
        assert await client.routing(2) == ("NONE", BOB)


async def test_a_broadcast_is_acked_implicitly_and_never_by_anybody() -> None:
    async with connected() as (radio, bob, client):
        await client.send(wantAck=True)
        assert await client.routing() == ("NONE", radio.own.number)
        bob.reachable = False
        radio.clock = Wall()
        await client.send(PORTS.PRIVATE_APP, wantAck=True)
        assert await client.routing(2) == ("MAX_RETRANSMIT", radio.own.number)


async def test_nobody_hears_what_is_for_a_node_out_of_reach() -> None:
    async with connected() as (radio, bob, client):
        bob.reachable = False
        await client.send(destinationId=BOB, wantAck=True)
        assert await client.routing() == ("MAX_RETRANSMIT", radio.own.number)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([RELAYED], [("NONE", 0xA0000001)]),
        ([UNHEARD], [("MAX_RETRANSMIT", 0xA0000001)]),
        ([Answer("NO_CHANNEL")], [("NO_CHANNEL", BOB)]),
        ([RELAYED, DELIVERED], [("NONE", 0xA0000001), ("NONE", BOB)]),
    ],
)
async def test_a_script_says_what_is_answered(script: list[Answer], expected: list[tuple[str, int]]) -> None:
    async with connected() as (radio, _, client):
        radio.script(*script)
        radio.answer_delay = 0.01
        await client.send(destinationId=BOB, wantAck=True)
        assert [await client.routing(number + 1) for number in range(len(expected))] == expected


async def test_silence_is_a_script_too() -> None:
    async with connected() as (radio, bob, client):
        radio.script()
        await client.send(destinationId=BOB, wantAck=True)
        await radio.received(PORTS.TEXT_MESSAGE_APP)
        bob.text("I have said nothing")
        assert (await client.packet())["decoded"]["text"] == "I have said nothing"


async def test_a_traceroute_is_acked_by_the_radio_and_answered_by_the_node() -> None:
    async with connected() as (radio, bob, client):
        bob.route = [0xC0000001]
        number = await client.send(PORTS.TRACEROUTE_APP, b"", destinationId=BOB, wantResponse=True, hopLimit=3)
        assert await client.routing() == ("NONE", radio.own.number)
        answer = await client.packet(2)
        assert answer["from"] == BOB
        assert answer["decoded"]["requestId"] == number
        assert answer["decoded"]["traceroute"]["route"] == [0xC0000001]
        assert answer["decoded"]["traceroute"]["snrBack"] == [-128, 24]


@pytest.mark.parametrize(
    ("port", "key"),
    [(PORTS.POSITION_APP, "position"), (PORTS.TELEMETRY_APP, "telemetry"), (PORTS.NODEINFO_APP, "user")],
)
async def test_a_node_answers_what_it_is_asked(port: int, key: str) -> None:
    async with connected() as (_, bob, client):
        bob.place = (52.5, 13.4, 40)
        number = await client.send(port, b"", destinationId=BOB, wantResponse=True)
        answer = await client.packet()
        assert answer["decoded"]["requestId"] == number
        assert key in answer["decoded"]


async def test_a_second_text_within_two_seconds_is_dropped_with_an_error() -> None:
    clock = Wall()
    async with connected(clock=clock) as (radio, _, client):
        await client.send()
        await radio.received(PORTS.TEXT_MESSAGE_APP)
        clock.now += 1.5
        number = await client.send(destinationId=BOB)
        assert await client.routing() == ("RATE_LIMIT_EXCEEDED", radio.own.number)
        clock.now += 0.5
        await client.send()
        await radio.received(PORTS.TEXT_MESSAGE_APP, 2)
        assert [(violation.packet_id, violation.early) for violation in radio.violations] == [(number, 0.5)]
        assert [packet.id for packet in radio.dropped] == [number]


async def test_a_second_traceroute_within_thirty_seconds_is_only_warned_of() -> None:
    clock = Wall()
    async with connected(clock=clock) as (radio, _, client):
        notices: list[mesh_pb2.ClientNotification] = []

        def noticed(notification: mesh_pb2.ClientNotification, interface: object) -> None:
            del interface
            notices.append(notification)

        pub.subscribe(noticed, "meshtastic.clientNotification")
        fields = {"destinationId": BOB, "wantResponse": True, "hopLimit": 3}
        await client.send(PORTS.TRACEROUTE_APP, b"", **fields)
        await radio.received(PORTS.TRACEROUTE_APP)
        clock.now += 29
        number = await client.send(PORTS.TRACEROUTE_APP, b"", **fields)
        await until(lambda: len(notices) == 1)
        assert notices[0].reply_id == number
        assert len(radio.violations) == 1
        await client.send(PORTS.TRACEROUTE_APP, b"", destinationId=BROADCAST, hopLimit=3)
        await until(lambda: len(notices) == 2)
        assert "broadcast" in notices[1].message


@pytest.mark.parametrize("port", [PORTS.POSITION_APP, PORTS.WAYPOINT_APP, PORTS.ALERT_APP, PORTS.TELEMETRY_APP])
async def test_a_second_packet_of_other_limited_ports_within_ten_seconds_is_dropped_silently(port: int) -> None:
    clock = Wall()
    async with connected(clock=clock) as (radio, _, client):
        await client.send(port, sample(port))
        await radio.received(port)
        clock.now += 9.5
        number = await client.send(port, sample(port))
        await radio.until(lambda: radio.dropped)
        assert [packet.id for packet in radio.dropped] == [number]
        await until(lambda: client.told() is not None)
        assert client.interface.queueStatus.res == 0
        clock.now += 0.5
        await client.send(port, sample(port))
        await radio.received(port, 2)
        assert len(radio.violations) == 1


async def test_the_limits_are_of_one_connection() -> None:
    async with Radio(clock=Wall()) as radio:
        for number in (1, 2):
            async with library(radio) as client:
                await client.send()
                await radio.received(PORTS.TEXT_MESSAGE_APP, number)
        assert not radio.violations


@pytest.mark.parametrize(("length", "fits"), [(231, True), (233, False)])
async def test_a_text_that_is_too_long_for_the_air_is_refused(length: int, *, fits: bool) -> None:
    async with connected() as (radio, _, client):
        await client.send(data=b"x" * length, wantAck=True)
        expected = "NONE" if fits else "TOO_LARGE"
        assert await client.routing() == (expected, radio.own.number)


async def test_a_full_queue_takes_no_packet() -> None:
    async with connected() as (radio, _, client):
        radio.fill_queue()
        await until(lambda: client.told() is not None and client.told().free == 0)
        packet = mesh_pb2.ToRadio(packet=mesh_pb2.MeshPacket(id=77, to=BOB))
        packet.packet.decoded.portnum = PORTS.TEXT_MESSAGE_APP
        await asyncio.to_thread(client.interface._sendToRadioImpl, packet)
        await until(lambda: client.interface.queueStatus.res == NO_ROOM)
        radio.drain_queue()
        await until(lambda: client.interface.queueStatus.free == SLOTS)
        assert not radio.sent


async def test_a_heartbeat_is_answered_with_the_state_of_the_queue() -> None:
    async with connected() as (radio, _, client):
        await radio.until(lambda: radio.client and radio.client.heartbeats == 1)
        await until(lambda: client.told() is not None)
        client.interface.queueStatus = None
        await asyncio.to_thread(client.interface.sendHeartbeat)
        await until(lambda: client.told() is not None)
        assert radio.client is not None
        assert radio.client.heartbeats == 2


async def test_the_own_node_is_administered() -> None:
    async with connected() as (radio, _, client):
        local = client.interface.localNode
        await asyncio.to_thread(local.setOwner, "New name", "NEW")
        await until(lambda: radio.own.long_name == "New name")
        local.moduleConfig.mqtt.root = "msh/home"
        await asyncio.to_thread(local.writeConfig, "mqtt")
        await until(lambda: radio.settings.module.mqtt.root == "msh/home")
        await asyncio.to_thread(local.reboot, 5)
        await until(lambda: [message.reboot_seconds for message in radio.administration.done("reboot_seconds")] == [5])


async def test_what_is_heard_while_no_client_is_there_waits_and_the_oldest_goes_first() -> None:
    async with Radio() as radio:
        bob = radio.node(BOB)
        for number in range(40):
            bob.text(str(number))
        async with library(radio) as client:
            await client.packet(32)
            assert [packet["decoded"]["text"] for packet in client.packets] == [str(number) for number in range(8, 40)]
            assert radio.lost == 8


async def test_a_second_client_pushes_out_the_first() -> None:
    async with Radio() as radio, Rival(radio) as one, Rival(radio) as two:
        await until(lambda: one.visits > 1 and two.visits > 1)
        assert len(radio.clients) <= 2
        assert radio.kicks >= 2


@pytest.mark.parametrize("handshake", [Handshake.SILENT, Handshake.UNFINISHED, Handshake.WRONG_ID])
async def test_a_handshake_that_does_not_end_leaves_the_library_waiting(handshake: Handshake) -> None:
    async with Radio() as radio:
        radio.handshake = handshake
        interface = TCPInterface("127.0.0.1", portNumber=radio.port, connectNow=False)
        connecting = asyncio.create_task(asyncio.to_thread(interface.connect), name="connecting")
        await radio.until(lambda: radio.client and radio.client.asked)
        if handshake is not Handshake.SILENT:
            await until(lambda: interface.myInfo is not None)
        assert not interface.isConnected.is_set()
        await asyncio.to_thread(interface.close)
        interface.isConnected.set()
        await connecting
        assert radio.handshakes == 0


async def test_a_slow_handshake_comes_to_its_end() -> None:
    async with Radio() as radio:
        radio.handshake_delay = 0.005
        async with library(radio):
            assert radio.handshakes == 1


async def test_a_dropped_a_torn_and_a_refused_connection_look_as_they_should() -> None:
    async with Radio() as radio:
        reader, writer = await asyncio.open_connection("127.0.0.1", radio.port)
        await radio.connected(1)
        radio.drop()
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", radio.port)
        await radio.connected(2)
        radio.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await radio.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", radio.port)
        await radio.accept()
        _, writer = await asyncio.open_connection("127.0.0.1", radio.port)
        await radio.connected(3)
        writer.close()


async def test_a_stalled_radio_accepts_and_says_nothing_until_it_goes_on() -> None:
    async with Radio() as radio:
        radio.stall()
        reader, writer = await asyncio.open_connection("127.0.0.1", radio.port)
        await radio.connected()
        writer.write(frame(mesh_pb2.ToRadio(want_config_id=1)))
        radio.send_raw(b"lost")
        radio.unstall()
        data = await reader.read(4096)
        assert data.startswith(b"\x94\xc3")
        writer.close()


@given(st.lists(st.binary(max_size=64).filter(lambda data: b"\x94" not in data), min_size=1, max_size=6), st.data())
def test_frames_are_found_however_the_bytes_are_cut(contents: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(b"noise" + frame(content) for content in contents)
    stream = Stream()
    found = []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        found += stream.feed(wire[:size])
        wire = wire[size:]
    assert found == contents
    assert stream.skipped == len(b"noise") * len(contents)


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_search_for_frames(data: bytes) -> None:
    assert all(len(content) <= LONGEST for content in Stream().feed(data))
