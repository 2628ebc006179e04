"""Whatever a Python file does, it is ended in time with a reason that helps, and the next event is answered."""

import asyncio
from pathlib import Path

import pytest

from jitney.daemon.config.schema import RetrySettings
from jitney.daemon.scripts import child as child_module
from jitney.daemon.scripts.printed import MOST_BYTES
from jitney.daemon.scripts.talk import MOST_ASKED
from tests.daemon.scripts.hosting import FILE, hosting, refused

WELL = """
import os, signal, time
async def well(event, bus): bus.set("told", os.getpid())
async def bad(event, bus):
"""
SOCKET = """
    import stat
    for fd in range(3, 1024):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): break
        except OSError: pass
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("time.sleep(1000)", f"{FILE}:6 in bad: not done within 0.3 s"),
        ("while True: pass", f"{FILE}:6 in bad: not done within 0.3 s"),
        ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", f"{FILE}:6 in bad: not done within 0.3 s"),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(1000)", "not done within 0.3 s"),
        ("import asyncio; await asyncio.sleep(1000)", f"{FILE}:6 in bad: not done within 0.3 s"),
        ("import asyncio; time.sleep(1000)", f"{FILE}:6 in bad: not done within 0.3 s"),
        (
            "await bus.command('base.slow')",
            f"{FILE}:6 in bad: not done within 0.3 s, while it waited for command base.slow",
        ),
        ("os.kill(os.getpid(), signal.SIGSTOP)", f"{FILE} in bad: not done within 0.3 s"),
    ],
)
async def test_what_does_not_end_is_ended_and_the_line_is_told(tmp_path: Path, body: str, told: str) -> None:
    async with hosting(tmp_path, f"{WELL}    {body}\n", seconds=0.3) as hosted:
        hosted.answers["command base.slow"] = asyncio.Event().wait
        error = await hosted.failed("bad")
        assert error.code == "timeout"
        assert told in str(error)
        await hosted.ready()
        assert await hosted.told("well")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("os._exit(3)", "its process has ended with exit status 3"),
        ("print('so long'); os._exit(0)", "its process has ended with exit status 0; it wrote: so long"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by SIGKILL"),
        ("os.abort()", "its process was ended by SIGABRT"),
        ("os.closerange(3, 100)", "its process "),
        ("os.killpg(0, signal.SIGTERM); time.sleep(1000)", "its process was ended by SIGTERM"),
        ("for _ in range(1000): os.write(1, bytes(1_000_000))", "it wrote more than 1 MiB about one event"),
        ("for _ in range(1_000_000_000): print('x')", "it wrote more than 1 MiB about one event"),
        (f"{SOCKET}    os.write(fd, b'\\xff' * 100)", "it told the bus what nobody can understand"),
        (f"{SOCKET}    os.write(fd, bytes(4))", "it told the bus what nobody can understand"),
        (f"{SOCKET}    os.write(fd, b'\\0\\0\\0\\x02{{]')", "it told the bus what nobody can understand"),
        (f"{SOCKET}    os.write(fd, b'\\0\\0\\0\\x02{{}}')", "it told the bus what nobody can understand"),
        (f'{SOCKET}    os.write(fd, b\'\\0\\0\\0\\x0d{{"do":"rule"}}\')', "it told the bus what nobody can understand"),
        ("for _ in range(20_000): bus.log.debug('x')", "it told the bus more than 10000 things about one event"),
    ],
)
async def test_a_process_that_ends_or_talks_nonsense_is_told_with_its_last_words(
    tmp_path: Path, body: str, told: str
) -> None:
    async with hosting(tmp_path, f"{WELL}    {body.lstrip()}\n") as hosted:
        error = await hosted.failed("bad")
        assert error.code == "interrupted"
        assert f"{FILE} in bad: {told}" in str(error)
        await hosted.ready()
        assert await hosted.told("well")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("1 / 0", "6 in bad: ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "6 in bad: SystemExit: 2"),
        ("raise KeyboardInterrupt", "6 in bad: KeyboardInterrupt"),
        ("raise ValueError('x' * 10_000 + '\\ud800')", "6 in bad: ValueError: xxx"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "6 in bad: Odd"),
        ("import json; json.loads('{')", "6 in bad: JSONDecodeError: "),
        ("def f(): f()\n    f()", " in f: RecursionError: "),
        ("bytearray(10**9)", "6 in bad: MemoryError"),
        ("bus.set('a b', 1)", "6 in bad: ValueError: the name of a variable has"),
        ("bus.set('a', 'x' * 5000)", "6 in bad: ValueError: the value of the variable 'a' takes 5002 bytes"),
        ("bus.set('a', {1})", "6 in bad: TypeError: set is nothing that JSON can say"),
        ("bus.set('a', float('nan'))", "6 in bad: ValueError: "),
        ("bus.set('a', '\\ud800')", "6 in bad: UnicodeEncodeError: "),
        ("bus.set('a', 1, expiry=-1)", "6 in bad: ValueError: expiry: expected a number of seconds"),
        ("await bus.publish('a', {'x': object()})", "6 in bad: TypeError: object is nothing that JSON can say"),
        ("await bus.publish('a', {'x': 'x' * 2_000_000})", "6 in bad: ValueError: takes 2000"),
        (
            "for i in range(65): bus.set(f'a{i}', '\\0' * 600)",
            "6 in bad: ValueError: an owner has at most 64 variables",
        ),
        ("return await no_such_thing()", "6 in bad: NameError: "),
        (
            "class Wait:\n        def __await__(self): yield 1\n    await Wait()",
            "needs asyncio: write `import asyncio`",
        ),
        ("import asyncio; await asyncio.wait_for(asyncio.Event().wait(), 0.01)", "6 in bad: TimeoutError"),
    ],
)
async def test_an_error_is_told_with_its_line_and_the_process_goes_on(tmp_path: Path, body: str, told: str) -> None:
    async with hosting(tmp_path, f"{WELL}    {body}\n") as hosted:
        before = await hosted.told("well")
        error = await hosted.failed("bad")
        assert error.code == "raised"
        assert told in str(error)
        assert len(str(error)) < 600
        assert await hosted.told("well") == before


async def test_what_is_no_coroutine_or_not_there_is_told(tmp_path: Path) -> None:
    source = "import functools\ndef once(f): return lambda event, bus: 5\n@once\nasync def bad(event, bus): ...\n"
    async with hosting(tmp_path, source) as hosted:
        assert "TypeError: bad returned int: is it an `async def`" in str(await hosted.failed("bad"))
        error = await hosted.failed("none")
        assert (error.code, str(error)) == ("unknown_handler", f"{FILE}: there is no none when the file has run")
        assert (await hosted.failed("bad", file="gone.py")).code == "unknown_handler"


async def test_an_error_in_a_library_is_told_with_the_line_that_led_there_and_its_traceback(tmp_path: Path) -> None:
    async with hosting(tmp_path, f"{WELL}    import json\n    json.loads('{{')\n") as hosted:
        error = await hosted.failed("bad")
        assert str(error).startswith(f"{FILE}:7 in bad: JSONDecodeError: ")
        assert "json.loads('{')" in error.trace
        assert "jitney" not in error.trace


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nonsense\n", f"{FILE}:2: ModuleNotFoundError: No module named 'nonsense'"),
        ("def f():\n  raise SystemExit\nf()\n", f"{FILE}:3 in f: SystemExit"),
        ("while True: pass\n", f"{FILE}:2 in <module>: not done within 0.5 s"),
        (
            "import os\nprint('why')\nos._exit(1)\n",
            "while it started: its process has ended with exit status 1; it wrote",
        ),
        ("x = (\n", f"{FILE}:2: SyntaxError: '(' was never closed"),
    ],
)
async def test_a_file_that_cannot_run_is_unavailable_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    monkeypatch.setattr(child_module, "START", 0.5 if "while True" in source else 30.0)
    async with hosting(tmp_path, source) as hosted:
        for _ in range(2):
            error = await hosted.failed("any")
            assert error.code == "unavailable"
            assert told in str(error)
            await hosted.ready()
        assert hosted.host.running == 0


async def test_after_its_end_a_process_is_started_again_only_after_a_while(tmp_path: Path) -> None:
    now = 1000.0
    source = f"{WELL}    os._exit(1)\n"
    async with hosting(tmp_path, source, retry=RetrySettings(first=8.0, longest=64.0), clock=lambda: now) as hosted:
        await hosted.failed("bad")
        with pytest.raises(Exception, match=r"exit status 1; it is started again in . s") as raised:
            await hosted.run("well")
        assert raised.value.code == "unavailable"  # type: ignore[attr-defined]
        assert 2.0 <= raised.value.after <= 8.0  # type: ignore[attr-defined]
        assert await hosted.told("well", owner="bob")
        now += 8.0
        assert await hosted.told("well")


async def test_a_forked_process_does_not_come_between_the_file_and_the_bus(tmp_path: Path) -> None:
    body = "n = os.fork()\n    bus.set('told', [event.data['n'], n and 1])\n    bus.log.info('hello')\n"
    async with hosting(tmp_path, f"{WELL}    {body}") as hosted:
        for number in range(10):
            assert await hosted.told("bad", {"n": number}) == [number, 1]


async def test_too_much_is_asked_for_only_once(tmp_path: Path) -> None:
    body = "while True: await bus.publish('x')\n"
    async with hosting(tmp_path, f"{WELL}    {body}") as hosted:
        error = await hosted.failed("bad")
        assert (error.code, len(hosted.asked)) == ("too_many", MOST_ASKED)
        assert await hosted.told("well")


async def test_an_answer_that_is_too_long_is_a_refusal(tmp_path: Path) -> None:
    async with hosting(tmp_path, f"{WELL}    await bus.command('base.big')\n") as hosted:
        hosted.answers["command base.big"] = {"x": "x" * (1 << 20)}
        error = await hosted.failed("bad")
        assert error.code == "too_large"
        assert "the answer takes 1048" in str(error)
        error = await hosted.failed("well", {"x": "x" * (1 << 20)})
        assert error.code == "too_large"
        assert await hosted.told("well")


async def test_what_is_asked_for_in_the_name_of_somebody_else_is_refused(tmp_path: Path) -> None:
    source = """
async def lie(event, bus):
    try:
        await bus._perform("publish", {"kind": "x", "data": {}, "subject": "", "owner": "bob"})
    except RefusedError as error:
        bus.set("told", [error.code, str(error)])
"""
    async with hosting(tmp_path, source) as hosted:
        code, text = await hosted.told("lie")
        assert (code, "unknown field `owner`" in text) == ("invalid", True)
        assert hosted.asked == []


async def test_a_route_that_fails_again_and_again_is_told_to_its_owner_until_it_works(tmp_path: Path) -> None:
    source = "async def tick(event, bus):\n    if event.data: raise KeyError('x')\nasync def other(event, bus): 1 / 0\n"
    async with hosting(tmp_path, source) as hosted:
        for _ in range(2):
            await hosted.failed("tick", {"n": 1})
            await hosted.run("tick")
        assert (hosted.board.status, hosted.board.alerts) == ({}, {})
        for handler in ("tick", "other"):
            for _ in range(4):
                await hosted.failed(handler, {"n": 1})
        assert hosted.board.status["alice"].startswith("degraded: the route 'other' fails again and again: ")
        assert hosted.board.alerts.keys() == {"alice/python.tick", "alice/python.other"}
        alert = hosted.board.alerts["alice/python.tick"]
        assert alert.startswith(f"the route 'tick' fails again and again: {FILE}:3 in tick: KeyError: 'x'\n")
        assert "raise KeyError('x')" in alert
        await hosted.host.forget("bob")
        await hosted.run("tick")
        assert hosted.board.alerts.keys() == {"alice/python.other"}
        assert hosted.board.status["alice"].startswith("degraded: the route 'other'")
        await hosted.host.forget("alice")
        assert (hosted.board.status, hosted.board.alerts) == ({"alice": "online"}, {})


async def test_a_refusal_that_is_caught_is_no_failure_of_the_route(tmp_path: Path) -> None:
    source = "async def tick(event, bus):\n  try: await bus.command('base.x')\n  except RefusedError: pass\n"
    async with hosting(tmp_path, source) as hosted:
        hosted.answers["command base.x"] = refused("offline", "no")
        for _ in range(5):
            await hosted.run("tick")
        assert hosted.board.alerts == {}


def test_what_may_be_written_is_told_in_the_unit_it_has() -> None:
    assert MOST_BYTES == 1 << 20
