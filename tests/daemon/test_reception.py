"""Commands and the inbox: what people send is checked, kept and answered."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.broker.session import Incoming
from jitney.daemon.delivery.inbox import received
from jitney.topics import InvalidPayloadError
from jitney.topics.tree import InboxTopic
from tests.daemon.running import Daemon, Observer, config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

ECHO = "jitney/alice/command/played/echo"


async def reply(observer: Observer, topic: str = "jitney/alice/reply/_/_") -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(payload(await observer.message(topic)))
    return decoded


async def test_a_command_is_answered_on_its_response_topic_with_its_correlation_data(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        topic = "jitney/alice/reply/phone/7"
        await observer.publish(ECHO, b'{"n":1}', ResponseTopic=topic, CorrelationData=b"\x00\xff")
        assert await reply(observer, topic) == {"status": "ok", "data": {"n": 1}}
        message = observer.on(topic)[-1]
        assert message.properties is not None
        assert message.properties.json()["CorrelationData"] == "00ff"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_command_without_mqtt_5_properties_is_answered_by_client_and_transaction(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    settings = config(broker.url, mqtt={"protocol": protocol})
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(ECHO, b'{"data":{"n":1},"client":"flow/1","transaction":5}')
        answer = await reply(observer, "jitney/alice/reply/flow%2F1/5")
        assert answer == {"status": "ok", "data": {"n": 1}, "transaction": "5"}


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        (ECHO, b"[1]", "invalid"),
        (ECHO, b"{", "invalid"),
        (ECHO, b"\xff", "invalid"),
        (ECHO, b'{"pad":"%s"}' % (b"x" * 70_000), "too_large"),
        (ECHO, b'{"data":{},"specversion":"1.0","owner":"bob"}', "foreign_owner"),
        ("jitney/alice/command/nobody/echo", b"{}", "unknown_adapter"),
        ("jitney/alice/command/played/dance", b"{}", "unknown_command"),
        ("jitney/alice/command/played/crash", b"{}", "crashed"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_is_refused_with_a_code(
    broker: Broker, tmp_path: Path, *, topic: str, body: bytes, code: str
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.until(lambda: b'"online"' in payload(observer.on("jitney/alice/status/played")[-1]))
        await observer.publish(topic, body)
        answer = await reply(observer)
        assert (answer["status"], answer["error"]["code"]) == ("error", code)
        await observer.publish(ECHO, b'{"still":"alive"}')
        await observer.until(lambda: b"alive" in payload(observer.on("jitney/alice/reply/_/_")[-1]))


async def test_a_retained_command_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(ECHO, b"{}", retain=True)
        assert (await reply(observer))["error"]["code"] == "retained"


async def test_a_retained_command_of_before_the_start_is_not_carried_out(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer:
        await observer.publish(ECHO, b'{"old":1}', retain=True)
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            await observer.publish(ECHO, b'{"data":{"new":1},"transaction":"now"}')
            await observer.message("jitney/alice/reply/_/now")
        assert not any(b"old" in payload(message) for message in observer.on("jitney/alice/reply/_/_"))


async def test_a_response_topic_in_another_owners_tree_is_refused_and_nothing_is_sent_there(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        for topic in (
            "jitney/bob/reply/x/1",
            "jitney/bob/command/played/echo",
            "homeassistant/x",
            "jitney/alice/state/a/b",
        ):
            await observer.publish(
                ECHO, b'{"data":{},"transaction":"%s"}' % topic.encode().hex().encode(), ResponseTopic=topic
            )
            answer = await reply(observer, f"jitney/alice/reply/_/{topic.encode().hex()}")
            assert answer["error"]["code"] == "foreign_response_topic"
            assert not observer.on(topic)


async def test_one_person_cannot_command_another_persons_adapter(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, adapters={"radio": "alice"})
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/bob/command/radio/echo", b"{}")
        assert (await reply(observer, "jitney/bob/reply/_/_"))["error"]["code"] == "unknown_adapter"


async def kept(daemon: Daemon) -> bool:
    store = daemon.app._health._store
    return bool(await store.read(lambda db: db.execute("SELECT 1 FROM command").fetchall()))


async def test_a_command_that_was_accepted_before_a_crash_is_carried_out_by_the_next_run(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer:
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            daemon.app._commands.begin = lambda _: None  # type: ignore[method-assign]  # the crash comes first
            await observer.publish(ECHO, b'{"n":1}')
            await until(lambda: kept(daemon))
        assert not observer.on("jitney/alice/reply/_/_")
        async with running(config(broker.url), tmp_path) as daemon:
            await observer.until(lambda: observer.on("jitney/alice/reply/_/_"))
            await daemon.drained()
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
        assert len(observer.on("jitney/alice/reply/_/_")) == 1


async def test_an_inbox_event_becomes_an_event_of_its_owner(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/alice/inbox/nodered/door.opened", b'{"door":"front"}')
        await observer.message("jitney/alice/event/nodered/door.opened")
        (event,) = observer.events("jitney/alice/event/nodered/door.opened")
        assert (event.type, event.source, event.owner) == ("inbox.door.opened", "/nodered", "alice")
        assert msgspec.json.decode(event.data) == {"door": "front"}


async def test_an_inbox_event_that_claims_another_owner_or_an_adapters_name_is_refused(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/alice/inbox/nodered/a", b'{"specversion":"1.0","owner":"bob","data":{}}')
        await observer.publish("jitney/alice/inbox/played/ticked", b"{}")
        await observer.publish("jitney/mallory/inbox/nodered/a", b"{}")
        await observer.publish("jitney/alice/inbox/nodered/good", b"{}")
        await observer.message("jitney/alice/event/nodered/good")
        await daemon.drained()
        assert not [m for m in observer.messages if "/event/" in str(m.topic) and "good" not in str(m.topic)]


async def test_new_words_as_source_are_refused_when_an_owner_has_used_too_many(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        for number in range(80):
            await observer.publish(f"jitney/alice/inbox/source{number}/tick", b"{}")
        await observer.publish("jitney/alice/inbox/source0/last", b"{}")
        await observer.publish("jitney/bob/inbox/another/tick", b"{}")
        await observer.message("jitney/alice/event/source0/last")
        await observer.message("jitney/bob/event/another/tick")
        assert len({str(m.topic) for m in observer.messages if str(m.topic).startswith("jitney/alice/event")}) == 65


async def test_the_inbox_takes_a_burst_in_order_while_it_pauses_the_broker(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        async with asyncio.TaskGroup() as group:
            for number in range(1000):
                group.create_task(observer.publish("jitney/alice/inbox/nodered/n", b'{"n":%d}' % number))
        topic = "jitney/alice/event/nodered/n"
        await observer.until(lambda: len(observer.on(topic)) >= 1000)
        assert [msgspec.json.decode(event.data)["n"] for event in observer.events(topic)] == list(range(1000))


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.dictionaries(
            st.sampled_from(["data", "transaction", "owner", "specversion", "id", "hops", "x"]), inner
        ),
    ).map(msgspec.json.encode)
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_arrives_in_the_inbox_is_an_event_of_that_owner_or_refused(body: bytes) -> None:
    incoming = Incoming("topic", body, retain=False, packet_id=1)
    try:
        event, _ = received(incoming, InboxTopic("alice", "nodered", "kind"), adapters=())
    except InvalidPayloadError:
        return
    assert (event.owner, event.source, event.type) == ("alice", "/nodered", "inbox.kind")
    assert event.hops >= 0
    assert isinstance(msgspec.json.decode(event.data), dict)
