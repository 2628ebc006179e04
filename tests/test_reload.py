"""Another configuration while the bus runs: what it does not concern goes on, and nothing is lost."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.daemon.config.schema import Config, OwnerSettings
from jitney.daemon.routes.settings import GrantSettings, RouteSettings
from jitney.topics import State
from tests.daemon.running import Daemon, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture
def attempts() -> Iterator[list[str]]:
    """Return the adapters that began, in this order."""
    begun: list[str] = []

    async def act(_: Played, ctx: Context) -> None:
        begun.append(ctx.name)
        ctx.set_state(State(ctx.default_owner, "place", msgspec.Raw(b"{}")))
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    yield begun
    Played.act = None


def having(found: Config, **adapters: str) -> Config:
    return replace(found, adapters=config("mqtt://nowhere", adapters=adapters).adapters)


def route(name: str, **fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": name, "on": "played.ticked", **fields}, RouteSettings)


@asynccontextmanager
async def at_home(found: Config, state: Path) -> AsyncIterator[Daemon]:
    async with running(found, state) as daemon:
        await daemon.connected()
        await online(daemon)
        yield daemon


async def online(daemon: Daemon) -> None:
    """Wait until every adapter is online and the broker knows everything."""
    await until(lambda: all(runner.context.is_online for runner in daemon.app.parts.fleet.runners.values()))
    await daemon.drained()


async def test_adapters_come_go_and_change_while_the_others_do_not_notice(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    first = config(broker.url, adapters={"one": "alice", "two": "bob", "three": "alice"})
    async with at_home(first, tmp_path) as daemon:
        second = having(first, one="alice", three="bob", four="alice")
        found = await daemon.app.reload(second)
        assert found.adapters == {"two": "removed", "three": "changed", "four": "added"}
        await online(daemon)
        assert sorted(attempts) == ["four", "one", "three", "three", "two"]
        values = await retained(broker.port)
        assert "jitney/alice/status/one" in values
        assert "jitney/bob/status/three" in values
        assert "jitney/alice/state/four/place" in values
        gone = {"jitney/bob/status/two", "jitney/bob/state/two/place", "jitney/alice/status/three"}
        assert not gone & values.keys()
        assert "jitney/alice/state/three/place" not in values


async def test_a_person_who_is_added_is_known_at_once_and_one_who_is_removed_is_gone(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    first = config(broker.url, adapters={"shared": "_house", "hers": "alice"})
    carol = replace(first, owners={**first.owners, "carol": OwnerSettings(id="carol", name="Carol")})
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        await daemon.app.reload(carol)
        await online(daemon)
        assert attempts.count("hers") == 1
        await daemon.context("shared").emit(tick(1, owner="carol", adapter="shared"))
        await observer.message("jitney/carol/event/shared/ticked")
        await observer.publish("jitney/carol/inbox/desk/said", b"{}")
        await observer.message("jitney/carol/event/desk/said")
        await daemon.app.reload(first)
        await online(daemon)
        assert not [topic for topic in await retained(broker.port) if topic.startswith("jitney/carol/")]
        await daemon.context("shared").emit(tick(2, owner="carol", adapter="shared"))
        await observer.message("jitney/_unclaimed/event/shared/ticked")


async def test_routes_and_grants_change_and_what_the_old_ones_remember_stays(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    del attempts
    bare = config(broker.url)
    hourly = route("hourly", throttle=3600, do=[{"publish": "hourly", "data": {"n": "{{ data.number }}"}}])
    each = route("each", do=[{"publish": "each", "data": {"n": "{{ data.number }}"}}])
    async with observing(broker.port) as observer, at_home(bare, tmp_path) as daemon:
        emit = daemon.context().emit
        await emit(tick(1))
        await daemon.app.reload(replace(bare, routes=(hourly,)))
        await emit(tick(2))
        (event,) = await observer.until(lambda: observer.events("jitney/alice/event/route/hourly"))
        assert msgspec.json.decode(event.data) == {"n": 2}
        grant = msgspec.convert({"from": "alice", "to": "bob", "kinds": "played.*"}, GrantSettings)
        await daemon.app.reload(replace(bare, routes=(hourly, each), grants=(grant,)))
        await emit(tick(3))
        await observer.message("jitney/alice/event/route/each")
        await observer.message("jitney/bob/shared/alice/event/played/ticked")
        await daemon.app.reload(bare)
        await emit(tick(4))
        await daemon.drained()
        await observer.until(lambda: len(observer.events("jitney/alice/event/played/ticked")) == 4)
        assert len(observer.events("jitney/alice/event/route/hourly")) == 1
        assert len(observer.events("jitney/alice/event/route/each")) == 1
        assert len(observer.on("jitney/bob/shared/alice/event/played/ticked")) == 1


async def test_a_grant_that_is_taken_back_also_stops_what_still_waits(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    del attempts
    bare = config(broker.url, durable=True)
    grant = msgspec.convert({"from": "alice", "to": "bob", "kinds": "played.*"}, GrantSettings)
    async with at_home(replace(bare, grants=(grant,)), tmp_path) as daemon:
        await asyncio.to_thread(broker.stop)
        for number in range(20):
            await daemon.context().emit(tick(number))
        await daemon.app.reload(bare)
        await asyncio.to_thread(broker.start)
        async with observing(broker.port) as observer:
            await daemon.drained()
            await daemon.context().emit(tick(99, owner="bob"))
            await observer.message("jitney/bob/event/played/ticked")
            assert not [message for message in observer.messages if "/shared/" in str(message.topic)]


async def test_what_counts_from_the_next_start_on_stays_as_it_is(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    first = config(broker.url)
    async with at_home(first, tmp_path) as daemon:
        found = await daemon.app.reload(replace(first, mqtt=replace(first.mqtt, url="mqtt://elsewhere", window=7)))
        assert found.restart == ("mqtt.url", "mqtt.window")
        assert daemon.app.config.mqtt == first.mqtt
        assert attempts == ["played"]
        again = await daemon.app.reload(replace(first, mqtt=replace(first.mqtt, window=7)))
        assert again.restart == ("mqtt.window",)


async def test_reloads_under_load_lose_nothing_and_leak_nothing(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    first = config(broker.url, adapters={"steady": "alice", "other": "bob"})
    second = replace(
        having(first, steady="alice", third="bob"),
        routes=(route("each", owner="alice", do=[{"set": "n", "value": "{{ data.number }}"}]),),
    )
    total = 200
    async with observing(broker.port, "jitney/alice/event/#") as observer, at_home(first, tmp_path) as daemon:
        for settings in (second, first):
            await daemon.app.reload(settings)
        await online(daemon)
        before = leftovers()
        number = 0
        for turn in range(total):
            await daemon.app.reload(second if turn % 2 == 0 else first)
            for _ in range(5):
                number += 1
                await daemon.context("steady").emit(tick(number, adapter="steady"))
        await online(daemon)
        await observer.until(lambda: len(observer.events("jitney/alice/event/steady/ticked")) >= number)
        events = observer.events("jitney/alice/event/steady/ticked")
        assert [event.seq for event in events] == list(range(1, number + 1))
        assert attempts.count("steady") == 1
        assert attempts.count("third") == total // 2 + 1
        await until(lambda: leftovers() <= before)


def leftovers() -> tuple[int, int]:
    """Return how many tasks and open files there are."""
    gc.collect()
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


async def test_two_reloads_at_the_same_time_come_one_after_the_other(
    broker: Broker, tmp_path: Path, attempts: list[str]
) -> None:
    first = config(broker.url, adapters={"one": "alice"})
    async with at_home(first, tmp_path) as daemon:
        await asyncio.gather(
            daemon.app.reload(having(first, one="alice", two="bob")), daemon.app.reload(having(first, three="bob"))
        )
        await online(daemon)
        assert set(daemon.app.parts.fleet.runners) == {"three"}
        assert attempts in (["one", "two", "three"], ["one", "three"])


async def test_health_shows_the_adapters_of_now(broker: Broker, tmp_path: Path, attempts: list[str]) -> None:
    del attempts
    first = config(broker.url, adapters={"one": "alice"})
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        await daemon.app.reload(having(first, one="alice", two="bob"))
        daemon.app.tell_configuration()
        await online(daemon)
        info = msgspec.json.decode(payload(observer.on("jitney/_bus/main/info")[-1]))
        assert info["adapters"] == {"one": "played", "two": "played"}
        assert daemon.app.parts.health.plain().adapters == 2
