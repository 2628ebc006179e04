"""Sending through the real library to a simulated radio that watches the firmware's limits."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.commands import Commands
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.pacing import Pacing
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.sender import Sender
from jitney.adapters.meshtastic.timing import Timing
from jitney.topics import HOUSE, Event, Reply
from tests.adapters.meshtastic.linked import config
from tests.adapters.meshtastic.sending import ALICE, BOB, command, states
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic import DELIVERED, RELAYED, SECRETS, UNHEARD, Answer, Radio

FASTER = 20.0
BOBS = 0xB0000001
PORTS = portnums_pb2.PortNum


class Hastened(Timing):
    """Real time, so many times as fast."""

    def now(self) -> float:
        return time.monotonic() * FASTER

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        await super().wait(wake, seconds / FASTER)


class OnAir:
    """A connected radio with everything that is needed to send."""

    def __init__(self, radio: Radio, link: Link, ctx: RecordingContext) -> None:
        self.radio = radio
        self.link = link
        self.ctx = ctx
        self.task: asyncio.Task[None] | None = None
        settings = config(radio, allow={"alice": "*"}, limits=Limits(answer_timeout=20))
        owners = NodeOwners(ctx.owners, ctx.default_owner)
        nodes = Nodes(ctx, owners, radio=link.info.number)
        nodes.meet(link.known, time.time())
        self.sender = Sender(
            ctx,
            settings.limits,
            link_of=lambda: link,
            own=link.info.number,
            pacing=Pacing(settings.limits),
            airtime=Airtime(settings.limits),
            timing=Hastened(),
        )
        self.commands = Commands(
            ctx,
            settings,
            link=link,
            sender=self.sender,
            nodes=nodes,
            owners=owners,
            log=PacketLog(HOUSE),
            guard=Guard(settings.limits, self.sender.airtime),
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sender.run(), name="sender")
            while True:
                for one in await self.link.next():
                    self.sender.heard(one)

    async def does(self, name: str, data: object = None, *, owner: str = "alice") -> Reply:
        asked = command(name, data, owner=owner, deadline=time.time() + 20)
        return await self.commands.carry_out(asked)

    async def comes_to(self, text: str, state: str) -> None:
        await self.ctx.until(lambda: (text, state) in states(self.ctx.events))


@asynccontextmanager
async def on_air(*, kept: dict[str, bytes] | None = None, radio: Radio | None = None) -> AsyncIterator[OnAir]:
    ctx = RecordingContext(name="base", owners=[ALICE, BOB], default_owner=HOUSE, kept=kept)
    radio = radio or Radio(clock=lambda: time.monotonic() * FASTER)
    if BOBS not in radio.nodes:
        radio.node(BOBS, long_name="Bob", hops=1)
    async with radio, Link(config(radio)) as link:
        on = OnAir(radio, link, ctx)
        await on.sender.load()
        on.task = asyncio.create_task(on.run(), name="on air")
        try:
            yield on
        finally:
            on.task.cancel()
            with suppress(BaseException):
                await on.task


def told(event: Event) -> Any:  # noqa: ANN401
    return msgspec.json.decode(event.data)


async def test_ten_texts_at_once_break_no_limit_and_arrive_in_order() -> None:
    async with on_air() as on:
        await asyncio.gather(*(on.does("send_text", {"text": f"text {number}"}) for number in range(10)))
        await on.radio.received(PORTS.TEXT_MESSAGE_APP, 10, deadline=20)
        assert on.radio.violations == []
        assert on.radio.dropped == []
        texts = [packet.decoded.payload.decode() for packet in on.radio.sent]
        assert texts == [f"text {number}" for number in range(10)]


async def test_a_direct_text_is_delivered_over_two_hops() -> None:
    async with on_air() as on:
        reply = await on.does("send_text", {"text": "hello", "to": "Bob", "wait": "delivered"})
        assert reply.status == "ok"
        packet = on.radio.sent[0]
        assert (packet.to, packet.want_ack, packet.decoded.payload) == (BOBS, True, b"hello")
        assert told(on.ctx.events[-1])["packet_id"] == packet.id
        await on.comes_to("hello", "delivered")
        assert [state for _, state in states(on.ctx.events)] == ["queued", "sent", "relayed", "delivered"]


@pytest.mark.parametrize(
    ("answers", "code"),
    [((UNHEARD,), "max_retransmit"), ((RELAYED, Answer("NO_CHANNEL")), "no_channel")],
)
async def test_a_text_that_does_not_get_there_has_failed_for_a_reason(answers: tuple[Answer, ...], code: str) -> None:
    async with on_air() as on:
        on.radio.script(*answers)
        reply = await on.does("send_text", {"text": "hello", "to": "Bob", "wait": "delivered"})
        assert reply.error
        assert reply.error.code == code


async def test_silence_is_unknown() -> None:
    async with on_air() as on:
        on.radio.script()
        await on.does("send_text", {"text": "hello", "to": "Bob"})
        await on.comes_to("hello", "unknown")


async def test_a_broadcast_is_relayed_and_no_more() -> None:
    async with on_air() as on:
        on.radio.script(RELAYED, DELIVERED)
        reply = await on.does("send_text", {"text": "all", "wait": "delivered"})
        assert msgspec.json.decode(reply.data)["state"] == "relayed"


async def test_a_reaction_reaches_the_air_as_one() -> None:
    async with on_air() as on:
        await on.does("send_text", {"text": "👍", "reply_to": 77, "emoji": True, "channel": "Family", "hop_limit": 2})
        packet = await on.radio.received(PORTS.TEXT_MESSAGE_APP)
        assert (packet.decoded.emoji, packet.decoded.reply_id, packet.channel, packet.hop_limit) == (1, 77, 1, 2)


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("traceroute", PORTS.TRACEROUTE_APP),
        ("request_position", PORTS.POSITION_APP),
        ("request_telemetry", PORTS.TELEMETRY_APP),
    ],
)
async def test_a_question_is_delivered_with_its_answer(name: str, port: int) -> None:
    async with on_air() as on:
        reply = await on.does(name, {"to": "Bob", "wait": "delivered"}, owner="bob")
        assert reply.status == "ok"
        packet = on.radio.sent[0]
        assert (packet.decoded.portnum, packet.decoded.want_response) == (port, True)


async def test_a_question_that_a_node_cannot_answer_has_failed() -> None:
    async with on_air() as on:
        on.radio.script(RELAYED, Answer("NO_RESPONSE"))
        reply = await on.does("request_telemetry", {"to": "Bob", "kind": "power", "wait": "delivered"}, owner="bob")
        assert reply.error
        assert reply.error.code == "no_response"


async def test_an_alert_goes_out_as_one() -> None:
    async with on_air() as on:
        await on.does("send_alert", {"text": "fire"})
        packet = await on.radio.received(PORTS.ALERT_APP)
        assert packet.priority == mesh_pb2.MeshPacket.Priority.ALERT
        assert packet.decoded.payload == b"fire"


async def test_what_was_accepted_and_not_sent_is_sent_after_a_restart_and_nothing_twice() -> None:
    radio = Radio(clock=lambda: time.monotonic() * FASTER)
    async with on_air(radio=radio) as on:
        for number in range(3):
            await on.does("send_text", {"text": f"text {number}"})
        await on.comes_to("text 0", "sent")
        kept = dict(on.ctx.kept)
    async with on_air(radio=radio, kept=kept) as on:
        await on.comes_to("text 2", "sent")
    texts = [packet.decoded.payload.decode() for packet in radio.sent]
    assert texts == ["text 0", "text 1", "text 2"]
    assert radio.violations == []


async def test_a_full_queue_of_the_radio_holds_everything_up_until_it_has_room() -> None:
    async with on_air() as on:
        on.radio.fill_queue()
        await on.does("send_text", {"text": "first"})
        assert on.radio.sent == []
        on.radio.drain_queue()
        await on.comes_to("first", "sent")
        assert states(on.ctx.events) == [("first", "queued"), ("first", "sent")]


async def test_a_connection_that_ends_ends_the_sending() -> None:
    async with on_air() as on:
        on.radio.drop()
        assert on.task
        with pytest.RaisesGroup(DisconnectedError, flatten_subgroups=True):
            await on.task


async def test_a_radio_is_renamed_and_restarted() -> None:
    async with on_air() as on:
        await on.does("set_owner", {"long_name": "Roof", "short_name": "R"})
        await on.does("reboot", {"seconds": 5})
        administration = on.radio.administration
        await on.radio.until(lambda: administration.done("reboot_seconds"), "the restart")
        assert administration.done("set_owner")[0].set_owner.long_name == "Roof"
        assert [told(event)["outcome"] for event in on.ctx.events] == ["allowed", "done"] * 2


async def test_the_configuration_of_a_radio_is_read_without_its_secrets() -> None:
    async with on_air() as on:
        reply = await on.does("get_device_config")
        shown = bytes(reply.data).decode()
        assert '"region":"EU_868"' in shown
        assert [secret for secret in SECRETS.values() if str(secret) in shown] == []
        assert "canary" not in shown


async def test_a_waypoint_is_set_and_taken_back() -> None:
    async with on_air() as on:
        place = {"name": "Spring", "latitude": 47.5, "longitude": 8.5, "icon": "⛲"}
        reply = await on.does("send_waypoint", place)
        number = msgspec.json.decode(reply.data)["waypoint_id"]
        await on.does("send_waypoint", {"id": number, "delete": True})
        await on.radio.received(PORTS.WAYPOINT_APP, 2)
        there, gone = (mesh_pb2.Waypoint.FromString(packet.decoded.payload) for packet in on.radio.sent)
        assert (there.id, there.name, gone.id, gone.expire) == (number, "Spring", number, 1)
        assert on.radio.violations == []
