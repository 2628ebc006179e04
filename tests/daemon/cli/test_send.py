import asyncio
from argparse import ArgumentTypeError
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jitney.daemon.cli import main
from jitney.daemon.cli.asking import NoReplyError, Order, ask
from jitney.daemon.cli.common import UsageError
from jitney.daemon.cli.send import assignment, merged
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import Reply, requests
from tests.conftest import StartBroker
from tests.daemon.cli.conftest import publisher
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port

OK = Reply.ok({"done": True})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


class Asked:
    """A command as the daemon sees it."""

    def __init__(self, message: aiomqtt.Message) -> None:
        assert isinstance(message.payload, bytes)
        self.topic = str(message.topic)
        self.request = requests.decode(message.payload)
        self.response_topic = getattr(message.properties, "ResponseTopic", "")
        self.correlation = getattr(message.properties, "CorrelationData", b"")
        self.expiry = getattr(message.properties, "MessageExpiryInterval", 0)


@asynccontextmanager
async def daemon(broker: Broker, root: str, answer: Callable[[Asked], bytes | None]) -> AsyncIterator[list[Asked]]:
    """Answer commands as the daemon does: to the response topic, else to the reply topic of client and transaction."""
    asked: list[Asked] = []

    async def serve(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            one = Asked(message)
            asked.append(one)
            payload = answer(one)
            owner = one.topic.removeprefix(root + "/").partition("/")[0]
            topic = one.response_topic or f"{root}/{owner}/reply/{one.request.client}/{one.request.transaction}"
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if one.correlation:
                properties.CorrelationData = one.correlation
            if payload is not None:
                await client.publish(topic, payload, qos=1, properties=properties)

    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe(f"{root}/+/command/#", qos=1)
        task = asyncio.create_task(serve(client), name="daemon")
        yield asked
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


ORDER = Order(owner="alice", adapter="home", command="ring", data={"times": 2}, seconds=10.0)


async def test_the_reply_comes_to_a_topic_of_the_owner_who_asked(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with daemon(shared_broker, root, lambda _: msgspec.json.encode(OK)) as asked:
        assert await ask(settings, ORDER) == OK
    (one,) = asked
    assert one.topic == f"{root}/alice/command/home/ring"
    assert one.request.data == msgspec.Raw(b'{"times":2}')
    assert one.response_topic == f"{root}/alice/reply/cli/{one.request.transaction}"
    assert one.correlation.decode() == one.request.transaction
    assert one.expiry == 10


async def test_over_3_1_1_client_and_transaction_say_where_the_reply_goes(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root, protocol="3.1.1")
    async with daemon(shared_broker, root, lambda _: msgspec.json.encode(OK)) as asked:
        assert await ask(settings, ORDER) == OK
    assert asked[0].response_topic == ""
    assert asked[0].request.client == "cli"


@pytest.mark.parametrize("scheme", ["unix", "ws"])
async def test_a_unix_socket_and_a_websocket_lead_to_the_broker_too(
    mosquitto: StartBroker, tmp_path: Path, root: str, scheme: str
) -> None:
    port = free_port()
    extra = [f"listener 0 {tmp_path}/socket", "allow_anonymous true"]
    extra += [f"listener {port} 127.0.0.1", "protocol websockets", "allow_anonymous true"]
    broker = mosquitto(extra=extra)
    url = {"unix": f"unix://{tmp_path}/socket", "ws": f"ws://127.0.0.1:{port}"}[scheme]
    async with daemon(broker, root, lambda _: msgspec.json.encode(OK)):
        assert await ask(MqttSettings(url=url, topic_root=root), ORDER) == OK


async def test_data_that_looks_like_an_envelope_arrives_as_data(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with daemon(shared_broker, root, lambda _: msgspec.json.encode(OK)) as asked:
        await ask(settings, replace(ORDER, data={"data": 1, "transaction": "x"}))
    assert asked[0].request.data == msgspec.Raw(b'{"data":1,"transaction":"x"}')


async def test_names_with_separators_stay_in_their_level(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with daemon(shared_broker, root, lambda _: msgspec.json.encode(OK)) as asked:
        await ask(settings, replace(ORDER, command="a/b+#"))
    assert asked[0].topic == f"{root}/alice/command/home/a%2Fb%2B%23"


async def test_a_command_that_nobody_hears_fails_at_once(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    with pytest.raises(NoReplyError, match=f"nobody listens to {root}/alice/command/home/ring"):
        await ask(settings, replace(ORDER, seconds=3600.0))


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (None, None, ["no bus has been seen", "is the daemon running?"]),
        ('{"state":"offline"}', None, ["the bus main is offline", "alice has no adapter 'home'", "comes back"]),
        ('{"state":"online"}', '{"state":"reauth","reason":"bad token"}', ["home is reauth (bad token)", "--timeout"]),
        ("[]", "", ["the bus main is in an unknown state"]),
    ],
)
async def test_a_silence_says_what_to_look_at(
    shared_broker: Broker, root: str, *, state: str | None, status: str | None, words: list[str]
) -> None:
    publish = publisher(shared_broker, root)
    if state is not None:
        await asyncio.to_thread(publish, "_bus/main/state", state, retain=True)
    if status is not None:
        await asyncio.to_thread(publish, "alice/status/home", status, retain=True)
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with daemon(shared_broker, root, lambda _: None):
        with pytest.raises(NoReplyError, match=r"within 0\.3 s") as silence:
            await ask(settings, replace(ORDER, seconds=0.3))
    assert [word for word in words if word not in str(silence.value)] == []


async def test_a_reply_that_is_none_is_told(shared_broker: Broker, root: str) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with daemon(shared_broker, root, lambda _: b"[1"):
        with pytest.raises(NoReplyError, match="the reply is not one of the bus"):
            await ask(settings, ORDER)


async def run(broker: Broker, root: str, reply: Reply, *arguments: str) -> tuple[int, list[Asked]]:
    async with daemon(broker, root, lambda _: msgspec.json.encode(reply)) as asked:
        return await asyncio.to_thread(main, ["send", "--mqtt", broker.url, "--root", root, *arguments]), asked


async def test_the_command_line_prints_the_data_of_the_reply(
    shared_broker: Broker, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("alice", "home", "turn", "entity_id=light.desk", "on=true", "data.brightness=0.5")
    status, asked = await run(shared_broker, root, OK, *words)
    assert status == 0
    assert capsys.readouterr() == ('ok {"done": true}\n', "")
    data = {"entity_id": "light.desk", "on": True, "data": {"brightness": 0.5}}
    assert msgspec.json.decode(asked[0].request.data) == data


async def test_options_may_stand_between_the_words(shared_broker: Broker, root: str) -> None:
    words = ("alice", "home", "--timeout", "3", "turn", "--data", '{"deep":{"a":1}}', "deep.b=2", "--json", "on=yes")
    status, asked = await run(shared_broker, root, OK, *words)
    assert status == 0
    assert msgspec.json.decode(asked[0].request.data) == {"deep": {"a": 1, "b": 2}, "on": "yes"}
    assert asked[0].expiry == 3


async def test_a_refusal_is_told_and_has_its_status(
    shared_broker: Broker, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = await run(shared_broker, root, Reply.failed("busy", "16 are under way"), "alice", "home", "ring")
    assert status == 1
    assert capsys.readouterr() == ("", "refused (busy): 16 are under way\n")


async def test_for_programs_the_whole_reply_is_one_line(
    shared_broker: Broker, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Reply.failed("busy", "16 are under way")
    status, _ = await run(shared_broker, root, refused, "alice", "home", "ring", "--json")
    assert status == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(line, type=Reply) == refused


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["alice", "home", "ring", "loud"], 2, "expected KEY=VALUE, got 'loud'"),
        (["alice", "home", "ring", "=1"], 2, "expected KEY=VALUE"),
        (["alice", "home", "ring", "a=1", "a.b=2"], 2, "a is given a value of its own and one inside it"),
        (["alice", "home", "ring", "a=1", "a=2"], 2, "a is given twice"),
        (["alice", "home", "ring", "--data", "[1]"], 2, "--data: expected a JSON object"),
        (["alice", "home", "ring", "--timeout", "0"], 2, "expected seconds, more than 0"),
        (["alice", "home", "ring", "--timeout", "nan"], 2, "expected seconds, more than 0"),
        (["Alice", "home", "ring"], 1, "'Alice' is not an owner id"),
        (["alice", "home", "ring"], 1, "is the broker running"),
    ],
)
def test_what_cannot_be_sent_is_told(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "--mqtt", "mqtt://127.0.0.1:1", *arguments]) == status
    assert words in capsys.readouterr().err


@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
def test_a_value_that_is_a_scalar_of_json_becomes_that(value: object) -> None:
    assert assignment("key=" + msgspec.json.encode(value).decode()) == (("key",), value)


def test_an_argument_that_is_no_text_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="not UTF-8"):
        assignment("key=\udcff")


@given(st.text())
def test_a_value_that_is_none_stays_the_text_it_is(text: str) -> None:
    try:
        decoded = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        decoded = text
    _, value = assignment("key=" + text)
    assert value == (text if isinstance(decoded, dict | list) else decoded)
    assert not isinstance(value, dict | list)


@given(
    st.dictionaries(st.text(), JSON, max_size=4), st.lists(st.tuples(st.lists(st.text(min_size=1), min_size=1), JSON))
)
def test_assignments_are_all_in_their_places_or_refused(
    data: dict[str, Any], assignments: list[tuple[list[str], Any]]
) -> None:
    paths = [(tuple(path), value) for path, value in assignments]
    before = {name: value for name, value in data.items() if name not in {path[0] for path, _ in paths}}
    try:
        result = merged(data, paths)
    except UsageError:
        return
    for path, value in paths:
        place: Any = result
        for name in path:
            place = place[name]
        if not isinstance(value, dict):
            assert place == value
    assert {name: result[name] for name in before} == before
