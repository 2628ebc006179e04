"""Routes in the whole daemon: an event of an owner is answered, and nobody else's."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.settings import GrantSettings, RouteSettings
from jitney.daemon.routing import failures
from jitney.topics import Command, Reply
from tests.daemon.running import Observer, Played, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until


def route(**fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": "a route", "on": "played.ticked", **fields}, RouteSettings)


async def test_an_event_is_answered_by_a_state_an_event_and_a_command_of_its_owner(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Command] = []

    async def command(_: Played, command: Command) -> Reply:
        asked.append(command)
        return Reply.ok()

    monkeypatch.setattr(Played, "command", command)
    actions = [
        {"state": "last", "data": {"number": "{{ data.number }}"}},
        {"publish": "big", "data": {"twice": "{{ data.number * 2 }}"}},
        {"command": "played.say", "data": {"text": "{{ owner.name }} has {{ data.number }}"}},
    ]
    settings = config(broker.url, routes=(route(owner="alice", when={"data.number": {"gt": 10}}, do=actions),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(5), tick(50), tick(60, owner="bob"))
        state = await observer.message("jitney/alice/state/route/last")
        assert msgspec.json.decode(payload(state)) == {"number": 50}
        (event,) = await observer.until(lambda: observer.events("jitney/alice/event/route/big"))
        assert (event.type, event.hops, event.causationid) == ("route.big", 1, "played-alice-50")
        assert msgspec.json.decode(event.data) == {"twice": 100}
        await until(lambda: bool(asked))
        assert [(one.owner, one.name, msgspec.json.decode(one.data)) for one in asked] == [
            ("alice", "say", {"text": "Alice has 50"})
        ]
        assert not [topic for topic in topics(observer) if topic.startswith("jitney/bob") and "/route/" in topic]


async def test_what_was_planned_is_done_after_a_stop_in_between(broker: Broker, tmp_path: Path) -> None:
    settings = config(
        broker.url,
        durable=True,
        routes=(route(do=[{"state": "later", "data": {"n": "{{ data.number }}"}, "delay": 0.3}]),),
    )
    async with running(settings, tmp_path) as daemon:
        await daemon.context().emit(tick(7))
    async with observing(broker.port) as observer, running(settings, tmp_path):
        state = await observer.message("jitney/alice/state/route/later")
        assert msgspec.json.decode(payload(state)) == {"n": 7}


async def test_what_waits_for_an_adapter_after_a_restart_is_done_as_soon_as_that_is_online(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 3600.0)
    monkeypatch.setattr(failures, "LONGEST", 3600.0)
    asked: list[str] = []
    there = asyncio.Event()

    async def act(_: Played, ctx: Context) -> None:
        await there.wait()
        ctx.online()
        await asyncio.Event().wait()

    async def command(_: Played, command: Command) -> Reply:
        asked.append(command.name)
        return Reply.ok()

    monkeypatch.setattr(Played, "act", act)
    monkeypatch.setattr(Played, "command", command)
    settings = config(
        broker.url, durable=True, routes=(route(do=[{"command": "played.first"}, {"command": "played.second"}]),)
    )
    async with running(settings, tmp_path) as daemon:
        await daemon.context().emit(tick(1))
        await until(lambda: daemon.app.parts.bus._counters.total("actions", reason="offline") == 1)
    async with running(settings, tmp_path) as daemon:
        await until(lambda: daemon.app.parts.bus._counters.total("actions", reason="offline") == 1)
        assert asked == []
        there.set()
        await until(lambda: asked == ["first", "second"])


async def test_a_route_that_drops_keeps_an_event_from_being_published(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, routes=(route(when={"data.number": 2}, do=[{"drop": True}]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2), tick(3))
        topic = "jitney/alice/event/played/ticked"
        events = await observer.until(lambda: len(found := observer.events(topic)) >= 2 and found)
        assert [event.seq for event in events] == [1, 2]


async def test_whoever_hands_in_an_event_and_wants_an_answer_gets_it_in_the_same_owners_tree(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, routes=(route(on="inbox.question", do=[{"reply": {"twice": "{{ data.n * 2 }}"}}]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(
            "jitney/alice/inbox/desk/question", b'{"data":{"n":21},"client":"flow","transaction":"7"}'
        )
        reply = msgspec.json.decode(payload(await observer.message("jitney/alice/reply/flow/7")))
        assert reply == {"status": "ok", "data": {"twice": 42}, "transaction": "7"}
        await observer.publish(
            "jitney/bob/inbox/desk/question", b'{"n":1}', ResponseTopic="jitney/bob/reply/x/1", CorrelationData=b"1"
        )
        reply = msgspec.json.decode(payload(await observer.message("jitney/bob/reply/x/1")))
        assert reply["data"] == {"twice": 2}


async def test_what_an_owner_grants_is_shown_to_the_other_and_nothing_else(broker: Broker, tmp_path: Path) -> None:
    settings = config(
        broker.url,
        routes=(route(owner="alice", do=[{"forward": "bob"}]),),
        grants=(msgspec.convert({"from": "alice", "to": "bob", "kinds": "played.*"}, GrantSettings),),
    )
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2, owner="bob"))
        await observer.message("jitney/bob/shared/alice/event/played/ticked")
        assert not [topic for topic in topics(observer) if topic.startswith("jitney/alice/shared")]


async def test_a_route_that_fires_too_often_is_stopped_with_an_alert_and_the_others_go_on(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(
        broker.url,
        routes=(
            route(name="busy", owner="alice", do=[{"set": "n", "value": 1}]),
            route(name="calm", owner="bob", do=[{"state": "seen", "data": {}}]),
        ),
    )
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        for number in range(70):
            await daemon.context().emit(tick(number))
        alert = await observer.message("jitney/alice/alert/route.busy")
        assert b"more than 60 times in a minute" in payload(alert)
        await daemon.context().emit(tick(1, owner="bob"))
        await observer.message("jitney/bob/state/route/seen")


async def test_an_action_that_cannot_be_done_is_a_dead_letter_that_can_be_listed(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, routes=(route(do=[{"command": "played.nonsense"}]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await until(lambda: daemon.app.parts.bus._counters.total("actions", reason="unknown_command") == 1)
        await daemon.app.parts.store.committed()
        await observer.publish("jitney/_bus/main/request/dead_list", b"{}")
        answer = msgspec.json.decode(payload(await observer.message("jitney/_bus/main/response/dead_list")))
        (letter,) = answer["data"]["letters"]
        assert letter["owner"] == "alice"
        assert "nonsense" in letter["reason"]


async def test_an_owner_who_is_erased_has_nothing_planned_or_remembered_left(broker: Broker, tmp_path: Path) -> None:
    settings = config(
        broker.url,
        routes=(route(do=[{"set": "n", "value": "{{ data.number }}"}, {"state": "late", "data": {}, "delay": 60}]),),
    )
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2, owner="bob"))
        assert daemon.app.parts.routes.routing is not None
        executor = daemon.app.parts.routes.routing.executor
        await until(lambda: executor.waiting() == 2)
        await daemon.app.parts.erasure.erase("alice")
        assert (executor.waiting("alice"), executor.waiting("bob")) == (0, 1)
        rows = await daemon.app.parts.store.read(
            lambda db: db.execute("SELECT DISTINCT owner FROM route_memory").fetchall()
        )
        assert rows == [("bob",)]


def topics(observer: Observer) -> set[str]:
    return {str(message.topic) for message in observer.messages}


async def test_two_owners_who_use_the_same_id_get_each_their_own_answer(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, routes=(route(on="inbox.question", do=[{"reply": {"to": "{{ owner.id }}"}}]),))
    same = {"specversion": "1.0", "id": "same", "source": "desk", "type": "question", "data": {}}
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        for owner in ("alice", "alice", "bob"):
            body = msgspec.json.encode({**same, "client": owner, "transaction": "1"})
            await observer.publish(f"jitney/{owner}/inbox/desk/question", body)
        for owner in ("alice", "bob"):
            reply = msgspec.json.decode(payload(await observer.message(f"jitney/{owner}/reply/{owner}/1")))
            assert reply["data"] == {"to": owner}
        assert len([topic for topic in topics(observer) if "/reply/" in topic]) == 2


async def test_a_burst_is_counted_exactly_and_what_could_not_be_kept_is_counted_when_it_comes_again(
    broker: Broker, tmp_path: Path
) -> None:
    count = {"set": "n", "value": "{{ get('n', 0) + 1 }}"}
    settings = config(
        broker.url, durable=True, routes=(route(owner="alice", do=[count, {"publish": "n", "data": {}}]),)
    )
    async with running(settings, tmp_path) as daemon:
        assert daemon.app.parts.routes.routing is not None
        variables = daemon.app.parts.routes.routing.router._variables
        store = daemon.app.parts.store
        await daemon.context().emit(*(tick(number) for number in range(10)))
        assert dict(variables.of("alice", 0)) == {"n": 10}
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError):
            await daemon.context().emit(*(tick(number) for number in range(5, 15)))
        assert dict(variables.of("alice", 0)) == {"n": 10}
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await daemon.context().emit(*(tick(number) for number in range(5, 15)))
        assert dict(variables.of("alice", 0)) == {"n": 15}
    async with running(settings, tmp_path) as daemon:
        assert daemon.app.parts.routes.routing is not None
        assert dict(daemon.app.parts.routes.routing.router._variables.of("alice", 0)) == {"n": 15}


async def test_a_variable_too_many_is_a_dead_letter(broker: Broker, tmp_path: Path) -> None:
    large = {"set": "large", "value": "{{ data.text }}"}
    settings = config(broker.url, routes=(route(on="inbox.text", owner="alice", do=[large]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        text = msgspec.json.encode({"text": "x" * 5000})
        await observer.publish("jitney/alice/inbox/desk/text", text)
        await until(lambda: daemon.app.parts.bus._counters.total("dead", owner="alice", reason="invalid") == 1)
