import asyncio
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.broker.session import BrokerRefusedError
from jitney.daemon.cli import main
from jitney.daemon.cli.colours import Paint
from jitney.daemon.cli.common import UsageError, broker_settings
from jitney.daemon.cli.lines import Lines
from jitney.daemon.cli.mqtt_client import Heard
from jitney.daemon.cli.tail import Watch, follow
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import EventData, TopicTree, cloudevents, event
from jitney.topics.tree import AlertTopic, EventTopic, SharedTopic, StateTopic, StatusTopic, Topic
from tests.conftest import StartBroker
from tests.daemon.cli.conftest import Publish, publisher
from tests.fakes.mosquitto import Broker

BEFORE = '{"state":"online","since":"2026-11-21T05:41:00.120Z"}'


class Rang(EventData, frozen=True):
    type = "bell.rang"
    times: int


def rang(owner: str, times: int = 1) -> bytes:
    return cloudevents.encode(event(Rang(times), adapter="front", owner=owner, subject="gate"))


class Screen:
    """Shows lines and remembers them."""

    def __init__(self, root: str) -> None:
        self.tree = TopicTree(root)
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self._line = Lines(Paint(enabled=False), columns=lambda: 0).line

    def __call__(self, heard: Heard, address: Topic) -> str:
        text = self._line(heard, address)
        self.lines.put_nowait(text)
        return text

    async def next(self) -> str:
        """Return the next line without its time of day, its columns one blank apart."""
        async with asyncio.timeout(15):
            line = await self.lines.get()
        return re.sub(r" +", " ", re.sub(r"^\d\d:\d\d:\d\d", "", line)).strip()

    def name(self, address: Topic) -> str:
        return self.tree.name(address).removeprefix(self.tree.root + "/")


@asynccontextmanager
async def tail(broker: Broker, root: str, watch: Watch | None = None) -> AsyncIterator[Screen]:
    """Follow the broker; entered when the subscription is there, which a retained message tells."""
    screen = Screen(root)
    settings = MqttSettings(url=broker.url, topic_root=root)
    watch = watch or Watch()
    publish = publisher(broker, root)
    if watch.events:
        await asyncio.to_thread(publish, "alice/event/front/first", rang("alice", 0), retain=True)
    else:
        await asyncio.to_thread(publish, "_bus/main/state", BEFORE, retain=True)
    task = asyncio.create_task(follow(settings, watch, screen), name="tail")
    try:
        assert await screen.next() in ("_bus main bus online", "alice front/first gate")
        yield screen
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class Say(Protocol):
    """Publish without holding up the event loop."""

    async def __call__(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None: ...


@pytest.fixture
def say(shared_broker: Broker, root: str) -> Say:
    publish: Publish = publisher(shared_broker, root)

    async def said(topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        await asyncio.to_thread(publish, topic, payload, retain=retain)

    return said


async def test_an_event_is_one_line_with_owner_source_subject_and_data(
    shared_broker: Broker, root: str, say: Say
) -> None:
    async with tail(shared_broker, root) as screen:
        await say(screen.name(EventTopic("alice", "front", "rang")), rang("alice", 3))
        assert await screen.next() == "alice front/rang gate times=3"


async def test_one_owner_sees_nothing_of_another(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root, Watch("alice")) as screen:
        await say(screen.name(EventTopic("bob", "front", "rang")), rang("bob"))
        await say(screen.name(EventTopic("alice", "front", "rang")), rang("alice"))
        assert await screen.next() == "alice front/rang gate times=1"


async def test_owners_can_be_given_by_a_glob(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root, Watch("al*")) as screen:
        for owner in ("bob", "alice", "al"):
            await say(screen.name(EventTopic(owner, "front", "rang")), rang(owner))
        assert [(await screen.next()).split()[0] for _ in range(2)] == ["alice", "al"]


async def test_with_a_glob_for_types_only_such_events_are_shown(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root, Watch(events="bell.*")) as screen:
        await say(screen.name(StatusTopic("alice", "front")), BEFORE)
        await say(screen.name(EventTopic("alice", "front", "opened")), rang("alice").replace(b"bell.", b"door."))
        await say(screen.name(SharedTopic("alice", "bob", "front", "rang")), rang("bob"))
        assert await screen.next() == "alice bob:front/rang gate times=1"


async def test_shared_events_alerts_and_statuses_are_shown(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root, Watch("alice")) as screen:
        await say(screen.name(SharedTopic("alice", "bob", "front", "rang")), rang("bob"))
        alert = '{"message":"sign in again","link":"https://bus.example.org"}'
        await say(screen.name(AlertTopic("alice", "home.reauth")), alert)
        await say(screen.name(AlertTopic("alice", "home.reauth")), b"")
        await say(screen.name(StatusTopic("alice", "home")), '{"state":"offline","reason":"no answer"}')
        assert await screen.next() == "alice bob:front/rang gate times=1"
        assert await screen.next() == "alice home.reauth alert sign in again https://bus.example.org"
        assert await screen.next() == "alice home.reauth alert resolved"
        assert await screen.next() == "alice home status offline: no answer"


@pytest.mark.parametrize("states", [True, False])
async def test_states_are_shown_when_asked_for(shared_broker: Broker, root: str, say: Say, *, states: bool) -> None:
    async with tail(shared_broker, root, Watch("alice", states=states)) as screen:
        await say(screen.name(StateTopic("alice", "home", "light.desk")), '{"state":"on","attributes":{}}')
        await say(screen.name(StateTopic("alice", "home", "light.desk")), b"")
        await say(screen.name(EventTopic("alice", "front", "rang")), rang("alice"))
        if states:
            assert await screen.next() == "alice home state light.desk on"
            assert await screen.next() == "alice home state light.desk gone"
        assert await screen.next() == "alice front/rang gate times=1"


async def test_topics_that_the_bus_does_not_have_are_passed_over(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root) as screen:
        await say("Not An Owner/event/front/rang", rang("alice"))
        await say("_bus/main/state", '{"state":"offline"}')
        assert await screen.next() == "_bus main bus offline"


async def test_an_event_that_is_none_is_told_and_not_fatal(shared_broker: Broker, root: str, say: Say) -> None:
    async with tail(shared_broker, root) as screen:
        await say(screen.name(EventTopic("alice", "front", "rang")), b'{"specversion":"1.0", \x1b[2J')
        assert (await screen.next()).startswith("alice front/rang not an event of this bus")
        await say(screen.name(EventTopic("alice", "front", "rang")), rang("alice"))
        assert await screen.next() == "alice front/rang gate times=1"


async def test_it_connects_again_and_does_not_repeat_what_was_told(
    mosquitto: StartBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = mosquitto(persistence=True)
    publish = publisher(broker)
    async with tail(broker, "jitney") as screen:
        await asyncio.to_thread(publish, "alice/status/home", '{"state":"connecting"}', retain=True)
        assert await screen.next() == "alice home status connecting"
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(publish, "alice/status/base", '{"state":"online"}', retain=True)
        assert await screen.next() == "alice base status online"
        await asyncio.to_thread(publish, "alice/event/front/rang", rang("alice"))
        assert await screen.next() == "alice front/rang gate times=1"
    err = capsys.readouterr().err
    assert err.count("trying again") == 1
    assert err.count("connected again, after") == 1


async def test_a_broker_that_refuses_us_ends_it(mosquitto: StartBroker) -> None:
    broker = mosquitto(anonymous=False, extra=["allow_zero_length_clientid true"])
    with pytest.raises(BrokerRefusedError, match="a client without user name"):
        async with asyncio.timeout(15):
            await follow(MqttSettings(url=broker.url), Watch(), Screen("jitney"))


async def test_a_broker_that_speaks_only_3_1_1_is_followed_too() -> None:
    pytest.importorskip("amqtt", reason="amqtt is the extra 'embedded'")
    from jitney.daemon.broker.sessions.embedded import EmbeddedBroker  # noqa: PLC0415 - needs the extra

    async with EmbeddedBroker() as embedded:
        broker: Any = embedded
        broker.port = int(embedded.url.rpartition(":")[2])
        async with tail(broker, "jitney") as screen:
            await asyncio.to_thread(publisher(broker), "alice/event/front/rang", rang("alice"))
            assert await screen.next() == "alice front/rang gate times=1"


def test_for_programs_each_line_is_topic_retained_and_payload(shared_broker: Broker, root: str) -> None:
    publish = publisher(shared_broker, root)
    publish("_bus/main/state", '{\n"state": "online"\n}', retain=True)
    publish("alice/status/home", b"\xff not json", retain=True)
    command = [sys.executable, "-m", "jitney.daemon.cli", "tail", "--json", "--root", root, "--mqtt", shared_broker.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this Python
        assert process.stdout is not None
        lines = [msgspec.json.decode(process.stdout.readline()) for _ in range(2)]
        publish("alice/event/front/rang", rang("alice"))
        lines.append(msgspec.json.decode(process.stdout.readline()))
        process.terminate()
    by_topic = {line["topic"].removeprefix(root + "/"): line for line in lines}
    assert by_topic["_bus/main/state"]["payload"] == {"state": "online"}
    assert by_topic["_bus/main/state"]["retained"] is True
    assert by_topic["alice/status/home"]["payload"] == "\ufffd not json"
    assert by_topic["alice/event/front/rang"]["payload"]["data"] == {"times": 1}
    assert by_topic["alice/event/front/rang"]["retained"] is False


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["Alice"], 1, "'Alice' is not an owner id"),
        (["--mqtt", "http://localhost"], 1, "expected mqtt://"),
        (["-c", "/nowhere/config.toml"], 78, "there is no such file"),
    ],
)
def test_what_cannot_be_followed_is_told_at_once(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [] if "-c" in arguments or "--mqtt" in arguments else ["--mqtt", "mqtt://localhost:1"]
    assert main(["tail", *arguments, *named]) == status
    assert words in capsys.readouterr().err


def test_user_and_password_may_stand_in_the_url_and_are_taken_out_of_it() -> None:
    args = Namespace(mqtt="mqtts://alice:p%40ss@broker:8884", config=None, root="home")
    settings = broker_settings(args)
    assert (settings.url, settings.username) == ("mqtts://broker:8884", "alice")
    assert (settings.password, settings.topic_root) == (Secret("p@ss"), "home")


def test_the_broker_of_a_configuration_is_taken_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('version = 1\n[mqtt]\nurl = "mqtt://broker"\ntopic_root = "house"\n', encoding="utf-8")
    settings = broker_settings(Namespace(mqtt="mqtt://other", config=file, root=None))
    assert (settings.url, settings.topic_root) == ("mqtt://broker", "house")


def test_a_broker_inside_the_daemon_has_to_be_named_by_its_port(tmp_path: Path) -> None:
    pytest.importorskip("amqtt", reason="amqtt is the extra 'embedded'")
    file = tmp_path / "config.toml"
    file.write_text('version = 1\n[mqtt]\nurl = "embedded:"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="--mqtt mqtt://127"):
        broker_settings(Namespace(mqtt="", config=file, root=None))
