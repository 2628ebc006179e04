"""People who are disabled and enabled while the bus runs, and external ids that nobody has claimed yet."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.entities import At, Device, Sensor
from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from jitney.daemon.config.schema import Config, DiscoverySettings
from jitney.daemon.discovery import announcer
from jitney.daemon.routes.settings import GrantSettings, RouteSettings
from jitney.topics import State
from tests.at_meshtastic import House, on_air
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

WHY = "alice is disabled:  jitney owners enable alice"
TANK = Device(name="Tank", entities=(Sensor(key="level", name="Level", value=At("tank", "level"), unit="%"),))


@pytest.fixture
def begun() -> Iterator[list[str]]:
    """Return the adapters that began, in this order; each has a state and a device of its owner."""
    found: list[str] = []

    async def act(_: Played, ctx: Context) -> None:
        found.append(ctx.name)
        ctx.set_state(State(ctx.default_owner, "place", msgspec.Raw(b"{}")))
        for owner in ctx.owners:
            ctx.announce(owner, [TANK])
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    yield found
    Played.act = None


def with_alice(found: Config, *, enabled: bool) -> Config:
    return replace(found, owners={**found.owners, "alice": replace(found.owners["alice"], enabled=enabled)})


@asynccontextmanager
async def at_home(found: Config, state: Path) -> AsyncIterator[Daemon]:
    async with running(found, state) as daemon:
        await daemon.connected()
        await settled(daemon)
        yield daemon


async def settled(daemon: Daemon) -> None:
    """Wait until every adapter is online and the broker knows everything."""
    app = daemon.app
    await until(lambda: all(runner.context.is_online for runner in app.parts.fleet.runners.values()))
    await until(lambda: app.parts.discovery.settled_down)
    await daemon.drained()


def dropped(daemon: Daemon, owner: str) -> int:
    items = daemon.app.parts.services.counters.items()
    return sum(
        value
        for name, whose, _, reason, value in items
        if (name, whose, reason) == ("dropped", owner, "owner_disabled")
    )


def is_online(observer: Observer, topic: str) -> bool:
    found = observer.on(topic)
    return bool(found) and b'"online"' in payload(found[-1])


async def error(observer: Observer, topic: str, reply: str) -> dict[str, Any]:
    """Ask something and return the error that is answered."""
    await observer.publish(topic, b'{"data":{},"transaction":"1","client":"desk"}')
    answer: dict[str, Any] = msgspec.json.decode(payload(await observer.message(reply)))
    return dict(answer["error"])


async def test_what_is_somebodys_rests_and_works_again_and_nobody_else_notices(
    broker: Broker, tmp_path: Path, begun: list[str]
) -> None:
    first = config(broker.url, adapters={"shared": "_house", "hers": "alice", "his": "bob"})
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        for adapter in ("shared", "his"):
            await observer.until(lambda adapter=adapter: is_online(observer, f"jitney/bob/status/{adapter}"))
        told = [str(message.topic) for message in observer.messages]
        await daemon.app.reload(with_alice(first, enabled=False))
        await settled(daemon)
        values = await retained(broker.port)
        for adapter in ("shared", "hers"):
            status = msgspec.json.decode(values[f"jitney/alice/status/{adapter}"])
            assert (status["state"], status["reason"]) == ("offline", WHY)
        assert "jitney/alice/state/hers/place" in values
        assert msgspec.json.decode(values["jitney/bob/status/shared"])["state"] == "online"
        shared = daemon.context("shared")
        shared.set_state(State("alice", "door", msgspec.Raw(b'{"open":true}')))
        shared.set_state(State("alice", "door", msgspec.Raw(b'{"open":false}')))
        await shared.emit(
            *(tick(number, owner=owner, adapter="shared") for number in (1, 2) for owner in ("alice", "bob"))
        )
        await until(lambda: len(observer.events("jitney/bob/event/shared/ticked")) == 2)
        refused = await error(observer, "jitney/alice/command/shared/echo", "jitney/alice/reply/desk/1")
        assert (refused["code"], refused["message"]) == ("owner_disabled", WHY)
        assert "hers" not in daemon.app.parts.runners
        assert dropped(daemon, "alice") == 2
        assert not [one for one in observer.messages if "/alice/event/" in str(one.topic)]
        assert "jitney/alice/state/shared/door" not in await retained(broker.port)
        await daemon.app.reload(first)
        await settled(daemon)
        await shared.emit(tick(3, owner="alice", adapter="shared"))
        await observer.message("jitney/alice/event/shared/ticked")
        values = await retained(broker.port)
        assert values["jitney/alice/state/shared/door"] == b'{"open":false}'
        for adapter in ("shared", "hers"):
            assert msgspec.json.decode(values[f"jitney/alice/status/{adapter}"])["state"] == "online"
        assert sorted(begun) == ["hers", "hers", "his", "shared"]
        since = [str(message.topic) for message in observer.messages][len(told) :]
        assert {topic for topic in since if topic.startswith("jitney/bob/")} == {"jitney/bob/event/shared/ticked"}


async def test_what_somebody_who_is_disabled_hands_in_is_refused(
    broker: Broker, tmp_path: Path, begun: list[str]
) -> None:
    del begun
    found = with_alice(config(broker.url), enabled=False)
    async with observing(broker.port) as observer, at_home(found, tmp_path) as daemon:
        refused = await error(observer, "jitney/alice/inbox/desk/said", "jitney/alice/reply/desk/1")
        assert (refused["code"], refused["message"]) == ("owner_disabled", WHY)
        await observer.publish("jitney/bob/inbox/desk/said", b"{}")
        await observer.message("jitney/bob/event/desk/said")
        assert not observer.on("jitney/alice/event/desk/said")
        assert dropped(daemon, "alice") == 1


async def test_who_was_disabled_when_the_bus_was_started_is_shown_so_and_keeps_what_was_there(
    broker: Broker, tmp_path: Path, begun: list[str]
) -> None:
    first = config(broker.url, adapters={"hers": "alice", "his": "bob"}, durable=True)
    async with at_home(first, tmp_path):
        pass
    async with at_home(with_alice(first, enabled=False), tmp_path) as daemon:
        values = await retained(broker.port)
        assert msgspec.json.decode(values["jitney/alice/status/hers"])["reason"] == WHY
        assert "jitney/alice/state/hers/place" in values
        await daemon.app.reload(first)
        await settled(daemon)
        assert sorted(begun) == ["hers", "hers", "his", "his"]
        assert msgspec.json.decode((await retained(broker.port))["jitney/alice/status/hers"])["state"] == "online"


async def test_an_adapter_that_goes_while_its_owner_is_disabled_leaves_nothing(
    broker: Broker, tmp_path: Path, begun: list[str]
) -> None:
    del begun
    first = config(broker.url, adapters={"hers": "alice", "his": "bob"})
    without = replace(with_alice(first, enabled=False), adapters={"his": first.adapters["his"]})
    async with at_home(first, tmp_path) as daemon:
        await daemon.app.reload(with_alice(first, enabled=False))
        await settled(daemon)
        assert "jitney/alice/state/hers/place" in await retained(broker.port)
        await daemon.app.reload(without)
        await settled(daemon)
        assert not [topic for topic in await retained(broker.port) if topic.startswith("jitney/alice/")]


async def test_what_is_held_back_of_an_adapter_goes_with_it_and_with_its_owner(
    broker: Broker, tmp_path: Path, begun: list[str]
) -> None:
    del begun
    first = config(broker.url, adapters={"shared": "_house", "other": "_house"})
    away = with_alice(first, enabled=False)
    async with at_home(away, tmp_path) as daemon:
        for name in ("shared", "other"):
            daemon.context(name).set_state(State("alice", "door", msgspec.Raw(b"{}")))
            daemon.context(name).set_state(State("alice", "window", msgspec.Raw(b"{}")))
        daemon.context("other").keep_states([("alice", "door")])
        await daemon.app.reload(replace(away, adapters={"other": away.adapters["other"]}))
        await daemon.app.reload(replace(first, adapters={"other": first.adapters["other"]}))
        await settled(daemon)
        kept = [topic for topic in await retained(broker.port) if topic.startswith("jitney/alice/state/")]
        assert kept == ["jitney/alice/state/other/door"]
        await daemon.app.reload(replace(away, adapters={"other": first.adapters["other"]}))
        daemon.context("other").set_state(State("alice", "window", msgspec.Raw(b"{}")))
        await daemon.app.parts.erasure.erase("alice")
        await daemon.app.reload(replace(first, adapters={"other": first.adapters["other"]}))
        await settled(daemon)
        assert not [topic for topic in await retained(broker.port) if topic.startswith("jitney/alice/state/")]


async def test_home_assistant_does_not_show_who_is_disabled(
    broker: Broker, tmp_path: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del begun
    monkeypatch.setattr(announcer, "GATHER", 0.01)
    first = config(broker.url, adapters={"shared": "_house"}, discovery=DiscoverySettings())
    node = "homeassistant/device/jitney-main"
    async with observing(broker.port, f"{node}/#") as observer, at_home(first, tmp_path) as daemon:
        his = payload(await observer.message(f"{node}/bob--shared/config"))
        assert f"{node}/alice--shared/config" in await retained(broker.port, f"{node}/#")
        await daemon.app.reload(with_alice(first, enabled=False))
        await settled(daemon)
        assert f"{node}/alice--shared/config" not in await retained(broker.port, f"{node}/#")
        await daemon.app.reload(first)
        await settled(daemon)
        assert f"{node}/alice--shared/config" in await retained(broker.port, f"{node}/#")
        assert {payload(one) for one in observer.on(f"{node}/bob--shared/config")} == {his}


def route(name: str, **fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": name, "on": "played.ticked", **fields}, RouteSettings)


async def test_routes_and_grants_rest_and_what_was_planned_waits(
    broker: Broker, tmp_path: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del begun
    monkeypatch.setattr("jitney.daemon.routing.resting.LOOK_AGAIN", 0.0)
    later = route("later", owner="alice", do=[{"publish": "later", "data": {}, "delay": 0.3}])
    daily = route("each", do=[{"publish": "each", "data": {"n": "{{ data.number }}"}}])
    grants = tuple(
        msgspec.convert({"from": one, "to": other, "kinds": "played.*"}, GrantSettings)
        for one, other in (("alice", "bob"), ("bob", "alice"))
    )
    first = replace(config(broker.url), routes=(later, daily), grants=grants)
    async with observing(broker.port) as observer, at_home(first, tmp_path) as daemon:
        await daemon.context().emit(tick(1))
        await observer.message("jitney/bob/shared/alice/event/played/ticked")
        await daemon.app.reload(with_alice(first, enabled=False))
        await daemon.context().emit(tick(2, owner="bob"), tick(3))
        states = "jitney/bob/event/route/each"
        await observer.until(lambda: observer.on(states))
        actions = daemon.app.parts.services.counters
        await until(lambda: any(key[3] == "owner_disabled" and key[0] == "actions" for key in actions.items()))
        assert not observer.on("jitney/alice/event/route/later")
        assert not observer.on("jitney/alice/shared/bob/event/played/ticked")
        await daemon.app.reload(first)
        await observer.message("jitney/alice/event/route/later")
        await daemon.context().emit(tick(4, owner="bob"))
        await observer.message("jitney/alice/shared/bob/event/played/ticked")


CONFIG = """\
# the house
[mqtt]
url = "{broker}"
[bus]
state_dir = "{state}"
[http]
listen = ""
[adapters.base]
type = "meshtastic"
connection = "{radio}"
retry = {{ first = 0.01, longest = 0.05 }}

[owners.alice]  # she
name = "Alice"
[owners.bob]
"""


async def test_a_node_that_nobody_has_claimed_is_listed_and_belongs_to_whoever_claims_it(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    async with on_air("base") as radios:
        text = CONFIG.format(broker=broker.url, state=tmp_path / "state", radio=radios["base"].connection)
        path.write_text(text)
        node = radios["base"].node(0xA11CE001)
        async with observing(broker.port) as observer, running(load(path, environ={}), tmp_path / "state") as daemon:
            house = House(observer)
            await daemon.connected()
            await until(lambda: daemon.context("base").is_online)  # type: ignore[attr-defined]
            node.text("hello")
            await house.until(lambda: house.texts("_house") == ["hello"])

            async def cli(*arguments: str) -> tuple[int, str, str]:
                status = await asyncio.to_thread(main, ["owners", "claim", *arguments, "-c", str(path)])
                return status, *capsys.readouterr()

            status, out, err = await cli()
            assert status == 0
            assert node.id in out
            assert f"  jitney owners claim '{node.id}' OWNER" in err
            status, out, err = await cli(node.id, "alice")
            assert status == 0, err
            assert f'+meshtastic = {{nodes = ["{node.id}"]}}' in out
            assert path.read_text() == text.replace(
                'name = "Alice"\n', f'name = "Alice"\nmeshtastic = {{nodes = ["{node.id}"]}}\n'
            )
            await daemon.app.reload(load(path, environ={}))
            await until(lambda: daemon.context("base").is_online)  # type: ignore[attr-defined]
            node.text("it is me")
            await house.until(lambda: house.texts("alice") == ["it is me"])
            status, out, err = await cli()
            assert (status, out) == (0, "")
            assert "nobody who is nobody's" in err
            status, _, err = await cli(node.id, "bob")
            assert (status, f"{node.id} is alice's ({path}:15)" in err) == (1, True)
