"""The whole daemon tells a real collector, one that is away, slow, or wants no more."""

import logging
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.tracing import export, otlp
from jitney.topics import Command, Reply, event
from tests.daemon.running import Daemon, Played, Ticked, config, observing, running, tick
from tests.fakes.mosquitto import Broker
from tests.fakes.otlp import Collector, attributes, collecting
from tests.waiting import until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = bytes.fromhex(PARENT.split("-")[1])
SPAN = bytes.fromhex(PARENT.split("-")[2])


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EVERY", 0.05)
    monkeypatch.setattr(export, "LOOK", 0.02)
    monkeypatch.setattr(export, "FIRST", 0.02)


def tracing(collector: Collector, **changes: Any) -> TracingSettings:  # noqa: ANN401
    return TracingSettings(otlp=collector.url, **changes)


def spans(daemon: Daemon, reason: str) -> int:
    return daemon.app.parts.outbox._counters.total("spans", reason=reason)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "otlp"]


async def test_an_event_is_told_with_its_stages_and_nothing_about_people(broker: Broker, tmp_path: Path) -> None:
    async with collecting() as collector:
        settings = config(broker.url, durable=True, tracing=tracing(collector, service_name="the bus"))
        async with running(settings, tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            (whole,) = await collector.until(lambda: collector.named("played.ticked"))
    below = [span for span in collector.spans if span.parent_span_id == whole.span_id]
    assert [span.name for span in below] == ["received", "accepted", "committed", "sent", "confirmed"]
    assert {span.trace_id for span in below} == {whole.trace_id}
    assert below[0].start_time_unix_nano == whole.start_time_unix_nano
    assert below[-1].end_time_unix_nano == whole.end_time_unix_nano
    assert all(before.end_time_unix_nano == after.start_time_unix_nano for before, after in pairwise(below))
    assert attributes(whole) == {
        "jitney.adapter": "played",
        "jitney.event.type": "played.ticked",
        "jitney.event.state": "confirmed",
    }
    assert collector.paths == ["/v1/traces"]
    assert "alice" not in str(collector.requests)
    (resource,) = {
        one.value.string_value
        for one in collector.requests[0].resource_spans[0].resource.attributes
        if one.key == "service.name"
    }
    assert resource == "the bus"


async def test_what_may_be_told_about_people_is_told_where_it_is_wanted(broker: Broker, tmp_path: Path) -> None:
    async with collecting() as collector:
        route = {"name": "answer", "on": "played.ticked", "do": [{"publish": "answer", "data": {}}]}
        settings = config(
            broker.url,
            tracing=tracing(collector, attributes=("owner", "id", "route")),
            routes=(msgspec.convert(route, RouteSettings),),
        )
        async with running(settings, tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            (whole,) = await collector.until(lambda: collector.named("played.ticked"))
            (action,) = await collector.until(lambda: collector.named("action publish"))
    assert attributes(whole).items() >= {"jitney.owner": "alice", "jitney.id": "played-alice-1"}.items()
    assert attributes(action) == {
        "jitney.action.tries": 1,
        "jitney.action.outcome": "ok",
        "jitney.owner": "alice",
        "jitney.id": "played-alice-1",
        "jitney.route": "answer",
        "jitney.action": "publish answer",
    }


async def test_what_an_event_leads_to_stands_below_it(broker: Broker, tmp_path: Path) -> None:
    async with collecting() as collector:
        route = {"name": "answer", "on": "played.ticked", "do": [{"publish": "answer", "data": {}}]}
        settings = config(broker.url, tracing=tracing(collector), routes=(msgspec.convert(route, RouteSettings),))
        async with running(settings, tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(msgspec.structs.replace(tick(1), traceparent=PARENT))
            (answer,) = await collector.until(lambda: collector.named("route.answer"))
            (action,) = await collector.until(lambda: collector.named("action publish"))
            (first,) = collector.named("played.ticked")
    assert (first.trace_id, first.parent_span_id) == (TRACE, SPAN)
    assert (action.trace_id, action.parent_span_id) == (TRACE, first.span_id)
    assert (answer.trace_id, answer.parent_span_id) == (TRACE, first.span_id)


async def test_a_command_and_the_event_that_it_leads_to_are_in_the_trace_of_who_asked(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as collector:
        settings = config(broker.url, tracing=tracing(collector))
        async with running(settings, tmp_path) as daemon, observing(broker.port) as observer:

            async def command(_: Played, command: Command) -> Reply:
                made = event(Ticked(7), adapter="played", owner="alice", causation=command.id, hops=1)
                await daemon.context().emit(msgspec.structs.replace(made, traceparent=command.traceparent))
                return Reply.ok({})

            monkeypatch.setattr(Played, "command", command)
            await daemon.connected()
            asked = b'{"specversion":"1.0","id":"1","data":{},"traceparent":"' + PARENT.encode() + b'"}'
            await observer.publish("jitney/alice/command/played/tick", asked)
            (told,) = await collector.until(lambda: collector.named("command played.tick"))
            (caused,) = await collector.until(lambda: collector.named("played.ticked"))
    assert (told.trace_id, told.parent_span_id) == (TRACE, SPAN)
    assert (caused.trace_id, caused.parent_span_id) == (TRACE, told.span_id)
    assert attributes(told) == {"jitney.adapter": "played", "jitney.command.outcome": "ok"}


async def test_what_the_house_of_another_trace_does_not_record_is_not_told(broker: Broker, tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(msgspec.structs.replace(tick(1), traceparent=PARENT[:-1] + "0"), tick(2))
            await collector.until(lambda: collector.named("played.ticked"))
        assert [span.trace_id == TRACE for span in collector.named("played.ticked")] == [False]


async def test_the_headers_are_sent_and_a_key_is_in_no_line_of_the_log(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "a key that nobody may read"
    with caplog.at_level(logging.DEBUG):
        async with collecting() as collector:
            settings = config(broker.url, tracing=tracing(collector, headers={"x-api-key": Secret(key)}))
            async with running(settings, tmp_path) as daemon:
                await daemon.connected()
                await daemon.context().emit(tick(1))
                await collector.until(lambda: collector.spans)
                assert collector.heard[0]["x-api-key"] == key
                collector.status = 401
                await daemon.context().emit(tick(2))
                await until(lambda: spans(daemon, "refused") == 5)
    assert key not in caplog.text


async def test_a_collector_that_is_away_is_warned_of_once_and_told_when_it_is_back(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(otlp, "SECONDS", 0.3)
    async with collecting() as collector:
        await collector.stop()
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            await daemon.drained()
            await until(lambda: daemon.app.parts.tracing._failures >= 3)
            await daemon.context().emit(tick(2))
            await collector.start()
            await collector.until(lambda: len(collector.named("played.ticked")) == 2)
            await until(lambda: daemon.app.parts.tracing._failures == 0)
            assert spans(daemon, "sent") == len(collector.spans)
    told = capsys.readouterr().out
    aloud = [line for line in told.splitlines() if "[warning" in line and "the collector takes no traces" in line]
    assert len(aloud) == 1
    (again,) = [line for line in told.splitlines() if "the collector takes traces again" in line]
    assert "after_seconds" in again


async def test_what_is_too_much_for_a_collector_that_is_away_is_dropped_and_counted(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_WAITING", 20)
    async with collecting() as collector:
        await collector.stop()
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(*map(tick, range(30)))
            await daemon.drained()
            await until(lambda: spans(daemon, "queue_full") >= 100)
            assert len(daemon.app.parts.tracing._waiting) <= 20
            await collector.start()
            await collector.until(lambda: collector.named("played.ticked"))


async def test_a_collector_that_wants_no_more_for_a_while_is_left_alone_that_long(
    broker: Broker, tmp_path: Path
) -> None:
    async with collecting() as collector:
        collector.status, collector.headers = 429, {"Retry-After": "600"}
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            await until(lambda: daemon.app.parts.tracing._failures == 1)
            assert daemon.app.parts.tracing._due - daemon.app.parts.tracing._clock() > 590
            await daemon.context().emit(tick(2))
            await daemon.drained()
        assert collector.attempts == 1


async def test_a_slow_collector_slows_nobody_and_a_stop_does_not_wait_for_it(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LAST", 0.1)
    async with collecting() as collector:
        collector.go_on.clear()
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            await collector.until(lambda: collector.attempts)
            await daemon.context().emit(*map(tick, range(2, 50)))
            await daemon.drained()
            assert threads() == ["otlp"]
            await daemon.stop()
            assert spans(daemon, "ended") == 5
        collector.go_on.set()
        await until(lambda: not threads())


async def test_the_last_spans_are_told_when_the_bus_stops_and_its_thread_has_ended(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "EVERY", 600.0)
    async with collecting() as collector:
        async with running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            await daemon.drained()
        assert collector.named("played.ticked")
        await until(lambda: not threads())


async def test_another_collector_is_told_after_a_reload_and_none_when_it_is_off(broker: Broker, tmp_path: Path) -> None:
    async with collecting() as first, collecting() as second:
        settings = config(broker.url)
        async with running(settings, tmp_path) as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1))
            await daemon.drained()
            await daemon.app.reload(msgspec.structs.replace(settings, tracing=tracing(first)))
            await until(lambda: daemon.app.parts.tracing._following is not None)
            await daemon.context().emit(tick(2))
            await first.until(lambda: first.named("played.ticked"))
            await daemon.app.reload(msgspec.structs.replace(settings, tracing=tracing(second)))
            await daemon.context().emit(tick(3))
            await second.until(lambda: second.named("played.ticked"))
            found = await daemon.app.reload(settings)
            assert [str(change) for change in found.changes] == ["tracing changed: otlp"]
            await until(lambda: daemon.app.parts.tracing._following is None)
        assert len(first.named("played.ticked")) == len(second.named("played.ticked")) == 1


async def test_a_broken_installation_is_told_and_disturbs_nothing(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ImportError("no module named requests")

    monkeypatch.setattr(export, "_collector", broken)
    async with collecting() as collector, running(config(broker.url, tracing=tracing(collector)), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await daemon.drained()
    assert "pip install 'jitney[otel]'" in capsys.readouterr().out
