"""The flow for Node-RED: importable as it stands, and at home with the whole bus, watched at the broker alone."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self

import aiohttp
import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import Config
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import Command, Event, Reply, State
from tests.conftest import StartBroker
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.waiting import until

EXAMPLE: Final = Path(__file__).parent.parent / "examples" / "node-red"
FLOW: Final[list[dict[str, Any]]] = json.loads((EXAMPLE / "flow.json").read_text(encoding="utf-8"))
BUTTON: Final = "jitney/alice/inbox/phone/button"
SWITCHED: Final = "jitney/alice/event/nodered/lamp_switched"
ANSWERED: Final = "jitney/alice/state/route/lamp"
LAMP: Final = "jitney/alice/state/home/light.alice_desk"
START_SECONDS: Final = 60.0

pytestmark = [pytest.mark.nodered, pytest.mark.slow, pytest.mark.timeout(180)]

SETTINGS: Final = """\
module.exports = {
  flowFile: "flows.json", credentialSecret: false, uiHost: "127.0.0.1", uiPort: %d,
  disableEditor: true, httpNodeRoot: false, mqttReconnectTime: 200,
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { palette: { allowInstall: false }, modules: { allowInstall: false } },
};
"""


class NodeRed:
    """Node-RED with the flow of the example, in which only the broker's address and protocol are put in."""

    def __init__(self, program: str, folder: Path, *, broker: Broker, protocol: str) -> None:
        self.log: deque[str] = deque(maxlen=500)
        self.connections = 0
        self.protocol = protocol
        self._program = program
        self._folder = folder
        self._broker = broker
        self._port = free_port()

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._write("settings.js", SETTINGS % self._port)
        version = {"5": "5", "3.1.1": "4"}[self.protocol]
        address = {"broker": "127.0.0.1", "port": str(self._broker.port), "protocolVersion": version}
        flow = [node | address if node["type"] == "mqtt-broker" else node for node in FLOW]
        self._write("flows.json", json.dumps(flow))
        self._write("flows_cred.json", json.dumps({n["id"]: n["credentials"] for n in FLOW if "credentials" in n}))
        self._child = subprocess.Popen(  # noqa: S603 - the Node-RED that was asked for
            [self._program, "--userDir", str(self._folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"HOME": str(self._folder)},
            text=True,
        )
        self._reader = Thread(target=self._read, name="the log of Node-RED")
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join()
        assert self._child.stdout is not None
        self._child.stdout.close()

    async def connected(self, times: int = 1) -> None:
        """Wait until it has connected to the broker so many times; from then on what it publishes is sent."""
        await until(lambda: self.connections >= times or self._child.poll() is not None, seconds=START_SECONDS)
        assert self._child.poll() is None, "Node-RED has ended"

    async def press(self, inject: str) -> None:
        """Press the button of an inject node."""
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"http://127.0.0.1:{self._port}/inject/{inject}")
        assert answer.status == 200

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.log.append(line.rstrip("\n"))
            self.connections += "Connected to broker" in line


@pytest.fixture(scope="module")
def guarded(mosquitto: StartBroker, tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """Start a broker where alice may do what the example says, and no more."""
    rules = tmp_path_factory.mktemp("rules") / "acl"
    (hers,) = re.findall(r"```conf\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    rules.write_text(f"{hers}\nuser jitney\ntopic readwrite #\n\nuser watcher\ntopic readwrite #\n", encoding="ascii")
    rules.parent.chmod(0o755)
    rules.chmod(0o700)
    return mosquitto(extra=[f"acl_file {rules}"])


@pytest.fixture(scope="module", params=["5", "3.1.1"])
def node_red(
    guarded: Broker, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeRed]:
    named = os.environ.get("JITNEY_NODE_RED")
    program = shutil.which(named or "node-red")
    if program is None:
        assert not named, f"JITNEY_NODE_RED={named} is no program"
        pytest.skip("no Node-RED: neither node-red on the PATH nor its path in JITNEY_NODE_RED")
    folder = tmp_path_factory.mktemp("node-red") / "user"
    with NodeRed(program, folder, broker=guarded, protocol=request.param) as started:
        yield started


class House:
    """The bus beside Node-RED, with a played adapter ``home``, and who watches them."""

    def __init__(self, daemon: Daemon, observer: Observer) -> None:
        self.daemon = daemon
        self.observer = observer

    async def lamp(self, state: str) -> None:
        told = msgspec.json.encode({"state": state, "attributes": {}})
        self.daemon.context("home").set_state(State("alice", "light.alice_desk", Raw(told)))
        await self.observer.until(lambda: any(payload(message) == told for message in self.observer.on(LAMP)[-1:]))

    async def switched(self) -> Event:
        """Wait until the flow has told what became of the lamp, and a route has answered that."""
        await self.observer.message(ANSWERED)
        (event,) = self.observer.events(SWITCHED)
        return event


@asynccontextmanager
async def watched(node_red: NodeRed, broker: Broker, daemon: Daemon) -> AsyncIterator[House]:
    try:
        await node_red.connected()
        await daemon.connected()
        await daemon.drained()
        async with observing(broker.port, username="watcher") as observer:
            yield House(daemon, observer)
        assert not [line for line in list(node_red.log) if "[error]" in line]
    except BaseException:
        print(*list(node_red.log), sep="\n")  # noqa: T201 - pytest shows it beside the failure
        raise


@asynccontextmanager
async def house(node_red: NodeRed, broker: Broker, state: Path) -> AsyncIterator[House]:
    async with (
        running(household(broker, node_red.protocol), state) as daemon,
        watched(node_red, broker, daemon) as home,
    ):
        yield home


def household(broker: Broker, protocol: str) -> Config:
    route = {
        "name": "what the flow tells",
        "on": "inbox.lamp_switched",
        "do": [{"state": "lamp", "data": {"event": "{{ id }}", "status": "{{ data.status }}"}}],
    }
    return config(
        broker.url,
        adapters={"home": "_house"},
        mqtt={"username": "jitney", "protocol": protocol},
        routes=(msgspec.convert(route, RouteSettings),),
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    commands: list[Command] = []

    async def command(_: Played, command: Command) -> Reply:
        commands.append(command)
        if b"turn_off" in bytes(command.data):
            raise RefusedError("not_found", "there is no such lamp")
        return Reply.ok({"context": f"c{len(commands)}"})

    monkeypatch.setattr(Played, "command", command)
    return commands


def data(event: Event) -> Any:  # noqa: ANN401 - any JSON
    return msgspec.json.decode(event.data)


async def test_a_button_switches_the_lamp_by_its_state_and_the_reply_comes_back_and_is_told_to_the_routes(
    node_red: NodeRed, guarded: Broker, tmp_path: Path, asked: list[Command]
) -> None:
    async with house(node_red, guarded, tmp_path) as home:
        observer = home.observer
        await home.lamp("off")
        await observer.publish(BUTTON, b'{"pressed":"desk"}')
        event = await home.switched()
        (command,) = asked
        assert (command.owner, command.adapter, command.name) == ("alice", "home", "call_service")
        assert msgspec.json.decode(command.data) == {
            "service": "light.turn_on",
            "target": {"entity_id": "light.alice_desk"},
        }
        (button,) = observer.events("jitney/alice/event/phone/button")
        assert (event.type, event.source, event.owner) == ("inbox.lamp_switched", "/nodered", "alice")
        assert (event.causationid, event.hops) == (button.id, 1)
        assert data(event) == {"service": "light.turn_on", "status": "ok", "reply": {"context": "c1"}}
        (answered,) = observer.on(ANSWERED)
        assert json.loads(payload(answered)) == {"event": event.id, "status": "ok"}


async def test_the_reply_is_asked_for_and_found_in_the_way_of_the_protocol(
    node_red: NodeRed, guarded: Broker, tmp_path: Path, asked: list[Command]
) -> None:
    async with house(node_red, guarded, tmp_path) as home:
        await home.lamp("off")
        await node_red.press("press")
        await home.switched()
        (question,) = home.observer.on("jitney/alice/command/home/call_service")
        assert question.properties is not None
        properties = question.properties.json()
        transaction = json.loads(payload(question))["transaction"]
        topic = f"jitney/alice/reply/nodered/{transaction}"
        if node_red.protocol == "5":
            assert properties["ResponseTopic"] == topic
            assert bytes.fromhex(properties["CorrelationData"]).decode() == transaction
        else:
            assert "ResponseTopic" not in properties
        assert json.loads(payload(await home.observer.message(topic)))["status"] == "ok"
        assert len(asked) == 1


async def test_a_command_that_is_refused_is_told_with_its_reason(
    node_red: NodeRed, guarded: Broker, tmp_path: Path, asked: list[Command]
) -> None:
    async with house(node_red, guarded, tmp_path) as home:
        await home.lamp("on")
        await node_red.press("press")
        event = await home.switched()
        assert len(asked) == 1
        error = {"code": "not_found", "message": "there is no such lamp"}
        assert data(event) == {"service": "light.turn_off", "status": "error", "error": error, "reply": {}}


async def test_bare_json_and_a_cloudevent_from_the_flow_are_events_and_the_post_comes_once(
    node_red: NodeRed, guarded: Broker, tmp_path: Path
) -> None:
    async with house(node_red, guarded, tmp_path) as home:
        for button in ("post", "post", "coffee"):
            await node_red.press(button)
        await home.observer.message("jitney/alice/event/nodered/coffee")
        (coffee,) = home.observer.events("jitney/alice/event/nodered/coffee")
        assert (coffee.type, coffee.source, data(coffee)) == ("inbox.coffee", "/nodered", {"cups": 1})
        assert len(home.observer.on("jitney/alice/inbox/nodered/post")) == 2
        (post,) = home.observer.events("jitney/alice/event/nodered/post")
        assert re.fullmatch(r"post \d{4}-\d\d-\d\d", post.id)
        assert post.time.startswith(post.id.removeprefix("post "))


async def test_an_alert_is_told_once_each_time_that_it_is_raised(
    node_red: NodeRed, guarded: Broker, tmp_path: Path
) -> None:
    seen = "jitney/alice/event/nodered/alert_seen"
    async with house(node_red, guarded, tmp_path) as home:
        board = home.daemon.app.parts.runners["home"].board
        for times in (1, 2):
            board.alert("alice", "reauth", message="sign in again", link="http://house/profile")
            await home.observer.until(lambda times=times: len(home.observer.on(seen)) >= times)
            board.resolve("alice", "reauth")
            topic = "jitney/alice/alert/home.reauth"
            await home.observer.until(lambda topic=topic: not payload(home.observer.on(topic)[-1]))
        told = {"alert": "home.reauth", "message": "sign in again", "link": "http://house/profile"}
        assert [data(event) for event in home.observer.events(seen)] == [told, told]


async def test_after_restarts_of_the_broker_and_of_the_daemon_the_flow_goes_on_by_itself(
    node_red: NodeRed, guarded: Broker, tmp_path: Path, asked: list[Command]
) -> None:
    settings = household(guarded, node_red.protocol)
    async with running(settings, tmp_path) as daemon:
        async with watched(node_red, guarded, daemon) as home:
            await home.lamp("off")
            await home.observer.publish(BUTTON, b"{}")
            await home.switched()
        before = node_red.connections
        await asyncio.to_thread(guarded.kill)
        await asyncio.to_thread(guarded.start)
        async with observing(guarded.port, username="watcher") as observer:
            await observer.message("jitney/_bus/main/state")
        await node_red.connected(before + 1)
        async with watched(node_red, guarded, daemon) as home:
            await home.observer.message(LAMP)
            await home.observer.publish(BUTTON, b"{}")
            await home.observer.message(SWITCHED)
    async with running(settings, tmp_path) as daemon, watched(node_red, guarded, daemon) as home:
        await home.lamp("off")
        await home.observer.publish(BUTTON, b"{}")
        await home.observer.message(SWITCHED)
    assert [msgspec.json.decode(command.data)["service"] for command in asked] == ["light.turn_on"] * 3
