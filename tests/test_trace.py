"""One event followed through the whole daemon: when it came where, and what it led to."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp.web
import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import OutboxSettings, RoutingSettings
from jitney.daemon.delivery import traces
from jitney.daemon.delivery.trace_requests import Newest, Traced
from jitney.daemon.delivery.traces import MOST_EVENTS
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import Command, Reply
from tests.daemon.running import Daemon, Played, config, observing, running, tick
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.mosquitto import Broker
from tests.test_end_to_end import at_home
from tests.waiting import until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = PARENT.split("-")[1]


def route(**fields: Any) -> RouteSettings:  # noqa: ANN401
    return msgspec.convert({"name": "a route", "on": "played.ticked", **fields}, RouteSettings)


async def asked(daemon: Daemon, **data: Any) -> Any:  # noqa: ANN401
    return await daemon.app.administration["trace"](msgspec.Raw(msgspec.json.encode(data)))


async def traced(daemon: Daemon, event_id: str, owner: str = "") -> Traced:
    found = await asked(daemon, id=event_id, owner=owner)
    assert isinstance(found, Traced)
    return found


def names(found: Traced) -> list[str]:
    return [stage.name for stage in found.stages]


def stage(found: Traced, name: str) -> float:
    return next(one.after for one in found.stages if one.name == name)


async def called(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jitney.daemon.cli", "trace", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_an_event_in_memory_is_followed_from_its_source_to_the_broker(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await daemon.drained()
        found = await traced(daemon, "played-alice-1")
        assert names(found) == ["happened", "observed", "accepted", "sent", "confirmed"]
        assert (found.event.owner, found.event.adapter, found.event.type) == ("alice", "played", "played.ticked")
        assert (found.event.state, found.again, found.actions, found.caused) == ("confirmed", 0, [], [])
        assert found.event.seconds == pytest.approx(stage(found, "sent") + stage(found, "confirmed"), abs=1e-5)


async def test_a_durable_event_is_on_disk_before_it_is_sent(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url, durable=True), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await daemon.drained()
        found = await traced(daemon, "played-alice-1")
        assert names(found) == ["happened", "observed", "accepted", "committed", "sent", "confirmed"]
        assert all(one.after >= 0 for one in found.stages[3:])


async def test_an_event_that_the_broker_was_away_for_waits_and_then_shows_how_long(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url, durable=True), tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.stop)
        await until(lambda: daemon.app.parts.connection.session is None)
        await daemon.context().emit(tick(1))
        waiting = await traced(daemon, "played-alice-1")
        assert (waiting.event.state, names(waiting)[-1]) == ("waiting", "committed")
        await asyncio.to_thread(broker.start)
        await daemon.drained()
        found = await traced(daemon, "played-alice-1")
        assert (found.event.state, names(found)[-2:]) == ("confirmed", ["sent", "confirmed"])
        assert stage(found, "sent") > stage(found, "confirmed")


async def test_an_event_whose_confirmation_was_lost_is_sent_again_and_says_so(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.freeze)
        await daemon.context().emit(tick(1))
        await until(lambda: bool(daemon.app.parts.outbox.traces.find("played-alice-1")[0][2].sent))
        assert (await traced(daemon, "played-alice-1")).event.state == "sent"
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await daemon.drained()
        found = await traced(daemon, "played-alice-1")
        assert (found.event.state, found.again) == ("confirmed", 1)


async def test_what_had_to_wait_on_disk_is_still_followed_when_it_is_read_back(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, outbox=OutboxSettings(memory_events=16))
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.stop)
        await until(lambda: daemon.app.parts.connection.session is None)
        await daemon.context().emit(*map(tick, range(60)))
        assert "committed" in names(await traced(daemon, "played-alice-59"))
        await asyncio.to_thread(broker.start)
        await daemon.drained()
        found = await traced(daemon, "played-alice-59")
        assert names(found)[-3:] == ["committed", "sent", "confirmed"]


async def test_the_actions_of_routes_and_the_events_that_they_lead_to_are_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def command(_: Played, command: Command) -> Reply:
        raise RefusedError("unknown_command", f"there is no {command.name}")

    monkeypatch.setattr(Played, "command", command)
    actions = [
        {"publish": "answer", "data": {}},
        {"command": "played.say"},
        {"state": "later", "data": {}, "delay": 60},
    ]
    settings = config(broker.url, routes=(route(owner="alice", do=actions),))
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        await until(
            lambda: len(daemon.app.parts.routes.waiting()) == 1 and daemon.app.parts.routes.waiting()["alice"] == 1
        )
        await daemon.drained()
        found = await traced(daemon, "played-alice-1")
        told = {done.action: (done.route, done.outcome, done.tries, done.final) for done in found.actions}
        assert told == {
            "publish answer": ("a route", "ok", 1, True),
            "command played.say": ("a route", "unknown_command", 1, True),
            "state later": ("a route", "", 0, False),
        }
        (caused,) = found.caused
        assert (caused.type, caused.owner, caused.state) == ("route.answer", "alice", "confirmed")
        assert (await traced(daemon, caused.id)).cause == "played-alice-1"


async def test_what_a_route_drops_and_what_is_a_loop_say_so(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, routes=(route(do=[{"drop": True}]),))
    async with running(settings, tmp_path) as daemon:
        await daemon.context().emit(tick(1), msgspec.structs.replace(tick(2), hops=9))
        assert (await traced(daemon, "played-alice-1")).event.dropped == "route"
        looped = await traced(daemon, "played-alice-2")
        assert (looped.event.state, looped.event.dropped, names(looped)[-1]) == ("dropped", "loop", "accepted")


async def test_of_one_owner_nothing_of_another_is_told(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.context().emit(tick(1), tick(2, owner="bob"), tick(3, id="both"), tick(4, owner="bob", id="both"))
        with pytest.raises(RefusedError, match=r"no event 'played-bob-2' of alice is remembered") as refused:
            await asked(daemon, id="played-bob-2", owner="alice")
        assert refused.value.code == "unknown_event"
        newest = await asked(daemon, owner="alice")
        assert isinstance(newest, Newest)
        assert {event.owner for event in newest.events} == {"alice"}
        assert (await traced(daemon, "both", "alice")).others == []
        assert (await traced(daemon, "both")).others == ["alice"]


async def test_of_a_burst_the_first_are_followed_and_all_are_published(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(*map(tick, range(MOST_EVENTS + 50)))
        topic = "jitney/alice/event/played/ticked"
        await observer.until(lambda: len(observer.on(topic)) == MOST_EVENTS + 50)
        newest = await asked(daemon, limit=200)
        assert [event.id for event in newest.events] == [f"played-alice-{n}" for n in reversed(range(MOST_EVENTS))]
        with pytest.raises(RefusedError, match="of a burst the first 100 in a second"):
            await traced(daemon, f"played-alice-{MOST_EVENTS}")


async def test_the_oldest_give_way_and_one_source_displaces_no_other(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "TURNOVER", 0.0)
    settings = config(broker.url, adapters={"played": "_house", "rare": "_house"})
    async with running(settings, tmp_path) as daemon:
        await daemon.context("rare").emit(tick(1, adapter="rare"))
        for number in range(MOST_EVENTS + 1):
            await daemon.context().emit(tick(number))
        with pytest.raises(RefusedError):
            await traced(daemon, "played-alice-0")
        assert (await traced(daemon, "played-alice-1")).event.id == "played-alice-1"
        assert (await traced(daemon, "rare-alice-1")).event.adapter == "rare"


async def test_what_is_erased_is_not_remembered(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(1, owner="bob"))
        await daemon.drained()
        await daemon.app.administration["erase_owner"](msgspec.Raw(b'{"owner":"alice"}'))
        with pytest.raises(RefusedError):
            await traced(daemon, "played-alice-1")
        assert (await traced(daemon, "played-bob-1")).event.owner == "bob"


async def test_a_traceparent_is_carried_on_with_a_span_of_its_own(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[Command] = []
    headers: list[str] = []

    async def command(_: Played, command: Command) -> Reply:
        commands.append(command)
        return Reply.ok()

    async def hook(request: aiohttp.web.Request) -> aiohttp.web.Response:
        headers.append(request.headers["traceparent"])
        return aiohttp.web.Response()

    monkeypatch.setattr(Played, "command", command)
    application = aiohttp.web.Application()
    application.router.add_post("/hook", hook)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    actions = [{"publish": "answer", "data": {}}, {"command": "played.say"}, {"webhook": url}]
    settings = config(
        broker.url,
        routes=(route(on="inbox.asked", owner="alice", do=actions),),
        routing=RoutingSettings(webhooks=(url,)),
    )
    body = {"specversion": "1.0", "id": "q", "source": "desk", "type": "asked", "traceparent": PARENT, "data": {}}
    direct = {**body, "type": "say"}
    try:
        async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
            await daemon.connected()
            await observer.publish("jitney/alice/inbox/desk/asked", msgspec.json.encode(body))
            (answer,) = await observer.until(lambda: observer.events("jitney/alice/event/route/answer"))
            await until(lambda: bool(commands and headers))
            (heard,) = observer.events("jitney/alice/event/desk/asked")
            assert heard.traceparent == PARENT
            assert (await traced(daemon, heard.id)).traceparent == PARENT
            await observer.publish("jitney/_house/command/played/say", msgspec.json.encode(direct))
            await until(lambda: len(commands) == 2)
    finally:
        await runner.cleanup()
    carried = [answer.traceparent, headers[0], *(one.traceparent for one in commands)]
    assert [text.split("-")[1] for text in carried] == [TRACE] * 4
    assert len({text.split("-")[2] for text in (*carried, PARENT)}) == 5


async def test_what_a_command_changes_in_the_house_belongs_to_its_trace(broker: Broker, tmp_path: Path) -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("input_boolean.alice_guest", "off")
        async with at_home(home, broker, tmp_path) as (_, observer):
            call = {
                "domain": "input_boolean",
                "service": "turn_on",
                "target": {"entity_id": "input_boolean.alice_guest"},
            }
            body = {"specversion": "1.0", "id": "1", "source": "desk", "type": "x", "traceparent": PARENT, "data": call}
            await observer.publish("jitney/alice/command/home/call_service", msgspec.json.encode(body))
            events = await observer.until(lambda: observer.events("jitney/alice/event/home/state_changed"))
            version, trace, span, _ = str(events[-1].traceparent).split("-")
            assert (version, trace) == ("00", TRACE)
            assert span != PARENT.split("-")[2]


async def test_the_command_shows_an_event_and_the_newest_ones(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, durable=True, routes=(route(owner="alice", do=[{"publish": "answer", "data": {}}]),))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(1, owner="bob"))
        await observer.message("jitney/alice/event/route/answer")
        await until(lambda: not any(daemon.app.parts.routes.waiting().values()))
        await daemon.drained()
        status, out, err = await called("played-alice-1", "--mqtt", broker.url)
        assert (status, err) == (0, "")
        lines = out.splitlines()
        assert lines[0] == "played.ticked of alice, from played"
        stages = ("happened at", "the bus heard", "accepted", "on disk", "sent to", "the broker has", "with the broker")
        assert [line.strip().startswith(word) for line, word in zip(lines[1:], stages, strict=False)] == [True] * 7
        assert lines[8].startswith("  route a route: publish answer: done after ")
        assert lines[9].startswith("  led to ")
        assert "route.answer" in lines[9]
        status, out, _ = await called("--owner", "bob", "--mqtt", broker.url)
        assert (status, len(out.splitlines())) == (0, 1)
        assert "played-bob-1  with the broker after " in out
        status, out, _ = await called("played-bob-1", "--json", "--mqtt", broker.url)
        assert msgspec.json.decode(out, type=Traced).event.owner == "bob"
        status, out, err = await called("nonsense", "--mqtt", broker.url)
        assert (status, out) == (1, "")
        assert "no event 'nonsense' is remembered" in err
        assert "`jitney trace` lists them" in err
        assert (await called("played-bob-1", "--limit", "3", "--mqtt", broker.url))[0] == 2
