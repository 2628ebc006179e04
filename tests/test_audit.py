"""The audit log of a whole daemon at a real mosquitto: what is told in it, and by whom it is noticed."""

from pathlib import Path

import aiomqtt
import msgspec
import pytest
from msgspec import Raw

from jitney.daemon.app import App
from jitney.daemon.broker.rivals import TIMES
from jitney.daemon.store import audit as rows
from jitney.daemon.store.audit import Row
from jitney.topics import State
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

CLAIM = b'{"specversion":"1.0","id":"1","source":"/x","type":"x.y","owner":"bob","data":{}}'


async def written(app: App, what: str = "") -> list[Row]:
    """Return the rows of a kind, the oldest first."""
    return (
        await app.parts.store.read(
            lambda db: rows.search(db, before=1 << 62, owner="", what=what, since="", most=10_000)
        )
    )[::-1]


async def until_written(app: App, what: str, outcome: str, *, detail: str = "") -> Row:
    """Wait for a row, and return it."""
    found: list[Row] = []

    async def look() -> bool:
        found[:] = [row for row in await written(app, what) if row.outcome == outcome and detail in str(row.detail)]
        return bool(found)

    await until(look)
    return found[0]


def raw(folder: Path) -> bytes:
    """Return everything that is in the state file."""
    return b"".join(path.read_bytes() for path in folder.glob("jitney.db*"))


async def ask(app: App, name: str, **data: object) -> object:
    return await app.administration[name](Raw(msgspec.json.encode(data)))


async def test_a_command_is_told_with_who_asked_and_what_came_of_it_but_not_with_what_was_sent(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        body = b'{"data":{"text":"canary-in-a-command"},"client":"phone","transaction":"1"}'
        await observer.publish("jitney/alice/command/played/echo", body)
        await observer.message("jitney/alice/reply/phone/1")
        row = await until_written(daemon.app, "command", "ok")
        assert (row.owner, row.who, row.adapter, row.detail) == ("alice", "phone", "played", "echo")
        assert "canary" not in repr(await written(daemon.app))


async def test_what_controls_a_device_is_told_apart(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Played, "controls", ("echo",), raising=False)
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        await observer.publish("jitney/bob/command/played/echo", b'{"data":{}}')
        assert (await until_written(daemon.app, "device", "ok")).detail == "echo"


@pytest.mark.parametrize(
    ("topic", "body", "outcome"),
    [
        ("jitney/alice/command/played/echo", CLAIM, "foreign_owner"),
        ("jitney/alice/inbox/played/x", b"{}", "foreign_source"),
        ("jitney/_bus/main/request/open_sesame", b"{}", "unknown_request"),
    ],
)
async def test_whoever_goes_where_they_may_not_is_told(
    broker: Broker, tmp_path: Path, topic: str, *, body: bytes, outcome: str
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        await observer.publish(topic, body)
        assert (await until_written(daemon.app, "refused", outcome)).times == 1


async def test_a_foreign_response_topic_and_a_retained_command_are_told(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        topic = "jitney/alice/command/played/echo"
        await observer.publish(topic, b"{}", ResponseTopic="jitney/bob/command/played/echo")
        assert (await until_written(daemon.app, "refused", "foreign_response_topic")).owner == "alice"
        await observer.publish(topic, b"{}", retain=True)
        assert (await until_written(daemon.app, "refused", "retained")).owner == "alice"


async def test_start_stop_and_an_end_without_a_stop_are_told(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path):
        pass
    async with running(config(broker.url), tmp_path) as daemon:
        told = [(row.what, row.outcome) for row in await written(daemon.app)]
        assert told == [("start", "ok"), ("stop", "ok"), ("start", "ok")]
    with pytest.raises(ZeroDivisionError):
        async with App(config(broker.url), state_dir=tmp_path):
            raise ZeroDivisionError
    async with running(config(broker.url), tmp_path) as daemon:
        assert [row.outcome for row in await written(daemon.app, "start")] == ["ok"] * 3 + ["unclean"]
        assert msgspec.to_builtins(await ask(daemon.app, "audit_verify"))["broken"] == 0


async def test_a_reload_and_who_comes_or_goes_with_it_are_told(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url)
    async with running(settings, tmp_path) as daemon:
        fewer = msgspec.structs.replace(settings, owners={"alice": settings.owners["alice"]})
        await daemon.app.reload(fewer)
        assert (await until_written(daemon.app, "reload", "ok")).detail == "owners.bob removed"
        assert (await until_written(daemon.app, "owner", "removed")).owner == "bob"


async def test_an_erasure_leaves_of_somebody_only_that_it_was(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        for owner in ("alice", "bob"):
            body = b'{"data":{},"client":"phone-of-%s"}' % owner.encode()
            await observer.publish(f"jitney/{owner}/command/played/echo", body)
        await until(lambda: daemon.app.parts.audit.head.number == 3)
        await ask(daemon.app, "erase_owner", owner="alice")
        kept = [(row.what, row.owner, row.who) for row in await written(daemon.app)]
        assert kept[1:] == [("command", None, None), ("command", "bob", "phone-of-bob"), ("erase", "alice", "")]
        assert msgspec.to_builtins(await ask(daemon.app, "audit_verify"))["broken"] == 0
        assert b"phone-of-alice" not in raw(tmp_path)


async def test_the_newest_head_is_told_to_whoever_may_read_what_the_bus_says_of_itself(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.drained()
        info = msgspec.json.decode((await retained(broker.port))["jitney/_bus/main/info"])
        number, _, digest = info["audit"].partition(":")
        assert int(number) >= 1
        assert len(digest) == 64
        proved = await ask(daemon.app, "audit_verify", known=[info["audit"]])
        assert msgspec.to_builtins(proved)["broken"] == 0
        other = f"{number}:{'0' * 64}"
        assert msgspec.to_builtins(await ask(daemon.app, "audit_verify", known=[other]))["broken"] == int(number)


FORGED = b'{"state":"online","since":"2026-01-01T00:00:00.000Z","reason":"forged"}'


async def watching(daemon: Daemon, observer: Observer) -> None:
    """Wait until the daemon hears what others publish on its topics."""
    await daemon.connected()

    async def heard() -> bool:
        await observer.publish("jitney/_bus/main/probe", b"?")
        return any("main/probe" in str(row.detail) for row in await written(daemon.app, "refused"))

    await until(heard)
    await daemon.drained()


@pytest.mark.parametrize("forged", [FORGED, b""])
@pytest.mark.parametrize(
    "topic", ["jitney/alice/status/played", "jitney/bob/state/played/made_up", "jitney/_bus/main/health"]
)
async def test_a_retained_message_that_is_not_ours_is_put_right_at_once_and_told(
    broker: Broker, tmp_path: Path, topic: str, *, forged: bytes
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port, "jitney/#") as observer:
        await watching(daemon, observer)
        await observer.until(lambda: observer.on("jitney/_bus/main/health"))
        before = (await retained(broker.port)).get(topic, b"")
        number = len(observer.on(topic))
        await observer.publish(topic, forged, retain=True)
        await observer.until(lambda: len(observer.on(topic)) >= number + (1 if before == forged else 2))
        assert payload(observer.on(topic)[-1]) == before
        assert (await retained(broker.port)).get(topic, b"") == before
        if before != forged:
            await until_written(daemon.app, "refused", "foreign_publication", detail=topic)
            alert = (await observer.message("jitney/_house/alert/_access.foreign")).payload
            assert b"somebody else publishes" in alert


@pytest.mark.parametrize("topic", ["jitney/alice/event/played/ticked", "jitney/alice/shared/bob/event/played/ticked"])
async def test_a_will_on_a_topic_that_only_the_bus_may_write_is_noticed(
    broker: Broker, tmp_path: Path, topic: str
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await watching(daemon, observer)
        async with aiomqtt.Client("127.0.0.1", broker.port, will=aiomqtt.Will(topic, b"{}", qos=1)) as client:
            client._client._sock_close()
        await until_written(daemon.app, "refused", "foreign_publication", detail=topic)


async def test_what_the_bus_publishes_itself_is_nobody_elses(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await watching(daemon, observer)
        await daemon.context().emit(*(tick(number) for number in range(100)))
        daemon.context().set_state(State("alice", "lamp", Raw(b'{"on":true}')))
        daemon.context().alert("alice", "again", message="sign in again")
        await daemon.drained()
        await observer.publish("jitney/alice/event/played/last", b"{}")
        await until_written(daemon.app, "refused", "foreign_publication", detail="played/last")
        assert daemon.app.parts.reception._counters.total("foreign", owner="alice") == 1


async def test_with_mqtt_3_nothing_of_ours_is_taken_for_somebody_elses(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, mqtt={"protocol": "3.1.1"})
    async with running(settings, tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        await daemon.context().emit(*(tick(number) for number in range(10)))
        daemon.context().set_state(State("alice", "lamp", Raw(b'{"on":true}')))
        await observer.publish("jitney/alice/event/played/forged", b"{}")
        await daemon.drained()
        await observer.publish("jitney/_bus/main/request/open_sesame", b"{}")
        await until_written(daemon.app, "refused", "unknown_request")
        assert [row.outcome for row in await written(daemon.app, "refused")] == ["unknown_request"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_two_that_take_each_others_session_in_a_circle_are_told_to_the_house(
    broker: Broker, tmp_path: Path, protocol: str
) -> None:
    async with running(config(broker.url, mqtt={"protocol": protocol}), tmp_path) as daemon:
        connection = daemon.app.parts.connection
        client_id = connection._options.client_id
        for times in range(1, TIMES + 1):
            await until(lambda: connection.session is not None and connection.health.connects == times)  # noqa: B023
            async with aiomqtt.Client("127.0.0.1", broker.port, identifier=client_id):
                await until(lambda: connection.health.failures.total() == times)  # noqa: B023
        row = await until_written(daemon.app, "refused", "taken_over")
        assert "stop one of the two" in str(row.detail)
        assert client_id not in str(row.detail)
        assert "jitney/_house/alert/_access.taken_over" in daemon.app.parts.ledger.lines
