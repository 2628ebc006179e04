"""A Python file answers events in a process of its own."""

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jitney.daemon.scripts import host as module
from jitney.daemon.scripts import process
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.wire import AskCommand, AskNotify, AskPublish, AskReply, AskState
from tests.daemon.scripts.hosting import FILE, hosting, refused, there_is
from tests.waiting import until

PID = "import os\nasync def pid(event, bus): bus.set('told', os.getpid())\n"


async def test_a_function_sees_the_event_as_it_was_and_the_variables_of_its_owner(tmp_path: Path) -> None:
    source = """
async def look(event, bus):
    assert event.time.utcoffset() is not None
    bus.set("told", [
        event.type, event.kind, event.id, event.owner, event.owner_name, event.adapter, event.subject, event.actor,
        event.seq, event.hops, event.data, event.time, bus.get("n"), bus.get("none"), bus.get("none", 7), repr(event),
    ])
"""
    async with hosting(tmp_path, source) as hosted:
        *told, time, n, none, seven, shown = await hosted.told(
            "look", {"km": 40}, subject="ride", actor="bob", hops=2, variables={"n": {"a": [1]}}
        )
        assert told == [
            *("played.ticked", "ticked", "event-1", "alice", "Alice", "played", "ride", "bob"),
            *(3, 2, {"km": 40}),
        ]
        assert datetime.fromisoformat(time) == datetime.fromisoformat("2026-11-21T05:41:00.120Z")
        assert (n, none, seven) == ({"a": [1]}, None, 7)
        assert shown == "<Event played.ticked of alice, ride>"


async def test_an_event_has_nothing_where_it_says_nothing_and_unreadable_times_are_told(tmp_path: Path) -> None:
    source = "async def look(event, bus): bus.set('told', [event.subject, event.actor])\n"
    source += "async def late(event, bus): event.time\n"
    async with hosting(tmp_path, source) as hosted:
        assert await hosted.told("look") == ["", ""]
        assert str(await hosted.failed("late", time="yesterday")).startswith(f"{FILE}:3 in late: ValueError: ")


async def test_everything_that_can_be_asked_for_is_asked_for_and_answered(tmp_path: Path) -> None:
    source = """
async def ask(event, bus):
    first = await bus.command("base.send_text", text="hi", channel=2)
    await bus.publish("long.ride", {"km": 40}, subject="ride")
    await bus.publish("empty")
    await bus.state("ride", {"km": 40}, expiry=60)
    await bus.state("ride", None)
    await bus.reply("40 km")
    await bus.reply({"km": 40})
    await bus.notify("home.mobile_app_phone", "40 km", title="Ride", data={"tag": "r"})
    await bus.notify("base", "40 km")
    bus.set("told", first)
"""
    async with hosting(tmp_path, source) as hosted:
        hosted.answers["command base.send_text"] = {"packet_id": 7}
        assert await hosted.told("ask") == {"packet_id": 7}
        assert [type(one)(**{**fields(one), "event": 0}) for one in hosted.asked] == [
            AskCommand(command="base.send_text", data={"text": "hi", "channel": 2}),
            AskPublish(kind="long.ride", data={"km": 40}, subject="ride"),
            AskPublish(kind="empty", data={}, subject=""),
            AskState(subject="ride", data={"km": 40}, expiry=60),
            AskState(subject="ride", data=None, expiry=0),
            AskReply(text="40 km"),
            AskReply(data={"km": 40}),
            AskNotify(target="home.mobile_app_phone", message="40 km", title="Ride", data={"tag": "r"}),
            AskNotify(target="base", message="40 km", title="", data={}),
        ]


def fields(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}  # type: ignore[attr-defined]


async def test_variables_are_set_when_a_function_ends_well_and_as_they_were_then(tmp_path: Path) -> None:
    source = """
async def well(event, bus):
    rides = bus.get("rides")
    rides.append(2)
    bus.set("rides", rides, expiry=60)
    rides.append(3)
    bus.set("gone", 1)
    bus.forget("gone")
    bus.set("seen", [bus.get("rides"), bus.get("gone"), bus.get("gone", 5)])

async def badly(event, bus):
    bus.set("rides", 0)
    raise KeyError("rides")
"""
    async with hosting(tmp_path, source) as hosted:
        changes = await hosted.run("well", variables={"rides": [1], "gone": 4})
        assert {change.name: (change.value, change.expiry) for change in changes} == {
            "rides": ("[1,2]", 60.0),
            "gone": (None, 0.0),
            "seen": ("[[1,2],null,5]", 0.0),
        }
        assert (await hosted.failed("badly", variables={"rides": [1]})).code == "raised"


async def test_a_refusal_can_be_caught_and_fails_the_event_when_it_is_not(tmp_path: Path) -> None:
    source = """
async def catch(event, bus):
    try:
        await bus.command("base.send_text")
    except RefusedError as error:
        bus.set("told", [error.code, str(error)])

async def leave_it(event, bus):
    await bus.command("base.send_text")

async def invalid(event, bus):
    for wrong in (bus.publish("No kind"), bus.state("", {}), bus.notify("x" * 201, "x")):
        try:
            await wrong
        except RefusedError as error:
            bus.set("told", [*bus.get("told", []), error.code])
    bus.set("told", [*bus.get("told"), "still there"])
"""
    async with hosting(tmp_path, source) as hosted:
        hosted.answers["command base.send_text"] = refused("offline", "base is not there")
        assert await hosted.told("catch") == ["offline", "base is not there"]
        error = await hosted.failed("leave_it")
        assert (error.code, str(error)) == ("offline", f"{FILE}:10 in leave_it: base is not there")
        assert await hosted.told("invalid") == ["invalid", "invalid", "invalid", "still there"]
        assert len(hosted.asked) == 2


async def test_one_process_answers_all_events_of_a_file_and_an_owner_and_no_others(tmp_path: Path) -> None:
    async with hosting(tmp_path, PID, files={"other.py": PID}) as hosted:
        first = await hosted.told("pid")
        assert await hosted.told("pid") == first
        others = [await hosted.told("pid", owner="bob"), await hosted.told("pid", file="other.py")]
        assert len({first, *others, os.getpid()}) == 4
        assert hosted.host.running == 3


async def test_whoever_waits_longest_gives_way_and_comes_back_when_there_is_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 2)
    async with hosting(tmp_path, PID) as hosted:
        pids = [await hosted.told("pid", owner=f"owner{number}") for number in range(4)]
        await until(lambda: [there_is(pid) for pid in pids] == [False, False, True, True])
        assert hosted.host.running == 2
        assert await hosted.told("pid", owner="owner3") == pids[3]
        assert await hosted.told("pid", owner="owner0") not in pids


async def test_a_process_that_has_nothing_to_do_is_ended_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting(tmp_path, PID) as hosted:
        monkeypatch.setattr(module, "IDLE", 0.05)
        first = await hosted.told("pid")
        await until(lambda: not there_is(first))
        monkeypatch.setattr(module, "IDLE", 60.0)
        assert await hosted.told("pid") != first
        assert hosted.host.running == 1


async def test_a_file_that_changes_is_read_at_the_next_start_of_the_bus(tmp_path: Path) -> None:
    source = "async def say(event, bus): bus.set('told', 'old')\nasync def fall(event, bus): raise ValueError\n"
    async with hosting(tmp_path, source) as hosted:
        (tmp_path / FILE).write_text("nonsense", encoding="utf-8")
        assert await hosted.told("say") == "old"
        assert "async def fall(event, bus): raise ValueError" in (await hosted.failed("fall")).trace


async def test_a_process_has_no_secret_in_its_environment_and_nothing_open_but_what_it_needs(tmp_path: Path) -> None:
    source = """
import os, sys
import neighbour
async def look(event, bus):
    bus.set("told", [sorted(os.environ), os.getcwd(), sys.argv, sys.stdin.read(), neighbour.NAME,
                     len(os.listdir("/proc/self/fd")), sorted(name for name in sys.modules if "msgspec" in name)])
"""
    environ = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "TZ": "Europe/Oslo",
        "LC_ALL": "C.UTF-8",
        "JITNEY_CONFIG": "x",
        "HOME_TOKEN": "x",
        "MQTT_PASSWORD": "x",
    }
    async with hosting(tmp_path, source, environ=environ) as hosted:
        (tmp_path / "routes" / "neighbour.py").write_text("NAME = 'bob'", encoding="utf-8")
        names, folder, arguments, stdin, neighbour, files, heavy = await hosted.told("look")
        assert set(names) - {"LC_CTYPE", "__PYVENV_LAUNCHER__"} == environ.keys() - {
            "JITNEY_CONFIG",
            "HOME_TOKEN",
            "MQTT_PASSWORD",
        }
        assert (folder, arguments, stdin, neighbour) == (str(tmp_path), [str(tmp_path / FILE)], "", "bob")
        assert files == len(("stdin", "stdout", "stderr", "socket", "pipe", "the folder that is listed"))
        assert heavy == []


async def test_a_process_stands_behind_the_bus_when_memory_or_time_is_short(tmp_path: Path) -> None:
    source = """
import os, resource
async def look(event, bus):
    score = open("/proc/self/oom_score_adj").read()
    limits = [resource.getrlimit(one)[1] for one in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)]
    bus.set("told", [os.nice(0), int(score), *limits])
"""
    async with hosting(tmp_path, source, megabytes=64) as hosted:
        nice, score, data, core = await hosted.told("look")
        assert nice > os.nice(0)
        assert score > 0
        assert (data, core) == (64 << 20, 0)


async def test_local_time_is_that_of_the_house(tmp_path: Path) -> None:
    source = "async def look(event, bus): bus.set('told', event.time.hour)\n"
    for zone, hour in (("Europe/Oslo", 6), ("UTC", 5)):
        async with hosting(tmp_path, source, environ={**os.environ, "TZ": zone}) as hosted:
            assert await hosted.told("look") == hour


async def test_what_uses_asyncio_has_an_event_loop_that_ends_with_the_event(tmp_path: Path) -> None:
    source = """
import asyncio

async def both(event, bus):
    found = await asyncio.gather(bus.command("base.a"), bus.command("base.b"), asyncio.sleep(0, "slept"))
    bus.set("told", found)

async def impatient(event, bus):
    try:
        async with asyncio.timeout(0.05):
            await bus.command("base.slow")
    except TimeoutError:
        bus.set("told", "gave up")

async def begin(event, bus):
    global left
    left = asyncio.create_task(asyncio.sleep(1000))

async def end(event, bus):
    bus.set("told", left.cancelled())
"""
    async with hosting(tmp_path, source) as hosted:
        hosted.answers |= {"command base.a": {"n": 1}, "command base.b": {"n": 2}}
        assert await hosted.told("both") == [{"n": 1}, {"n": 2}, "slept"]
        answered = asyncio.Event()

        async def slow() -> dict[str, object]:
            asyncio.get_running_loop().call_later(0.3, answered.set)
            await answered.wait()
            return {}

        hosted.answers["command base.slow"] = slow
        assert await hosted.told("impatient") == "gave up"
        assert answered.is_set()
        await hosted.run("begin")
        assert await hosted.told("end") is True


async def test_asyncio_can_be_imported_where_it_is_used(tmp_path: Path) -> None:
    source = "async def rest(event, bus):\n  import asyncio\n  await asyncio.sleep(0)\n"
    async with hosting(tmp_path, source) as hosted:
        assert await hosted.run("rest") == ()


async def test_the_bus_of_an_event_is_over_with_the_event(tmp_path: Path) -> None:
    source = """
async def keep(event, bus):
    global kept
    kept = bus

async def use(event, bus):
    await kept.publish("late")
"""
    async with hosting(tmp_path, source) as hosted:
        await hosted.run("keep")
        assert "RuntimeError: this event is over" in str(await hosted.failed("use"))
        assert hosted.asked == []


async def test_what_a_function_says_and_prints_comes_into_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
import os, sys
async def say(event, bus):
    bus.log.info(f"info {event.data}")
    bus.log.warning("warning")
    print("printed", end="")
    print(" in pieces")
    os.system("echo by a program")
    sys.stderr.write("error\\n")
"""
    async with hosting(tmp_path, source) as hosted:
        await hosted.run("say", {"n": 1})
        seen = ""

        def all_there() -> bool:
            nonlocal seen
            seen += capsys.readouterr().out
            return all(text in seen for text in ("info {'n': 1}", "'printed in pieces'", "'by a program'", "=error"))

        await until(all_there)
        assert "owner=alice" in seen
        assert f"file={FILE}" in seen


async def test_an_owner_who_is_forgotten_has_no_process_left_and_the_others_have(tmp_path: Path) -> None:
    async with hosting(tmp_path, PID) as hosted:
        alice, bob = await hosted.told("pid"), await hosted.told("pid", owner="bob")
        await hosted.host.forget("alice")
        assert (there_is(alice), there_is(bob)) == (False, True)
        assert await hosted.told("pid") != alice


async def test_a_process_that_is_being_started_when_the_host_is_closed_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, start = children(), process.start
    there, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(*what: Any, **how: Any) -> process.Started:  # noqa: ANN401
        started = await start(*what, **how)
        there.set()
        await goes_on.wait()
        return started

    monkeypatch.setattr(process, "start", slow)
    async with hosting(tmp_path, PID) as hosted:
        answer = asyncio.create_task(hosted.run("pid"), name="answer")
        await there.wait()
        await hosted.host.close()
        goes_on.set()
        with pytest.raises(HandlerError):
            await answer
        await until(lambda: children() <= before)


def children() -> set[str]:
    """Return the processes that this one has started."""
    tasks = [Path(f"/proc/self/task/{one}/children") for one in os.listdir("/proc/self/task")]  # noqa: PTH208
    return {pid for task in tasks if task.exists() for pid in task.read_text(encoding="ascii").split()}


async def test_nothing_is_left_when_the_host_is_closed(tmp_path: Path) -> None:
    source = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{PID}
async def fork(event, bus):
    child = os.fork()
    if not child:
        signal.pause()
    bus.set("told", child)
"""
    before = open_files()
    async with hosting(tmp_path, source, files={"other.py": PID}) as hosted:
        pids = [await hosted.told("pid", owner=owner, file=file) for owner in ("a", "b") for file in (FILE, "other.py")]
        forked = await hosted.told("fork", owner="a")
        assert all(map(there_is, [*pids, forked]))
    assert not any(map(there_is, pids))
    await until(lambda: not there_is(forked))
    assert open_files() == before
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("python")] == []


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
