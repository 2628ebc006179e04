"""Each kind of action, done with the real bus and broker."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.adapters.homeassistant.commands import CallService
from jitney.adapters.meshtastic.asked import Respond, SendText
from jitney.daemon.routes.actions import (
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routing import failures
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.planned import plan
from jitney.topics import MAX_HOPS
from jitney.topics import Reply as Answer
from jitney.topics.messages import ReplyAddress
from tests.daemon.routing.acting import Door, acting
from tests.daemon.routing.doing import event
from tests.daemon.routing.hooks import hooks
from tests.daemon.running import config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

PING = event(
    type="meshtastic.message",
    source="/base",
    data=Raw(b'{"node":"!a1b2c3d4","to":"!01020304","packet_id":77,"channel":2,"text":"ping"}'),
)


async def test_a_command_goes_to_an_adapter_of_the_owner_with_its_cause(broker: Broker, tmp_path: Path) -> None:
    door = Door("alice")
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"home": door}) as actors:
        planned = await actors.do(SendCommand(adapter="home", command="turn", data=Raw(b'{"on":true}')), event(hops=2))
        (command,) = door.commands
        assert (command.id, command.owner, command.adapter, command.name) == (planned.id, "alice", "home", "turn")
        assert (command.hops, command.causation, bytes(command.data)) == (3, "event-1", b'{"on":true}')
        assert command.deadline > 0


async def test_a_command_goes_through_the_door_of_a_running_adapter(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, adapters={"played": "_house", "radio": "alice"})
    async with running(settings, tmp_path) as daemon, acting(daemon) as actors:
        await until(lambda: all(runner.context.is_online for runner in daemon.app.parts.runners.values()))
        echo = {adapter: SendCommand(adapter=adapter, command="echo") for adapter in ("played", "radio", "none")}
        assert await actors.refused(echo["played"], event(owner="bob")) == ""
        assert await actors.refused(echo["radio"], event(owner="alice")) == ""
        assert await actors.refused(echo["radio"], event(owner="bob")) == "unknown_adapter"
        assert await actors.refused(echo["none"], event()) == "unknown_adapter"
        assert await actors.refused(SendCommand(adapter="played", command="dance"), event()) == "unknown_command"
        assert await actors.refused(SendCommand(adapter="played", command="crash"), event()) == "crashed"


async def test_a_failed_reply_is_a_failed_action_and_another_try_is_another_command(
    broker: Broker, tmp_path: Path
) -> None:
    door = Door("alice")
    door.answers = [Answer.failed("max_retransmit", "no node is in reach")]
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"base": door}) as actors:
        action = SendCommand(adapter="base", command="send_text")
        with pytest.raises(RefusedError, match="no node is in reach") as raised:
            await actors.do(action, event())
        assert raised.value.code == "max_retransmit"
        planned = await actors.do(action, event(), tries=1)
        assert door.commands[-1].id != planned.id


async def test_a_command_that_may_have_been_done_is_repeated_under_its_id(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 0.01)
    door = Door("alice")
    door.answers = [RefusedError("timeout", "no answer")]
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"base": door}) as actors:
        planned = plan(event(), [SendCommand(adapter="base", command="send_text")], route="r", now=time.time(), ttl=60)
        await actors.accept(planned)
        await until(lambda: len(door.commands) == 2)
        assert [command.id for command in door.commands] == [planned[0].id] * 2


async def test_a_loop_ends_before_it_does_anything(broker: Broker, tmp_path: Path) -> None:
    door = Door("alice")
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"home": door}) as actors:
        for action in (SendCommand(adapter="home", command="turn"), PublishEvent(kind="again", source="r")):
            assert await actors.refused(action, event(hops=MAX_HOPS)) == "loop"
            assert await actors.refused(action, event(hops=MAX_HOPS - 1)) == ""
        assert len(door.commands) == 1


async def test_an_event_is_published_as_one_of_the_owner_and_only_once(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        publish = PublishEvent(kind="long.ride", data=Raw(b'{"km":40}'), subject="ride", source="long ride")
        planned = await actors.do(publish, event(hops=2, owner="bob"))
        await actors.deeds.do(planned)
        await actors.do(PublishEvent(kind="last", source="long ride"), event(owner="bob"))
        await observer.message("jitney/bob/event/route/last")
        (got,) = observer.events("jitney/bob/event/route/long.ride")
        assert (got.type, got.source, got.owner, got.subject) == ("route.long.ride", "/route", "bob", "ride")
        assert (got.hops, got.causationid, got.actor) == (3, "event-1", "long ride")
        assert msgspec.json.decode(got.data) == {"km": 40}
        assert actors.outbox.lanes["bob", "route"].durable


async def test_a_state_is_retained_and_taken_back(broker: Broker, tmp_path: Path) -> None:
    topic = "jitney/alice/state/route/ride"
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        await actors.do(PublishState(subject="ride", data=Raw(b'{"km":40}')), event())
        assert payload(await observer.message(topic)) == b'{"km":40}'
        await actors.do(PublishState(subject="ride"), event())
        await observer.until(lambda: payload(observer.on(topic)[-1]) == b"")


@pytest.mark.parametrize(
    ("address", "topic", "transaction"),
    [
        (ReplyAddress(response_topic="jitney/alice/reply/phone/9", correlation=b"7"), "phone/9", {}),
        (ReplyAddress(client="flow/1", transaction="5"), "flow%2F1/5", {"transaction": "5"}),
        (ReplyAddress(), "_/_", {}),
    ],
)
async def test_an_answer_goes_to_where_the_event_wants_it(
    broker: Broker, tmp_path: Path, *, address: ReplyAddress, topic: str, transaction: dict[str, str]
) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        about = event(type="inbox.asked", source="/phone")
        await actors.do(Reply(data=Raw(b'{"km":40}')), about, address=address)
        await actors.do(Reply(text="40 km"), about, address=address)
        await observer.until(lambda: len(observer.on(f"jitney/alice/reply/{topic}")) == 2)
        answers = [msgspec.json.decode(payload(one)) for one in observer.on(f"jitney/alice/reply/{topic}")]
        assert answers == [
            {"status": "ok", "data": {"km": 40}, **transaction},
            {"status": "ok", "data": {"text": "40 km"}, **transaction},
        ]


async def test_an_answer_never_leaves_the_owners_reply_tree_and_needs_somebody_who_asked(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon) as actors:
        foreign = ReplyAddress(response_topic="jitney/bob/reply/x/1")
        assert await actors.refused(Reply(text="x"), event(), address=foreign) == "foreign_response_topic"
        assert await actors.refused(Reply(text="x"), event()) == "no_origin"


async def test_the_sender_on_the_mesh_is_answered_alone_through_the_same_radio(broker: Broker, tmp_path: Path) -> None:
    door = Door("alice")
    types = {"base": "meshtastic"}
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"base": door}, types=types) as a:
        await a.do(Reply(text="pong"), PING)
        assert door.commands[-1].name == "respond"
        asked = msgspec.json.decode(door.commands[-1].data, type=Respond)
        assert asked == Respond(text="pong", to="!a1b2c3d4", channel=2, reply_to=77)
        await a.do(Reply(data=Raw(b'{"text":"pong","snr":7}')), PING)
        assert door.data()["text"] == "pong"
        assert await a.refused(Reply(data=Raw(b'{"snr":7}')), PING) == "invalid"
        assert await a.refused(Reply(text="x"), msgspec.structs.replace(PING, owner="bob")) == "unknown_adapter"


@pytest.mark.parametrize(
    ("notify", "called"),
    [
        (
            {"target": "home.mobile_app_phone", "message": "40 km", "title": "Ride", "data": Raw(b'{"tag":"r"}')},
            {"message": "40 km", "title": "Ride", "data": {"tag": "r"}},
        ),
        ({"target": "home.mobile_app_phone", "message": "40 km"}, {"message": "40 km"}),
    ],
)
async def test_a_person_is_notified_by_a_service_of_home_assistant(
    broker: Broker, tmp_path: Path, *, notify: dict[str, Any], called: dict[str, Any]
) -> None:
    door = Door("alice")
    types = {"home": "homeassistant"}
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"home": door}, types=types) as a:
        await a.do(Notify(**notify), event())
        assert door.commands[-1].name == "call_service"
        asked = msgspec.json.decode(door.commands[-1].data, type=CallService)
        assert asked.service == "notify.mobile_app_phone"
        assert isinstance(asked.data, Raw)
        assert msgspec.json.decode(asked.data) == called


async def test_a_person_is_notified_on_the_mesh(broker: Broker, tmp_path: Path) -> None:
    door = Door("alice")
    types = {"base": "meshtastic"}
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, doors={"base": door}, types=types) as a:
        for notify, sent in (
            (Notify(target="base", message="40 km"), SendText(text="40 km")),
            (
                Notify(target="base.!a1b2c3d4", message="40 km", title="Ride"),
                SendText(text="Ride: 40 km", to="!a1b2c3d4"),
            ),
            (Notify(target="base", message="x", data=Raw(b'{"channel":2}')), SendText(text="x", channel=2)),
        ):
            await a.do(notify, event())
            assert msgspec.json.decode(door.commands[-1].data, type=SendText) == sent


async def test_who_cannot_notify_says_so(broker: Broker, tmp_path: Path) -> None:
    types = {"home": "homeassistant"}
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, types=types) as actors:
        assert await actors.refused(Notify(target="home", message="x"), event()) == "invalid"
        assert await actors.refused(Notify(target="played", message="x"), event()) == "not_supported"
        assert await actors.refused(Notify(target="none.phone", message="x"), event()) == "unknown_adapter"
        assert await actors.refused(Notify(target="home.x", message="x", data=Raw(b"[]")), event()) == "invalid"


async def test_a_variable_is_set_kept_and_forgotten(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon) as actors:

        async def kept() -> list[Any]:
            await actors.store.committed()
            query = "SELECT owner, route, key FROM route_memory"
            return await actors.store.read(lambda db: db.execute(query).fetchall())

        await actors.do(SetVariable(name="rides", value=Raw(b'{"n":7}')), event())
        now = actors.deeds._clock()
        assert dict(actors.variables.of("alice", now)) == {"rides": {"n": 7}}
        assert await kept() == [("alice", "", "rides")]
        await actors.do(SetVariable(name="rides"), event())
        assert dict(actors.variables.of("alice", now)) == {}
        assert await kept() == []
        assert await actors.refused(SetVariable(name="x", value=Raw(b'"%s"' % (b"x" * 5000))), event()) == "invalid"


async def test_a_webhook_is_posted(broker: Broker, tmp_path: Path) -> None:
    async with (
        hooks() as server,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon, hooks=[f"{server.url}/*"]) as actors,
    ):
        webhook = Webhook(method="POST", url=f"{server.url}/ride", body=Raw(b'{"km":40}'))
        await actors.do(webhook, event())
        assert server.requests[0].body == b'{"km":40}'
        server.answers = [(503, {})]
        with pytest.raises(FailedError):
            await actors.do(webhook, event())
