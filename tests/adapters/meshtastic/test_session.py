"""The adapter, from a radio to the bus and back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.base import Owner
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic import Meshtastic, showing
from jitney.adapters.meshtastic.config import Config, Identity
from jitney.topics import Command, Kinds
from tests.adapters.meshtastic.linked import BOB, threads
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic import SECRETS, Radio
from tests.fakes.meshtastic.payloads import ALL_PORTS, NAMES, PORTS, UNDECODABLE, sample
from tests.waiting import until

PROMPT = 2.0


class House:
    """An adapter that runs, with what the bus has seen of it."""

    def __init__(self, radio: Radio, adapter: Meshtastic, ctx: RecordingContext, running: asyncio.Task[None]) -> None:
        self.radio = radio
        self.adapter = adapter
        self.ctx = ctx
        self.running = running

    def kinds(self) -> list[str]:
        return [event.type.removeprefix("meshtastic.") for event in self.ctx.events]

    async def ask(self, name: str, owner: str = "alice", **data: object) -> dict[str, object]:
        command = Command(
            id=f"{name}-{time.monotonic_ns()}",
            owner=owner,
            adapter="base",
            name=name,
            data=Raw(msgspec.json.encode(data)),
            deadline=time.time() + 30,
        )
        reply = await self.adapter.command(command)
        assert reply.status == "ok", reply.error
        return msgspec.json.decode(reply.data)


OWNERS = [
    Owner("alice", "Alice", Identity(nodes=("!a11ce001",))),
    Owner("bob", "Bob", Identity(nodes=("!b0b00001",))),
]
CONTEXT = {"name": "base", "owners": OWNERS, "default_owner": "alice"}


def context(**fields: object) -> RecordingContext:
    return RecordingContext(**{**CONTEXT, **fields})


class Attentive(RecordingContext):
    """A bus that notes what it had been told to show when the adapter said that it is online."""

    def online(self) -> None:
        self.at_online = {owner: [device.key for device in devices] for owner, devices in self.devices.items()}
        super().online()


@asynccontextmanager
async def house(
    *, radio: Radio | None = None, ctx: RecordingContext | None = None, **settings: object
) -> AsyncIterator[House]:
    async with radio or Radio() as it:
        it.node(BOB, long_name="Bob")
        ctx = ctx or context()
        adapter = Meshtastic("base", Config(connection=it.connection, **settings))
        running = asyncio.create_task(adapter.run(ctx), name="adapter")
        try:
            await ctx.until_online()
            yield House(it, adapter, ctx, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_it_tells_that_the_radio_is_there_and_then_everything_that_it_hears_in_order() -> None:
    async with house() as it:
        bob = it.radio.nodes[BOB]
        for number in range(50):
            bob.text(str(number))
        events = await it.ctx.until_events(51)
        assert it.kinds()[:2] == ["radio", "message"]
        found = [msgspec.json.decode(event.data)["text"] for event in events if event.type == "meshtastic.message"]
        assert found == [str(number) for number in range(50)]
        assert {event.owner for event in events} == {"alice"}
        assert {event.source for event in events} == {"/base"}


async def test_every_port_becomes_an_event_of_a_declared_kind() -> None:
    kinds = Kinds(Meshtastic.kinds)
    async with house() as it:
        bob = it.radio.nodes[BOB]
        for port in ALL_PORTS:
            bob.send(port, sample(port))
        bob.encrypted(b"content")
        bob.text("last")
        await it.ctx.until(lambda: any(b'"last"' in bytes(event.data) for event in it.ctx.events))
        for event in it.ctx.events:
            assert kinds.data(event) is not None
            assert b"canary" not in bytes(event.data)


async def test_on_a_shared_radio_a_packet_belongs_to_the_owner_of_its_sender() -> None:
    async with house(ctx=context(default_owner="_house")) as it:
        it.radio.nodes[BOB].text("mine")
        it.radio.node(0xC0000001).text("nobody's")
        await it.ctx.until(lambda: it.kinds().count("message") == 2)
        owners = {msgspec.json.decode(event.data).get("text"): event.owner for event in it.ctx.events}
        assert (owners["mine"], owners["nobody's"]) == ("bob", "_house")


@pytest.mark.parametrize("ending", [Radio.drop, Radio.reset, Radio.announce_reboot])
async def test_it_ends_with_the_connection_and_says_why(ending: object) -> None:
    async with house() as it:
        ending(it.radio)
        done, _ = await asyncio.wait([it.running], timeout=10)
        assert done
        error = it.running.exception()
        assert isinstance(error, DisconnectedError)
        last = msgspec.json.decode(it.ctx.events[-1].data)
        assert (last["state"], last["reason"]) == ("disconnected", str(error))


async def test_it_stops_promptly_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with house() as it:
        it.running.cancel()
        done, _ = await asyncio.wait([it.running], timeout=PROMPT)
        assert done
        assert it.running.cancelled()
    await until(lambda: not threads())
    assert not [task for task in asyncio.all_tasks() - before if "fake" not in task.get_name()]


async def test_it_refuses_commands_and_erasing_while_it_is_not_connected() -> None:
    adapter = Meshtastic("base", Config(connection="tcp://192.0.2.1"))
    with pytest.raises(RefusedError, match="base is not connected to its radio now"):
        await adapter.command(Command(id="1", owner="alice", adapter="base", name="send_text"))
    with pytest.raises(RefusedError, match="base is not connected"):
        await adapter.erase("alice")


async def test_a_text_is_sent_and_its_delivery_is_told() -> None:
    async with house() as it:
        reply = await it.ask("send_text", text="hello", to="!b0b00001", wait="delivered")
        assert reply["state"] == "delivered"
        packet = await it.radio.received(PORTS.TEXT_MESSAGE_APP)
        assert packet.decoded.payload == b"hello"
        states = [msgspec.json.decode(event.data)["state"] for event in it.ctx.events if event.type.endswith("sending")]
        assert states[-1] == "delivered"
        assert not it.radio.violations


async def test_who_is_not_allowed_does_not_restart_the_radio() -> None:
    async with house(allow={"alice": ("reboot",)}) as it:
        with pytest.raises(RefusedError) as refused:
            await it.ask("reboot", owner="bob")
        assert refused.value.code == "not_allowed"
        await it.ask("reboot", seconds=5)
        await it.radio.until(lambda: it.radio.administration.done("reboot_seconds"))
        assert len(it.radio.administration.done("reboot_seconds")) == 1


async def test_the_configuration_is_shown_without_its_secrets() -> None:
    async with house(allow={"alice": "*"}) as it:
        shown = msgspec.json.encode(await it.ask("get_device_config"))
        assert b"EU_868" in shown
        assert b"canary" not in shown
        for value in SECRETS.values():
            assert msgspec.json.encode(value).strip(b'"') not in shown


async def test_names_that_harm_elsewhere_harm_nothing_here() -> None:
    radio = Radio()
    for number, name in enumerate(NAMES):
        radio.node(0xC0000000 + number, long_name=name, short_name=name[:4])
    async with house(radio=radio) as it:
        for number in range(len(NAMES)):
            radio.nodes[0xC0000000 + number].announce()
        await it.ctx.until(lambda: it.kinds().count("node") == len(NAMES))
        await it.ctx.until(lambda: sum(key[1].startswith("node_c00000") for key in it.ctx.states) == len(NAMES))
        assert not [subject for _, subject in it.ctx.states if set("/+#%\x00\n") & set(subject)]


async def test_nodes_are_kept_over_an_attempt() -> None:
    kept: dict[str, bytes] = {}
    async with house(ctx=context(kept=kept)) as it:
        it.radio.node(0xC0000001).text("new here")
        await it.ctx.until(lambda: "node_new" in it.kinds())
    assert "node/c0000001" in kept
    async with house(ctx=context(kept=kept)) as it:
        it.radio.node(0xC0000001).text("not new any more")
        await it.ctx.until(lambda: "message" in it.kinds())
        assert "node_new" not in it.kinds()


async def test_what_is_forgotten_of_an_owner_is_gone() -> None:
    ctx = context(default_owner="_house")
    async with house(ctx=ctx) as it:
        it.radio.nodes[BOB].text("mine")
        await ctx.until(lambda: "message" in it.kinds())
        await ctx.until(lambda: ("bob", "node_b0b00001") in ctx.states)
        await it.adapter.erase("bob")
        assert ("bob", "node_b0b00001") not in ctx.states
        assert "node/b0b00001" not in ctx.kept
        assert (await it.ask("get_packets", owner="bob"))["packets"] == []


async def test_what_an_erased_owner_has_heard_is_not_known_any_more_when_it_is_to_be_answered() -> None:
    async with house(ctx=context(default_owner="_house")) as it:
        packet_id = it.radio.nodes[BOB].text("🤖 ping")
        await it.ctx.until(lambda: "message" in it.kinds())
        with pytest.raises(RefusedError) as refused:
            await it.ask("respond", owner="bob", text="pong", to="!b0b00001", reply_to=packet_id)
        assert refused.value.code == "machine"
        await it.adapter.erase("bob")
        await it.ask("respond", owner="bob", text="pong", to="!b0b00001", reply_to=packet_id)


async def test_what_is_known_at_the_start_is_announced_before_it_says_that_it_is_online() -> None:
    ctx = Attentive(**CONTEXT)
    async with house(ctx=ctx, show=("own", "!b0b00001")) as it:
        assert ctx.at_online == {"alice": ["", "private", "node_b0b00001"]}
        (radio, _, bob) = ctx.devices["alice"]
        assert (radio.name, radio.serial, bob.name) == ("Base", it.radio.own.id, "Bob")
        assert radio.software.startswith("2.")


async def test_a_node_that_is_heard_for_the_first_time_is_announced_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(showing, "EVERY", 0.0)
    async with house() as it:
        it.radio.node(0xC0000001).announce()
        it.radio.node(0xA11CE001, long_name="Alice's").announce()
        await it.ctx.until(lambda: len(it.ctx.devices["alice"]) == 3)
        assert [device.name for device in it.ctx.devices["alice"]] == ["Base", "Base private", "Alice's"]


async def test_a_favourite_is_shown_from_the_next_handshake_on() -> None:
    radio, kept = Radio(), {}
    for favourite, shown in ((False, 2), (True, 3), (False, 2)):
        radio.node(0xC0000001).favourite = favourite
        async with house(radio=radio, ctx=context(kept=kept), show=("favourites",)) as it:
            assert len(it.ctx.devices["alice"]) == shown


async def test_the_last_message_and_what_can_be_counted_become_states() -> None:
    async with house() as it:
        it.radio.nodes[BOB].text("Soup is ready")
        await it.ctx.until(lambda: ("alice", "message") in it.ctx.states)
        state = msgspec.json.decode(it.ctx.states["alice", "message"].data or b"")
        assert (state["text"], state["name"], state["node"]) == ("Soup is ready", "Bob", "!b0b00001")
        assert it.ctx.kept_states[0] >= {("alice", "message"), ("alice", "direct_message"), ("alice", "statistics")}
        await it.ctx.until(lambda: ("alice", "statistics") in it.ctx.states)
        counts = msgspec.json.decode(it.ctx.states["alice", "statistics"].data or b"")
        assert (counts["nodes"], counts["nodes_online"], counts["waiting"]) == (2, 1, 0)


async def test_what_an_erased_owner_was_shown_is_taken_back() -> None:
    ctx = context(default_owner="_house")
    async with house(ctx=ctx) as it:
        assert [device.key for device in ctx.devices["bob"]] == ["node_b0b00001"]
        await it.adapter.erase("bob")
        assert ctx.devices["bob"] == ()
        assert [device.key for device in ctx.devices["_house"]] == ["", "private"]


async def test_the_owner_of_a_radio_who_is_erased_is_still_shown_the_radio_but_no_message() -> None:
    async with house() as it:
        it.radio.nodes[BOB].text("Soup is ready")
        await it.ctx.until(lambda: ("alice", "message") in it.ctx.states)
        await it.adapter.erase("alice")
        assert ("alice", "message") not in it.ctx.states
        assert [device.key for device in it.ctx.devices["alice"]] == ["", "private"]


async def test_since_when_is_counted_is_told_before_anything_is_heard() -> None:
    async with house() as it:
        await it.ctx.until(lambda: ("alice", "statistics") in it.ctx.states)
        state = msgspec.json.decode(it.ctx.states["alice", "statistics"].data or b"")
        assert (state["packets"]["total"], state["since"][:2]) == (0, "20")


async def test_what_could_not_be_decoded_is_counted() -> None:
    async with house() as it:
        it.radio.send_frame(UNDECODABLE)
        it.radio.nodes[BOB].text("after")
        await it.ctx.until(lambda: it.ctx.counts["undecodable"] == 1)


async def test_events_that_the_bus_cannot_keep_cost_their_owner_alone() -> None:
    ctx = context(default_owner="_house")
    async with house(ctx=ctx) as it:
        ctx.refuses.add("bob")
        it.radio.nodes[BOB].text("lost")
        it.radio.node(0xC0000001).text("kept")
        await ctx.until(lambda: "message" in it.kinds())
        await ctx.until(lambda: ctx.counts["refused_by_the_bus"])
        assert not [event for event in ctx.events if event.owner == "bob"]


async def test_a_slow_bus_loses_the_oldest_and_says_how_many() -> None:
    async with house(queue=10) as it:
        await it.ctx.until_events(1)
        it.ctx.gate.clear()
        for number in range(100):
            it.radio.nodes[BOB].text(str(number))
        await until(lambda: it.adapter._session._link.dropped > 0)
        it.ctx.gate.set()
        await it.ctx.until(lambda: it.ctx.counts["dropped"] > 0)
        await it.ctx.until(lambda: b'"99"' in bytes(it.ctx.events[-1].data))
