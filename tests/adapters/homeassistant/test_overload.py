"""More than can be taken: bounded memory, nobody held up, and the newest of everything in the end."""

import asyncio

import pytest

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.homeassistant import backlog
from jitney.topics import HOUSE
from tests.adapters.homeassistant.following import (
    adapter_for,
    changes,
    command,
    context,
    ended,
    expected,
    online,
    published,
    told,
)
from tests.fakes.homeassistant import FakeHomeAssistant

PAD = "x" * 1000


async def test_a_bus_that_takes_nothing_for_a_moment_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_BYTES", 100_000)
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        ctx.gate.clear()
        for number in range(1000):
            home.set_state("sensor.counter", str(number), attributes={"pad": PAD})
        await home.drained()
        ctx.gate.set()
        events = await ctx.until_events(1000)
        assert [told(event)["state"] for event in events] == [str(number) for number in range(1000)]
        assert ctx.counts["shed"] == 0


async def test_a_bus_that_is_stuck_gets_the_newest_of_everything_and_the_number_of_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "MOST_BYTES", 100_000)
    monkeypatch.setattr(backlog, "PATIENCE", 0.05)
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        ctx.gate.clear()
        for number in range(3000):
            home.set_state(f"sensor.counter_{number % 3}", str(number), attributes={"pad": PAD})
            await asyncio.sleep(0)
        home.set_state("light.last", "on")
        await ctx.until(lambda: ctx.counts["shed"] > 2000)
        ctx.gate.set()
        await ctx.until(lambda: ("light.last", None, "on") in changes(ctx))
        left_out = sum(told(event).get("skipped", 0) for event in ctx.events)
        assert left_out + len(ctx.events) == 3001
        assert left_out == ctx.counts["shed"]
        for which in range(3):
            mine = [change for change in changes(ctx) if change[0] == f"sensor.counter_{which}"]
            assert mine[-1][2] == str(2997 + which)
            assert [new for _, _, new in mine[:-1]] == [old for _, old, _ in mine[1:]]
        assert {key: state for key, (_, state) in published(ctx).items()} == expected(home)


async def test_a_result_arrives_while_the_bus_is_stuck() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), ctx := context()):
            ctx.gate.clear()
            home.set_state("sensor.first", "1")
            asked = {"service": "light.turn_on", "target": {"entity_id": "light.hall"}}
            async with asyncio.timeout(5):
                assert (await adapter.command(command("call_service", asked))).status == "ok"


async def test_more_newest_states_than_fit_begin_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_BYTES", 100_000)
    monkeypatch.setattr(backlog, "MOST_SHED_BYTES", 200_000)
    monkeypatch.setattr(backlog, "PATIENCE", 0.0)
    async with FakeHomeAssistant() as home:
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx) as task:
            ctx.gate.clear()
            for number in range(1000):
                home.set_state(f"sensor.s{number}", "1", attributes={"pad": PAD})
                await home.drained()
            with pytest.raises(DisconnectedError, match="more than can be taken"):
                await ended(task)
        ctx.gate.set()
        async with online(adapter, ctx):
            assert {key: state for key, (_, state) in published(ctx).items()} == expected(home)


async def test_events_that_the_bus_refuses_cost_no_other_owner_anything() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        ctx.refuses.add("alice")
        for number in range(10):
            home.set_state("device_tracker.alice_phone", str(number))
            home.set_state("device_tracker.bob_phone", str(number))
        events = await ctx.until_events(10)
        assert {event.owner for event in events} == {"bob"}
        assert [told(event)["state"] for event in events] == [str(number) for number in range(10)]
        assert ctx.counts["refused"] == 10
        assert len(ctx.warnings()) <= 2


async def test_a_frame_of_twenty_megabytes_is_taken() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.set_state("sensor.big", "1", attributes={"pad": "x" * (20 << 20)})
        home.set_state("light.hall", "on")
        await ctx.until_events(2)
        assert published(ctx)["light.hall"] == (HOUSE, "on")
