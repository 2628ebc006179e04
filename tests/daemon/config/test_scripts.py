"""The Python files that a configuration names are checked with it, and never run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from jitney.daemon.config.schema import Config
from jitney.daemon.config.scripts import LARGEST
from jitney.daemon.routes.declarations import IMPORT
from jitney.daemon.routes.settings import HandlerSettings

HOUSE = """\
[owners.alice]
name = "Alice"
[owners.bob]
[adapters.toy]
type = "demo"
[routing]
"""
RIDE = f"""{IMPORT}

@route(on="demo.ride_finished", owner="alice", when={{"data.distance": {{"gt": 1}}}}, ttl=60)
async def ride(event: Event, bus: Bus) -> None:
    raise SystemExit
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration that names Python files, and these; returns where it is."""

    def write(files: dict[str, str | bytes], *, more: str = "", named: list[str] | None = None) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        names = ", ".join(f'"{name}"' for name in (files if named is None else named))
        path = tmp_path / "config.toml"
        path.write_text(f"{HOUSE}python = [{names}]\n{more}", encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def loaded(path: Path) -> Config:
    return load(path, environ={})


def test_a_python_route_is_a_route_with_its_file_as_it_was_when_it_was_read(write: Write) -> None:
    route = '[[routes]]\nname = "other"\non = "demo.*"\ndo = [{ drop = true }]\n'
    path = write({"routes/alice.py": RIDE}, more=route)
    config = loaded(path)
    _, python = config.routes
    assert isinstance(python, HandlerSettings)
    assert (python.name, python.owner, python.on, python.ttl) == ("ride", "alice", "demo.ride_finished", 60)
    assert (python.file, python.handler, python.when) == ("routes/alice.py", "ride", {"data.distance": {"gt": 1}})
    (script,) = config.scripts
    assert (script.name, script.source) == ("routes/alice.py", RIDE)
    assert Path(script.path) == path.parent / "routes" / "alice.py"


def test_what_is_wrong_is_told_with_file_line_and_remedy_all_at_once(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = f"""{IMPORT}

@route(
    on="nonsense",
    owner="carol",
    when={{"data.x": {{"gtt": 1}}}},
    throttle="often",
)
async def wrong(event: Event, bus: Bus) -> None: ...

@route(on=KIND, owner="alice")
def sync(event): ...

@route(on="demo.*", owner="carol")
@route(on="demo.*", name="ride", if_="nothing.here")
async def twice(event: Event, bus: Bus) -> None: ...
"""
    path = write({"alice.py": RIDE, "wrong.py": wrong}, more='[[routes]]\nname = "no"\non = "x"\ndo = []\n')
    monkeypatch.chdir(path.parent)
    assert main(["check", "-c", "config.toml"]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["config.toml:10", "routes[0].on"],
        ["config.toml:11", "routes[0].do"],
        ["wrong.py:7", "wrong.throttle"],
        ["wrong.py:11", "sync"],
        ["wrong.py:12", "sync"],
        ["wrong.py:14", "twice.owner"],
        ["wrong.py:15", "twice[1].if"],
        ["wrong.py:15", "twice[1].name"],
    ]
    assert lines[2] == 'wrong.py:7: wrong.throttle: expected a number from 0 to 31536000, got "often"'
    assert "there is no owner 'carol'" in lines[5]


def test_faults_that_only_the_household_knows_are_told_at_their_line(write: Write) -> None:
    path = write({"a.py": RIDE.replace('"alice"', '"carol"').replace("gt", "gtt").replace("demo.r", "nemo.r")})
    with pytest.raises(Exception, match="carol") as caught:
        loaded(path)
    lines = str(caught.value).replace(str(path.parent) + "/", "").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["a.py:3"] * 3


@pytest.mark.parametrize(
    ("files", "named", "told"),
    [
        ({}, ["none.py"], "config.toml:7: routing.python[0]: none.py cannot be read: No such file or directory"),
        ({"a.py": RIDE}, ["a.py", "a.py"], "config.toml:7: routing.python[1]: a.py is named twice: leave one out"),
        ({"a.py": "#" * (LARGEST + 1)}, None, "config.toml:7: routing.python[0]: a.py is larger than 256 KiB"),
        ({"a.py": b"# \n\xff"}, None, "a.py:2: not UTF-8: save it in that encoding"),
        ({"a.py": "x = ("}, None, "a.py:1: not Python: '(' was never closed"),
        ({}, ["a\\u0000b.py"], "cannot be read: not a path"),
        ({"b.py": RIDE}, [""], "cannot be read: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    write: Write, files: dict[str, str | bytes], named: list[str] | None, told: str
) -> None:
    path = write(files, named=named)
    with pytest.raises(Exception, match=r"\.py|directory") as caught:
        loaded(path)
    assert told in str(caught.value).replace(str(path.parent) + "/", "")


def test_a_file_that_everybody_may_change_is_told(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write({"a.py": RIDE})
    (path.parent / "a.py").chmod(0o646)
    assert main(["check", "-c", str(path)]) == 0
    assert f"chmod o-w {path.parent}/a.py" in capsys.readouterr().err


def test_the_tests_of_a_python_route_run_in_check(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    tests = """tests=[
        {"event": {"type": "demo.ride_finished", "data": {"distance": 2}}, "expect": [{"python": "ride"}]},
        {"event": {"type": "demo.ride_finished", "data": {"distance": 1}}, "expect": [{"python": "ride"}]},
    ], ttl"""
    path = write({"a.py": RIDE.replace("ttl", tests)})
    assert main(["check", "-c", str(path)]) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.py:5: ride.tests[1]: test 2 fails: expected 1 action, got nothing" in line


def test_an_action_of_the_configuration_cannot_be_a_function(write: Write) -> None:
    path = write({"a.py": RIDE}, more='[[routes]]\nname = "x"\non = "demo.*"\ndo = [{ python = "a.py:ride" }]\n')
    with pytest.raises(Exception, match="an action begins with one of command, publish"):
        loaded(path)


def test_scripts_is_no_section_of_the_configuration(write: Write) -> None:
    path = write({}, more="[[scripts]]\n")
    with pytest.raises(Exception, match="scripts: unknown key"):
        loaded(path)


def test_python_routes_are_listed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write({"routes/alice.py": RIDE})
    assert main(["routes", "list", "-c", str(path)]) == 0
    out = capsys.readouterr().out
    assert "ride" in out
    assert "python routes/alice.py:ride" in out
