"""What happens while nobody looks: over a lost connection and a restart of Home Assistant nothing stays unknown."""

import pytest

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.homeassistant import house, session
from jitney.topics import HOUSE
from tests.adapters.homeassistant.following import (
    adapter_for,
    attempt,
    changes,
    context,
    ended,
    expected,
    online,
    published,
    told,
)
from tests.fakes.homeassistant import FakeHomeAssistant


async def test_changes_that_were_missed_are_told_as_such_oldest_first() -> None:
    async with FakeHomeAssistant() as home:
        for entity_id in ("light.a", "light.b", "light.gone", "light.same"):
            home.set_state(entity_id, "off")
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx):
            pass
        home.set_state("light.b", "on")
        home.set_state("light.a", "on")
        home.set_state("light.new", "on")
        home.remove("light.gone")
        async with online(adapter, ctx):
            assert changes(ctx) == [
                ("light.b", "off", "on"),
                ("light.a", "off", "on"),
                ("light.new", None, "on"),
                ("light.gone", "off", None),
            ]
            assert all(told(event)["missed"] for event in ctx.events)
            assert {key: state for key, (_, state) in published(ctx).items()} == expected(home)


async def test_a_change_has_the_same_id_whether_it_is_seen_or_missed() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "off", attributes={"friendly_name": "Ä"})
        late, ctx = adapter_for(home), context()
        async with online(late, ctx):
            pass
        async with online(adapter_for(home), seen := context()):
            home.set_state("light.a", "on", user="Alice")
            await seen.until_events(1)
        async with online(late, ctx):
            assert [event.id for event in ctx.events] == [event.id for event in seen.events]
            assert [event.time for event in ctx.events] == [event.time for event in seen.events]
            assert [event.actor for event in ctx.events] == ["alice"]


async def test_attributes_that_changed_meanwhile_are_told() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "on", attributes={"brightness": 1})
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx):
            pass
        home.set_state("light.a", "on", attributes={"brightness": 2})
        async with online(adapter, ctx):
            (event,) = ctx.events
            assert told(event)["attributes"] == {"brightness": 2}


async def test_a_connection_that_is_lost_and_found_again_tells_nothing_twice() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "off")
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx) as task:
            home.set_state("light.a", "on")
            await ctx.until_events(1)
            home.kill()
            with pytest.raises(DisconnectedError):
                await ended(task)
        async with online(adapter, ctx):
            assert changes(ctx) == [("light.a", "off", "on")]


async def test_a_restart_is_waited_for_and_its_noise_is_no_event() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "on", attributes={"brightness": 5})
        home.set_state("light.b", "on")
        home.set_state("sensor.rain", "1")
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx) as task:
            await home.stop()
            with pytest.raises(DisconnectedError):
                await ended(task)
        await home.start(missing=["sensor.rain"], unavailable=["light.a", "light.b"])
        async with attempt(adapter, ctx):
            await ctx.until(lambda: ctx.status == "degraded")
            assert ctx.statuses[-1] == ("degraded", "Home Assistant is not running")
            home.settle(late=["light.b"])
            await ctx.until_online(2)
            home.set_state("light.a", "off", user="Alice")
            await ctx.until(lambda: len(changes(ctx)) == 1)
            assert changes(ctx) == [("light.a", "on", "off")]
            assert [event.type for event in ctx.events] == ["homeassistant.started", "homeassistant.state_changed"]
            assert {key: state for key, (_, state) in published(ctx).items()} == expected(home)


async def test_what_changed_over_a_restart_is_told_when_it_comes_back_and_nothing_else_is() -> None:
    async with FakeHomeAssistant() as home:
        for entity_id in ("light.a", "light.b", "light.same"):
            home.set_state(entity_id, "on")
        home.set_state("light.dimmed", "on", attributes={"brightness": 1})
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx):
            pass
        await home.restart(missing=[])
        home.set_state("light.a", "unavailable")
        home.set_state("light.same", "unavailable")
        home.set_state("light.b", "off")
        home.set_state("light.dimmed", "on", attributes={"brightness": 2})
        async with online(adapter, ctx):
            await ctx.until_events(1)
            home.set_state("light.same", "on")
            home.set_state("light.a", "off")
            await ctx.until_events(2)
            assert changes(ctx) == [("light.b", "on", "off"), ("light.a", "on", "off")]
            assert all(told(event)["missed"] for event in ctx.events)
            assert {key: state for key, (_, state) in published(ctx).items()} == expected(home)


async def test_an_entity_that_was_seen_to_go_is_not_missed_later() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("sensor.rain", "1")
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx):
            home.remove("sensor.rain")
            await ctx.until_events(1)
        async with online(adapter, ctx):
            assert changes(ctx) == [("sensor.rain", "1", None)]


async def test_what_does_not_come_back_after_a_restart_is_told_when_the_dust_has_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(house, "NOISE", 0.05)
    monkeypatch.setattr(session, "REST", 0.01)
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "on")
        home.set_state("light.b", "on")
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx):
            pass
        await home.restart(missing=["light.b"])
        home.remove("light.b")
        home.set_state("light.a", "unavailable")
        async with online(adapter, ctx):
            assert published(ctx)["light.a"] == (HOUSE, "unavailable")
            assert "light.b" not in published(ctx)
            await ctx.until_events(2)
            assert changes(ctx) == [("light.a", "on", "unavailable"), ("light.b", "on", None)]


async def test_a_home_that_starts_while_the_daemon_does_tells_only_its_start() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.a", "on")
        await home.stop()
        await home.start(missing=[], unavailable=["light.a"])
        async with attempt(adapter_for(home), ctx := context()):
            await ctx.until(lambda: ctx.status == "degraded")
            home.set_state("sensor.boot", "1")
            home.set_state("sensor.boot", "2")
            home.fire("doorbell", {})
            home.settle(late=["light.a"])
            await ctx.until(lambda: published(ctx).get("light.a") == (HOUSE, "on"))
            await ctx.until_events(1)
            assert [event.type for event in ctx.events] == ["homeassistant.started"]
            assert told(ctx.events[0]) == {"version": home.config()["version"]}


async def test_states_of_an_earlier_run_that_are_gone_are_cleared() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        assert ctx.kept_states == [frozenset((owner, key) for key, (owner, _) in published(ctx).items())]
