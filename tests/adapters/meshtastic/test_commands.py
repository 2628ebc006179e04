"""The commands of a radio and their replies."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import Meshtastic
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.book import PREFIX
from jitney.adapters.meshtastic.commands import COMMANDS, Commands
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.kinds import Traceroute
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.radio import KnownNode
from jitney.topics import HOUSE, Reply, event
from tests.adapters.meshtastic.sending import (
    ALICE,
    BOB,
    BOBS,
    CAROLS,
    INFO,
    OWN,
    START,
    RecordingLink,
    Turned,
    command,
    routing,
    running,
    sender_for,
    states,
)
from tests.fakes.context import RecordingContext

KNOWN = (
    KnownNode(number=OWN, node_id="!a0000001", long_name="Base", last_heard=int(START)),
    KnownNode(number=BOBS, node_id="!b0000001", long_name="Bob", short_name="BOB", last_heard=int(START) - 60),
    KnownNode(number=CAROLS, node_id="!c0000001", long_name="Carol", last_heard=int(START) - 7200),
    KnownNode(number=0xAA000001, node_id="!aa000001", long_name="Alice", last_heard=int(START) - 30),
)


class Radio:
    """A shared radio at work, with what it knows of the mesh."""

    def __init__(self, ctx: RecordingContext | None = None, *, known: Sequence[KnownNode] = KNOWN) -> None:
        self.ctx = ctx or RecordingContext(name="base", owners=[ALICE, BOB], default_owner=HOUSE)
        self.timing = Turned()
        self.link = RecordingLink(self.timing)
        self.owners = NodeOwners(self.ctx.owners, self.ctx.default_owner)
        self.nodes = Nodes(self.ctx, self.owners, radio=OWN)
        self.nodes.meet(known, START)
        self.log = PacketLog(self.ctx.default_owner)
        self.start()

    def start(self) -> None:
        """Begin a new attempt."""
        config = Config(connection="tcp://192.168.1.9", allow={"alice": ("reboot",)})
        self.sender = sender_for(self.ctx, self.link, self.timing)
        self.guard = Guard(config.limits, self.sender.airtime)
        self.commands = Commands(
            self.ctx,
            config,
            link=self.link,
            sender=self.sender,
            nodes=self.nodes,
            owners=self.owners,
            log=self.log,
            guard=self.guard,
        )

    async def does(self, name: str, data: object = None, **options: Any) -> Reply:  # noqa: ANN401
        return await self.commands.carry_out(command(name, data, **options))

    async def refuses(self, name: str, data: object = None, **options: Any) -> RefusedError:  # noqa: ANN401
        with pytest.raises(RefusedError) as caught:
            await self.does(name, data, **options)
        return caught.value


@asynccontextmanager
async def on_air(**options: Any) -> AsyncIterator[Radio]:  # noqa: ANN401
    radio = Radio(**options)
    async with running(radio.sender, radio.timing):
        yield radio


def data(reply: Reply) -> Any:  # noqa: ANN401
    assert reply.status == "ok"
    return msgspec.json.decode(reply.data)


async def test_the_reply_comes_at_once_and_names_what_the_events_will_tell_of() -> None:
    async with on_air() as radio:
        reply = data(await radio.does("send_text", {"text": "hello", "to": "Bob"}))
        assert reply["state"] == "queued"
        assert radio.link.sent == []
        await radio.timing.settle()
        assert radio.link.sent[0].to == BOBS
        assert states(radio.ctx.events) == [("hello", "queued"), ("hello", "sent")]
        assert [event.subject for event in radio.ctx.events] == reply["ids"] * 2


@pytest.mark.parametrize(
    ("wait", "answers", "state"),
    [("sent", 0, "sent"), ("relayed", 1, "relayed"), ("delivered", 2, "delivered")],
)
async def test_a_reply_waits_as_far_as_it_was_asked(wait: str, answers: int, state: str) -> None:
    async with on_air() as radio:
        asked = {"text": "hello", "to": "!b0000001", "wait": wait}
        task = asyncio.create_task(radio.does("send_text", asked, deadline=START + 60))
        await radio.timing.settle()
        for sender in (OWN, BOBS)[:answers]:
            assert not task.done()
            radio.sender.heard(routing(100, sender=sender))
            await radio.timing.settle()
        assert data(await task) == {"state": state, "ids": [radio.ctx.events[0].subject], "packet_ids": [100]}


async def test_a_reply_does_not_wait_beyond_its_deadline_and_then_says_how_far_it_is() -> None:
    async with on_air() as radio:
        asked = {"text": "hello", "to": "!b0000001", "wait": "delivered"}
        task = asyncio.create_task(radio.does("send_text", asked, deadline=START + 10))
        await radio.timing.turn(9)
        assert not task.done()
        await radio.timing.turn(1)
        assert data(await task)["state"] == "sent"


async def test_a_failure_that_was_waited_for_is_an_error_with_the_reason() -> None:
    async with on_air() as radio:
        asked = {"text": "hello", "to": "!b0000001", "wait": "delivered"}
        task = asyncio.create_task(radio.does("send_text", asked))
        await radio.timing.settle()
        radio.sender.heard(routing(100, sender=OWN, error="MAX_RETRANSMIT"))
        reply = await task
        assert reply.status == "error"
        assert reply.error
        assert reply.error.code == "max_retransmit"
        assert "no node is in reach" in reply.error.message
        assert msgspec.json.decode(reply.data)["state"] == "failed"


async def test_a_traceroute_that_was_waited_for_is_answered_with_the_way() -> None:
    async with on_air() as radio:
        asked = {"to": "!b0000001", "wait": "delivered"}
        task = asyncio.create_task(radio.does("traceroute", asked, owner="bob"))
        await radio.timing.settle()
        for sender, way in ((BOBS, "found"), (CAROLS, "forged")):
            decoded = {"portnum": "TRACEROUTE_APP", "requestId": 100, "traceroute": {}}
            radio.sender.heard(Received({"from": sender, "to": OWN, "decoded": decoded}, START))
            note_route(radio.log, sender, request_id=100, way=way)
        reply = data(await task)
        assert (reply["state"], reply["traceroute"]["target"]) == ("delivered", "found")


async def test_a_traceroute_whose_answer_the_log_has_no_room_for_is_delivered_all_the_same() -> None:
    async with on_air() as radio:
        task = asyncio.create_task(radio.does("traceroute", {"to": "Bob", "wait": "delivered"}, owner="bob"))
        await radio.timing.settle()
        decoded = {"portnum": "TRACEROUTE_APP", "requestId": 100, "traceroute": {}}
        radio.sender.heard(Received({"from": BOBS, "to": OWN, "decoded": decoded}, START))
        reply = data(await task)
        assert reply["state"] == "delivered"
        assert "traceroute" not in reply


async def test_of_several_parts_the_one_that_is_furthest_behind_counts() -> None:
    async with on_air() as radio:
        asked = {"text": "word " * 100, "to": "!b0000001", "wait": "sent"}
        task = asyncio.create_task(radio.does("send_text", asked))
        await radio.timing.turn(3)
        assert not task.done()
        await radio.timing.turn(3)
        reply = data(await task)
        assert (reply["state"], len(reply["ids"]), reply["packet_ids"]) == ("sent", 3, [100, 101, 102])


async def test_a_broadcast_is_waited_for_until_it_is_relayed_which_is_all_that_can_be_known() -> None:
    async with on_air() as radio:
        task = asyncio.create_task(radio.does("send_text", {"text": "all", "wait": "delivered"}))
        await radio.timing.settle()
        radio.sender.heard(routing(100, sender=OWN))
        assert data(await task)["state"] == "relayed"


async def test_a_command_that_is_carried_out_again_after_a_crash_sends_nothing_twice() -> None:
    radio = Radio()
    asked = command("send_text", {"text": "hello", "to": "Bob"})
    async with running(radio.sender, radio.timing):
        first = data(await radio.commands.carry_out(asked))
        await radio.timing.settle()
    radio.start()
    async with running(radio.sender, radio.timing):
        again = data(await radio.commands.carry_out(asked))
        await radio.timing.turn(10)
    assert again["ids"] == first["ids"]
    assert again["state"] == "sent"
    assert radio.link.texts() == ["hello"]


async def test_too_much_at_once_is_refused_and_nothing_of_it_is_kept() -> None:
    async with on_air() as radio:
        text = {"text": "x" * 1500}
        for _ in range(6):
            await radio.does("send_text", text)
        kept = len(radio.ctx.kept)
        error = await radio.refuses("send_text", text)
        assert (error.code, len(radio.ctx.kept)) == ("queue_full", kept)
        assert await radio.does("send_text", text, owner="bob")


async def test_a_waypoint_is_answered_with_its_id() -> None:
    async with on_air() as radio:
        reply = data(await radio.does("send_waypoint", {"latitude": 1.0, "longitude": 2.0, "name": "Spring"}))
        assert reply["waypoint_id"] > 0


async def test_names_are_resolved_here_and_a_name_that_two_have_is_refused() -> None:
    twins = (*KNOWN, KnownNode(number=0xD0000001, node_id="!d0000001", long_name="Bob", last_heard=int(START)))
    async with on_air(known=twins) as radio:
        error = await radio.refuses("send_text", {"text": "hello", "to": "bob"})
        assert "!b0000001" in str(error)
        assert "!d0000001" in str(error)
        assert [key for key in radio.ctx.kept if key.startswith(PREFIX)] == []


async def test_everybody_sees_their_own_nodes_and_the_house_every_node() -> None:
    async with on_air() as radio:
        seen = {
            owner: [node["node"] for node in data(await radio.does("get_nodes", owner=owner))["nodes"]]
            for owner in ("bob", HOUSE)
        }
        assert seen["bob"] == ["!b0000001"]
        assert seen[HOUSE] == ["!a0000001", "!aa000001", "!b0000001", "!c0000001"]


async def test_nodes_are_chosen_by_name_and_time() -> None:
    async with on_air() as radio:
        one = data(await radio.does("get_nodes", {"node": "Bob"}, owner="bob"))
        assert [node["long_name"] for node in one["nodes"]] == ["Bob"]
        late = data(await radio.does("get_nodes", {"hours": 1}, owner=HOUSE))
        assert "!c0000001" not in [node["node"] for node in late["nodes"]]
        few = data(await radio.does("get_nodes", {"limit": 1}, owner=HOUSE))
        assert [node["node"] for node in few["nodes"]] == ["!a0000001"]
        assert (await radio.refuses("get_nodes", {"node": "Bob"})).code == "unknown_node"


def note_route(log: PacketLog, sender: int, *, request_id: int, way: str) -> None:
    head = {"node": node_id(sender), "to": node_id(OWN), "packet_id": 5, "channel": 0}
    found = Traceroute(**head, origin=node_id(OWN), target=way, towards=())
    answer = replace(packet(sender, Port.TRACEROUTE_APP, START), request_id=request_id)
    log.note(answer, owner="bob", event=event(found, adapter="base", owner="bob"))


def packet(sender: int, port: int, at: float) -> Packet:
    return Packet(sender=sender, to=OWN, id=5, channel=0, port=port, port_name="", payload=b"x", time=at, arrived=at)


async def test_packets_are_those_that_an_owner_may_see() -> None:
    async with on_air() as radio:
        radio.log.note(packet(BOBS, 1, START - 10), owner="bob", event=None)
        radio.log.note(packet(BOBS, 3, START - 5000), owner="bob", event=None)
        radio.log.note(packet(CAROLS, -1, START - 5), owner=HOUSE, event=None)

        async def seen(owner: str, **asked: object) -> list[str]:
            found = data(await radio.does("get_packets", asked, owner=owner))["packets"]
            return [f"{one['node']} {one['port']}" for one in found]

        assert await seen("alice") == []
        assert await seen("bob") == ["!b0000001 1", "!b0000001 3"]
        assert await seen(HOUSE, port="encrypted") == ["!c0000001 -1"]
        assert await seen(HOUSE, node="Carol") == ["!c0000001 -1"]
        assert await seen("bob", port="text_message") == ["!b0000001 1"]
        assert await seen("bob", port=3) == ["!b0000001 3"]
        assert await seen("bob", hours=1) == ["!b0000001 1"]
        assert await seen("bob", limit=1) == ["!b0000001 3"]
        assert "there is no port" in str(await radio.refuses("get_packets", {"port": "telepathy"}))


async def test_device_control_goes_its_own_way() -> None:
    async with on_air() as radio:
        await radio.does("reboot", {"seconds": 5})
        assert radio.link.actions == [("reboot", {"seconds": 5})]
        assert (await radio.refuses("shutdown")).code == "not_allowed"


async def test_an_unknown_command_is_refused_with_all_that_are_known() -> None:
    async with on_air() as radio:
        error = await radio.refuses("explode")
        assert error.code == "unknown_command"
        assert all(name in str(error) for name in COMMANDS)


def test_the_commands_are_known_without_the_library() -> None:
    assert set(Meshtastic.commands) == COMMANDS.keys()


def test_every_command_says_what_it_does_and_refuses_what_it_does_not_know() -> None:
    for name, kind in COMMANDS.items():
        assert kind.__doc__, name
        assert kind.__struct_config__.forbid_unknown_fields, name
        assert kind.__struct_config__.frozen, name
    assert INFO.node_id == "!a0000001"


async def test_without_a_connection_nothing_is_accepted() -> None:
    radio = Radio()
    assert (await radio.refuses("send_text", {"text": "hello"})).code == "offline"
