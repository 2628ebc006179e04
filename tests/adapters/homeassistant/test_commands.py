"""What owners ask of Home Assistant, and that the bus knows its own echo."""

import asyncio
import time

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.adapters.homeassistant import HomeAssistant
from jitney.topics import Event, Reply
from tests.adapters.homeassistant.following import adapter_for, attempt, command, context, online, told
from tests.fakes.homeassistant import FakeHomeAssistant, ServiceCall, ServiceError

FIRE = b'{"event_type":"ride"}'
TURN_ON = {"domain": "light", "service": "turn_on", "target": {"entity_id": "light.hall"}}


def data(reply: Reply) -> object:
    assert reply.status == "ok"
    return msgspec.json.decode(reply.data)


async def refused(adapter: HomeAssistant, name: str, asked: object = None, *, deadline: float = 0.0) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await adapter.command(command(name, asked, deadline=deadline))
    return caught.value


async def test_a_service_is_called_and_its_context_given() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), context()):
            reply = await adapter.command(command("call_service", TURN_ON))
            assert data(reply) == {"context": home.states["light.hall"].context.id}
            assert home.states["light.hall"].state == "on"


@pytest.mark.parametrize(
    "asked",
    [
        {"service": "light.turn_on", "data": {"entity_id": "light.hall"}},
        {"domain": "light", "service": "turn_on", "service_data": {"entity_id": ["light.hall"]}},
    ],
)
async def test_a_service_may_be_named_in_more_than_one_way(asked: object) -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), context()):
            await adapter.command(command("call_service", asked))
            assert home.states["light.hall"].state == "on"


async def test_the_response_of_a_service_is_in_the_reply() -> None:
    async def forecast(_: ServiceCall) -> dict[str, object]:
        return {"rain": [1, 2.5]}

    async with FakeHomeAssistant() as home:
        home.services.add("weather", "get_forecasts", forecast, response="only")
        async with online(adapter := adapter_for(home), context()):
            asked = {"service": "weather.get_forecasts", "return_response": True}
            reply = data(await adapter.command(command("call_service", asked)))
            assert isinstance(reply, dict)
            assert reply["response"] == {"rain": [1, 2.5]}


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"service": "light.explode"}, "not_found", "light.explode not found"),
        ({"service": "light.turn_on"}, "invalid", "must contain at least one of"),
        (
            {"service": "light.turn_on", "return_response": True, "target": {"entity_id": "light.x"}},
            "invalid",
            "respon",
        ),
        ({"service": "turn_on"}, "invalid", "give the domain"),
        ({"service": "light.turn_on", "data": {}, "service_data": {}}, "invalid", "give one of them"),
        ({"service": 5}, "invalid", "data of call_service: Expected `str`, got `int`"),
        ({"service": "light.turn_on", "entity": "light.x"}, "invalid", "unknown field `entity`"),
        ({}, "invalid", "missing required field `service`"),
    ],
)
async def test_a_call_that_cannot_be_done_says_why(asked: object, code: str, says: str) -> None:
    async with FakeHomeAssistant() as home, online(adapter := adapter_for(home), context()):
        error = await refused(adapter, "call_service", asked)
        assert error.code == code
        assert says in str(error)


async def test_a_service_that_fails_says_why() -> None:
    async def fail(_: ServiceCall) -> None:
        code = "home_assistant_error"
        raise ServiceError(code, "the lamp is broken")

    async with FakeHomeAssistant() as home:
        home.services.add("lamp", "fix", fail)
        async with online(adapter := adapter_for(home), context()):
            error = await refused(adapter, "call_service", {"service": "lamp.fix"})
            assert (error.code, str(error)) == ("failed", "the lamp is broken")


async def test_a_long_call_holds_nothing_up() -> None:
    done = asyncio.Event()

    async def slow(_: ServiceCall) -> None:
        await done.wait()

    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        home.services.add("robot", "clean", slow)
        async with online(adapter := adapter_for(home), ctx := context()):
            long = asyncio.create_task(adapter.command(command("call_service", {"service": "robot.clean"})))
            await home.called("robot", "clean")
            await adapter.command(command("call_service", TURN_ON))
            await ctx.until(lambda: any(event.subject == "light.hall" for event in ctx.events))
            done.set()
            assert (await long).status == "ok"


async def test_many_calls_at_once_are_each_answered() -> None:
    async with FakeHomeAssistant() as home, online(adapter := adapter_for(home), context()):
        for number in range(50):
            home.set_state(f"light.l{number}", "off")
        calls = [
            adapter.command(command("call_service", {"service": "light.turn_on", "target": {"entity_id": entity_id}}))
            for entity_id in home.states
            if entity_id.startswith("light.")
        ]
        contexts = [data(reply) for reply in await asyncio.gather(*calls)]
        assert len(contexts) == 50
        assert {home.states[f"light.l{number}"].state for number in range(50)} == {"on"}


async def test_a_call_that_takes_too_long_says_that_it_may_still_run() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), context()) as task:
            home.pause_results("call_service")
            error = await refused(adapter, "call_service", TURN_ON, deadline=time.time() + 0.2)
            assert error.code == "timeout"
            assert "may still be under way" in str(error)
            assert not task.done()


async def test_a_connection_that_is_lost_under_a_call_leaves_open_whether_it_was_done() -> None:
    async with FakeHomeAssistant() as home, online(adapter := adapter_for(home), context()):
        home.pause_results("call_service")
        call = asyncio.create_task(refused(adapter, "call_service", {"service": "light.toggle", "target": {}}))
        await home.received("call_service")
        home.kill()
        error = await call
        assert error.code == "disconnected"
        assert "not known" in str(error)


async def test_an_event_is_fired() -> None:
    async with FakeHomeAssistant() as home, online(adapter := adapter_for(home), ctx := context()):
        reply = data(await adapter.command(command("fire_event", {"event_type": "ride", "data": {"km": 20}})))
        (event,) = await ctx.until_events(1)
        assert told(event) == {"event_type": "ride", "data": {"km": 20}, "own": True}
        assert isinstance(reply, dict)
        assert event.id.startswith(reply["context"])


async def test_what_a_token_may_not_do_is_said() -> None:
    async with FakeHomeAssistant(allow=["sent fire_event as Alice, who is no admin"]) as home:
        adapter = adapter_for(home, token=home.users["Alice"].token)
        async with online(adapter, context()):
            assert (await refused(adapter, "fire_event", {"event_type": "ride"})).code == "not_allowed"


async def test_states_are_read_as_far_as_they_are_the_owners_or_the_houses() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.alice_bed", "on", attributes={"brightness": 3})
        async with online(adapter := adapter_for(home), context()):
            reply = data(await adapter.command(command("get_states")))
            assert isinstance(reply, dict)
            seen = {state["entity_id"] for state in reply["states"]}
            assert {"light.alice_bed", "person.alice", "zone.home"} <= seen
            assert "person.bob" not in seen
            one = data(await adapter.command(command("get_states", {"entity_id": "light.alice_bed"})))
            state = home.states["light.alice_bed"]
            assert one == {
                "states": [
                    {
                        "entity_id": "light.alice_bed",
                        "state": "on",
                        "attributes": {"brightness": 3},
                        "last_changed": state.last_changed,
                        "last_updated": state.last_updated,
                    }
                ]
            }
            for foreign in ("person.bob", "light.nowhere"):
                assert (await refused(adapter, "get_states", {"entity_id": foreign})).code == "not_found"


async def test_a_command_that_does_not_exist_names_those_that_do() -> None:
    async with FakeHomeAssistant() as home, online(adapter := adapter_for(home), context()):
        error = await refused(adapter, "explode")
        assert error.code == "unknown_command"
        assert "call_service, fire_event and get_states" in str(error)


async def test_without_a_connection_nothing_is_commanded() -> None:
    async with FakeHomeAssistant() as home:
        adapter = adapter_for(home)
        assert (await refused(adapter, "get_states")).code == "disconnected"
        home.pause_results("get_states")
        async with attempt(adapter, context()):
            await home.received("get_states")
            assert (await refused(adapter, "get_states")).code == "disconnected"


def by_subject(events: list[Event]) -> dict[object, Event]:
    return {event.subject: event for event in events}


async def test_an_own_echo_is_recognised_although_it_comes_before_the_result() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        home.pause_results("call_service")
        async with online(adapter := adapter_for(home), ctx := context()):
            asked = command("call_service", TURN_ON, owner="bob")
            call = asyncio.create_task(adapter.command(asked))
            events = by_subject(await ctx.until_events(2))
            home.resume_results()
            await call
            for subject in ("light.turn_on", "light.hall"):
                event = events[subject]
                assert (event.owner, event.actor, event.causationid) == ("bob", "bob", asked.id)
                assert told(event)["own"] is True


async def test_what_follows_from_an_own_call_names_it_but_is_no_echo() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), ctx := context()):
            asked = command("call_service", TURN_ON)
            await adapter.command(asked)
            home.set_state("fan.hall", "on", parent=home.states["light.hall"].context)
            events = by_subject(await ctx.until_events(3))
            assert events["fan.hall"].causationid == asked.id
            assert events["fan.hall"].actor == "alice"
            assert "own" not in told(events["fan.hall"])


async def test_what_a_command_causes_carries_its_hops_and_the_event_that_led_to_it() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter := adapter_for(home), ctx := context()):
            asked = msgspec.structs.replace(command("call_service", TURN_ON), hops=3, causation="a ride")
            await adapter.command(asked)
            home.set_state("fan.hall", "on", parent=home.states["light.hall"].context)
            events = by_subject(await ctx.until_events(3))
            of_all = {(event.hops, event.causationid, event.correlationid) for event in events.values()}
            assert of_all == {(3, "a ride", asked.id)}
            await adapter.command(msgspec.structs.replace(asked, name="fire_event", data=msgspec.Raw(FIRE), hops=4))
            assert [(event.hops, event.causationid) for event in (await ctx.until_events(4))[3:]] == [(4, "a ride")]


async def test_without_the_events_of_calls_the_only_open_call_is_taken_for_the_cause() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        adapter = adapter_for(home, token=home.users["Bob"].token)
        async with online(adapter, ctx := context()):
            asked = command("call_service", TURN_ON, owner="alice")
            await adapter.command(asked)
            (event,) = await ctx.until_events(1)
            assert (event.owner, event.actor, event.causationid) == ("alice", "alice", asked.id)


async def test_what_others_do_is_no_echo() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter_for(home), ctx := context()):
            home.set_state("light.hall", "on", user="Alice")
            (event,) = await ctx.until_events(1)
            assert "own" not in told(event)
