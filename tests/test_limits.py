"""Limits of owners with a real broker: a flood of one is shut out, and nobody else notices."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery import doorkeeper
from jitney.topics import TopicTree
from jitney.topics.tree import CommandTopic, InboxTopic
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

FEW = LimitSettings(inbox_per_second=20, inbox_burst=40, commands_per_second=20, command_burst=40)
ALICES = "jitney/alice/inbox/flow/x"
BOBS = "jitney/bob/inbox/flow/x"


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a door be closed only for a moment."""
    monkeypatch.setattr(doorkeeper, "FIRST", 0.3)
    monkeypatch.setattr(doorkeeper, "TRIAL", 0.2)


@pytest.fixture
def played() -> Iterator[None]:
    yield
    Played.act = None


async def flood(observer: Observer, topic: str, number: int) -> None:
    for first in range(0, number, 10):
        async with asyncio.TaskGroup() as group:
            for one in range(first, first + 10):
                group.create_task(observer.publish(topic, b'{"n":%d}' % one), name="flood")


def said(observer: Observer, owner: str) -> list[Any]:
    return [msgspec.json.decode(event.data)["n"] for event in observer.events(f"jitney/{owner}/event/flow/x")]


def refused(daemon: Daemon, owner: str = "alice", door: str = "inbox") -> int:
    return daemon.app.parts.doorkeeper.standings()[owner][door].refused


def dropped(daemon: Daemon, owner: str, reason: str) -> int:
    return daemon.app.parts.bus._counters.total("dropped", owner=owner, reason=reason)


async def hears(daemon: Daemon, pattern: str) -> bool:
    """Tell whether a filter is subscribed, once all that was asked of the broker is done."""
    await daemon.app.parts.doorkeeper.settle()
    return pattern in daemon.app.parts.connection._heard


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_flood_of_alice_closes_her_door_and_everything_of_bob_arrives(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    settings = config(broker.url, limits=FEW, mqtt={"protocol": protocol})
    async with (
        observing(broker.port, "jitney/bob/event/#") as bob,
        observing(broker.port, "jitney/alice/alert/#", "jitney/alice/reply/#") as alice,
        running(settings, tmp_path) as daemon,
    ):
        await daemon.connected()
        async with asyncio.TaskGroup() as group:
            group.create_task(flood(alice, ALICES, 600), name="alice")
            for one in range(20):
                await bob.publish(BOBS, b'{"n":%d}' % one)
        alert = msgspec.json.decode(payload(await alice.message("jitney/alice/alert/_limits.inbox")))
        assert "20 messages to the inbox a second" in alert["message"]
        await until(lambda: "jitney/alice/inbox/+/+" not in daemon.app.parts.connection._heard)
        before = refused(daemon)
        await flood(alice, ALICES, 600)  # which the broker throws away
        await bob.publish(BOBS, b'{"n":20}')
        await bob.until(lambda: len(bob.on("jitney/bob/event/flow/x")) == 21)
        assert said(bob, "bob") == list(range(21))
        assert refused(daemon) == before == dropped(daemon, "alice", "rate_limited")
        assert refused(daemon, "bob") == 0
        codes = [msgspec.json.decode(payload(one))["error"]["code"] for one in alice.on("jitney/alice/reply/_/_")]
        assert set(codes) == {"rate_limited"}
        assert len(codes) <= 2 * doorkeeper.ANSWERS


@pytest.mark.usefixtures("brief")
async def test_a_closed_door_opens_again_and_the_alert_is_taken_back(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port, "jitney/alice/#") as alice,
        running(config(broker.url, limits=FEW), tmp_path) as daemon,
    ):
        await daemon.connected()
        await flood(alice, ALICES, 400)
        await alice.message("jitney/alice/alert/_limits.inbox")
        await alice.until(lambda: alice.on("jitney/alice/alert/_limits.inbox")[-1].payload == b"")
        assert await hears(daemon, "jitney/alice/inbox/+/+")
        await until(lambda: daemon.app.parts.doorkeeper.standings()["alice"]["inbox"].used < FEW.inbox_burst)
        await alice.publish(ALICES, b'{"n":"after"}')
        await alice.until(lambda: "after" in said(alice, "alice"))


async def test_the_alert_of_an_earlier_run_is_taken_back(broker: Broker, tmp_path: Path) -> None:
    topic = "jitney/alice/alert/_limits.inbox"
    async with observing(broker.port, "jitney/alice/alert/#") as alice:
        async with running(config(broker.url, limits=FEW), tmp_path) as daemon:
            await daemon.connected()
            await flood(alice, ALICES, 400)
            await alice.message(topic)
        async with running(config(broker.url, limits=FEW), tmp_path):
            await alice.until(lambda: alice.on(topic)[-1].payload == b"")


async def test_a_flood_of_commands_leaves_the_inbox_open(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port, "jitney/alice/#") as alice,
        running(config(broker.url, limits=FEW), tmp_path) as daemon,
    ):
        await daemon.connected()
        await flood(alice, "jitney/alice/command/played/echo", 200)
        await alice.message("jitney/alice/alert/_limits.command")
        assert not await hears(daemon, "jitney/alice/command/+/+")
        assert await hears(daemon, "jitney/alice/inbox/+/+")
        assert daemon.app.parts.health.plain().limited == 1
        assert daemon.app.parts.health.detailed().limits["alice"]["command"].closed > 0


async def test_a_command_over_the_limit_is_answered_where_its_sender_waits(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, limits=replace(FEW, commands_per_second=1, command_burst=1))
    async with observing(broker.port, "jitney/alice/reply/#") as alice, running(settings, tmp_path) as daemon:
        await daemon.connected()
        for one in range(2):
            await alice.publish("jitney/alice/command/played/echo", b'{"data":{},"transaction":"%d"}' % one)
        answer = msgspec.json.decode(payload(await alice.message("jitney/alice/reply/_/1")))
        assert answer["error"]["code"] == "rate_limited"


async def test_a_closed_door_stays_closed_when_the_session_is_another_and_opens_in_it(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        observing(broker.port, "jitney/alice/#") as alice,
        running(config(broker.url, limits=FEW), tmp_path) as daemon,
    ):
        await daemon.connected()
        await flood(alice, ALICES, 400)
        await alice.message("jitney/alice/alert/_limits.inbox")
        connection = daemon.app.parts.connection
        before = connection.health.connects
        assert connection.session is not None
        connection.session.abort()
        await until(lambda: connection.health.connects > before and connection.session is not None)
        at_close = refused(daemon)
        await flood(alice, ALICES, 100)
        assert refused(daemon) == at_close
        other = config(broker.url, limits=replace(FEW, inbox_per_second=0))
        await daemon.app.reload(other)
        await alice.publish(ALICES, b'{"n":"after"}')
        await alice.until(lambda: "after" in said(alice, "alice"))


async def test_a_reload_changes_the_limits_of_one_owner(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port, "jitney/+/event/#") as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        before = daemon.app.config
        tight = replace(before.owners["alice"], limits=OwnLimits(inbox_per_second=1, inbox_burst=2))
        found = await daemon.app.reload(replace(before, owners={**before.owners, "alice": tight}))
        assert [str(change) for change in found.changes] == ["owners.alice changed: limits"]
        assert found.adapters == {}
        for topic in (ALICES, BOBS):
            for _ in range(5):
                await observer.publish(topic, b"{}")
        await observer.until(lambda: len(observer.on("jitney/bob/event/flow/x")) == 5)
        assert len(observer.on("jitney/alice/event/flow/x")) == 2


async def test_a_reload_hears_new_people_and_those_who_have_gone_no_more(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port, "jitney/+/event/#") as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.app.reload(_people(daemon.app.config, "bob", "carol"))
        assert await hears(daemon, "jitney/carol/inbox/+/+")
        assert not await hears(daemon, "jitney/alice/inbox/+/+")
        await observer.publish(ALICES, b"{}")
        await observer.publish("jitney/carol/inbox/flow/x", b"{}")
        await observer.message("jitney/carol/event/flow/x")
        assert daemon.app.parts.bus._counters.total("dropped", reason="unknown_owner") == 0


async def test_what_an_earlier_run_heard_is_not_heard_any_more(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
    settings = _people(config(broker.url), "bob")
    async with observing(broker.port, "jitney/+/event/#") as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(ALICES, b"{}")
        await observer.publish(BOBS, b"{}")
        await observer.message("jitney/bob/event/flow/x")
        assert daemon.app.parts.bus._counters.total("dropped", reason="unknown_owner") == 0


async def test_the_wildcards_of_a_version_that_knew_no_limits_are_unsubscribed(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = TopicTree()
    wild = {tree.filter(InboxTopic), tree.filter(CommandTopic)}
    with monkeypatch.context() as older:
        older.setattr("jitney.daemon.machinery.hear", lambda *_: None)
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            assert daemon.app.parts.connection.session is not None
            await daemon.app.parts.connection._subscribe(
                daemon.app.parts.connection.session, [doorkeeper.Subscription(one) for one in sorted(wild)]
            )
    async with (
        observing(broker.port, "jitney/+/event/#") as observer,
        running(_people(config(broker.url), "bob"), tmp_path) as daemon,
    ):
        await daemon.connected()
        await observer.publish("jitney/mallory/inbox/flow/x", b"{}")
        await observer.publish(BOBS, b"{}")
        await observer.message("jitney/bob/event/flow/x")
        assert daemon.app.parts.bus._counters.total("dropped", reason="unknown_owner") == 0


async def test_of_a_shared_adapter_only_the_events_of_the_owner_who_has_too_many_are_dropped(
    broker: Broker, tmp_path: Path
) -> None:
    settings = config(broker.url, limits=LimitSettings(events_per_second=1, event_burst=5))
    async with observing(broker.port, "jitney/+/event/#") as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        for number in range(10):
            await daemon.context().emit(tick(number), tick(number, owner="_house"))
        await daemon.context().emit(tick(1, owner="bob"))
        await observer.message("jitney/bob/event/played/ticked")
        await observer.until(lambda: len(observer.on("jitney/_house/event/played/ticked")) == 10)
        assert len(observer.on("jitney/alice/event/played/ticked")) == 5
        assert dropped(daemon, "alice", "over_quota") == 5
        alice = daemon.app.parts.health.detailed().limits["alice"]["events"]
        assert (alice.limit, alice.used) == (1, 5)


@pytest.mark.usefixtures("played")
async def test_an_adapter_of_one_owner_is_slowed_and_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    done = asyncio.Event()

    async def act(_: Played, ctx: Context) -> None:
        ctx.online()
        for number in range(60):
            await ctx.emit(tick(number, owner="alice", adapter="hers"))
        done.set()
        await asyncio.Event().wait()

    Played.act = act
    settings: Any = config(
        broker.url, limits=LimitSettings(events_per_second=100, event_burst=20), adapters={"hers": "alice"}
    )
    async with observing(broker.port, "jitney/+/event/#") as observer, running(settings, tmp_path) as daemon:
        await observer.until(lambda: len(observer.on("jitney/alice/event/hers/ticked")) == 60)
        await until(done.is_set)
        assert dropped(daemon, "alice", "over_quota") == 0
        assert daemon.app.parts.bus._counters.total("slowed", adapter="hers") >= 10


def _people(settings: Config, *names: str) -> Config:
    owners = {name: replace(settings.owners["bob"], id=name, name=name.title()) for name in names}
    return replace(settings, owners=owners)
