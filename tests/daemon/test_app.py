"""The whole road: an adapter emits, the broker has it, whatever happens to either."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, MisconfiguredError, RefusedError, UnauthorisedError
from jitney.daemon.broker import connection
from jitney.daemon.config.schema import OutboxSettings, RetrySettings
from jitney.topics import State
from tests.conftest import StartBroker
from tests.daemon.running import Observer, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker
from tests.fakes.proxy import proxy
from tests.waiting import until

TOPIC = "jitney/alice/event/played/ticked"


@pytest.fixture(autouse=True)
def nothing_played() -> Iterator[None]:
    yield
    Played.act = None


def numbers(observer: Observer, topic: str = TOPIC) -> list[int]:
    return [msgspec.json.decode(event.data)["number"] for event in observer.events(topic)]


async def test_an_event_arrives_under_its_owner_with_its_envelope_and_its_properties(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.context().emit(tick(1))
        message = await observer.message(TOPIC)
        (event,) = observer.events(TOPIC)
        assert (event.owner, event.type, event.source, event.seq) == ("alice", "played.ticked", "/played", 1)
        assert not message.retain
        assert message.properties is not None
        properties = message.properties.json()
        assert dict(properties["UserProperty"])["id"] == event.id
        assert properties["ContentType"] == "application/cloudevents+json"
        assert 86_000 < properties["MessageExpiryInterval"] <= 86_400


async def test_the_bus_says_that_it_is_there_and_when_it_has_gone(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer:
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            message = await observer.message("jitney/_bus/main/state")
            assert msgspec.json.decode(payload(message))["state"] == "online"
            await observer.until(lambda: b"online" in payload(observer.on("jitney/alice/status/played")[-1]))
        await observer.until(lambda: b"offline" in payload(observer.on("jitney/_bus/main/state")[-1]))
    held = await retained(broker.port)
    assert b'"offline"' in held["jitney/_bus/main/state"]
    assert b'"offline"' in held["jitney/alice/status/played"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("durable", [False, True])
async def test_nothing_is_lost_or_reordered_when_the_connection_is_cut_again_and_again(
    broker: Broker, tmp_path: Path, *, durable: bool, protocol: str
) -> None:
    total, cuts = 3000, 5
    limits = OutboxSettings(memory_events=100)
    async with (
        proxy(broker.port) as link,
        observing(broker.port, TOPIC) as observer,
        running(
            config(link.url, durable=durable, outbox=limits, mqtt={"window": 50, "protocol": protocol}), tmp_path
        ) as daemon,
    ):
        await daemon.connected()
        for cut in range(cuts):
            for number in range(cut * total // cuts, (cut + 1) * total // cuts, 5):
                await daemon.context().emit(*(tick(n) for n in range(number, number + 5)))
            await observer.until(lambda: len(observer.messages) > 20)
            link.cut()
        await observer.until(lambda: b'"number":%d}' % (total - 1) in payload(observer.messages[-1]))
        await daemon.drained()
        got = numbers(observer)
        assert list(dict.fromkeys(got)) == list(range(total))
        assert len(got) - total <= 50 * cuts


async def test_answers_that_never_come_are_noticed_and_the_messages_sent_again(broker: Broker, tmp_path: Path) -> None:
    async with (
        proxy(broker.port) as link,
        observing(broker.port, TOPIC) as observer,
        running(config(link.url), tmp_path) as daemon,
    ):
        await daemon.connected()
        link.deaf = True
        await daemon.context().emit(tick(1))
        await observer.message(TOPIC)
        link.deaf = False
        link.cut()
        await observer.until(lambda: len(observer.on(TOPIC)) == 2)
        await daemon.drained()


async def test_a_broker_that_is_alive_but_confirms_nothing_is_left_and_everything_sent_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONFIRMATION_DEADLINE", 0.3)
    async with (
        proxy(broker.port) as link,
        observing(broker.port, TOPIC) as observer,
        running(config(link.url), tmp_path) as daemon,
    ):
        await daemon.connected()
        await daemon.drained()
        link.unconfirming = True
        await daemon.context().emit(tick(1))
        await until(lambda: daemon.app.parts.connection.health.attempts > 1)
        link.unconfirming = False
        await observer.until(lambda: len(observer.on(TOPIC)) > 1)
        await daemon.drained()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_states_of_an_absence_arrive_as_their_last_value_and_a_wiped_broker_gets_them_all(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    async with running(config(broker.url, mqtt={"protocol": protocol}), tmp_path) as daemon:
        await daemon.connected()
        lamp = "jitney/alice/state/played/lamp"
        for name in ("lamp", "door"):
            daemon.context().set_state(State("alice", name, Raw(b'{"value":1}')))
        await daemon.drained()
        await asyncio.to_thread(broker.kill)
        for value in range(100):
            daemon.context().set_state(State("alice", "lamp", Raw(b'{"value":%d}' % value)))
        daemon.app.parts.connection.reconciled.clear()
        await asyncio.to_thread(broker.start)
        await daemon.connected()
        await daemon.drained()
        held = await retained(broker.port)
        assert held[lamp] == b'{"value":99}'
        assert held == {topic: line.payload for topic, line in daemon.app.parts.ledger.lines.items()}
        assert "jitney/alice/state/played/door" in held


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_orphans_on_the_broker_are_cleared_at_the_first_connect(
    broker: Broker, tmp_path: Path, *, protocol: str
) -> None:
    async with observing(broker.port, "none") as observer:
        await observer.publish("jitney/alice/state/played/ghost", b"{}", retain=True)
        await observer.publish("jitney/alice/state/foreign/lamp", b"{}", retain=True)
    async with running(config(broker.url, mqtt={"protocol": protocol}), tmp_path) as daemon:
        await daemon.connected()
        await daemon.drained()
        held = await retained(broker.port)
        assert "jitney/alice/state/played/ghost" not in held
        assert "jitney/alice/state/foreign/lamp" in held


async def test_states_that_an_adapter_does_not_keep_are_removed_also_those_of_an_earlier_run(
    broker: Broker, tmp_path: Path
) -> None:
    for names, kept in ((("lamp", "door"), ("lamp", "door")), (("lamp",), ("lamp",))):
        async with running(config(broker.url), tmp_path) as daemon:
            await daemon.connected()
            for name in names:
                daemon.context().set_state(State("alice", name, Raw(b"{}")))
            daemon.context().keep_states(("alice", name) for name in kept)
            await daemon.drained()
        held = await retained(broker.port, "jitney/+/state/#")
        assert set(held) == {f"jitney/alice/state/played/{name}" for name in kept}


async def test_events_of_before_a_stop_are_delivered_by_the_next_run_and_the_sequence_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    await asyncio.to_thread(broker.kill)
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.context().emit(*(tick(number) for number in range(50)))
    await asyncio.to_thread(broker.start)
    async with observing(broker.port, TOPIC) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.context().emit(tick(50))
        await observer.until(lambda: len(observer.messages) == 51)
        assert numbers(observer) == list(range(51))
        assert [event.seq for event in observer.events(TOPIC)] == list(range(1, 52))


async def test_an_event_that_was_seen_is_dropped_also_after_a_restart(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port, TOPIC) as observer:
        for number in (1, 2):
            async with running(config(broker.url, durable=True), tmp_path) as daemon:
                await daemon.context().emit(tick(0), tick(0))
                await daemon.context().emit(tick(0), tick(number))
                await daemon.drained()
        await observer.until(lambda: 2 in numbers(observer))
        assert numbers(observer) == [0, 1, 2]


async def test_one_owners_flood_does_not_delay_another_owner(broker: Broker, tmp_path: Path) -> None:
    other = "jitney/bob/event/played/ticked"
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(*(tick(number) for number in range(900)))
        await daemon.context().emit(tick(1, owner="bob"))
        await observer.message(other)
        assert len(observer.on(TOPIC)) < 200


async def test_an_event_of_an_unknown_owner_is_kept_where_nobody_is_known_for_it(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.context().emit(tick(1, owner="mallory"))
        await observer.message("jitney/_unclaimed/event/played/ticked")


async def test_an_event_that_went_through_too_many_others_or_is_too_large_is_dropped_and_counted(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        loop = msgspec.structs.replace(tick(1), hops=9)
        huge = msgspec.structs.replace(tick(2), data=Raw(b'{"number":1,"pad":"%s"}' % (b"x" * 200_000)))
        await daemon.context().emit(loop, huge, tick(3))
        await observer.message(TOPIC)
        assert numbers(observer) == [3]
        counted = daemon.app.parts.health.detailed().counters
        assert {(count.name, count.reason, count.value) for count in counted} >= {
            ("dropped", "loop", 1),
            ("dropped", "too_large", 1),
        }


async def test_a_full_disk_refuses_durable_events_and_tells_so(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url, durable=True), tmp_path) as daemon:
        store = daemon.app.parts.health._store
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
        big = [msgspec.structs.replace(tick(n), data=Raw(b'{"pad":"%s"}' % (b"x" * 5000))) for n in range(100)]
        with pytest.raises(RefusedError, match="the disk is full"):
            await daemon.context().emit(*big)
        assert not daemon.app.parts.health.ready()
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchall())
        await daemon.context().emit(*big)
        assert daemon.app.parts.health.ready()


async def test_what_the_broker_refuses_for_good_becomes_a_dead_letter_and_stops_nobody(
    mosquitto: StartBroker, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic deny jitney/alice/event/#\ntopic readwrite #\n", encoding="ascii")
    acl.chmod(0o700)
    strict = mosquitto(extra=[f"acl_file {acl}"])
    async with observing(strict.port) as observer, running(config(strict.url, durable=True), tmp_path) as daemon:
        await daemon.context().emit(tick(1), tick(2, owner="bob"))
        await observer.message("jitney/bob/event/played/ticked")
        await daemon.drained()
        store = daemon.app.parts.health._store
        await store.committed()
        dead = await store.read(lambda db: db.execute("SELECT owner, topic, reason FROM dead").fetchall())
        assert dead == [("alice", TOPIC, "not_authorised")]
        assert not observer.on(TOPIC)


async def test_a_disconnected_adapter_is_run_again_and_its_status_tells_why(broker: Broker, tmp_path: Path) -> None:
    async def act(self: Played, ctx: Context) -> None:
        if self.attempts < 3:
            raise DisconnectedError("the house is dark")
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path):
        status = "jitney/bob/status/played"
        await observer.until(lambda: any(b"the house is dark" in payload(m) for m in observer.on(status)))
        await observer.until(lambda: b'"online"' in payload(observer.on(status)[-1]))


async def test_who_is_not_authorised_is_told_what_to_do_and_the_alert_goes_when_it_works(
    broker: Broker, tmp_path: Path
) -> None:
    async def act(self: Played, ctx: Context) -> None:
        if self.attempts == 1:
            raise UnauthorisedError("the token is refused", remedy="make a new one", link="http://house/profile")
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path):
        alert = await observer.message("jitney/_house/alert/played.reauth")
        told = msgspec.json.decode(payload(alert))
        assert told["message"] == "the token is refused: make a new one"
        assert told["link"] == "http://house/profile"
        await observer.until(lambda: payload(observer.on("jitney/_house/alert/played.reauth")[-1]) == b"")
        assert any(b'"reauth"' in payload(message) for message in observer.on("jitney/alice/status/played"))


@pytest.mark.parametrize("error", [MisconfiguredError("no such house"), ZeroDivisionError("a fault")])
async def test_what_cannot_work_is_given_up_and_the_other_adapters_do_not_notice(
    broker: Broker, tmp_path: Path, error: Exception
) -> None:
    async def act(self: Played, ctx: Context) -> None:
        if self.adapter == "broken":
            raise error
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    settings = config(broker.url, adapters={"broken": "_house", "fine": "_house"})
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await observer.until(lambda: any(b'"failed"' in payload(m) for m in observer.on("jitney/bob/status/broken")))
        assert (await observer.message("jitney/_house/alert/broken.failed")).payload
        await daemon.context("fine").emit(tick(1, adapter="fine"))
        await observer.message("jitney/alice/event/fine/ticked")


async def test_after_the_configured_attempts_an_adapter_is_given_up(broker: Broker, tmp_path: Path) -> None:
    async def act(_: Played, __: Context) -> None:
        raise DisconnectedError("the house is dark")

    Played.act = act
    settings = config(broker.url, retry=RetrySettings(first=0.01, longest=0.01, attempts=3))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await observer.until(
            lambda: any(b"given up after 3" in payload(m) for m in observer.on("jitney/bob/status/played"))
        )
        assert daemon.app.parts.runners["played"].attempts == 3


async def test_an_adapter_of_one_person_shows_its_status_to_nobody_else(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url, adapters={"radio": "alice"}), tmp_path) as daemon,
    ):
        await observer.message("jitney/alice/status/radio")
        await daemon.drained()
        assert not observer.on("jitney/bob/status/radio")
        assert set(daemon.context("radio").owners) == {"alice"}


async def test_a_stop_in_the_middle_of_connecting_leaves_no_socket_open(broker: Broker, tmp_path: Path) -> None:
    for writes in range(12):
        async with running(config(broker.url), tmp_path) as daemon:
            for number in range(writes % 4):  # each takes about as long as one step of connecting
                await daemon.context().save("moment", b"%d" % number)
    gc.collect()
