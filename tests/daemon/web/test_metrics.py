"""/metrics: what is counted and measured, for Prometheus, and what never becomes a label."""

import ast
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from jitney.daemon.config.schema import Config
from jitney.daemon.web.metric_names import COUNTS, table
from jitney.topics import MAX_HOPS
from tests.daemon.running import Daemon, config, observing, running, tick
from tests.daemon.web.looking import free_address, online, read
from tests.fakes.mosquitto import Broker

SOURCES = Path(__file__).parents[3] / "jitney"


@pytest.fixture
def free() -> str:
    return free_address()


def measured(found: Config) -> Config:
    return replace(found, http=replace(found.http, metrics=True))


@asynccontextmanager
async def scraped(broker: Broker, state: Path, free: str, *, durable: bool = False) -> AsyncIterator[Daemon]:
    async with running(measured(config(broker.url, http=free, durable=durable)), state) as daemon:
        await online(daemon)
        yield daemon


async def scrape(free: str) -> dict[str, Metric]:
    status, text = await read(free, "/metrics")
    assert status == 200
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: dict[str, Metric], family: str, *, sample: str = "", **labels: str) -> float:
    values = [
        one.value
        for one in found[family].samples
        if one.name == (sample or family) and labels.items() <= one.labels.items()
    ]
    return sum(values)


async def test_a_scrape_has_every_metric_of_the_table_with_its_type_and_labels(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    async with scraped(broker, tmp_path, free) as daemon:
        await daemon.context().emit(tick(1))
        await daemon.drained()
        found = await scrape(free)
    ours = {name: family for name, family in found.items() if name.startswith("jitney_")}
    listed = {
        name.removesuffix("_total"): (kind, set(filter(None, labels.split(", ")))) for name, kind, labels, _ in table()
    }
    assert {name: family.type for name, family in ours.items()} == {name: kind for name, (kind, _) in listed.items()}
    for name, family in ours.items():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == listed[name][1], name
    assert value(found, "process_resident_memory_bytes") > 0


async def test_what_happens_to_events_is_counted_and_measured_by_adapter(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    async with scraped(broker, tmp_path, free, durable=True) as daemon:
        looping = replace(tick(9), hops=MAX_HOPS + 1)
        for number in range(3):
            await daemon.context().emit(tick(number))
            await daemon.drained()
        await daemon.context().emit(tick(1), looping)
        found = await scrape(free)
    here = {"adapter": "played"}
    assert value(found, "jitney_events", sample="jitney_events_total", owner="alice", **here) == 3
    assert value(found, "jitney_duplicates", sample="jitney_duplicates_total", owner="alice", **here) == 1
    assert value(found, "jitney_dropped", sample="jitney_dropped_total", owner="alice", reason="loop", **here) == 1
    for stage in ("committed", "sent", "confirmed"):
        name = f"jitney_event_{stage}_seconds"
        assert value(found, name, sample=f"{name}_count", **here) == 3, stage
        assert value(found, name, sample=f"{name}_bucket", le="+Inf", **here) == 3, stage
    assert value(found, "jitney_store_commit_seconds", sample="jitney_store_commit_seconds_count") >= 3
    assert value(found, "jitney_broker_connected") == 1


async def test_of_a_burst_some_are_measured_and_all_are_counted(broker: Broker, tmp_path: Path, free: str) -> None:
    async with scraped(broker, tmp_path, free) as daemon:
        await daemon.context().emit(*[tick(number) for number in range(160)])
        await daemon.drained()
        found = await scrape(free)
    assert value(found, "jitney_events", sample="jitney_events_total") == 160
    assert value(found, "jitney_event_confirmed_seconds", sample="jitney_event_confirmed_seconds_count") == 10


async def test_events_that_waited_on_disk_for_another_run_are_measured_too(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    await asyncio.to_thread(broker.kill)
    settings = measured(config(broker.url, http=free, durable=True))
    async with running(settings, tmp_path) as daemon:
        await daemon.context().emit(replace(tick(1), observed="2000-01-01T00:00:00.000Z"))
    await asyncio.to_thread(broker.start)
    async with running(settings, tmp_path) as daemon:
        await online(daemon)
        await daemon.drained()
        found = await scrape(free)
    name = "jitney_event_confirmed_seconds"
    assert value(found, name, sample=f"{name}_count", adapter="played") == 1
    assert value(found, name, sample=f"{name}_bucket", adapter="played", le="3600.0") == 0


async def test_commands_and_requests_are_measured_and_a_name_that_nobody_knows_is_no_label(
    broker: Broker, tmp_path: Path, free: str
) -> None:
    async with scraped(broker, tmp_path, free), observing(broker.port) as observer:
        await observer.publish("jitney/alice/command/played/echo", b'{"client":"c","transaction":"1"}')
        await observer.message("jitney/alice/reply/c/1")
        await observer.publish("jitney/alice/command/nobody-knows-me/echo", b'{"client":"c","transaction":"2"}')
        await observer.message("jitney/alice/reply/c/2")
        await observer.publish("jitney/_bus/main/request/nobody-knows-me", b"{}")
        await observer.message("jitney/_bus/main/response/nobody-knows-me")
        for word in ("knob", "lever"):
            await observer.publish(f"jitney/alice/inbox/{word}-of-somebody/pressed", b"{}")
            await observer.message(f"jitney/alice/event/{word}-of-somebody/pressed")
        status, text = await read(free, "/metrics")
        found = await scrape(free)
    assert status == 200
    assert "nobody-knows-me" not in text
    assert "of-somebody" not in text
    assert value(found, "jitney_events", sample="jitney_events_total", owner="alice", adapter="inbox") == 2
    assert value(found, "jitney_commands", sample="jitney_commands_total", adapter="unknown") == 1
    assert value(found, "jitney_requests", sample="jitney_requests_total", request="unknown") == 1
    assert value(found, "jitney_command_seconds", sample="jitney_command_seconds_count", adapter="played") == 1


async def test_what_an_adapter_counts_in_its_own_words_is_there(broker: Broker, tmp_path: Path, free: str) -> None:
    async with scraped(broker, tmp_path, free) as daemon:
        daemon.context().count("undecodable", 3)
        found = await scrape(free)
    name = "jitney_adapter_counted"
    assert value(found, name, sample=f"{name}_total", adapter="played", what="undecodable") == 3


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_who_asks_through_a_proxy_gets_no_names(broker: Broker, tmp_path: Path, free: str, header: str) -> None:
    async with scraped(broker, tmp_path, free):
        status, text = await read(free, "/metrics", **{header: "203.0.113.7"})
    assert status == 403
    assert "jitney_" not in text


async def test_without_the_setting_there_is_no_such_page(broker: Broker, tmp_path: Path, free: str) -> None:
    async with running(config(broker.url, http=free), tmp_path):
        assert (await read(free, "/metrics"))[0] == 404


def counted() -> set[str]:
    """Return the names of all counters in the source that are not an adapter's own."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("counters.add"):
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    found.add(str(name.value))
    return found


def test_every_counter_of_the_daemon_has_its_place_in_the_table() -> None:
    assert len(counted()) > 10
    assert counted() == set(COUNTS)


def test_no_name_stands_twice_in_the_table_and_every_metric_is_explained() -> None:
    names = [name for name, *_ in table()]
    assert len(names) == len(set(names))
    assert all(text.endswith(".") for *_, text in table())
