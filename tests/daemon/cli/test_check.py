import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.daemon.cli import main

RIGHT = """
[bus]
state_dir = "/var/lib/jitney"
[mqtt]
url = "mqtts://broker.example.org"
topic_root = "house"
[owners.alice]
name = "Alice"
[owners.bob]
[adapters.sim]
type = "demo"
owner = "alice"
enabled = false
[adapters.toy]
type = "demo"
"""
WRONG = "[mqtt]\nurl = 42\n[bus]\nx = 1\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    return write


def test_a_right_configuration_is_summed_up(write: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(RIGHT)
    assert main(["check", "-c", path]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{path} is right.",
        "  owners    alice (Alice), bob",
        "  adapters  sim (demo, of alice, not enabled), toy (demo)",
        "  broker    mqtts://broker.example.org, topics below house/",
        "  state     /var/lib/jitney",
    ]
    assert err == ""


def test_who_is_disabled_is_told_in_a_line(write: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(RIGHT.replace('name = "Alice"', 'name = "Alice"\nenabled = false'))
    assert main(["check", "-c", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  owners    alice (Alice, disabled), bob" in lines
    assert "  disabled  alice: their adapters, routes and grants rest" in lines


def test_every_problem_is_a_line_on_standard_error(
    write: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(WRONG)
    assert main(["check", "--config", path]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{path}:2: mqtt.url: expected a URL, got 42",
        f"{path}:4: bus.x: unknown key: known here are instance, log_format, log_level, log_mqtt, state_dir, time_zone",
    ]


def test_a_warning_does_not_make_a_configuration_wrong(
    write: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write('[mqtt]\npassword = "canary-canary-canary"\n')
    assert main(["check", "-c", path]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"warning: {path}:2: mqtt.password: holds this secret and others on this machine can read it")
    assert "canary" not in out + err
    assert "owners    none" in out


def test_a_program_reads_the_same_as_json(write: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(RIGHT)
    assert main(["check", "--json", "-c", path]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "file": path,
        "warnings": [],
        "owners": [
            {"id": "alice", "name": "Alice", "enabled": True},
            {"id": "bob", "name": "", "enabled": True},
        ],
        "adapters": [
            {"name": "sim", "type": "demo", "owner": "alice", "enabled": False, "durable": False},
            {"name": "toy", "type": "demo", "owner": "_house", "enabled": True, "durable": False},
        ],
        "broker": {"url": "mqtts://broker.example.org", "topic_root": "house"},
        "state_dir": "/var/lib/jitney",
    }


def test_a_program_reads_the_problems_as_json(write: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(WRONG)
    assert main(["check", "--json", "-c", path]) == 78
    out, err = capsys.readouterr()
    assert err == ""
    told = json.loads(out)
    assert (told["ok"], told["file"]) == (False, path)
    assert told["problems"][0] == {"file": path, "line": 2, "key": "mqtt.url", "message": "expected a URL, got 42"}


def test_without_a_name_the_configuration_is_looked_for(
    write: Callable[[str], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JITNEY_CONFIG", write(RIGHT))
    assert main(["check"]) == 0
    assert "is right" in capsys.readouterr().out


def test_the_process_says_with_its_status_that_the_configuration_is_wrong(write: Callable[[str], str]) -> None:
    command = [sys.executable, "-m", "jitney.daemon.cli", "check", "-c", write(WRONG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=dict(os.environ))  # noqa: S603 - our own
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2
