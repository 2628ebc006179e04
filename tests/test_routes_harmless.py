"""A route that loops, blocks, throws or matches everything harms no other owner: the whole daemon, and who watches."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from jitney.daemon.config.schema import RoutingSettings
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routing.breaker import LIMIT
from jitney.topics import Command, Reply, cloudevents, new_id
from tests.daemon.routing.hooks import Hooks, hooks
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

TICKS = 200
PARTS = 4
"""Routes that share bob's ticks, so that none of them fires more than 60 times in a minute."""


def route(**fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"on": "played.ticked", **fields}, RouteSettings)


BOBS = tuple(
    route(
        name=f"part {part} of bob's",
        owner="bob",
        **{"if": f"data.number % {PARTS} == {part}"},
        do=[
            {"command": "played.note", "data": {"number": "{{ data.number }}"}},
            {"publish": "seen", "data": {"number": "{{ data.number }}"}},
            {"state": f"part_{part}", "data": {"number": "{{ data.number }}"}},
        ],
    )
    for part in range(PARTS)
)


def bad(web: Hooks) -> dict[str, list[RouteSettings]]:
    """Return routes of alice that do harm, by what they do."""
    again = [{"publish": "again"}]
    return {
        "loops": [
            route(name="begins", owner="alice", do=again),
            route(name="goes on", owner="alice", on="route.again", do=again),
        ],
        "blocks": [
            route(name="calls", owner="alice", do=[{"webhook": f"{web.url}/never"}]),
            route(name="commands", owner="alice", do=[{"command": "played.hang"}]),
        ],
        "throws": [
            route(name="divides", owner="alice", do=[{"state": "x", "data": {"n": "{{ data.number / 0 }}"}}]),
            route(name="misses", owner="alice", do=[{"publish": "x", "subject": "{{ data.nothing.there }}"}]),
            route(name="crashes", owner="alice", do=[{"command": "played.crash"}]),
        ],
        "matches everything": [route(name="all", owner="alice", on="*", do=again)],
    }


KINDS = (["loops"], ["blocks"], ["throws"], ["matches everything"], ["loops", "blocks", "throws", "matches everything"])


class Household:
    """A daemon with routes of alice and bob; ``noted`` are the numbers of bob's commands, in order."""

    def __init__(self, daemon: Daemon, observer: Observer, noted: list[int]) -> None:
        self.daemon = daemon
        self.observer = observer
        self.noted = noted

    def count(self, name: str, owner: str, reason: str = "") -> int:
        return self.daemon.app.parts.bus._counters.total(name, owner=owner, reason=reason)

    def waiting(self, owner: str) -> int:
        routing = self.daemon.app.parts.routes.routing
        assert routing is not None
        return routing.executor.waiting(owner)

    def numbers(self, topic: str) -> list[int]:
        return [json.loads(bytes(event.data))["number"] for event in self.observer.events(topic)]

    async def tick(self, first: int = 0, last: int = TICKS) -> None:
        """Let both have ticks, one of alice before each of bob."""
        for number in range(first, last):
            await self.daemon.context().emit(tick(number), tick(number, owner="bob"))

    async def alerted(self, name: str) -> str:
        """Wait until alice is told that a route was stopped; return what she is told."""
        message = await self.observer.message(f"jitney/alice/alert/route.{name}")
        return str(json.loads(payload(message))["message"])

    async def bob_has_everything(self) -> None:
        """Wait for all that bob's ticks lead to; it is there once and in order, and nothing of his was stopped."""
        everything = list(range(TICKS))
        await self.observer.until(lambda: len(self.numbers("jitney/bob/event/route/seen")) >= TICKS)
        await until(lambda: not self.waiting("bob"))
        assert self.numbers("jitney/bob/event/played/ticked") == everything
        for found in (self.numbers("jitney/bob/event/route/seen"), self.noted):
            assert sorted(found) == everything
            for part in range(PARTS):
                assert [number for number in found if number % PARTS == part] == everything[part::PARTS]
        for part in range(PARTS):
            state = f"jitney/bob/state/route/part_{part}"
            newest = everything[part::PARTS][-1]
            await self.observer.until(lambda: json.loads(payload(self.observer.on(state)[-1])) == {"number": newest})  # noqa: B023
        assert self.count("fired", "bob") == TICKS
        assert self.count("actions", "bob", "ok") == 3 * TICKS
        assert not any(self.count(name, "bob") for name in ("stopped", "failed", "dropped", "dead", "refused"))
        assert not [message for message in self.observer.messages if str(message.topic).startswith("jitney/bob/alert")]


@asynccontextmanager
async def household(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch, *, web: Hooks, routes: Sequence[RouteSettings]
) -> AsyncIterator[Household]:
    noted: list[int] = []

    async def command(_: Played, command: Command) -> Reply:
        if command.name == "hang":
            await asyncio.Event().wait()
        if command.name == "crash":
            raise ZeroDivisionError
        assert (command.owner, command.name) == ("bob", "note")
        noted.append(json.loads(bytes(command.data))["number"])
        return Reply.ok()

    monkeypatch.setattr(Played, "command", command)
    settings = config(
        broker.url, routes=(*routes, *BOBS), routing=RoutingSettings(webhooks=(f"{web.url}/*",)), durable=False
    )
    async with observing(broker.port) as observer, running(settings, folder) as daemon:
        await daemon.connected()
        yield Household(daemon, observer, noted)


@pytest.mark.parametrize("kinds", KINDS, ids=" and ".join)
async def test_what_bad_routes_of_alice_do_bob_does_not_notice_and_she_is_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kinds: list[str]
) -> None:
    async with hooks() as web:
        web.hold = True
        routes = [one for kind in kinds for one in bad(web)[kind]]
        async with household(broker, tmp_path, monkeypatch, web=web, routes=routes) as house:
            await house.tick()
            await house.bob_has_everything()
            assert house.numbers("jitney/alice/event/played/ticked") == list(range(TICKS))
            for one in routes:
                assert "stopped until" in await house.alerted(one.name)
            assert house.count("fired", "alice") <= LIMIT * len(routes)
            assert house.count("stopped", "alice", "breaker") >= (TICKS - LIMIT) * len(routes) / 2
            if "throws" in kinds:
                assert house.count("failed", "alice", "template") == 2 * LIMIT
                await until(lambda: house.count("actions", "alice", "crashed") > 0)
            if "blocks" in kinds:
                await until(lambda: bool(web.requests))
                assert len(web.requests) < LIMIT
                assert house.waiting("alice") >= 2 * LIMIT


async def test_while_routes_of_alice_are_stuck_another_one_of_hers_still_works(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hooks() as web:
        web.hold = True
        well = route(name="well", owner="alice", do=[{"publish": "well", "data": {"number": "{{ data.number }}"}}])
        routes = [*bad(web)["blocks"], *bad(web)["throws"], well]
        async with household(broker, tmp_path, monkeypatch, web=web, routes=routes) as house:
            await house.tick(last=LIMIT)
            topic = "jitney/alice/event/route/well"
            await house.observer.until(lambda: len(house.numbers(topic)) >= LIMIT)
            assert house.numbers(topic) == list(range(LIMIT))


@pytest.mark.parametrize("keeps_the_cause", [True, False])
async def test_a_loop_through_the_inbox_is_stopped_and_bob_does_not_notice(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keeps_the_cause: bool
) -> None:
    again = route(name="again", owner="alice", on="inbox.again", do=[{"publish": "again"}])
    async with hooks() as web, household(broker, tmp_path, monkeypatch, web=web, routes=[again]) as house:
        flow = asyncio.create_task(echo(broker.port, keeps_the_cause=keeps_the_cause), name="flow")
        try:
            await house.observer.message("jitney/flow")
            await house.tick(last=TICKS // 2)
            await house.observer.publish("jitney/alice/inbox/flow/again", b"{}")
            why = await house.alerted("again")
            await house.tick(first=TICKS // 2)
            await house.bob_has_everything()
        finally:
            flow.cancel()
            await asyncio.wait([flow])
        fired = house.count("fired", "alice")
        if keeps_the_cause:
            assert fired < LIMIT
            assert "its own events made it fire" in why
        else:
            assert fired == LIMIT
            assert f"more than {LIMIT} times in a minute" in why
        assert len(house.observer.on("jitney/alice/event/route/again")) == fired


async def echo(port: int, *, keeps_the_cause: bool) -> None:
    """Hand every event of alice's route to her inbox again, as a flow of hers might."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("jitney/alice/event/route/again", qos=1)
        await client.publish("jitney/flow", b"")
        async for message in client.messages:
            event = cloudevents.decode(payload(message))
            cause = {"specversion": "1.0", "id": new_id(), "hops": event.hops, "causationid": event.id, "data": {}}
            await client.publish("jitney/alice/inbox/flow/again", json.dumps(cause if keeps_the_cause else {}), qos=1)
