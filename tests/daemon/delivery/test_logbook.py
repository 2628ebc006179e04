"""Log lines over MQTT: what goes there, and levels that are changed for a time."""

import asyncio
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.daemon import log
from jitney.daemon.config.schema import BusSettings, Config
from jitney.daemon.delivery.logbook import MOST_LINES
from tests.daemon.running import Observer, config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

TOPIC = "jitney/_bus/main/log"


@pytest.fixture(autouse=True)
def written() -> Iterator[StringIO]:
    log.reset()
    stream = StringIO()
    log.configure("json", "info", stream=stream)
    yield stream
    log.reset()


def telling(broker: Broker, level: str = "info") -> Config:
    return replace(config(broker.url), bus=msgspec.convert({"log_mqtt": level}, BusSettings))


def lines(observer: Observer) -> list[dict[str, Any]]:
    return [msgspec.json.decode(payload(message)) for message in observer.on(TOPIC)]


def events(observer: Observer) -> list[str]:
    return [line["event"] for line in lines(observer)]


async def ask(observer: Observer, **wanted: object) -> dict[str, Any]:
    """Send a request about the level and return its answer."""
    topic = "jitney/_bus/main/response/log_level"
    before = len(observer.on(topic))
    await observer.publish("jitney/_bus/main/request/log_level", msgspec.json.encode(wanted))
    await observer.until(lambda: len(observer.on(topic)) > before)
    answer: dict[str, Any] = msgspec.json.decode(payload(observer.on(topic)[-1]))
    return answer


async def test_lines_from_the_configured_level_on_go_to_one_topic_and_are_not_kept_there(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, running(telling(broker, "warning"), tmp_path) as daemon:
        await daemon.connected()
        log.get("broker").info("quiet")
        log.get("broker").warning("loud", reason="x")
        await observer.until(lambda: "loud" in events(observer))
        (line,) = (line for line in lines(observer) if line["event"] == "loud")
        assert (line["level"], line["part"], line["reason"]) == ("warning", "broker", "x")
        assert "quiet" not in events(observer)
        assert not any(message.retain for message in observer.on(TOPIC))


async def test_nothing_is_sent_where_it_is_off(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        log.get("broker").error("loud")
        answer = await ask(observer)
        assert answer["data"]["mqtt"] == "off"
        assert observer.on(TOPIC) == []


async def test_a_line_with_an_owner_tells_nothing_of_that_owner(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        with log.bound(owner="alice", adapter="played", event_id="01J"):
            log.get("adapter").warning("not authorised", reason="alice has left")
        await observer.until(lambda: "not authorised" in events(observer))
        assert b"alice" not in b"".join(payload(message) for message in observer.on(TOPIC))


async def test_lines_that_find_no_broker_wait_but_only_so_many_and_the_others_are_counted(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.kill)
        await until(lambda: daemon.app.parts.connection.session is None)
        for number in range(MOST_LINES + 50):
            log.get("app").info("line", number=number)
        assert daemon.app.parts.health._counters.total("dropped", adapter="log", reason="log_full") >= 50
        await asyncio.to_thread(broker.start)
        async with observing(broker.port) as observer:
            await observer.until(lambda: any(line.get("number") == MOST_LINES + 49 for line in lines(observer)))
            assert any(line.get("lost") for line in lines(observer))


async def test_a_line_about_the_topic_of_lines_is_not_sent_for_ever(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(telling(broker, "debug"), tmp_path) as daemon:
        await daemon.connected()
        log.get("publisher").warning("the broker refused a message", topic=TOPIC)
        log.get("app").info("the last")
        await observer.until(lambda: "the last" in events(observer))
        assert "the broker refused a message" not in events(observer)


async def test_a_line_of_another_thread_arrives_too(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        thread = threading.Thread(target=log.get("app").info, args=("from beside",))
        thread.start()
        await observer.until(lambda: "from beside" in events(observer))
        thread.join()


async def test_a_part_says_more_for_a_time_and_falls_back_by_itself(
    broker: Broker, tmp_path: Path, written: StringIO
) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        answer = await ask(observer, level="debug", part="broker", minutes=10)
        assert answer["data"]["changed"] == {"broker": "debug"}
        log.get("broker").debug("more of it")
        log.get("app").debug("too much")
        await observer.until(lambda: "more of it" in events(observer))
        answer = await ask(observer, level="debug", part="broker", minutes=0.0001)
        await observer.until(lambda: "the log level is as configured again" in events(observer))
        assert (await ask(observer))["data"]["changed"] == {}
        log.get("broker").debug("quiet again")
    text = written.getvalue()
    assert "more of it" in text
    assert "too much" not in text
    assert "quiet again" not in text


async def test_a_level_can_be_put_back_at_once(broker: Broker, tmp_path: Path, written: StringIO) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        assert (await ask(observer, level="error"))["data"]["changed"] == {"": "error"}
        log.get("app").warning("kept quiet")
        assert (await ask(observer, level="configured"))["data"]["changed"] == {}
        log.get("app").warning("said")
    assert "kept quiet" not in written.getvalue()
    assert '"said"' in written.getvalue()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"level": "loud"}, "loud"),
        ({"level": "debug", "part": "brokr"}, "there is no part 'brokr'"),
        ({"level": "debug", "minutes": 0}, "minutes"),
        ({"level": "debug", "minutes": 100_000}, "minutes"),
        ({"levels": "debug"}, "levels"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    broker: Broker, tmp_path: Path, wanted: dict[str, object], why: str
) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        answer = await ask(observer, **wanted)
        assert (answer["status"], answer["error"]["code"]) == ("error", "invalid")
        assert why in answer["error"]["message"]


async def test_a_reload_changes_from_which_level_on_lines_are_sent(broker: Broker, tmp_path: Path) -> None:
    off = telling(broker, "off")
    async with observing(broker.port) as observer, running(off, tmp_path) as daemon:
        await daemon.connected()
        log.get("app").warning("before")
        found = await daemon.app.reload(replace(off, bus=replace(off.bus, log_mqtt="warning")))
        assert found.restart == ()
        log.get("app").warning("after")
        await observer.until(lambda: "after" in events(observer))
        assert "before" not in events(observer)


async def test_after_the_end_nothing_listens_and_every_level_is_as_configured(
    broker: Broker, tmp_path: Path, written: StringIO
) -> None:
    async with observing(broker.port) as observer, running(telling(broker), tmp_path) as daemon:
        await daemon.connected()
        await ask(observer, level="debug")
    log.get("app").debug("quiet")
    log.get("app").info("still written")
    assert '"quiet"' not in written.getvalue()
    assert "still written" in written.getvalue()
