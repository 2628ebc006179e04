"""Loops through Home Assistant and back: they end by themselves, and nobody else notices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from jitney.adapters.demo import Demo, DemoConfig
from jitney.daemon.config.schema import AdapterSettings, Config, HttpSettings, MqttSettings, OwnerSettings
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import MAX_HOPS, Event
from tests.daemon.running import Daemon, Observer, observing, payload, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.mosquitto import Broker
from tests.test_end_to_end import household
from tests.waiting import until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = PARENT[:36]
LAMP = "light.alice_desk"
EVENTS = "jitney/alice/event/home/state_changed"
TOGGLE = {"service": "light.toggle", "target": {"entity_id": LAMP}}


def toggling(name: str, **fields: Any) -> RouteSettings:  # noqa: ANN401
    """Return a route that toggles a lamp whenever it has changed."""
    return msgspec.convert(
        {
            "name": name,
            "owner": "alice",
            "on": "homeassistant.state_changed",
            "when": {"subject": LAMP},
            "do": [{"command": "home.call_service", "data": TOGGLE}],
            **fields,
        },
        RouteSettings,
    )


@asynccontextmanager
async def at_home(
    broker: Broker, state: Path, *routes: RouteSettings
) -> AsyncIterator[tuple[FakeHomeAssistant, Daemon, Observer]]:
    async with FakeHomeAssistant() as home:
        home.set_state(LAMP, "off")
        home.set_state("light.bob_desk", "off")
        settings = replace(household(home, broker), routes=routes)
        async with observing(broker.port) as observer, running(settings, state) as daemon:
            await daemon.connected()
            await until(lambda: daemon.app.parts.runners["home"].context.is_online)
            yield home, daemon, observer


def changes(observer: Observer, topic: str = EVENTS) -> list[Event]:
    return [event for event in observer.events(topic) if event.subject == LAMP]


async def test_a_route_that_toggles_a_lamp_whenever_it_changes_is_stopped_with_an_alert(
    broker: Broker, tmp_path: Path
) -> None:
    seen = {"name": "seen", "do": [{"state": "seen", "data": {"id": "{{ id }}"}}]}
    called = {"name": "called", "do": [{"command": "home.fire_event", "data": {"event_type": "seen"}}]}
    routes = [toggling(**others) for others in ({"name": "loop"}, seen, called)]
    async with at_home(broker, tmp_path, *routes) as (home, daemon, observer):
        home.set_state(LAMP, "on")
        alert = await observer.message("jitney/alice/alert/route.loop")
        assert b"its own events made it fire" in payload(alert)
        assert daemon.app.parts.routes.routing is not None
        executor = daemon.app.parts.routes.routing.executor
        await until(lambda: executor.waiting() == 0)
        await daemon.drained()
        events = changes(observer)
        assert [event.hops for event in events] == list(range(len(events)))
        assert [event.causationid for event in events[1:]] == [event.id for event in events[:-1]]
        assert len(events) <= MAX_HOPS + 1
        assert len(home.services.calls) == len(events) - 1
        assert {str(message.topic) for message in observer.messages if "/alert/" in str(message.topic)} == {
            "jitney/alice/alert/route.loop"
        }
        home.set_state(LAMP, "on" if home.states[LAMP].state == "off" else "off")
        await observer.until(lambda: changes(observer)[-1].hops == 0 and len(changes(observer)) == len(events) + 1)
        await observer.until(
            lambda: changes(observer)[-1].id.encode() in payload(observer.on("jitney/alice/state/route/seen")[-1])
        )
        assert len(home.services.calls) == len(events) - 1


async def test_routes_that_make_each_other_fire_end_at_the_most_hops(broker: Broker, tmp_path: Path) -> None:
    when = {"subject": LAMP}
    routes = [toggling(f"loop {number}", when={**when, "hops": number}) for number in range(MAX_HOPS + 2)]
    async with at_home(broker, tmp_path, *routes) as (home, daemon, observer):
        home.set_state(LAMP, "on")
        await until(lambda: daemon.app.parts.bus._counters.total("actions", owner="alice", reason="loop") == 1)
        await observer.until(lambda: len(changes(observer)) == MAX_HOPS + 1)
        assert [event.hops for event in changes(observer)] == list(range(MAX_HOPS + 1))
        assert len(home.services.calls) == MAX_HOPS
        await daemon.app.parts.store.committed()
        await observer.publish("jitney/_bus/main/request/dead_list", b"{}")
        answer = msgspec.json.decode(payload(await observer.message("jitney/_bus/main/response/dead_list")))
        assert [letter["route"] for letter in answer["data"]["letters"]] == [f"loop {MAX_HOPS}"]


async def test_a_tool_that_answers_each_change_by_a_command_and_counts_the_hops_is_refused_at_the_most(
    broker: Broker, tmp_path: Path
) -> None:
    async with at_home(broker, tmp_path) as (home, _, observer):
        home.set_state(LAMP, "on")
        for number in range(MAX_HOPS + 1):
            await observer.until(lambda number=number: len(changes(observer)) > number)
            event = changes(observer)[number]
            asked = {
                "specversion": "1.0",
                "id": f"answer {number}",
                "source": "/flow",
                "type": "toggle",
                "hops": event.hops + 1,
                "causationid": event.id,
                "data": TOGGLE,
            }
            await observer.publish("jitney/alice/command/home/call_service", msgspec.json.encode(asked))
            reply = msgspec.json.decode(payload(await observer.message(f"jitney/alice/reply/_/answer {number}")))
        assert reply["error"]["code"] == "loop"
        events = changes(observer)
        assert [event.hops for event in events] == list(range(MAX_HOPS + 1))
        assert [event.causationid for event in events[1:]] == [event.id for event in events[:-1]]


async def test_what_a_command_in_binary_mode_changes_at_home_goes_on_in_its_trace_and_counts_its_hops(
    broker: Broker, tmp_path: Path
) -> None:
    cause = [("specversion", "1.0"), ("hops", "3"), ("causationid", "the ride"), ("traceparent", PARENT)]
    async with at_home(broker, tmp_path) as (_, _daemon, observer):
        await observer.publish(
            "jitney/alice/command/home/call_service", msgspec.json.encode(TOGGLE), UserProperty=cause
        )
        (event,) = await observer.until(lambda: changes(observer))
        assert (event.hops, event.causationid) == (3, "the ride")
        assert str(event.traceparent).startswith(TRACE)
        assert event.traceparent != PARENT
        too_far = [*cause[:1], ("hops", str(MAX_HOPS + 1)), *cause[2:]]
        await observer.publish(
            "jitney/alice/command/home/call_service", msgspec.json.encode(TOGGLE), UserProperty=too_far
        )
        reply = msgspec.json.decode(payload(await observer.message("jitney/alice/reply/_/_")))
        await observer.until(lambda: len(observer.on("jitney/alice/reply/_/_")) == 2)
        reply = msgspec.json.decode(payload(observer.on("jitney/alice/reply/_/_")[-1]))
        assert reply["error"]["code"] == "loop"


async def test_what_a_route_says_in_the_demonstration_names_its_cause_and_ends_at_the_most_hops(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Config(
        mqtt=MqttSettings(url=broker.url),
        http=HttpSettings(listen=""),
        owners={"alice": OwnerSettings(id="alice", name="Alice")},
        adapters={"demo": AdapterSettings(name="demo", type=Demo, config=DemoConfig(rate=0.01))},
        routes=tuple(
            msgspec.convert(
                {
                    "name": f"echo {number}",
                    "owner": "alice",
                    "on": "demo.message_sent",
                    "when": {"hops": number},
                    "do": [{"command": "demo.say", "data": {"text": "again"}}],
                },
                RouteSettings,
            )
            for number in range(MAX_HOPS + 2)
        ),
    )

    def caused(observer: Observer) -> list[Event]:
        return [event for event in observer.events("jitney/alice/event/demo/message_sent") if event.causationid]

    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["demo"].context.is_online)
        asked = {"specversion": "1.0", "id": "1", "data": {"text": "hello"}, "traceparent": PARENT}
        await observer.publish("jitney/alice/command/demo/say", msgspec.json.encode(asked))
        await observer.until(lambda: len(caused(observer)) == MAX_HOPS + 1)
        await until(lambda: daemon.app.parts.bus._counters.total("actions", owner="alice", reason="loop") == 1)
        events = caused(observer)
        assert [event.hops for event in events] == list(range(MAX_HOPS + 1))
        assert [event.causationid for event in events[1:]] == [event.id for event in events[:-1]]
        assert {str(event.traceparent)[: len(TRACE)] for event in events} == {TRACE}
        assert len({event.traceparent for event in events}) == len(events)
