"""Another configuration at the wrong moment, or while something hangs: the daemon goes on and gets there."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.adapters.entities import At, Device, Sensor
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon import reloading
from jitney.daemon.config.load import load
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.schema import Config, DiscoverySettings, OwnerSettings
from jitney.daemon.config.watched import look
from jitney.daemon.reloading import Reloading
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.service.notify import Notifier
from jitney.daemon.supervision import fleet
from jitney.topics import Command, JitneyError, Reply
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

TANK = Device(name="Tank", entities=(Sensor(key="level", name="Level", value=At("tank", "level"), unit="%"),))


class Playing:
    """What adapters do: ``begun`` are those that began, in this order, ``ending`` is waited for at their end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ending: dict[str, asyncio.Event] = {}
        self.stubborn: set[str] = set()
        self.left: list[asyncio.Task[Any]] = []

    async def act(self, _: Played, ctx: Context) -> None:
        self.begun.append(ctx.name)
        ctx.online()
        try:
            await asyncio.Event().wait()
        finally:
            if ctx.name in self.ending:
                await self.ending[ctx.name].wait()
            while ctx.name in self.stubborn:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue


@pytest.fixture
def playing() -> Iterator[Playing]:
    played = Playing()

    async def act(adapter: Played, ctx: Context) -> None:
        await played.act(adapter, ctx)

    Played.act = act
    yield played
    Played.act = None


def having(found: Config, *, http: str = "", **adapters: str) -> Config:
    del http
    return replace(found, adapters=config("mqtt://nowhere", adapters=adapters).adapters)


@asynccontextmanager
async def at_home(found: Config, state: Path) -> AsyncIterator[Daemon]:
    async with running(found, state) as daemon:
        await daemon.connected()
        await online(daemon)
        yield daemon


async def online(daemon: Daemon) -> None:
    await until(lambda: all(runner.context.is_online for runner in daemon.app.parts.fleet.runners.values()))
    await daemon.drained()


async def ask(observer: Observer, adapter: str, command: str, transaction: str) -> None:
    body = msgspec.json.encode({"data": {}, "transaction": transaction})
    await observer.publish(f"jitney/alice/command/{adapter}/{command}", body)


async def answer(observer: Observer, transaction: str) -> dict[str, Any]:
    reply = await observer.message(f"jitney/alice/reply/_/{transaction}")
    found: dict[str, Any] = msgspec.json.decode(payload(reply))
    return found


async def test_an_adapter_that_does_not_end_is_left_behind_and_everything_else_is_done(
    broker: Broker, tmp_path: Path, playing: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "PATIENCE", 0.05)
    first = config(broker.url, adapters={"one": "alice", "stuck": "alice"})
    async with at_home(first, tmp_path) as daemon:
        playing.stubborn.add("stuck")
        stuck = daemon.app.parts.fleet._tasks["stuck"]
        found = await daemon.app.reload(having(first, one="alice", stuck="bob", two="alice"))
        assert found.adapters == {"stuck": "changed", "two": "added"}
        await online(daemon)
        assert playing.begun[2:] == ["stuck", "two"]
        assert not stuck.done()
        playing.stubborn.clear()
        stuck.cancel()
        await asyncio.wait([stuck])
        assert daemon.app.parts.fleet.runners["stuck"].context.is_online


async def test_a_stop_does_not_wait_for_an_adapter_that_does_not_end(
    broker: Broker, tmp_path: Path, playing: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "STOP", 0.05)
    async with at_home(config(broker.url, adapters={"one": "alice", "stuck": "alice"}), tmp_path) as daemon:
        playing.stubborn.add("stuck")
        stuck = daemon.app.parts.fleet._tasks["stuck"]
        await daemon.stop()
        assert not stuck.done()
        playing.stubborn.clear()
        stuck.cancel()
        await asyncio.wait([stuck])
    assert "jitney/alice/status/one" in await retained(broker.port)


async def test_who_waits_for_an_adapter_that_is_removed_is_told(
    broker: Broker, tmp_path: Path, playing: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    del playing
    asked = asyncio.Event()

    async def command(_: Played, command: Command) -> Reply:
        asked.set()
        await asyncio.Event().wait()
        return Reply.ok(command.name)

    monkeypatch.setattr(Played, "command", command)
    first = config(broker.url, adapters={"one": "alice", "two": "alice"})
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        await ask(observer, "two", "wait", "7")
        await asked.wait()
        await daemon.app.reload(having(first, one="alice"))
        assert (await answer(observer, "7"))["error"]["code"] == "interrupted"
        assert not daemon.app.parts.commands._running["alice"]


async def test_an_adapter_that_is_begun_anew_is_offline_for_a_moment_and_not_unknown(
    broker: Broker, tmp_path: Path, playing: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    del playing
    first = config(broker.url, adapters={"one": "alice"})
    swapping, goes_on = asyncio.Event(), asyncio.Event()
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        use = daemon.app.parts.discovery.use

        async def slow(found: Config) -> None:
            swapping.set()
            await goes_on.wait()
            await use(found)

        monkeypatch.setattr(daemon.app.parts.discovery, "use", slow)
        reload = asyncio.create_task(daemon.app.reload(having(first, one="_house")), name="reload")
        await swapping.wait()
        await ask(observer, "one", "echo", "8")
        assert (await answer(observer, "8"))["error"]["code"] == "offline"
        goes_on.set()
        await reload
        await online(daemon)
        await ask(observer, "one", "echo", "9")
        assert (await answer(observer, "9"))["status"] == "ok"


async def test_a_broker_that_hangs_holds_up_no_adapter_and_hears_of_discovery_later(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(_: Played, ctx: Context) -> None:
        ctx.announce("alice", [TANK])
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    first = config(broker.url, adapters={"one": "alice"})
    async with at_home(first, tmp_path) as daemon:
        broker.freeze()
        wanted = replace(having(first, one="alice", two="alice"), discovery=DiscoverySettings(enabled=True))
        reload = asyncio.create_task(daemon.app.reload(wanted), name="reload")
        await until(lambda: "two" in daemon.app.parts.runners and daemon.app.parts.runners["two"].context.is_online)
        broker.thaw()
        await reload
        await until(
            lambda: len([one for one in daemon.app.parts.ledger.lines if one.startswith("homeassistant/")]) == 3
        )
        await daemon.drained()
        assert len([one for one in await retained(broker.port, "homeassistant/#") if one.endswith("/config")]) == 3
        await asyncio.to_thread(broker.kill)
        await daemon.app.reload(first)
        await asyncio.to_thread(broker.start)
        await until(lambda: daemon.app.parts.connection.session is not None)
        await daemon.drained()
        assert not await retained(broker.port, "homeassistant/#")


async def test_what_an_adapter_declares_at_its_very_end_is_not_shown(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(_: Played, ctx: Context) -> None:
        ctx.announce("alice", [TANK])
        ctx.online()
        try:
            await asyncio.Event().wait()
        finally:
            ctx.announce("alice", [TANK])

    monkeypatch.setattr(Played, "act", act)
    first = replace(config(broker.url, adapters={"one": "alice", "two": "alice"}), discovery=DiscoverySettings())
    async with at_home(first, tmp_path) as daemon:
        await daemon.app.reload(having(first, one="alice"))
        assert {adapter for adapter, _ in daemon.app.parts.services.declarations._devices} == {"one"}


async def test_http_is_answered_by_the_old_adapter_what_it_was_asked_and_by_the_new_one_what_comes(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()
    lives: list[str] = []

    async def act(_: Played, ctx: Context) -> None:
        number = len(lives)
        lives.append("running")

        async def handle(request: HttpRequest) -> HttpResponse:
            if request.path == "slow":
                asked.set()
                await goes_on.wait()
            return HttpResponse(200, f"{number} {lives[number]}".encode(), "text/plain", {})

        ctx.serve(handle)
        ctx.online()
        try:
            await asyncio.Event().wait()
        finally:
            lives[number] = "ended"

    monkeypatch.setattr(Played, "act", act)
    first = config(broker.url, adapters={"door": "alice"}, http="127.0.0.1:0")
    async with at_home(first, tmp_path) as daemon, aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:

        async def get(path: str) -> str:
            async with http.get(f"http://127.0.0.1:{daemon.app.parts.doors.port}/door/{path}") as response:
                return f"{response.status} {await response.text()}"

        old = group.create_task(get("slow"))
        await asked.wait()
        reload = group.create_task(daemon.app.reload(having(first, door="bob")))
        await until(lambda: not daemon.app.parts.doors.handlers)
        new = group.create_task(get("x"))
        goes_on.set()
        assert await old == "200 0 running"
        await reload
        assert await new == "200 1 running"
        assert lives == ["ended", "running"]


async def test_a_stop_in_the_middle_of_a_reload_is_a_stop(broker: Broker, tmp_path: Path, playing: Playing) -> None:
    first = config(broker.url, adapters={"one": "alice", "slow": "alice"}, durable=True)
    async with running(first, tmp_path) as daemon:
        await daemon.connected()
        await online(daemon)
        playing.ending["slow"] = asyncio.Event()
        reload = asyncio.create_task(daemon.app.reload(having(first, one="bob", two="bob")), name="reload")
        await until(lambda: "one" not in daemon.app.parts.fleet._tasks)
        await daemon.context("slow").emit(tick(1, adapter="slow"))
        assert daemon.task is not None
        daemon.task.cancel()
        await until(lambda: not daemon.app.parts.fleet._over)
        playing.ending["slow"].set()
        await asyncio.wait([daemon.task, reload])
        assert daemon.task.cancelled()
        assert playing.begun == ["one", "slow"]


def route(name: str, **fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": name, "on": "played.ticked", "owner": "alice", **fields}, RouteSettings)


async def test_what_waits_for_somebody_who_is_removed_still_arrives(
    broker: Broker, tmp_path: Path, playing: Playing
) -> None:
    del playing
    first = config(broker.url, adapters={"shared": "_house"}, durable=True)
    carol = replace(first, owners={**first.owners, "carol": OwnerSettings(id="carol", name="Carol")})
    async with at_home(carol, tmp_path) as daemon:
        await asyncio.to_thread(broker.stop)
        for number in range(20):
            await daemon.context("shared").emit(tick(number, owner="carol", adapter="shared"))
        await daemon.app.reload(first)
        await asyncio.to_thread(broker.start)
        async with observing(broker.port) as observer:
            await observer.until(lambda: len(observer.events("jitney/carol/event/shared/ticked")) == 20)


async def test_a_route_that_is_removed_while_it_waits_does_nothing_any_more(
    broker: Broker, tmp_path: Path, playing: Playing
) -> None:
    del playing
    other = route("other", do=[{"publish": "other"}])
    late = [
        route("calm", debounce=0.2, do=[{"publish": "late"}]),
        route("long", **{"for": 0.2}, when={"data.number": 1}, do=[{"publish": "late"}]),
    ]
    bare = config(broker.url, adapters={"played": "alice"}, routes=(other,))
    async with observing(broker.port) as observer, at_home(replace(bare, routes=(other, *late)), tmp_path) as daemon:
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        await daemon.context().emit(tick(1))
        assert routing.router._memory.next() < inf
        await daemon.app.reload(bare)
        assert routing.router._memory.next() == inf
        await daemon.app.reload(replace(bare, routes=(other, *late)))
        await daemon.context().emit(tick(2))
        await observer.until(lambda: len(observer.on("jitney/alice/event/route/late")) == 1)
        await until(lambda: routing.router._memory.next() == inf)
        await daemon.drained()
        assert len(observer.on("jitney/alice/event/route/late")) == 1


async def test_what_a_route_has_begun_is_finished_when_it_is_removed(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    there = asyncio.Event()

    async def act(_: Played, ctx: Context) -> None:
        if ctx.name == "lamp":
            await there.wait()
        ctx.online()
        await asyncio.Event().wait()

    async def command(_: Played, command: Command) -> Reply:
        done.append(command.name)
        return Reply.ok({})

    monkeypatch.setattr(Played, "act", act)
    monkeypatch.setattr(Played, "command", command)
    bare = config(broker.url, adapters={"played": "alice", "lamp": "alice"})
    asking = route("ask", do=[{"command": "lamp.shine"}])
    async with running(replace(bare, routes=(asking,)), tmp_path) as daemon:
        await daemon.connected()
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        await daemon.context().emit(tick(1))
        await until(lambda: routing.executor.waiting() == 1)
        await daemon.app.reload(bare)
        assert routing.executor.waiting() == 1
        there.set()
        await until(lambda: done == ["shine"])
        await until(lambda: routing.executor.waiting() == 0)


class Fragile(Played):
    """An adapter whose constructor fails."""

    name: ClassVar[str] = "fragile"

    def __init__(self, name: str, config: object) -> None:
        super().__init__(name, config)
        raise ZeroDivisionError


async def test_an_adapter_that_cannot_be_made_changes_nothing(broker: Broker, tmp_path: Path, playing: Playing) -> None:
    first = config(broker.url, adapters={"one": "alice", "two": "alice"})
    second = having(first, one="bob")
    broken = {**second.adapters, "three": replace(second.adapters["one"], name="three", type=Fragile)}
    async with at_home(first, tmp_path) as daemon:
        with pytest.raises(MisconfiguredError, match=r"adapters\.three: a fragile cannot be made of this"):
            await daemon.app.reload(replace(second, adapters=broken))
        assert daemon.app.config is first
        assert playing.begun == ["one", "two"]
        await daemon.app.reload(second)
        assert set(daemon.app.parts.fleet.runners) == {"one"}


BASE = """
[bus]
state_dir = "{state}"
[mqtt]
url = "{url}"
[http]
listen = ""
[owners.alice]
[owners.bob]
[adapters.hers]
type = "demo"
owner = "alice"
"""
HIS = '[adapters.his]\ntype = "demo"\nowner = "bob"\n'


class House:
    """A daemon in this process that follows a file."""

    def __init__(self, path: Path, daemon: Daemon, follower: Reloading, wanted: asyncio.Event) -> None:
        self.path = path
        self.base = path.read_text(encoding="utf-8")
        self.daemon = daemon
        self.follower = follower
        self.wanted = wanted

    async def has(self, *adapters: str) -> None:
        """Wait until these adapters are online."""
        runners = self.daemon.app.parts.fleet.runners
        await until(lambda: set(runners) == set(adapters) and all(one.context.is_online for one in runners.values()))


@pytest.fixture
async def house(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(reloading, "LOOK", 0.02)
    path = tmp_path / "config.toml"
    path.write_text(BASE.format(state=tmp_path / "state", url=broker.url), encoding="utf-8")
    seen = look(path)
    settings = load(path, environ={})
    wanted = asyncio.Event()
    async with running(settings, tmp_path / "state") as daemon, asyncio.TaskGroup() as group:
        notifier = Notifier({}, pid=0)
        seen = {**look(path, settings.files), **seen}
        follower = Reloading(daemon.app, path, environ={}, vault=None, notifier=notifier, wanted=wanted, seen=seen)
        task = group.create_task(follower.run(), name="reloading")
        house = House(path, daemon, follower, wanted)
        await house.has("hers")
        yield house
        task.cancel()


async def test_a_reload_goes_on_when_whoever_asked_does_not_wait_any_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "look", lambda *_: house.follower._seen)
    house.path.write_text(house.base + HIS, encoding="utf-8")
    asked = asyncio.create_task(house.follower.reload(), name="asked")
    asyncio.get_running_loop().call_soon(asked.cancel)
    await asyncio.wait([asked])
    assert asked.cancelled()
    await house.has("hers", "his")


async def test_a_file_that_changes_while_it_is_read_is_read_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine = reloading.examine
    read: list[Path] = []

    def reading(path: Path, **how: Any) -> Any:  # noqa: ANN401
        found = examine(path, **how)
        read.append(path)
        if len(read) == 1:
            path.write_text(house.base + HIS, encoding="utf-8")
        return found

    monkeypatch.setattr(reloading, "examine", reading)
    await house.follower.reload()
    await house.has("hers", "his")


async def test_a_change_that_shows_in_neither_size_nor_time_is_seen(house: House) -> None:
    before = house.path.stat()
    house.path.write_text(house.base.replace("adapters.hers", "adapters.ours"), encoding="utf-8")
    os.utime(house.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = house.path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    await house.has("ours")


async def test_files_beside_it_come_grow_and_go(house: House) -> None:
    folder = house.path.with_suffix(".d")
    folder.mkdir()
    beside = folder / "bob.toml"
    beside.write_text(HIS[:20], encoding="utf-8")
    await until(lambda: bool(house.daemon.app.parts.health.info().refused))
    with beside.open("a", encoding="utf-8") as rest:
        rest.write(HIS[20:])
    await house.has("hers", "his")
    beside.rename(folder / "bob.off")
    await house.has("hers")


async def test_a_file_that_is_gone_or_nonsense_leaves_everything_as_it_is(house: House) -> None:
    for spoil in (
        house.path.unlink,
        house.path.mkdir,
        lambda: (house.path.rmdir(), house.path.write_bytes(bytes(range(256)))),
        lambda: house.path.write_text("[" * 5000, encoding="utf-8"),
        lambda: house.path.write_text("", encoding="utf-8"),
    ):
        spoil()
        with pytest.raises(ConfigError):
            await house.follower.reload()
        await house.has("hers")
    house.path.write_text(house.base + HIS, encoding="utf-8")
    await house.has("hers", "his")


async def test_a_storm_of_signals_and_requests_ends_with_what_is_in_the_file(house: House) -> None:
    async def asked() -> object:
        try:
            return await house.follower.reload()
        except JitneyError as error:
            return error

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            text = (HIS, "", "nonsense = ", HIS.replace("his", "more"))[number % 4]
            house.path.write_text(house.base + text, encoding="utf-8")
            house.wanted.set()
            task = group.create_task(asked())
            if number % 5 == 0:
                await task
    house.path.write_text(house.base + HIS, encoding="utf-8")
    house.wanted.set()
    await house.has("hers", "his")
