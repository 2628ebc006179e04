"""The house of the fake Home Assistant: states, events, rights, registries and services."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.homeassistant import FakeHomeAssistant, ServiceCall, ServiceError
from tests.fakes.homeassistant.client import signed_in


async def test_a_change_is_told_with_both_states_and_the_id_last() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.add_entity("light.kitchen", "off", attributes={"friendly_name": "Kitchen"})
        await client.ask("subscribe_events", event_type="state_changed")
        context = ha.set_state("light.kitchen", "on", user="Alice")
        event = await client.event()
        assert list(json.loads(client.frames[-1])) == ["type", "event", "id"]
        assert list(event) == ["event_type", "data", "origin", "time_fired", "context"]
        assert event["context"] == {"id": context.id, "parent_id": None, "user_id": ha.users["Alice"].id}
        assert list(event["data"]) == ["entity_id", "old_state", "new_state"]
        assert (event["data"]["old_state"]["state"], event["data"]["new_state"]["state"]) == ("off", "on")
        assert event["data"]["new_state"]["attributes"] == {"friendly_name": "Kitchen"}


async def test_only_a_new_state_moves_last_changed_and_an_equal_one_is_not_told() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.set_state("sensor.rain", "1", attributes={"unit": "mm"})
        await client.ask("subscribe_events")
        ha.set_state("sensor.rain", "1", attributes={"unit": "mm"})
        ha.set_state("sensor.rain", "1", attributes={"unit": "cm"})
        ha.set_state("sensor.rain", "2")
        attributes, state = await client.event(), await client.event()
        assert attributes["data"]["old_state"]["last_changed"] == attributes["data"]["new_state"]["last_changed"]
        assert attributes["data"]["old_state"]["last_updated"] < attributes["data"]["new_state"]["last_updated"]
        assert state["data"]["old_state"]["last_changed"] < state["data"]["new_state"]["last_changed"]
        assert state["data"]["new_state"]["attributes"] == {"unit": "cm"}


async def test_a_new_entity_has_no_old_state_and_a_removed_one_no_new_state() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="state_changed")
        ha.set_state("sensor.rain", "1")
        ha.remove("sensor.rain")
        assert (await client.event())["data"]["old_state"] is None
        assert (await client.event())["data"]["new_state"] is None
        assert "sensor.rain" not in json.dumps(await client.ask("get_states"))


async def test_what_follows_from_an_action_names_it_as_parent_but_not_its_user() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events")
        action = ha.fire("automation_triggered", {"name": "dusk"}, user="Bob")
        ha.set_state("sensor.rain", "1", parent=action)
        assert (await client.event())["context"]["user_id"] == ha.users["Bob"].id
        assert (await client.event())["context"] | {"id": ""} == {"id": "", "parent_id": action.id, "user_id": None}


async def test_a_subscription_hears_its_type_until_it_is_ended() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        number = (await client.ask("subscribe_events", event_type="ride"))["id"]
        ha.fire("walk")
        ha.fire("ride", {"km": 20})
        assert (await client.event())["data"] == {"km": 20}
        assert (await client.ask("unsubscribe_events", subscription=number))["success"]
        ha.fire("ride")
        assert await client.ask("ping") == {"id": 3, "type": "pong"}


async def test_to_subscribe_twice_or_to_end_what_is_not_subscribed_is_misbehaviour() -> None:
    async with FakeHomeAssistant(allow=["twice", "no subscription"]) as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        await client.ask("subscribe_events", event_type="ride")
        assert await client.code("unsubscribe_events", subscription=99) == "not_found"
        assert len(ha.misbehaviour) == 2


async def test_who_is_no_admin_hears_changes_but_neither_all_events_nor_calls_nor_users() -> None:
    async with FakeHomeAssistant(allow=["no admin"]) as ha, signed_in(ha, ha.users["Alice"].token) as client:
        for kind in ("get_states", "get_config", "person/list", "config/area_registry/list", "auth/current_user"):
            assert (await client.ask(kind))["success"], kind
        assert (await client.ask("subscribe_events", event_type="state_changed"))["success"]
        assert (await client.ask("subscribe_events", event_type="core_config_updated"))["success"]
        assert await client.code("subscribe_events") == "unauthorized"
        assert await client.code("subscribe_events", event_type="call_service") == "unauthorized"
        assert await client.code("fire_event", event_type="x") == "unauthorized"
        assert await client.code("config/auth/list") == "unauthorized"
        assert len(ha.misbehaviour) == 4


async def test_users_and_persons_are_listed_with_what_finds_their_owner() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        users = (await client.ask("config/auth/list"))["result"]
        assert [user["name"] for user in users if user["system_generated"]] == ["Home Assistant Content"]
        persons = (await client.ask("person/list"))["result"]["storage"]
        alice = next(person for person in persons if person["name"] == "Alice")
        assert alice["user_id"] == ha.users["Alice"].id
        assert alice["device_trackers"] == ["device_tracker.alice_phone"]
        assert ha.states["person.alice"].attributes["user_id"] == alice["user_id"]
        me = (await client.ask("auth/current_user"))["result"]
        assert (me["name"], me["is_admin"]) == ("Jitney", True)


async def test_the_registries_tell_where_an_entity_is_and_when_it_moves() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.registries.add_area("alice_room")
        lamp = ha.registries.add_device("Lamp", area="alice_room")
        ha.add_entity("light.lamp", device=lamp)
        ha.add_entity("sensor.rain", "1", area="alice_room")
        await client.ask("subscribe_events", event_type="entity_registry_updated")
        entities = {
            row["ei"]: row
            for row in (await client.ask("config/entity_registry/list_for_display"))["result"]["entities"]
        }
        assert entities["light.lamp"]["di"] == lamp
        assert "ai" not in entities["light.lamp"]
        assert entities["sensor.rain"]["ai"] == "alice_room"
        assert [row["area_id"] for row in (await client.ask("config/device_registry/list"))["result"]] == ["alice_room"]
        assert [row["name"] for row in (await client.ask("config/area_registry/list"))["result"]] == ["Alice Room"]
        ha.registries.move("sensor.rain", None)
        moved = {"action": "update", "entity_id": "sensor.rain", "changes": {"area_id": "alice_room"}}
        assert (await client.event())["data"] == moved


async def test_what_a_call_does_is_told_before_its_result_and_in_its_context() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.set_state("light.kitchen", "off")
        await client.ask("subscribe_events")
        target = {"entity_id": "light.kitchen"}
        await client.say({"id": 2, "type": "call_service", "domain": "light", "service": "toggle", "target": target})
        called, changed, result = await client.event(), await client.event(), await client.next()
        service_data = {"entity_id": ["light.kitchen"]}
        assert called["data"] == {"domain": "light", "service": "toggle", "service_data": service_data}
        assert changed["data"]["new_state"]["state"] == "on"
        assert result["result"] == {"context": called["context"]} == {"context": changed["context"]}
        assert called["context"]["user_id"] == ha.jitney.id


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"domain": "light", "service": "explode"}, "not_found"),
        ({"domain": "light", "service": "turn_on"}, "invalid_format"),
        (
            {"domain": "switch", "service": "turn_on", "service_data": {"entity_id": "switch.a", "x": 1}},
            "invalid_format",
        ),
        ({"domain": "input_number", "service": "set_value", "service_data": {"value": "x"}}, "invalid_format"),
        (
            {"domain": "light", "service": "turn_on", "target": {"entity_id": "light.a"}, "return_response": True},
            "service_validation_error",
        ),
        ({"domain": "weather", "service": "forecast"}, "service_validation_error"),
        ({"domain": "lock", "service": "open"}, "home_assistant_error"),
    ],
)
async def test_a_call_that_cannot_be_carried_out_says_why(call: dict[str, Any], code: str) -> None:
    async def jammed(call: ServiceCall) -> None:
        raise ServiceError("home_assistant_error", f"{call.domain} is jammed")

    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.services.add("weather", "forecast", response="only")
        ha.services.add("lock", "open", jammed)
        assert await client.code("call_service", **call) == code


async def test_a_call_for_an_entity_that_does_not_exist_succeeds() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        target = {"entity_id": "light.nowhere"}
        assert (await client.ask("call_service", domain="light", service="turn_on", target=target))["success"]
        assert (await ha.called("light", "turn_on")).entity_ids() == ["light.nowhere"]


async def test_a_service_with_a_response_answers_when_it_is_done_and_others_are_answered_meanwhile() -> None:
    done = asyncio.Event()

    async def forecast(call: ServiceCall) -> dict[str, Any]:
        await done.wait()
        return {"for": call.data["day"], "rain": 3}

    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.services.add("weather", "forecast", forecast, required={"day": str}, response="optional")
        call = {"domain": "weather", "service": "forecast", "service_data": {"day": "mon"}, "return_response": True}
        await client.say({"id": 1, "type": "call_service", **call})
        await ha.called("weather", "forecast")
        await client.say({"id": 2, "type": "ping"})
        assert await client.next() == {"id": 2, "type": "pong"}
        done.set()
        assert (await client.next())["result"]["response"] == {"for": "mon", "rain": 3}


async def test_a_mistake_in_a_handler_of_the_test_fails_the_test() -> None:
    async def wrong(call: ServiceCall) -> None:
        call.data["no such field"]

    async def call_it() -> None:
        async with FakeHomeAssistant() as ha, signed_in(ha) as client:
            ha.services.add("lock", "open", wrong)
            await client.say({"id": 1, "type": "call_service", "domain": "lock", "service": "open"})
            await client.closed()

    with pytest.raises(AssertionError, match="no such field"):
        await call_it()


async def test_an_event_can_be_fired_by_an_admin() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        await client.say({"id": 2, "type": "fire_event", "event_type": "ride", "event_data": {"km": 2}})
        event, result = await client.event(), await client.next()
        assert event["data"] == {"km": 2}
        assert result["result"] == {"context": event["context"]}


def merge(known: dict[str, Any], event: dict[str, Any]) -> None:
    """Do what a client of ``subscribe_entities`` has to do with an event."""
    known |= event.get("a", {})
    for entity_id in event.get("r", ()):
        del known[entity_id]
    for entity_id, change in event.get("c", {}).items():
        state, plus = known[entity_id], change["+"]
        state["s"] = plus.get("s", state["s"])
        state["a"] = {key: value for key, value in state["a"].items() if key not in change.get("-", {}).get("a", ())}
        state["a"] |= plus.get("a", {})
        context = plus.get("c", state["c"])
        whole = state["c"] if isinstance(state["c"], dict) else {"id": state["c"], "parent_id": None, "user_id": None}
        state["c"] = {**whole, **(context if isinstance(context, dict) else {"id": context})}


words = st.sampled_from(["a", "b", "c"])
changes = st.lists(
    st.tuples(
        st.sampled_from(["light.a", "light.b", "sensor.c"]),
        st.none() | words,
        st.dictionaries(words, st.integers() | words),
        st.sampled_from(["Alice", None]),
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(before=changes, after=changes, coalesce=st.booleans())
async def test_who_merges_the_short_form_knows_every_state(
    before: list[Any], after: list[Any], *, coalesce: bool
) -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha, coalesce=coalesce) as client:

        def apply(steps: list[Any]) -> None:
            for entity_id, state, attributes, user in steps:
                if state is not None:
                    ha.set_state(entity_id, state, attributes=attributes, user=user)
                elif entity_id in ha.states:
                    ha.remove(entity_id, user=user)

        apply(before)
        await client.ask("subscribe_entities")
        apply(after)
        known: dict[str, Any] = {}
        number = await client.ping()
        while (message := await client.next()) != {"id": number, "type": "pong"}:
            merge(known, message["event"])
        assert {key: (value["s"], value["a"]) for key, value in known.items()} == {
            key: (state.state, state.attributes) for key, state in ha.states.items()
        }
        for key, state in ha.states.items():
            context = known[key]["c"]
            assert (context["id"] if isinstance(context, dict) else context) == state.context.id
            assert (context["user_id"] if isinstance(context, dict) else None) == state.context.user_id


async def test_the_short_form_of_some_entities_tells_of_no_others() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.set_state("light.a", "on")
        await client.ask("subscribe_entities", entity_ids=["light.a", "light.none"])
        assert list((await client.event())["a"]) == ["light.a"]
        ha.set_state("light.b", "on")
        ha.remove("light.a")
        assert await client.event() == {"r": ["light.a"]}
