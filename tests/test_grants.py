"""Grants in the whole daemon: what one owner lets another see arrives there by itself, and nothing else does."""

import asyncio
import sqlite3
import sys
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.routes.settings import GrantSettings, RouteSettings
from jitney.daemon.store.tables import DATABASE
from jitney.topics import State
from tests.daemon.running import Daemon, Observer, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import DEADLINE, until

OWN = "jitney/alice/event/played/ticked"
SHOWN = "jitney/bob/shared/alice/event/played/ticked"
REPOSITORY = Path(__file__).parents[1]


def grant(**fields: Any) -> GrantSettings:  # noqa: ANN401
    return msgspec.convert({"from": "alice", "to": "bob", "kinds": "played.*", **fields}, GrantSettings)


def route(**fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": "a route", "on": "played.ticked", **fields}, RouteSettings)


def shared(observer: Observer) -> set[str]:
    """Return every topic of a copy on which anything has come."""
    return {str(message.topic) for message in observer.messages if "/shared/" in str(message.topic)}


def numbers(observer: Observer, topic: str) -> list[int]:
    return [msgspec.json.decode(event.data)["number"] for event in observer.events(topic)]


def counted(daemon: Daemon, what: str, **labels: str) -> int:
    return daemon.app.parts.bus._counters.total(what, **labels)


@pytest.mark.parametrize("durable", [False, True])
async def test_what_is_granted_arrives_by_itself_whole_in_order_and_for_nobody_else(
    broker: Broker, tmp_path: Path, *, durable: bool
) -> None:
    settings = config(broker.url, durable=durable, grants=(grant(),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        for number in range(50):
            await daemon.context().emit(tick(number), tick(number, owner="bob"))
        await observer.until(lambda: len(observer.on(SHOWN)) == len(observer.on(OWN)) == 50)
        assert observer.events(SHOWN) == observer.events(OWN)
        assert numbers(observer, SHOWN) == list(range(50))
        assert observer.on(SHOWN)[0].properties.UserProperty == observer.on(OWN)[0].properties.UserProperty
        assert shared(observer) == {SHOWN}
        assert counted(daemon, "shared", owner="alice", adapter="played", reason="bob") == 50


async def test_a_state_is_not_shown_to_others(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, grants=(grant(kinds="*"),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        daemon.context().set_state(State("alice", "lamp", msgspec.Raw(b"{}")))
        await daemon.context().emit(tick(1))
        await observer.message("jitney/alice/state/played/lamp")
        await observer.message(SHOWN)
        assert shared(observer) == {SHOWN}


async def test_what_is_only_forwarded_does_not_arrive_by_itself(broker: Broker, tmp_path: Path) -> None:
    routes = (route(owner="alice", when={"data.number": 2}, do=[{"forward": "bob"}]),)
    settings = config(broker.url, routes=routes, grants=(grant(only_forwarded=True),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2), tick(3))
        await observer.message(SHOWN)
        await daemon.drained()
        assert numbers(observer, SHOWN) == [2]


async def test_of_two_grants_the_one_that_is_only_for_routes_keeps_nothing_of_the_other_and_gives_nothing_more(
    broker: Broker, tmp_path: Path
) -> None:
    routes = (
        route(owner="alice", when={"data.number": 2}, do=[{"forward": "bob"}]),
        route(name="twice", owner="alice", do=[{"publish": "twice", "data": {"n": "{{ data.number * 2 }}"}}]),
    )
    some = (grant(only_forwarded=True), grant(kinds="route.*"), grant(kinds="played.*", until=date(2020, 1, 1)))
    settings = config(broker.url, routes=routes, grants=some)
    twice = "jitney/bob/shared/alice/event/route/twice"
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2), tick(3))
        await observer.until(lambda: len(observer.on(twice)) == 3)
        await observer.message(SHOWN)
        await daemon.drained()
        assert shared(observer) == {SHOWN, twice}
        assert numbers(observer, SHOWN) == [2]
        assert counted(daemon, "shared", owner="alice", adapter="route", reason="bob") == 3
        assert counted(daemon, "shared", owner="alice", adapter="played", reason="bob") == 1


async def test_what_was_let_go_by_itself_waits_for_a_route_once_its_grant_says_so(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, grants=(grant(),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await observer.message(SHOWN)
        await daemon.app.reload(msgspec.structs.replace(settings, grants=(grant(only_forwarded=True),)))
        await daemon.context().emit(tick(2))
        await daemon.app.reload(settings)
        await daemon.context().emit(tick(3))
        await observer.until(lambda: len(observer.on(SHOWN)) >= 2)
        assert numbers(observer, SHOWN) == [1, 3]


async def test_what_a_route_forwards_besides_arrives_once(broker: Broker, tmp_path: Path) -> None:
    routes = (
        route(owner="alice", do=[{"forward": "bob"}, {"state": "forwarded", "data": {"n": "{{ data.number }}"}}]),
    )
    settings = config(broker.url, routes=routes, grants=(grant(),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2))
        assert daemon.app.parts.routes.routing is not None
        executor = daemon.app.parts.routes.routing.executor
        await until(lambda: counted(daemon, "actions", reason="ok") == 4 and executor.waiting() == 0)
        await daemon.drained()
        await observer.until(lambda: len(observer.on(SHOWN)) >= 2)
        assert numbers(observer, SHOWN) == [1, 2]
        assert counted(daemon, "shared") == 2


async def test_what_routes_publish_and_what_comes_by_the_inbox_arrives_too(broker: Broker, tmp_path: Path) -> None:
    routes = (route(do=[{"publish": "twice", "data": {"n": "{{ data.number * 2 }}"}}]),)
    settings = config(broker.url, routes=routes, grants=(grant(kinds=["route.*", "inbox.door.*"]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(21))
        (event,) = await observer.until(lambda: observer.events("jitney/bob/shared/alice/event/route/twice"))
        assert msgspec.json.decode(event.data) == {"n": 42}
        await observer.publish("jitney/alice/inbox/desk/door.opened", b"{}")
        await observer.publish("jitney/alice/inbox/desk/window.opened", b"{}")
        await observer.message("jitney/bob/shared/alice/event/desk/door.opened")
        await observer.message("jitney/alice/event/desk/window.opened")
        assert len(shared(observer)) == 2


@pytest.mark.parametrize("routes", [True, False])
async def test_what_is_replayed_arrives_again_as_the_new_event_that_it_is(
    broker: Broker, tmp_path: Path, *, routes: bool
) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url, grants=(grant(),)), tmp_path) as daemon,
    ):
        await daemon.connected()
        await daemon.context().emit(tick(1))
        wanted = {"owner": "alice", "since": "2026-01-01T00:00:00Z", "routes": routes}
        await observer.publish("jitney/_bus/main/request/route_replay", msgspec.json.encode(wanted))
        answer = msgspec.json.decode(payload(await observer.message("jitney/_bus/main/response/route_replay")))
        (again,) = answer["data"]["events"]
        await observer.until(lambda: len(observer.on(SHOWN)) == 2)
        assert [event.id for event in observer.events(SHOWN)] == ["played-alice-1", again["id"]]
        assert observer.events(SHOWN) == observer.events(OWN)


async def test_what_a_route_drops_is_not_shown(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, routes=(route(when={"data.number": 2}, do=[{"drop": True}]),), grants=(grant(),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(2), tick(3))
        await observer.until(lambda: len(observer.on(SHOWN)) >= 2)
        assert numbers(observer, SHOWN) == [1, 3]


async def test_a_copy_is_no_event_of_its_receiver_and_answered_by_no_route(broker: Broker, tmp_path: Path) -> None:
    routes = (route(name="mine", owner="bob", on="*", do=[{"state": "seen", "data": {"n": "{{ data.number }}"}}]),)
    both = (grant(), grant(**{"from": "bob", "to": "alice", "kinds": "*"}))
    async with (
        observing(broker.port) as observer,
        running(config(broker.url, routes=routes, grants=both), tmp_path) as daemon,
    ):
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await observer.message(SHOWN)
        await daemon.context().emit(tick(2, owner="bob"))
        await observer.message("jitney/bob/state/route/seen")
        seen = [message.payload for message in observer.on("jitney/bob/state/route/seen")]
        assert seen == [b'{"n":2}']
        assert shared(observer) == {SHOWN, "jitney/alice/shared/bob/event/played/ticked"}


async def test_a_copy_is_on_disk_just_when_its_event_is(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, durable=True, grants=(grant(),))
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError, match="read-only"):
            await daemon.context().emit(tick(1))
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        assert counted(daemon, "shared") == 0
        await asyncio.to_thread(broker.kill)
        await daemon.context().emit(tick(1))
        with sqlite3.connect(tmp_path / DATABASE) as db:
            assert db.execute("SELECT topic FROM outbox ORDER BY id").fetchall() == [(OWN,), (SHOWN,)]
        db.close()
    await asyncio.to_thread(broker.start)
    async with observing(broker.port) as observer, running(settings, tmp_path):
        await observer.until(lambda: observer.on(OWN) and observer.on(SHOWN))
        assert numbers(observer, OWN) == numbers(observer, SHOWN) == [1]


async def test_without_a_broker_copies_wait_and_arrive_when_it_is_back(broker: Broker, tmp_path: Path) -> None:
    few = OutboxSettings(memory_events=100)
    settings = config(broker.url, grants=(grant(),), outbox=few)
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.kill)
        for number in range(150):
            await daemon.context().emit(tick(number))
        await asyncio.to_thread(broker.start)
        async with observing(broker.port) as observer:
            await daemon.drained()
            await daemon.context().emit(tick(150))
            await observer.until(lambda: numbers(observer, SHOWN)[-1:] == [150])
            assert numbers(observer, SHOWN) == sorted(numbers(observer, SHOWN))


@pytest.mark.parametrize("durable", [False, True])
async def test_where_copies_find_no_room_they_are_dropped_and_counted_and_the_event_goes_its_way(
    broker: Broker, tmp_path: Path, *, durable: bool
) -> None:
    settings = config(broker.url, durable=durable, grants=(grant(),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await daemon.drained()
        lane = daemon.app.parts.outbox.lanes["alice", "shared/bob"]
        lane.on_disk = settings.outbox.disk_events
        await daemon.context().emit(tick(2))
        lane.on_disk = 0
        await daemon.context().emit(tick(3))
        await observer.until(lambda: len(observer.on(SHOWN)) == 2 and len(observer.on(OWN)) == 3)
        assert numbers(observer, SHOWN) == [1, 3]
        assert counted(daemon, "dropped", owner="alice", adapter="shared/bob", reason="outbox_full") == 1


async def test_copies_that_use_up_their_part_of_the_disk_take_nothing_from_events(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, durable=True, grants=(grant(),))
    async with running(settings, tmp_path) as daemon:
        await asyncio.to_thread(broker.kill)
        await daemon.context().emit(tick(1))
        copies = daemon.app.parts.outbox.lanes["alice", "shared/bob"].quota
        copies.add(copies.share("alice"), copies.most_disk, rows=10)
        await daemon.context().emit(tick(2))
        assert counted(daemon, "dropped", owner="alice", adapter="shared/bob", reason="outbox_full") == 1
        assert daemon.app.parts.outbox.lanes["alice", "played"].quota.disk < 1000


async def test_what_waits_when_a_grant_is_taken_back_is_never_shown(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url, grants=(grant(),)), tmp_path) as daemon:
        await asyncio.to_thread(broker.kill)
        await daemon.context().emit(tick(1), tick(2))
    await asyncio.to_thread(broker.start)
    settings = config(broker.url, grants=(grant(kinds="inbox.*"),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await observer.until(lambda: len(observer.on(OWN)) == 2)
        await daemon.drained()
        assert shared(observer) == set()


async def test_of_what_is_accepted_until_a_kill_neither_the_event_nor_its_copy_is_lost(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer:
        accepted: list[int] = []
        for _ in range(3):
            accepted += await accepted_by_child(broker, tmp_path, first=max(accepted, default=-1) + 2, least=30)
        async with running(config(broker.url, durable=True, grants=(grant(),)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.drained()
            await daemon.context().emit(tick(10**6))
            await observer.until(lambda: all(10**6 in numbers(observer, topic) for topic in (OWN, SHOWN)))
        for topic in (OWN, SHOWN):
            arrived = list(dict.fromkeys(numbers(observer, topic)))
            assert set(accepted) <= set(arrived)
            assert arrived == sorted(arrived)


async def accepted_by_child(broker: Broker, folder: Path, *, first: int, least: int) -> list[int]:
    """Return the numbers of what a daemon has accepted until it was killed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sharing_until_killed", broker.url, str(folder), str(first)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(DEADLINE):
        while sum(line.strip().isdigit() for line in lines) < least:
            lines.append(await child.stdout.readline())
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
    return [int(line) for line in b"".join([*lines, rest]).split(b"\n")[:-1] if line.isdigit()]
