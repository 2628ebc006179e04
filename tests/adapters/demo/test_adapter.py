import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.base import Owner
from jitney.adapters.demo import Demo, DemoConfig
from jitney.adapters.errors import RefusedError
from jitney.adapters.registry import adapter_type
from jitney.topics import Command, Event, Reply
from tests.fakes.context import RecordingContext


def household(*owners: str) -> RecordingContext:
    return RecordingContext(name="demo", owners=[Owner(owner, owner.title()) for owner in owners])


@asynccontextmanager
async def running(ctx: RecordingContext, *, rate: float = 1000.0, seed: int = 1) -> AsyncIterator[Demo]:
    adapter = Demo("demo", DemoConfig(rate=rate, seed=seed))
    async with asyncio.timeout(10):
        task = asyncio.create_task(adapter.run(ctx), name="demo")
        await ctx.until_online()
        try:
            yield adapter
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def command(name: str, data: object, *, owner: str = "alice") -> Command:
    return Command(id="c1", owner=owner, adapter="demo", name=name, data=Raw(msgspec.json.encode(data)))


def caused(ctx: RecordingContext, by: Command) -> list[Event]:
    return [event for event in ctx.events if event.causationid == by.id]


def test_it_can_be_configured_as_a_type() -> None:
    assert adapter_type("demo") is Demo


@pytest.mark.parametrize("data", [{"rate": 0}, {"rate": 10_000}, {"speed": 3}])
def test_a_configuration_that_makes_no_sense_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, DemoConfig)


class AtOnline(RecordingContext):
    """Remembers which states there were when the adapter came online."""

    states_then: frozenset[tuple[str, str]] = frozenset()

    def online(self) -> None:
        self.states_then = frozenset(self.states)
        super().online()


async def test_the_whole_snapshot_is_there_before_it_is_online() -> None:
    ctx = AtOnline(owners=[Owner("alice", "Alice"), Owner("bob", "Bob")])
    async with running(ctx):
        assert ctx.kept_states == [ctx.states_then]
        assert {owner for owner, _ in ctx.states_then} == {"alice", "bob"}
        assert ctx.removed == []


async def test_every_owner_has_a_life() -> None:
    ctx = household("alice", "bob")
    async with running(ctx):
        events = (await ctx.until_events(60))[:60]
    assert {event.owner for event in events} == {"alice", "bob"}
    assert {event.source for event in events} == {"/demo"}
    assert len({event.id for event in events}) == 60
    assert {event.type for event in events} == {kind.type for kind in Demo.kinds} - {"demo.message_sent"}


async def test_where_nobody_is_configured_the_default_owner_has_one() -> None:
    ctx = household()
    async with running(ctx):
        assert (await ctx.until_events(1))[0].owner == "_house"


async def test_the_same_seed_lets_the_same_events_happen_to_the_same_owners() -> None:
    lives = []
    for _ in range(2):
        ctx = household("alice", "bob")
        async with running(ctx, seed=7):
            events = (await ctx.until_events(50))[:50]
        lives.append([(event.owner, event.subject, bytes(event.data)) for event in events])
    assert lives[0] == lives[1]


async def test_the_rate_is_kept_and_a_slow_one_does_not_hold_up_the_end() -> None:
    ctx = household("alice")
    clock = asyncio.get_running_loop().time
    async with running(ctx, rate=100):
        began = clock()
        await ctx.until_events(11)
        assert clock() - began > 0.09
    ctx = household("alice")
    async with running(ctx, rate=0.001):
        await ctx.until_events(1)
        began = clock()
    assert clock() - began < 1


async def test_a_light_is_switched_and_the_event_tells_whose_command_it_was() -> None:
    ctx = household("alice", "bob")
    async with running(ctx, rate=0.001) as adapter:
        wanted = command("switch", {"subject": "light.desk", "on": True})
        assert await adapter.command(wanted) == Reply.ok({"subject": "light.desk", "on": True})
        (event,) = caused(ctx, wanted)
    assert (event.type, event.subject, event.owner, event.actor) == (
        "demo.state_changed",
        "light.desk",
        "alice",
        "alice",
    )
    assert msgspec.json.decode(event.data)["value"] is True
    assert ctx.states["alice", "light.desk"].data == Raw(b'{"value":true}')


async def test_what_a_command_causes_carries_its_hops_and_the_event_that_led_to_it() -> None:
    ctx = household("alice", "bob")
    async with running(ctx, rate=0.001) as adapter:
        wanted = command("say", {"text": "hello"})
        await adapter.command(msgspec.structs.replace(wanted, hops=3, causation="a ride"))
        caused = [event for event in ctx.events if event.causationid == "a ride"]
        assert [(event.owner, event.hops, event.correlationid) for event in caused] == [
            ("alice", 3, wanted.id),
            ("bob", 3, wanted.id),
        ]


async def test_what_one_owner_says_the_others_hear() -> None:
    ctx = household("alice", "bob")
    async with running(ctx, rate=0.001) as adapter:
        wanted = command("say", {"text": "hello"})
        assert await adapter.command(wanted) == Reply.ok({"heard_by": ["bob"]})
        sent, heard = caused(ctx, wanted)
    assert (sent.type, sent.owner) == ("demo.message_sent", "alice")
    assert (heard.type, heard.owner) == ("demo.message_received", "bob")
    assert msgspec.json.decode(heard.data) == {"text": "hello", "sender": "alice"}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (command("explode", {}), "unknown_command"),
        (command("switch", {"subject": "light.moon", "on": True}), "unknown_subject"),
        (command("switch", {"subject": "light.desk"}), "invalid_data"),
        (command("switch", {"subject": "light.desk", "on": "yes"}), "invalid_data"),
        (command("switch", {"subject": "light.desk", "on": True, "colour": "red"}), "invalid_data"),
        (command("say", {"text": ""}), "invalid_data"),
        (command("say", {"text": "x" * 201}), "invalid_data"),
        (command("say", {"text": "hello"}, owner="carol"), "unknown_owner"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused(wanted: Command, code: str) -> None:
    async with running(household("alice")) as adapter:
        with pytest.raises(RefusedError) as refused:
            await adapter.command(wanted)
    assert refused.value.code == code


async def test_before_it_runs_every_command_is_refused() -> None:
    with pytest.raises(RefusedError, match="no household"):
        await Demo("demo", DemoConfig()).command(command("say", {"text": "hello"}))
