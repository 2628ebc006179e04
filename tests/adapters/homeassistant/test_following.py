"""Following a Home Assistant that behaves: what happens arrives under its owner, once and in order."""

import msgspec

from jitney.topics import HOUSE
from tests.adapters.homeassistant.following import (
    adapter_for,
    attempt,
    changes,
    context,
    expected,
    online,
    published,
    told,
)
from tests.fakes.homeassistant import FakeHomeAssistant


async def test_the_first_snapshot_publishes_every_state_and_tells_no_event() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home_states = expected(home)
        assert {entity_id: state for entity_id, (_, state) in published(ctx).items()} == home_states
        assert ctx.events == []
        assert ctx.kept_states == [frozenset(ctx.states)]


async def test_a_change_becomes_an_event_and_a_state() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off", attributes={"brightness": None})
        async with online(adapter_for(home), ctx := context()):
            home.set_state("light.hall", "on", attributes={"brightness": 200, "friendly_name": "Diele"})
            (event,) = await ctx.until_events(1)
            state = home.states["light.hall"]
            assert (event.type, event.subject, event.owner) == ("homeassistant.state_changed", "light.hall", HOUSE)
            assert event.source == "/home"
            assert event.time == state.last_updated
            assert told(event) == {
                "entity_id": "light.hall",
                "state": "on",
                "old_state": "off",
                "attributes": {"brightness": 200, "friendly_name": "Diele"},
                "last_changed": state.last_changed,
                "last_updated": state.last_updated,
            }
            retained = ctx.states[HOUSE, "light.hall"].data
            assert retained is not None
            assert msgspec.json.decode(retained) == {
                "state": "on",
                "attributes": {"brightness": 200, "friendly_name": "Diele"},
                "last_changed": state.last_changed,
                "last_updated": state.last_updated,
            }


async def test_a_burst_of_changes_arrives_whole_in_order_and_in_few_batches() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        for number in range(3000):
            home.set_state("sensor.counter", str(number))
        events = await ctx.until_events(3000)
        assert [told(event)["state"] for event in events] == [str(number) for number in range(3000)]
        assert len({event.id for event in events}) == 3000
        assert len(ctx.batches) < 300


async def test_a_home_that_is_too_old_for_coalesced_frames_is_followed_too() -> None:
    async with FakeHomeAssistant() as home:
        home.forget_command("supported_features")
        async with online(adapter_for(home), ctx := context()):
            for number in range(100):
                home.set_state("sensor.counter", str(number))
            events = await ctx.until_events(100)
            assert [told(event)["state"] for event in events] == [str(number) for number in range(100)]


async def test_a_removed_entity_is_told_as_null_and_its_state_is_taken_back() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("sensor.rain", "1")
        async with online(adapter_for(home), ctx := context()):
            home.remove("sensor.rain")
            await ctx.until_events(1)
            assert changes(ctx) == [("sensor.rain", "1", None)]
            assert (HOUSE, "sensor.rain") in ctx.removed
            assert "sensor.rain" not in published(ctx)


async def test_a_change_of_attributes_alone_is_told() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "on", attributes={"brightness": 1})
        async with online(adapter_for(home), ctx := context()):
            home.set_state("light.hall", "on", attributes={"brightness": 2})
            (event,) = await ctx.until_events(1)
            assert told(event)["old_state"] == "on"
            assert told(event)["attributes"] == {"brightness": 2}


async def test_what_happens_between_the_subscription_and_the_snapshot_is_told_once() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        home.pause_results("get_states")
        async with attempt(adapter_for(home), ctx := context()):
            await home.received("get_states")
            home.set_state("light.hall", "on")
            home.resume_results()
            await ctx.until_online()
            home.set_state("light.hall", "off")
            await ctx.until_events(2)
            assert changes(ctx) == [("light.hall", "off", "on"), ("light.hall", "on", "off")]
            assert published(ctx)["light.hall"] == (HOUSE, "off")


async def test_other_events_are_told_with_their_data() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        fired = home.fire("zha_event", {"command": "toggle", "args": [1, {"deep": None}]})
        (event,) = await ctx.until_events(1)
        assert (event.type, event.subject) == ("homeassistant.event", "zha_event")
        assert event.id.startswith(fired.id)
        assert told(event) == {"event_type": "zha_event", "data": {"command": "toggle", "args": [1, {"deep": None}]}}


async def test_the_inner_life_of_home_assistant_is_not_told() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.fire("service_registered", {"domain": "light", "service": "blink"})
        home.fire("component_loaded", {"component": "light"})
        home.fire("doorbell", {})
        (event,) = await ctx.until_events(1)
        assert event.subject == "doorbell"


async def test_a_stop_is_told_when_home_assistant_says_so() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.fire("homeassistant_stop", {})
        (event,) = await ctx.until_events(1)
        assert event.type == "homeassistant.stopped"


async def test_only_listed_event_types_are_subscribed_to() -> None:
    async with FakeHomeAssistant() as home:
        adapter = adapter_for(home, event_types=("doorbell", "state_changed"))
        async with online(adapter, ctx := context()):
            home.fire("zha_event", {})
            home.fire("doorbell", {})
            (event,) = await ctx.until_events(1)
            assert event.subject == "doorbell"
            assert set(home.connections[0].subscribed()) == {
                "state_changed",
                "doorbell",
                "call_service",
                "homeassistant_stop",
            }


async def test_states_alone_are_published_where_events_are_not_wanted() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter_for(home, events=False, event_types=()), ctx := context()):
            home.set_state("light.hall", "on")
            await ctx.until(lambda: published(ctx)["light.hall"] == (HOUSE, "on"))
            assert ctx.events == []


async def test_events_alone_are_told_where_states_are_not_wanted() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home, states=False), ctx := context()):
        home.set_state("light.hall", "on")
        await ctx.until_events(1)
        assert ctx.states == {}
        assert ctx.kept_states == [frozenset()]


async def test_a_token_that_is_no_administrators_follows_states_and_says_so_once() -> None:
    async with FakeHomeAssistant() as home:
        adapter, ctx = adapter_for(home, token=home.users["Alice"].token), context()
        async with online(adapter, ctx):
            assert home.connections[0].subscribed() == ["state_changed"]
        async with online(adapter, ctx):
            home.fire("doorbell", {})
            home.set_state("light.hall", "on")
            await ctx.until_events(1)
            assert changes(ctx) == [("light.hall", None, "on")]
        assert [line["event"] for line in ctx.warnings()] == [
            "the token is not an administrator's: nothing but state changes is seen"
        ]


async def test_entities_that_are_filtered_out_have_neither_state_nor_events() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        home.set_state("light.secret", "off")
        home.set_state("sensor.rain", "0")
        adapter = adapter_for(
            home, include={"domains": ("light",)}, exclude={"entities": ("*.secret*",)}, event_types=("alarm",)
        )
        async with online(adapter, ctx := context()):
            assert set(published(ctx)) == {"light.hall"}
            home.set_state("light.secret", "on")
            home.set_state("sensor.rain", "1")
            home.fire("alarm", {"entity_id": "light.secret"})
            home.set_state("light.hall", "on")
            await ctx.until_events(1)
            assert changes(ctx) == [("light.hall", "off", "on")]
