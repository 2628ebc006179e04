"""`jitney routes`: what a configuration's routes do in words, and how their tests end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jitney.daemon.cli import main
from jitney.daemon.cli.routes_words import ACTIONS
from jitney.daemon.routes.forms import _FORMS

Run = Callable[..., int]
Shown = pytest.CaptureFixture[str]

HOUSE = """
[owners.alice]
name = "Alice"
[owners.bob]
[adapters.toy]
type = "demo"
[routing]
webhooks = ["https://hooks.example.org/*"]
"""
RIDE = """
[[routes]]
name = "long ride"
owner = ["bob", "alice"]
on = ["demo.ride_finished", "toy.*"]
when = { "data.distance" = { gt = 20000 } }
if = "data.bike != 'e-bike'"
do = [
  { publish = "long", subject = "{{ owner.name }}" },
  { webhook = "https://hooks.example.org/canary?token=canary", data = {}, delay = 60 },
]
[[routes.tests]]
name = "a long one"
event = { type = "demo.ride_finished", owner = "alice", data = { distance = 30000 } }
expect = [{ publish = "long", subject = "Alice" }, { webhook = "https://hooks.example.org/canary?token=canary" }]
[[routes.tests]]
event = { type = "demo.ride_finished", data = { distance = 10 } }
expect = "nothing"
"""
TIMED = """
[[routes]]
name = "patient"
on = "demo.*"
for = 1.5
count = { n = 3, within = 60 }
debounce = 10
throttle = 31536000
once_per = "day {{ subject }}"
quiet_hours = "22:00-07:00"
do = [{ publish = "seen" }]
[[routes]]
name = "morning"
enabled = false
owner = "alice"
schedule = { at = ["07:30", "08:30"], days = "sat" }
do = [{ publish = "said", data = { said = "good morning" } }]
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(action: str, text: str, *options: str) -> int:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return main(["routes", action, "-c", str(path), *options])

    return run


def test_routes_are_listed_in_words(run: Run, capsys: Shown) -> None:
    assert run("list", HOUSE + RIDE + TIMED) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert (
        out
        == """\
long ride
  owner  alice, bob
  on     demo.ride_finished, toy.*
  when   data.distance gt 20000
  when   if data.bike != 'e-bike'
  do     publish long
  do     webhook POST https://hooks.example.org after 60 s
  tests  2
patient
  owner  everybody, each for themselves
  on     demo.*
  when   only when it has stayed like that for 1.5 s
  when   only number 3 of those within 60 s
  when   only when nothing more has come for 10 s
  when   then not again for 31536000 s
  when   once per day {{ subject }}
  when   not during 22:00-07:00
  do     publish seen
  tests  0
morning  not enabled
  owner  alice
  when   at 07:30, 08:30 on sat
  do     publish said
  tests  0
"""
    )


@pytest.mark.parametrize(("key", "words"), [("{{ data.bike }} ", ", apart for each {{ data.bike }}"), ("all", "")])
def test_what_is_remembered_apart_is_listed(run: Run, capsys: Shown, key: str, words: str) -> None:
    text = TIMED.replace('"day {{ subject }}"', f'"day"\nkey = "{key}"').replace("debounce = 10\n", "")
    assert run("list", HOUSE + text) == 0
    out = capsys.readouterr().out
    for told in ("number 3 of those within 60 s", "then not again for 31536000 s", "once per day"):
        assert f"{told}{words}\n" in out


def test_a_program_reads_the_same_list(run: Run, capsys: Shown) -> None:
    assert run("list", HOUSE + RIDE, "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "long ride",
            "enabled": True,
            "owners": ["alice", "bob"],
            "on": ["demo.ride_finished", "toy.*"],
            "conditions": ["data.distance gt 20000", "if data.bike != 'e-bike'"],
            "actions": ["publish long", "webhook POST https://hooks.example.org after 60 s"],
            "tests": 2,
        }
    ]


def test_every_action_there_is_has_its_words() -> None:
    assert set(ACTIONS) == set(_FORMS)


def test_tests_that_hold_are_told_one_by_one(run: Run, capsys: Shown) -> None:
    assert run("test", HOUSE + RIDE + TIMED) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["ok      long ride: a long one", "ok      long ride: test 2"]
    assert err == "2 tests, none failed.\n"


def test_one_that_fails_says_why_and_the_others_are_run(run: Run, capsys: Shown) -> None:
    text = HOUSE + RIDE.replace("distance = 30000", "distance = 300")
    assert run("test", text) == 1
    out, err = capsys.readouterr()
    failed, held = out.splitlines()
    assert failed == (
        "failed  long ride: a long one: expected 2 actions, got nothing: data.distance is 300, not more than 20000"
    )
    assert held == "ok      long ride: test 2"
    assert err == "2 tests, 1 failed.\n"


def test_a_program_reads_how_each_test_ended(run: Run, capsys: Shown) -> None:
    assert run("test", HOUSE + RIDE.replace("distance = 10 ", "distance = 21000 "), "--json") == 1
    ended: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(one["route"], one["test"], one["ok"]) for one in ended] == [
        ("long ride", "a long one", True),
        ("long ride", "test 2", False),
    ]
    assert ended[0]["problem"] == ""
    assert ended[1]["problem"].startswith("expected nothing, got 2 actions")


@pytest.mark.parametrize("action", ["routes test", "check"])
def test_a_route_that_is_not_enabled_is_tried_all_the_same(run: Run, tmp_path: Path, action: str) -> None:
    assert run("list", HOUSE + RIDE.replace("\nowner =", "\nenabled = false\nowner =")) == 0
    assert main([*action.split(), "-c", str(tmp_path / "config.toml")]) == 0


def test_where_there_is_nothing_it_says_so(run: Run, capsys: Shown) -> None:
    assert run("list", HOUSE) == 0
    assert capsys.readouterr() == ("", "There are no routes.\n")
    assert run("test", HOUSE + TIMED) == 0
    assert capsys.readouterr() == ("", "There are no tests of routes.\n")


@pytest.mark.parametrize("action", ["list", "test"])
def test_a_wrong_configuration_is_told_as_everywhere(run: Run, action: str, capsys: Shown) -> None:
    assert run(action, HOUSE + RIDE.replace('"bob", ', '"carol", ')) == 78
    assert "routes[0].owner[0]: there is no owner 'carol'" in capsys.readouterr().err


def test_a_python_route_is_listed_and_tried_without_being_run(run: Run, tmp_path: Path, capsys: Shown) -> None:
    script = tmp_path / "hello.py"
    script.write_text(
        "from jitney.daemon.scripts import Bus, Event, route\n\n"
        '@route(name="hello", on="inbox.hello", owner="alice")\n'
        "async def greet(event: Event, bus: Bus) -> None:\n"
        "    raise AssertionError\n"
    )
    script.chmod(0o644)
    text = HOUSE + 'python = ["hello.py"]\n'
    assert run("list", text, "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["actions"]) == ("hello", ["python hello.py:greet"])
    assert run("try", text, "--event", '{"type": "inbox.hello"}') == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  matches      hello",
        '               python greet, file "hello.py"',
    ]
