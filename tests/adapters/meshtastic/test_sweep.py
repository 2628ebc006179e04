"""A sweep over the nodes of the mesh."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.commands import Commands
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.radio import KnownNode
from jitney.topics import HOUSE
from tests.adapters.meshtastic.sending import (
    ALICE,
    BOB,
    BOBS,
    CAROLS,
    OWN,
    START,
    RecordingLink,
    Turned,
    command,
    measured,
    running,
    sender_for,
)
from tests.fakes.context import RecordingContext

FAR = 0xD0000001


def known(number: int, minutes: float, *, via_mqtt: bool = False) -> KnownNode:
    return KnownNode(
        number=number, node_id=f"!{number:08x}", last_heard=int(START - minutes * 60), hops=1, via_mqtt=via_mqtt
    )


class Sweeping:
    """A shared radio with three nodes heard lately, one of them last; ``answering`` are those that answer."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.ctx = RecordingContext(name="base", owners=[ALICE, BOB], default_owner=HOUSE)
        self.timing = Turned()
        self.link = RecordingLink(self.timing)
        self.answering = {BOBS, CAROLS, FAR}
        owners = NodeOwners(self.ctx.owners, HOUSE)
        nodes = Nodes(self.ctx, owners, radio=OWN)
        nodes.meet(
            [
                known(OWN, 0),
                known(BOBS, 5),
                known(CAROLS, 1),
                known(FAR, 9),
                known(0xE0000001, 2, via_mqtt=True),
                known(0xF0000001, 9000),
            ],
            START,
        )
        self.sender = sender_for(self.ctx, self.link, self.timing, limits=limits)
        self.link.before_id = self._answer
        config = Config(connection="tcp://192.168.1.9", limits=limits)
        log = PacketLog(HOUSE)
        self.commands = Commands(
            self.ctx,
            config,
            link=self.link,
            sender=self.sender,
            nodes=nodes,
            owners=owners,
            log=log,
            guard=Guard(limits, self.sender.airtime),
        )

    async def ask(self, *, owner: str = HOUSE, **data: object) -> dict[str, object]:
        reply = await self.commands.carry_out(command("sweep", data, owner=owner))
        found: dict[str, object] = msgspec.json.decode(reply.data)
        return found

    def steps(self) -> list[tuple[str, str]]:
        """Return (step, node) of everything that was told."""
        found = []
        for event in self.ctx.events:
            assert event.type == "meshtastic.sweep"
            data = msgspec.json.decode(event.data)
            found.append((data["step"], data.get("node", "")))
        return found

    def last(self) -> dict[str, object]:
        found: dict[str, object] = msgspec.json.decode(self.ctx.events[-1].data)
        return found

    def asked(self) -> list[int]:
        return [sent.to for sent in self.link.sent]

    def _answer(self, packet_id: int) -> None:
        number = self.link.sent[-1].to
        if number in self.answering:
            decoded = {"portnum": "TRACEROUTE_APP", "requestId": packet_id, "traceroute": {}}
            self.sender.heard(Received({"from": number, "to": OWN, "decoded": decoded}, START))


@asynccontextmanager
async def sweeping(limits: Limits | None = None) -> AsyncIterator[Sweeping]:
    radio = Sweeping(limits)
    async with running(radio.sender, radio.timing):
        task = asyncio.create_task(radio.commands.sweeps.run(), name="sweeps")
        try:
            yield radio
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_every_node_heard_lately_by_radio_is_asked_one_after_the_other() -> None:
    async with sweeping() as radio:
        reply = await radio.ask()
        assert (reply["total"], reply["at_least_seconds"]) == (3, 93)
        await radio.timing.until(lambda: len(radio.steps()) == 5)
        assert radio.steps() == [
            ("started", ""),
            ("reached", "!c0000001"),
            ("reached", "!b0000001"),
            ("reached", "!d0000001"),
            ("finished", ""),
        ]
        assert radio.last() == {"id": reply["id"], "step": "finished", "total": 3, "done": 3, "reached": 3}
        assert {sent.port for sent in radio.link.sent} == {Port.TRACEROUTE_APP}
        assert all(after.at - before.at >= 31 for before, after in pairwise(radio.link.sent))
        assert {event.owner for event in radio.ctx.events} == {HOUSE}


async def test_a_sweep_keeps_out_of_the_queue_on_disk_and_out_of_the_news_of_sending() -> None:
    async with sweeping() as radio:
        await radio.ask()
        await radio.timing.turn(10)
        assert radio.ctx.kept == {}
        assert all(event.type == "meshtastic.sweep" for event in radio.ctx.events)


async def test_what_a_sweep_tells_names_what_led_to_it_and_so_do_its_packets() -> None:
    async with sweeping() as radio:
        asked = command("sweep", {}, owner=HOUSE, hops=2, causation="heard", traceparent="00-1")
        await radio.commands.carry_out(asked)
        await radio.timing.turn(1)
        told = {(event.causationid, event.hops, event.traceparent) for event in radio.ctx.events}
        assert told == {("heard", 2, "00-1")}
        traced = radio.sender.answered_by(radio.link.sent[0].packet_id, CAROLS)
        assert traced is not None
        assert (traced.cause, traced.hops, traced.traceparent) == ("heard", 2, "00-1")
        await radio.commands.carry_out(command("sweep", {"stop": True}, owner=HOUSE))
    async with sweeping() as radio:
        reply = await radio.ask()
        await radio.timing.turn(1)
        assert {(event.causationid, event.hops) for event in radio.ctx.events} == {(reply["id"], 0)}


async def test_a_node_that_does_not_answer_is_missed_and_the_next_one_comes_later() -> None:
    async with sweeping() as radio:
        radio.answering = {FAR}
        await radio.ask()
        await radio.timing.until(lambda: ("finished", "") in radio.steps())
        assert radio.steps()[1:4] == [("missed", "!c0000001"), ("missed", "!b0000001"), ("reached", "!d0000001")]
        first, second, third = (sent.at for sent in radio.link.sent)
        assert second - first == pytest.approx(60 + 62)
        assert third - second == pytest.approx(60 + 124)
        assert "no answer came" in str(msgspec.json.decode(radio.ctx.events[1].data)["reason"])


async def test_a_sweep_that_nobody_answers_is_given_up() -> None:
    async with sweeping(Limits(sweep_failures=2)) as radio:
        radio.answering = set()
        await radio.ask()
        await radio.timing.until(lambda: radio.steps()[-1][0] == "given_up")
        assert radio.last()["reason"] == "2 nodes in a row did not answer"
        assert len(radio.link.sent) == 2


async def test_a_sweep_pauses_while_the_channel_is_busy() -> None:
    async with sweeping() as radio:
        radio.sender.heard(measured(channelUtilization=26))
        await radio.ask()
        await radio.timing.turn(100)
        assert radio.steps() == [("started", ""), ("paused", "")]
        assert "26 %" in str(radio.last()["reason"])
        assert radio.link.sent == []
        radio.sender.heard(measured(channelUtilization=20))
        await radio.timing.turn(20)
        assert radio.steps()[2:] == [("resumed", ""), ("reached", "!c0000001")]


async def test_a_sweep_is_stopped_by_whoever_started_it_between_two_nodes() -> None:
    async with sweeping() as radio:
        started = await radio.ask()
        await radio.timing.turn(5)
        assert await radio.ask(stop=True) == {"id": started["id"], "done": 1, "total": 3}
        await radio.timing.turn(100)
        assert radio.steps()[-1] == ("stopped", "")
        assert radio.last()["reason"] == "stopped by _house"
        assert len(radio.link.sent) == 1
        assert (await radio.ask())["total"] == 3


async def test_a_sweep_is_stopped_while_it_waits_for_an_answer() -> None:
    async with sweeping() as radio:
        radio.answering = set()
        await radio.ask()
        await radio.timing.turn(5)
        await radio.ask(stop=True)
        await radio.timing.settle()
        assert radio.steps()[-1] == ("stopped", "")


async def test_a_sweep_is_stopped_while_it_pauses_and_while_its_question_waits_for_its_turn() -> None:
    async with sweeping() as radio:
        radio.sender.heard(measured(channelUtilization=90))
        await radio.ask()
        await radio.timing.turn(5)
        await radio.ask(stop=True)
        await radio.timing.turn(20)
        assert radio.steps() == [("started", ""), ("paused", ""), ("stopped", "")]
        radio.sender.heard(measured(channelUtilization=0))
        radio.sender._link_of = lambda: None
        await radio.ask()
        await radio.timing.turn(5)
        await radio.ask(stop=True)
        radio.sender._link_of = lambda: radio.link
        await radio.timing.turn(50)
        assert radio.link.sent == []


async def test_one_sweep_at_a_time() -> None:
    async with sweeping() as radio:
        await radio.ask()
        with pytest.raises(RefusedError, match="under way") as caught:
            await radio.ask(owner="bob")
        assert caught.value.code == "busy"


async def test_an_owner_of_a_shared_radio_sweeps_their_own_nodes_and_stops_only_their_own_sweep() -> None:
    async with sweeping() as radio:
        await radio.ask(owner="bob")
        with pytest.raises(RefusedError) as caught:
            await radio.ask(owner="alice", stop=True)
        assert caught.value.code == "not_allowed"
        await radio.timing.turn(5)
        assert radio.asked() == [BOBS]
        assert {event.owner for event in radio.ctx.events} == {"bob"}


async def test_the_owner_of_the_radio_stops_every_sweep() -> None:
    async with sweeping() as radio:
        await radio.ask(owner="bob")
        await radio.ask(stop=True)
        await radio.timing.settle()
        assert radio.steps()[-1] == ("stopped", "")


@pytest.mark.parametrize("data", [{"stop": True}, {"hours": 0.001}])
async def test_where_there_is_nothing_to_do_that_is_said(data: dict[str, object]) -> None:
    async with sweeping() as radio:
        with pytest.raises(RefusedError) as caught:
            await radio.ask(**data)
        assert caught.value.code == "nothing_to_do"


async def test_a_sweep_ends_with_the_connection() -> None:
    async with sweeping() as radio:
        await radio.ask()
        await radio.timing.turn(5)
    assert radio.steps()[-1] == ("stopped", "")
    assert radio.last()["reason"] == "the connection to the radio ended"


async def test_a_sweep_takes_its_hop_limit_along() -> None:
    async with sweeping() as radio:
        await radio.ask(hop_limit=2)
        await radio.timing.settle()
        assert radio.link.sent[0].arguments["hop_limit"] == 2
        assert radio.link.sent[0].arguments["want_response"] is True
