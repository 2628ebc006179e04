"""Commands and the inbox: what people send is checked, kept and answered."""

import asyncio
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from jitney.daemon.broker.inbound import Taken
from jitney.daemon.broker.session import Incoming
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import Event, cloudevents
from tests.daemon.running import Daemon, Observer, config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import DEADLINE, until

ECHO = "jitney/alice/command/played/echo"


async def reply(observer: Observer, topic: str = "jitney/alice/reply/_/_") -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(payload(await observer.message(topic)))
    return decoded


def refusals(daemon: Daemon) -> dict[tuple[str, str, str], int]:
    counted = daemon.app.parts.bus._counters.items()
    return {(owner, adapter, reason): number for name, owner, adapter, reason, number in counted if name == "dropped"}


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
        (ECHO, b'{"data":{},"client":"%s"}' % (b"/" * 50_000), "invalid"),
        (ECHO, b'{"data":{},"transaction":"%s"}' % (b"/" * 50_000), "invalid"),
        (ECHO, b'{"data":{},"specversion":"1.0","hops":9}', "loop"),
        (ECHO, b'{"data":{},"specversion":"1.0","causationid":"%s"}' % (b"x" * 256), "invalid"),
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
    store = daemon.app.parts.health._store
    return bool(await store.read(lambda db: db.execute("SELECT 1 FROM command").fetchall()))


async def test_a_command_that_was_accepted_before_a_crash_is_carried_out_by_the_next_run(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer:
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            daemon.app.parts.commands.begin = lambda _: None  # type: ignore[method-assign]  # the crash comes first
            await observer.publish(ECHO, b'{"n":1}')
            await until(lambda: kept(daemon))
        assert not observer.on("jitney/alice/reply/_/_")
        async with running(config(broker.url), tmp_path) as daemon:
            await observer.until(lambda: observer.on("jitney/alice/reply/_/_"))
            await daemon.drained()
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
        assert len(observer.on("jitney/alice/reply/_/_")) == 1


async def test_what_clears_a_retained_message_is_no_command_and_no_event(broker: Broker, tmp_path: Path) -> None:
    inbox = "jitney/alice/inbox/desk/cleared"
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(inbox, b"{}", retain=True)
        await observer.publish(ECHO, b"", retain=True)
        await observer.publish(inbox, b"", retain=True)
        await observer.publish("jitney/alice/inbox/desk/last", b"")
        await observer.message("jitney/alice/event/desk/last")
        assert not observer.on("jitney/alice/event/desk/cleared")
        assert [msgspec.json.decode(payload(m))["error"]["code"] for m in observer.on("jitney/alice/reply/_/_")] == [
            "retained"
        ]
        assert refusals(daemon) == {("alice", "inbox", "retained"): 1}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_is_handed_in_as_json_or_as_a_cloudevent_becomes_an_event_of_its_owner(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    settings = config(broker.url, mqtt={"protocol": protocol})
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/alice/inbox/nodered/door.opened", b'{"door":"front"}')
        body = b'{"specversion":"1.0","id":"7","source":"/phone","type":"bell","subject":"front","data":{"n":1}}'
        await observer.publish("jitney/bob/inbox/phone/bell", body, ContentType="application/cloudevents+json")
        await observer.message("jitney/alice/event/nodered/door.opened")
        (event,) = observer.events("jitney/alice/event/nodered/door.opened")
        assert (event.type, event.source, event.owner) == ("inbox.door.opened", "/nodered", "alice")
        assert msgspec.json.decode(event.data) == {"door": "front"}
        await observer.message("jitney/bob/event/phone/bell")
        (event,) = observer.events("jitney/bob/event/phone/bell")
        assert (event.id, event.type, event.subject, event.owner) == ("7", "inbox.bell", "front", "bob")


async def test_the_embedded_broker_hands_on_what_is_for_the_inbox(tmp_path: Path) -> None:
    async with running(config("embedded:"), tmp_path) as daemon:
        await daemon.connected()
        port = int(daemon.app.broker_url.rpartition(":")[2])
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("jitney/alice/event/#", qos=1)
            await client.publish("jitney/alice/inbox/phone/bell", b'{"n":1}', qos=1)
            cloudevent = b'{"specversion":"1.0","id":"7","type":"post","data":{"n":2}}'
            await client.publish("jitney/alice/inbox/phone/post", cloudevent, qos=1)
            got: list[Event] = []
            async with asyncio.timeout(DEADLINE):
                while len(got) < 2:
                    message = await anext(client.messages)
                    if "/event/" in str(message.topic):  # amqtt sends what is retained to everybody
                        got.append(cloudevents.decode(payload(message)))
    assert [(event.type, msgspec.json.decode(event.data)) for event in got] == [
        ("inbox.bell", {"n": 1}),
        ("inbox.post", {"n": 2}),
    ]
    assert got[1].id == "7"


async def test_an_event_that_is_handed_in_twice_happens_once_also_after_a_restart(
    broker: Broker, tmp_path: Path
) -> None:
    topic = "jitney/alice/inbox/phone/post"
    post = b'{"specversion":"1.0","id":"post of today","data":{}}'
    async with observing(broker.port) as observer:
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            await observer.publish(topic, post)
            await observer.publish(topic, post)
            await observer.publish("jitney/bob/inbox/phone/post", post)
            await observer.message("jitney/bob/event/phone/post")
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            await observer.publish(topic, post)
            await observer.publish(topic, b'{"specversion":"1.0","id":"post of tomorrow","data":{}}')
            events = await observer.until(
                lambda: len(found := observer.events("jitney/alice/event/phone/post")) >= 2 and found
            )
    assert [event.id for event in events] == ["post of today", "post of tomorrow"]


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("nodered/a", b"21.5", "invalid"),
        ("nodered/a", b'{"specversion":"1.0","time":"yesterday","data":{}}', "invalid"),
        ("nodered/a", b'{"specversion":"1.0","type":"b","data":{}}', "foreign_type"),
        ("nodered/a", b'{"specversion":"1.0","owner":"bob","data":{}}', "foreign_owner"),
        ("nodered/a", b'{"specversion":"1.0","hops":9,"data":{}}', "loop"),
        ("played/ticked", b"{}", "foreign_source"),
        ("route/anything", b"{}", "foreign_source"),
        ("shared%2Fbob/anything", b"{}", "foreign_source"),
        ("nodered/a%0Ab", b"{}", "invalid"),
        ("%/a", b"{}", "invalid"),
    ],
)
async def test_what_must_not_become_an_event_is_refused_with_a_code_and_what_comes_next_is_taken(
    broker: Broker, tmp_path: Path, *, topic: str, body: bytes, code: str
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(f"jitney/alice/inbox/{topic}", body)
        answer = await reply(observer)
        assert (answer["status"], answer["error"]["code"]) == ("error", code)
        await observer.publish("jitney/alice/inbox/nodered/good", b"{}")
        await observer.message("jitney/alice/event/nodered/good")
        assert refusals(daemon) == {("alice", "inbox", code): 1}
        assert not [m for m in observer.messages if "/event/" in str(m.topic) and "good" not in str(m.topic)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_whoever_hands_in_what_is_refused_is_told_where_they_asked(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    settings = config(broker.url, mqtt={"protocol": protocol}, outbox=OutboxSettings(event_kb=4))
    inbox = "jitney/alice/inbox/nodered/door"
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(
            inbox, b'{"specversion":"1.0","type":"window","client":"flow","transaction":"1","data":{}}'
        )
        answer = await reply(observer, "jitney/alice/reply/flow/1")
        assert (answer["error"]["code"], answer["transaction"]) == ("foreign_type", "1")
        await observer.publish(inbox, b'{"pad":"%s"}' % (b"x" * 4000))
        answer = await reply(observer)
        assert answer["error"]["code"] == "too_large"


async def test_with_mqtt_5_it_is_told_on_the_response_topic_which_must_be_the_same_owners(
    broker: Broker, tmp_path: Path
) -> None:
    inbox = "jitney/alice/inbox/nodered/door"
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        topic = "jitney/alice/reply/flow/9"
        await observer.publish(inbox, b"ON", ResponseTopic=topic, CorrelationData=b"\xff")
        answer = await reply(observer, topic)
        assert answer["error"]["message"].endswith('{"value":"ON"}')
        message = observer.on(topic)[-1]
        assert message.properties is not None
        assert message.properties.json()["CorrelationData"] == "ff"
        await observer.publish(inbox, b"{}", ResponseTopic="jitney/bob/reply/flow/9")
        assert (await reply(observer))["error"]["code"] == "foreign_response_topic"
        await observer.publish("jitney/alice/inbox/nodered/good", b"{}")
        await observer.message("jitney/alice/event/nodered/good")
        assert not observer.on("jitney/alice/event/nodered/door")
        assert not observer.on("jitney/bob/reply/flow/9")


async def test_a_cloudevent_in_binary_mode_becomes_an_event(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        attributes = [
            ("specversion", "1.0"),
            ("id", "7"),
            ("source", "urn:bell"),
            ("type", "bell"),
            ("subject", "front"),
        ]
        topic = "jitney/alice/inbox/phone/bell"
        for _ in range(2):
            await observer.publish(topic, b'{"n":1}', ContentType="application/json", UserProperty=attributes)
        await observer.publish("jitney/alice/inbox/phone/last", b"{}")
        await observer.message("jitney/alice/event/phone/last")
        (event,) = observer.events("jitney/alice/event/phone/bell")
        assert (event.type, event.subject, msgspec.json.decode(event.data)) == ("inbox.bell", "front", {"n": 1})


async def test_the_inbox_of_somebody_who_is_not_configured_is_heard_by_nobody(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/mallory/inbox/nodered/a", b"{}")
        assert "jitney/mallory/inbox/+/+" not in daemon.app.parts.connection.held
        mallorys = Incoming("jitney/mallory/inbox/nodered/a", b"{}", retain=False, packet_id=0)
        daemon.app.parts.connection.received(mallorys)  # as one that was on its way when she was removed
        await observer.publish("jitney/alice/inbox/nodered/a%2", b"{}")
        await observer.publish("jitney/alice/inbox/nodered/good", b"{}")
        await observer.message("jitney/alice/event/nodered/good")
        assert refusals(daemon) == {("", "inbound", "unknown_owner"): 1, ("", "inbound", "invalid"): 1}


async def test_a_source_whose_outbox_is_full_is_refused_and_another_one_of_the_same_owner_is_not(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Outbox.full
    monkeypatch.setattr(Outbox, "full", lambda self, lane, number: lane.adapter == "camera" or full(self, lane, number))
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        session = daemon.app.parts.connection.session
        assert session is not None
        both = [
            Taken(Incoming(f"jitney/alice/inbox/{source}/moved", b"{}", retain=False, packet_id=0), session)
            for source in ("camera", "door")
        ]
        await daemon.app.parts.reception._keep(both)
        await observer.message("jitney/alice/event/door/moved")
        assert refusals(daemon) == {("alice", "inbox", "outbox_full"): 1}
        assert (await reply(observer))["error"]["code"] == "outbox_full"
        assert not observer.on("jitney/alice/event/camera/moved")


async def test_two_people_whose_tools_use_the_same_id_are_both_answered_where_they_asked(
    broker: Broker, tmp_path: Path
) -> None:
    route = {"name": "answer", "on": "inbox.question", "do": [{"reply": {"to": "{{ owner.name }}"}}]}
    settings = config(broker.url, routes=(msgspec.convert(route, RouteSettings),))
    question = b'{"specversion":"1.0","id":"1","data":{}}'
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        session = daemon.app.parts.connection.session
        assert session is not None
        asked = {owner: f"jitney/{owner}/reply/desk/of-{owner}" for owner in ("alice", "bob")}
        both = [
            Taken(
                Incoming(
                    f"jitney/{owner}/inbox/desk/question", question, retain=False, packet_id=0, response_topic=topic
                ),
                session,
            )
            for owner, topic in asked.items()
        ]
        await daemon.app.parts.reception._keep(both)
        for owner, topic in asked.items():
            assert (await reply(observer, topic))["data"] == {"to": owner.title()}


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
    settings = config(broker.url, limits=LimitSettings(inbox_burst=1000))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        async with asyncio.TaskGroup() as group:
            for number in range(1000):
                group.create_task(observer.publish("jitney/alice/inbox/nodered/n", b'{"n":%d}' % number))
        topic = "jitney/alice/event/nodered/n"
        await observer.until(lambda: len(observer.on(topic)) >= 1000)
        assert [msgspec.json.decode(event.data)["n"] for event in observer.events(topic)] == list(range(1000))
