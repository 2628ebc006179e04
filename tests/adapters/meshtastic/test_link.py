"""A link hears everything that its radio hears, in order, and hands it what is sent."""

import asyncio

import pytest
from meshtastic.protobuf import mesh_pb2

from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic.heard import Notice, Proxied, QueueStatus, Received
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.radio import Channel, MqttModule
from tests.adapters.meshtastic.linked import BOB, config, hear, linked, texts
from tests.fakes.meshtastic import BROADCAST, Radio
from tests.fakes.meshtastic.frames import LONGEST, frame
from tests.fakes.meshtastic.payloads import ALL_PORTS, NAMES, PORTS, UNDECODABLE, UNNAMED_PORTS, sample
from tests.waiting import until


async def test_the_radio_says_who_it_is() -> None:
    async with linked() as (radio, _, link):
        assert link.info.number == radio.own.number
        assert link.info.node_id == "!a0000001"
        assert (link.info.long_name, link.info.short_name) == ("Base", "Base")
        assert (link.info.hardware, link.info.role) == ("HELTEC_V3", "CLIENT")
        assert link.info.firmware == radio.settings.metadata.firmware_version
        assert (link.info.region, link.info.modem_preset, link.info.hop_limit) == ("EU_868", "LONG_FAST", 3)
        assert link.info.channels == (
            Channel(0, "LongFast", "PRIMARY", uplink=True, downlink=False),
            Channel(1, "Family", "SECONDARY", uplink=False, downlink=True),
        )
        assert link.info.mqtt == MqttModule(
            enabled=True, address="mqtt.example.org", root="msh/EU_868", encryption=True, tls=True
        )


async def test_the_nodes_that_the_radio_knows_are_known() -> None:
    async with Radio() as radio:
        for number, name in enumerate(NAMES):
            radio.node(BOB + number, long_name=name, hops=number % 4)
        radio.nodes[BOB].place = (52.5, -13.4, 40)
        radio.nodes[BOB].snr = -7.3
        radio.nodes[BOB].public_key = b"\x01" * 32
        async with Link(config(radio)) as link:
            known = {node.number: node for node in link.known}
            assert [known[BOB + number].long_name for number in range(len(NAMES))] == list(NAMES)
            bob = known[BOB]
            assert (bob.node_id, bob.hops, bob.snr, bob.battery) == ("!b0b00001", 0, -7.3, 87)
            assert bob.voltage == 3.9
            assert bob.position is not None
            assert (bob.position.latitude, bob.position.longitude, bob.position.altitude) == (52.5, -13.4, 40)
            assert bob.public_key == "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
            assert known[radio.own.number].snr is None


async def test_a_packet_of_every_port_is_heard_in_order() -> None:
    async with linked() as (_, bob, link):
        ports = sorted({*ALL_PORTS, *UNNAMED_PORTS})
        sent = [bob.send(port, sample(port)) for port in ports]
        heard = await hear(link, Received, len(ports))
        assert [item.packet["id"] for item in heard] == sent
        assert [item.packet["decoded"]["payload"] for item in heard] == [sample(port) for port in ports]
        assert link.unreadable == 0


async def test_an_encrypted_packet_is_heard_as_one() -> None:
    async with linked() as (_, bob, link):
        bob.encrypted(b"secret of others")
        (item,) = await hear(link, Received)
        assert "decoded" not in item.packet
        assert item.packet["encrypted"] == "c2VjcmV0IG9mIG90aGVycw=="


async def test_what_is_heard_is_stamped_with_the_time_of_its_arrival() -> None:
    async with Radio() as radio:
        bob = radio.node(BOB)
        radio.has_clock = False
        async with Link(config(radio), now=lambda: 1234.5) as link:
            bob.text("when?")
            (item,) = await hear(link, Received)
            radio.notify("Duty cycle limit exceeded", reply_id=7)
            (notice,) = await hear(link, Notice)
            assert item.arrived == 1234.5
            assert "rxTime" not in item.packet
            assert notice == Notice("WARNING", "Duty cycle limit exceeded", 7, 1234.5)


@pytest.mark.parametrize(
    "damage",
    [
        b"a line of a log\r\n",
        b"\x94\x94\x94",
        b"\x94\xc3\xff\xff",
        b"x" * 100_000,
        frame(UNDECODABLE),
        frame(b"x" * (LONGEST + 1)),
        frame(b""),
    ],
)
async def test_garbage_harms_nothing(damage: bytes) -> None:
    async with linked() as (radio, bob, link):
        bob.text("before")
        radio.send_raw(damage)
        bob.text("perhaps lost with it")
        bob.text("after")
        heard: list[str] = []
        while "after" not in heard:
            heard += await texts(link)
        assert heard[0] == "before"


async def test_what_the_radio_wants_passed_on_to_its_broker_is_noted() -> None:
    async with linked() as (radio, _, link):
        message = mesh_pb2.MqttClientProxyMessage(topic="msh/EU_868/2/e/LongFast/!a0000001", data=b"x")
        radio.send(mesh_pb2.FromRadio(mqttClientProxyMessage=message))
        assert len(await hear(link, Proxied)) == 1


async def test_the_configuration_can_be_looked_at() -> None:
    async with linked() as (radio, _, link):
        local, module = link.configuration()
        assert local.lora.region == radio.settings.local.lora.region
        assert module.mqtt.root == "msh/EU_868"


async def test_packets_that_cannot_be_decoded_are_counted_and_cost_nothing_else() -> None:
    async with linked() as (radio, bob, link):
        radio.send_frame(UNDECODABLE)
        bob.send(PORTS.POSITION_APP, UNDECODABLE)
        bob.user_id = ""
        bob.announce()
        radio.hear(radio.node(0).packet(PORTS.TEXT_MESSAGE_APP, b"from nobody"))
        radio.hear(radio.node(0).packet(UNNAMED_PORTS[0], b"from nobody"))
        radio.hear(radio.node(BROADCAST).packet(PORTS.TEXT_MESSAGE_APP, b"from everybody"))
        bob.text("after")
        assert await texts(link) == ["after"]
        assert link.unreadable == 6


async def test_more_senders_than_anybody_knows_are_heard_and_not_remembered() -> None:
    async with linked(queue=10_000) as (radio, _, link):
        for number in range(2500):
            radio.hear(radio.node(0xC0000000 + number).packet(PORTS.TEXT_MESSAGE_APP, b"new"))
        await hear(link, Received, 2500)
        assert len(link._interface.nodesByNum) <= 2000


async def test_a_packet_is_sent_as_it_was_asked_for() -> None:
    async with linked() as (radio, _, link):
        number = await link.send(
            b"hello",
            port=PORTS.TEXT_MESSAGE_APP,
            to=BOB,
            channel=1,
            want_ack=True,
            want_response=True,
            reply_id=99,
            emoji=True,
            hop_limit=5,
            priority=70,
        )
        packet = await radio.received(PORTS.TEXT_MESSAGE_APP)
        assert (packet.id, packet.to, packet.channel, packet.want_ack) == (number, BOB, 1, True)
        assert (packet.hop_limit, packet.priority) == (5, 70)
        assert packet.decoded.payload == b"hello"
        assert (packet.decoded.want_response, packet.decoded.reply_id, packet.decoded.emoji) == (True, 99, 1)


async def test_what_was_not_asked_for_is_left_to_the_radio() -> None:
    async with linked() as (radio, _, link):
        await link.send(b"hello", port=PORTS.PRIVATE_APP, to=BROADCAST)
        packet = await radio.received(PORTS.PRIVATE_APP)
        assert (packet.want_ack, packet.channel, packet.priority, packet.hop_limit) == (False, 0, 0, 3)
        assert (packet.decoded.reply_id, packet.decoded.emoji, packet.decoded.want_response) == (0, 0, False)


async def test_packets_are_sent_in_the_order_of_the_calls_and_are_heard_of() -> None:
    async with linked() as (radio, _, link):
        numbers = await asyncio.gather(*(link.send(b"x", port=PORTS.PRIVATE_APP, to=BOB) for _ in range(5)))
        await radio.received(PORTS.PRIVATE_APP, 5)
        assert [packet.id for packet in radio.sent] == numbers
        assert len(set(numbers)) == 5
        told = [item.packet_id for item in await hear(link, QueueStatus, 6) if item.packet_id]
        assert told == numbers[: len(told)]


async def test_an_ack_is_heard_with_the_id_of_what_was_sent() -> None:
    async with linked() as (_, _, link):
        number = await link.send(b"hello", port=PORTS.TEXT_MESSAGE_APP, to=BOB, want_ack=True)
        (item,) = await hear(link, Received)
        assert item.packet["decoded"]["requestId"] == number
        assert item.packet["from"] == BOB


async def test_a_radio_without_room_is_told_nothing() -> None:
    async with linked() as (radio, _, link):
        radio.fill_queue()
        await until_told(link, free=0)
        with pytest.raises(RefusedError, match="no room") as refused:
            await link.send(b"hello", port=PORTS.TEXT_MESSAGE_APP, to=BOB)
        assert refused.value.code == "queue_full"
        radio.drain_queue()
        await until_told(link, free=16)
        await link.send(b"hello", port=PORTS.TEXT_MESSAGE_APP, to=BOB)
        await radio.received(PORTS.TEXT_MESSAGE_APP)
        assert len(radio.sent) == 1


async def until_told(link: Link, *, free: int) -> None:
    while (await hear(link, QueueStatus))[-1].free != free:
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": b"x" * 234, "port": 1, "to": BOB},
        {"data": b"", "port": 0, "to": BOB},
        {"data": b"", "port": 1, "to": 1 << 32},
        {"data": b"", "port": 1, "to": -1},
        {"data": b"", "port": 1, "to": BOB, "channel": -1},
        {"data": b"", "port": 1, "to": BOB, "hop_limit": -1},
    ],
)
async def test_what_cannot_be_sent_is_refused_and_harms_nothing(wrong: dict[str, object]) -> None:
    async with linked() as (radio, bob, link):
        with pytest.raises(RefusedError):
            await link.send(**wrong)
        assert not radio.sent
        bob.text("still here")
        assert await texts(link) == ["still here"]


async def test_the_oldest_is_dropped_and_counted_when_nobody_listens() -> None:
    async with linked(queue=10) as (_, bob, link):
        await hear(link, QueueStatus)
        for number in range(50):
            bob.text(str(number))
        await until(lambda: link.dropped == 40)
        assert await texts(link, 10) == [str(number) for number in range(40, 50)]


async def test_nothing_is_sent_or_heard_before_and_after() -> None:
    async with Radio() as radio:
        link = Link(config(radio))
        for _ in range(2):
            with pytest.raises(DisconnectedError, match="is not connected"):
                await link.send(b"", port=1, to=BOB)
            with pytest.raises(DisconnectedError, match="is not connected"):
                await link.next()
            with pytest.raises(DisconnectedError, match="is not connected"):
                await link.admin("reboot")
            with pytest.raises(DisconnectedError, match="is not connected"):
                link.configuration()
            assert link.dropped == 0
            if not radio.connections:
                async with link:
                    pass


async def test_two_radios_do_not_hear_each_other() -> None:
    async with linked() as (_, here, one), linked() as (_, there, two):
        for number in range(20):
            here.text(f"one {number}")
            there.text(f"two {number}")
        assert await texts(one, 20) == [f"one {number}" for number in range(20)]
        assert await texts(two, 20) == [f"two {number}" for number in range(20)]


async def test_a_radio_that_stalls_does_not_hold_up_another() -> None:
    async with linked() as (stalled, _, _), linked() as (radio, bob, link):
        stalled.stall()
        for number in range(20):
            bob.text(str(number))
        assert await texts(link, 20) == [str(number) for number in range(20)]
        await link.send(b"hello", port=PORTS.PRIVATE_APP, to=BOB)
        await radio.received(PORTS.PRIVATE_APP)
