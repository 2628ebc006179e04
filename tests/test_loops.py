"""Loops through Home Assistant and back: they end by themselves, and nobody else notices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import MAX_HOPS, Event
from tests.daemon.running import Daemon, Observer, observing, payload, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.mosquitto import Broker
from tests.test_end_to_end import household
from tests.waiting import until

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
            await until(lambda: daemon.app._runners["home"].context.is_online)
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
        assert daemon.app._routes.routing is not None
        executor = daemon.app._routes.routing.executor
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
        await until(lambda: daemon.app._bus._counters.total("actions", owner="alice", reason="loop") == 1)
        await observer.until(lambda: len(changes(observer)) == MAX_HOPS + 1)
        assert [event.hops for event in changes(observer)] == list(range(MAX_HOPS + 1))
        assert len(home.services.calls) == MAX_HOPS
        await daemon.app._store.committed()
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
