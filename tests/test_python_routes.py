"""Python routes in the whole daemon: they do what they say, and whatever they do, nobody else feels it."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.routes import check_routes, with_scripts
from jitney.daemon.config.schema import Config, RoutingSettings
from jitney.daemon.routing import failures
from jitney.daemon.supervision import backoff
from jitney.topics import Command, Reply
from tests.at_strava import REPOSITORY
from tests.daemon.running import Daemon, Observer, Played, config, observing, payload, running, tick
from tests.daemon.scripts.hosting import there_is
from tests.fakes.mosquitto import Broker
from tests.test_routes import route
from tests.waiting import until

IMPORT = "import os\nfrom jitney.daemon.scripts import Bus, Event, RefusedError, route\n"
TICK = '@route(on="played.ticked", owner="alice", ttl=60)\nasync def tick(event: Event, bus: Bus) -> None:\n'


def scripted(url: str, folder: Path, files: Mapping[str, str], *, seconds: float = 20.0, **changes: Any) -> Config:  # noqa: ANN401
    """Return a configuration whose Python files are these."""
    for name, text in files.items():
        (folder / name).write_text(IMPORT + text, encoding="utf-8")
    routing = RoutingSettings(python=tuple(files), python_seconds=seconds)
    settings = config(url, routing=routing, folder=str(folder), **changes)
    problems = Problems("config.toml")
    settings, places = with_scripts(settings, range(len(settings.routes)), problems, folder=folder)
    check_routes(settings, places, trials=True)
    problems.raise_any()
    return settings


async def letters(daemon: Daemon, observer: Observer) -> dict[str, str]:
    """Return the reasons of the dead letters, by the name of their route."""
    await daemon.app.parts.store.committed()
    topic = "jitney/_bus/main/response/dead_list"
    before = len(observer.on(topic))
    await observer.publish("jitney/_bus/main/request/dead_list", b"{}")
    await observer.until(lambda: len(observer.on(topic)) > before)
    answer = msgspec.json.decode(payload(observer.on(topic)[-1]))
    return {letter["route"]: letter["reason"] for letter in answer["data"]["letters"]}


def value(observer: Observer, topic: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the newest value of a retained topic, None when it has none."""
    seen = observer.on(topic)
    return msgspec.json.decode(payload(seen[-1])) if seen and payload(seen[-1]) else None


async def test_a_python_route_does_what_it_says_for_its_owner_and_nobody_else(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Command] = []

    async def command(_: Played, command: Command) -> Reply:
        asked.append(command)
        return Reply.ok({"twice": 2 * msgspec.json.decode(command.data)["n"]})

    monkeypatch.setattr(Played, "command", command)
    source = (
        TICK
        + """
    total = bus.get("total", 0) + event.data["number"]
    bus.set("total", total)
    reply = await bus.command("played.double", n=total)
    await bus.state("total", {"total": total, "twice": reply["twice"], "whose": event.owner_name})
    await bus.publish("counted", {"total": total}, subject="s")
    try:
        await bus.command("bobs.double", n=1)
    except RefusedError as error:
        await bus.state("refused", {"code": error.code})

@route(on="inbox.question", name="answer")
async def answer(event, bus):
    await bus.reply({"twice": event.data["n"] * 2})
"""
    )
    settings = scripted(broker.url, tmp_path, {"alice.py": source}, adapters={"played": "_house", "bobs": "bob"})
    async with observing(broker.port) as observer, running(settings, tmp_path / "state") as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(5), tick(50, owner="bob"), tick(7))
        await observer.until(lambda: len(observer.events("jitney/alice/event/route/counted")) == 2)
        first, second = observer.events("jitney/alice/event/route/counted")
        assert [msgspec.json.decode(event.data)["total"] for event in (first, second)] == [5, 12]
        assert (first.actor, first.subject, first.hops, first.causationid) == ("tick", "s", 1, "played-alice-5")
        await until(lambda: value(observer, "jitney/alice/state/route/total")["total"] == 12)
        assert value(observer, "jitney/alice/state/route/total") == {"total": 12, "twice": 24, "whose": "Alice"}
        assert value(observer, "jitney/alice/state/route/refused") == {"code": "unknown_adapter"}
        assert [(one.owner, one.name, one.hops, one.causation) for one in asked] == [
            ("alice", "double", 1, "played-alice-5"),
            ("alice", "double", 1, "played-alice-7"),
        ]
        assert value(observer, "jitney/alice/status/route")["state"] == "online"
        await observer.publish("jitney/bob/inbox/desk/question", b'{"data":{"n":21},"client":"flow","transaction":"7"}')
        reply = msgspec.json.decode(payload(await observer.message("jitney/bob/reply/flow/7")))
        assert reply == {"status": "ok", "data": {"twice": 42}, "transaction": "7"}
        assert not [m for m in observer.messages if str(m.topic).startswith("jitney/bob/state/")]
        assert await letters(daemon, observer) == {}
        children = [seat.child._started.process._child.pid for seat in hosted(daemon)._seats.values()]
        assert len(children) == 2
        await daemon.stop()
        assert not any(map(there_is, children))
        await observer.until(lambda: value(observer, "jitney/alice/status/route")["state"] == "offline")


def hosted(daemon: Daemon) -> Any:  # noqa: ANN401 - the host
    routing = daemon.app.parts.routes.routing
    assert routing is not None
    assert routing._handlers is not None
    return routing._handlers._host


BAD = {
    "blocks": ("import time; time.sleep(1000)", "timeout: blocks.py:8 in bad: not done within 0.5 s"),
    "spins": ("while True: pass", "timeout: spins.py:8 in bad: not done within 0.5 s"),
    "waits": ("import asyncio; await asyncio.Event().wait()", "timeout: waits.py:8 in bad: not done within 0.5 s"),
    "asks": (
        "await bus.command('played.wait')",
        "timeout: asks.py:8 in bad: not done within 0.5 s, while it waited for command played.wait",
    ),
    "throws": ("raise KeyError('x')", "raised: throws.py:8 in bad: KeyError: 'x'"),
    "exits": ("print('bye'); os._exit(3)", "interrupted: exits.py in bad: .*ended with exit status 3; it wrote: bye"),
    "floods": ("for _ in range(1000): os.write(1, bytes(1_000_000))", "interrupted: floods.py in bad: it wrote more"),
    "garbles": (
        "[os.write(int(fd), b'\\xff' * 99) for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and _socket(fd)]",
        "interrupted: garbles.py in bad: it told the bus what nobody can understand",
    ),
    "allocates": ("bytearray(10**10)", "raised: allocates.py:8 in bad: MemoryError"),
    "forks": ("os.fork() or os._exit(0); os._exit(4)", "interrupted: forks.py in bad: .*exit status 4"),
    "refuses": ("await bus.command('played.dance')", "unknown_command: refuses.py:8 in bad: "),
    "unknown": ("pass\nbad = None", "unknown_handler: unknown.py: there is no bad when the file has run"),
    "broken": ("pass\nimport nonsense", "unavailable: broken.py:9: ModuleNotFoundError"),
}


SOCKET = """
def _socket(fd): return os.path.exists(f"/proc/self/fd/{fd}") and "socket" in os.readlink(f"/proc/self/fd/{fd}")
"""


async def test_whatever_one_route_does_the_others_go_on_and_its_owner_gets_the_reason(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def command(_: Played, command: Command) -> Reply:
        if command.name == "wait":
            await asyncio.Event().wait()
        raise RefusedError("unknown_command", f"there is no {command.name}")

    monkeypatch.setattr(Played, "command", command)
    monkeypatch.setattr(failures, "FIRST", 0.02)
    monkeypatch.setattr(failures, "LONGEST", 0.2)
    monkeypatch.setattr(backoff.random, "uniform", lambda low, _: low / 100)
    declared = '@route(on="inbox.go", owner="alice", name="{}", ttl=2)\nasync def bad(event, bus):\n\n    {}\n'
    files = {f"{name}.py": SOCKET + declared.format(name, body) for name, (body, _) in BAD.items()}
    good = """
@route(on="played.ticked", owner="bob")
async def count(event, bus):
    bus.set("seen", [*bus.get("seen", []), event.data["number"]])
    await bus.publish("seen", {"seen": bus.get("seen")})
"""
    settings = scripted(
        broker.url,
        tmp_path,
        {**files, "good.py": good},
        seconds=0.5,
        routes=(route(name="plain", on="inbox.go", do=[{"state": "plain", "data": {}}]),),
    )
    async with observing(broker.port) as observer, running(settings, tmp_path / "state") as daemon:
        await daemon.connected()
        await observer.publish("jitney/alice/inbox/desk/go", b"{}")
        for number in range(50):
            await daemon.context().emit(tick(number, owner="bob"))
        await observer.message("jitney/alice/state/route/plain")
        seen = "jitney/bob/event/route/seen"
        await observer.until(lambda: len(observer.events(seen)) == 50)
        assert [msgspec.json.decode(event.data)["seen"][-1] for event in observer.events(seen)] == list(range(50))
        assert msgspec.json.decode(observer.events(seen)[-1].data)["seen"] == list(range(50))
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        await until(lambda: not routing.executor.waiting(), seconds=30)
        reasons = await letters(daemon, observer)
        assert reasons.keys() == BAD.keys()
        for name, (_, reason) in BAD.items():
            assert re.match(reason, reasons[name]), reasons[name]
        assert value(observer, "jitney/alice/status/route")["state"] == "degraded"
        assert not [
            m for m in observer.messages if str(m.topic).startswith(("jitney/bob/alert", "jitney/bob/status/route/"))
        ]
        alert = value(observer, "jitney/alice/alert/route.python.throws")["message"]
        assert "throws.py:8 in bad: KeyError: 'x'" in alert
        assert value(observer, "jitney/bob/status/route")["state"] == "online"
        assert len(hosted(daemon)._seats) == len(BAD) + 1


async def test_a_route_that_works_again_is_no_cause_for_alarm_any_more(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 0.01)
    marker = tmp_path / "mended"
    source = TICK + f"    assert os.path.exists({str(marker)!r}), 'not yet'\n"
    settings = scripted(broker.url, tmp_path, {"alice.py": source})
    topic = "jitney/alice/alert/route.python.tick"
    async with observing(broker.port) as observer, running(settings, tmp_path / "state") as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        alert = msgspec.json.decode(payload(await observer.message(topic)))
        assert alert["adapter"] == "route"
        assert "alice.py:5 in tick: AssertionError: not yet" in alert["message"]
        marker.touch()
        await observer.until(lambda: not value(observer, topic))
        await observer.until(lambda: value(observer, "jitney/alice/status/route")["state"] == "online")
        await daemon.connected()
        assert await letters(daemon, observer) == {}


async def test_who_has_no_python_routes_any_more_has_no_status_of_them(broker: Broker, tmp_path: Path) -> None:
    settings = scripted(broker.url, tmp_path, {"alice.py": TICK + "    pass\n"})
    topic = "jitney/alice/status/route"
    async with observing(broker.port) as observer:
        async with running(settings, tmp_path / "state") as daemon:
            await observer.until(lambda: value(observer, topic))
            await daemon.connected()
        async with running(config(broker.url), tmp_path / "state"):
            await observer.until(lambda: observer.on(topic) and value(observer, topic) is None)


async def test_what_waits_for_a_file_that_is_gone_tells_so(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 0.01)
    source = TICK.replace("ttl=60", "ttl=3") + "    await bus.command('played.dance')\n"
    settings = scripted(broker.url, tmp_path, {"alice.py": source}, routes=(route(name="x", do=[{"drop": True}]),))
    async with running(settings, tmp_path / "state") as daemon:
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        monkeypatch.setattr(routing.executor, "begin", lambda _: None)
        await daemon.context().emit(tick(1))
        await daemon.app.parts.store.committed()
    without = replace(settings, routes=settings.routes[:1], scripts=())
    async with observing(broker.port) as observer, running(without, tmp_path / "state") as daemon:
        await daemon.connected()
        routing = daemon.app.parts.routes.routing
        assert routing is not None
        await until(lambda: not routing.executor.waiting())
        reasons = await letters(daemon, observer)
        assert reasons == {"tick": "unknown_handler: alice.py is not named in [routing] python any more"}


async def test_a_stop_in_the_middle_of_a_route_is_prompt_and_the_event_is_answered_after_it(
    broker: Broker, tmp_path: Path
) -> None:
    source = (
        TICK
        + """
    again = await bus.command("played.echo", pid=os.getpid())
    await bus.state("begun", again)
    while event.data["number"] and not os.path.exists("go"): pass
    await bus.state("ended", {"number": event.data["number"]})
"""
    )
    settings = scripted(broker.url, tmp_path, {"alice.py": source}, seconds=600.0, durable=True)
    async with observing(broker.port) as observer:
        async with running(settings, tmp_path / "state") as daemon:
            await daemon.connected()
            await daemon.context().emit(tick(1), tick(2))
            begun = msgspec.json.decode(payload(await observer.message("jitney/alice/state/route/begun")))
            assert there_is(begun["pid"])
        assert not there_is(begun["pid"])
        assert not observer.on("jitney/alice/state/route/ended")
        (tmp_path / "go").touch()
        async with running(settings, tmp_path / "state"):
            ended = "jitney/alice/state/route/ended"
            await observer.until(lambda: value(observer, ended) == {"number": 2})


async def test_an_owner_who_is_erased_has_no_process_left(broker: Broker, tmp_path: Path) -> None:
    source = TICK.replace('owner="alice"', 'owner="*"') + "    await bus.state('pid', {'pid': os.getpid()})\n"
    settings = scripted(broker.url, tmp_path, {"all.py": source})
    async with observing(broker.port) as observer, running(settings, tmp_path / "state") as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1), tick(1, owner="bob"))
        pids = {
            owner: msgspec.json.decode(payload(await observer.message(f"jitney/{owner}/state/route/pid")))["pid"]
            for owner in ("alice", "bob")
        }
        await daemon.app.parts.erasure.erase("alice")
        assert {owner: there_is(pid) for owner, pid in pids.items()} == {"alice": False, "bob": True}
        assert os.getpid() not in pids.values()


LOOK = """
import asyncio, sys
from pathlib import Path
from jitney.daemon.app import App
from jitney.daemon.config.load import load
async def main(path):
    async with App(load(path, environ={}), state_dir=path.parent / "state"):
        print(*(name for name in sys.modules if name.startswith("jitney.daemon.scripts")))
asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("python", [False, True])
def test_who_has_no_python_routes_pays_nothing_for_them(tmp_path: Path, *, python: bool) -> None:
    (tmp_path / "alice.py").write_text(
        IMPORT + TICK.replace("played.ticked", "inbox.x") + "    pass\n", encoding="utf-8"
    )
    path = tmp_path / "config.toml"
    rule = '[[routes]]\nname = "x"\non = "inbox.x"\ndo = [{ drop = true }]\n[http]\nlisten = ""\n'
    named = '[routing]\npython = ["alice.py"]\n' if python else ""
    path.write_text(f"[owners.alice]\n{rule}{named}", encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-c", LOOK, str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=50
    )
    assert ("jitney.daemon.scripts.host" in done.stdout.split()) is python
    assert python or "jitney.daemon.scripts" not in done.stdout
