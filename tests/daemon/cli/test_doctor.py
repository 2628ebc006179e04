"""`jitney doctor` as a person and as a program call it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jitney.adapters.homeassistant import examine as homeassistant
from jitney.daemon.cli import main
from jitney.daemon.service.doctor import adapters, visit, web
from tests.daemon.cli.at_strava import SECRET, AtHome
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.mosquitto import Broker

PASSWORD = "canary-password-91"
TOKEN = "canarytoken0123456789abcdef"
EVERYTHING = """
[bus]
state_dir = "{state}"
[mqtt]
url = "{broker}"
username = "jitney"
password = "{password}"
[http]
listen = "127.0.0.1:0"
public_url = "{public_url}"
[discovery]
[owners.alice]
name = "Alice"
homeassistant = {{ person = "person.alice" }}
[adapters.home]
type = "homeassistant"
url = "{home}"
token = "{token}"
[adapters.base]
type = "meshtastic"
connection = "{radio}"
[adapters.strava]
type = "strava"
api_url = "{strava}"
apps.main = {{ client_id = "100", client_secret = "{secret}" }}
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "QUIET", 0.1)
    for name in ("CREDENTIALS_DIRECTORY", "JITNEY_CONFIG", "JITNEY_MQTT", "JITNEY_VAULT_KEY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the host and port of somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def written(folder: Path, text: str, **words: str) -> Path:
    defaults = {
        "state": str(folder / "state"),
        "password": PASSWORD,
        "token": TOKEN,
        "secret": SECRET,
        "public_url": "",
        "strava": "http://127.0.0.1:1/api/v3",
    }
    path = folder / "config.toml"
    path.write_text(text.format_map({**defaults, **words}))
    path.chmod(0o600)
    return path


def by_level(told: dict[str, Any], level: str) -> list[str]:
    return [f"{one['what']}: {one['text']}" for one in told["findings"] if one["level"] == level]


async def asked(path: Path, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["doctor", "-c", str(path), *arguments])


async def test_a_household_that_is_well_is_told_so(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeHomeAssistant() as home, Radio() as radio:
        path = written(tmp_path, EVERYTHING, broker=broker.url, home=home.url, token=home.token, radio=radio.connection)
        assert await asked(path, "--json") == 1  # there is no Strava here
        token = home.token
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert (told["ok"], told["file"], sum(told["counts"].values())) == (False, str(path), len(told["findings"]))
    assert told["verdict"].startswith("Something does not work: 1 problem")
    assert by_level(told, "problem")[0].startswith("adapter strava: 127.0.0.1:1 is not reached")
    said = by_level(told, "ok")
    assert any(text.startswith("broker: ") and "lets jitney in and speaks MQTT 5" in text for text in said)
    assert any(text.startswith("adapter home: ") and "lets Jitney in" in text for text in said)
    assert any(text.startswith("adapter base: ") and "takes connections" in text for text in said)
    for secret in (PASSWORD, SECRET, token, token[-20:]):
        assert secret not in out


async def test_a_person_reads_headings_marks_remedies_and_a_verdict(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeHomeAssistant() as home, Radio() as radio:
        path = written(tmp_path, EVERYTHING, broker=broker.url, home=home.url, token=TOKEN, radio=radio.connection)
        assert await asked(path) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings[:-1] == [
        *("configuration", "machine", "disk", "state", "broker", "bus"),
        *("adapter home", "adapter base", "adapter strava", "web", "who sees what"),
    ]
    assert headings[-1].startswith("Something does not work: 2 problems")
    (at,) = (number for number, line in enumerate(lines) if "does not accept the token" in line)
    assert lines[at].startswith("  ✗ ")
    assert lines[at + 1].startswith("      make a new long-lived access token")
    assert "\x1b" not in out
    assert err == ""
    for secret in (PASSWORD, SECRET, TOKEN):
        assert secret not in out


async def test_a_daemon_that_runs_does_not_notice_and_is_told_with_everybodys_sign_in(
    at_home: AtHome, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_home(root="jitney") as house:
        house.strava.record.allow("no Authorization header")
        await house.connect("alice", 1001)
        house.path.write_text(f'[bus]\nstate_dir = "{house.path.parent / "state"}"\n{house.path.read_text()}')
        before = house.daemon.app.parts.connection.health.connects
        assert await house.run("doctor", "--json") == 0
        assert house.daemon.app.parts.connection.health.connects == before
        assert [call.path for call in house.strava.calls if not call.app and call.status == 401] == ["/athlete"]
    out, _ = capsys.readouterr()
    told = json.loads(out[out.index('{"ok"') :])
    assert any(
        "strava for bob is offline" in text and "jitney strava connect bob" in text
        for text in by_level(told, "warning")
    )
    assert any(text.startswith("bus: strava") and "alice" in text for text in by_level(told, "ok"))
    assert SECRET not in out


async def test_whatever_hangs_the_others_are_told(
    silent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((visit, "SECONDS"), (web, "SECONDS"), (adapters, "PATIENCE"), (homeassistant, "PATIENCE")):
        monkeypatch.setattr(module, name, 0.5)
    path = written(
        tmp_path,
        EVERYTHING,
        broker=f"mqtt://{silent}",
        home=f"http://{silent}",
        radio=f"tcp://{silent}",
        strava=f"http://{silent}/api/v3",
        public_url=f"http://{silent}",
    )
    assert await asked(path, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    whats = {text.partition(":")[0] for text in by_level(told, "problem")}
    assert whats == {"broker", "adapter home", "adapter strava", "web"}


def test_a_wrong_configuration_is_told_line_by_line_and_the_machine_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[mqtt]\nurl = 42\npassword = "canary-password-91"\n[bus]\nx = 1\n')
    assert main(["check", "-c", str(path)]) == 78
    expected = capsys.readouterr().err.splitlines()
    assert main(["doctor", "-c", str(path)]) == 78
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[1:3] == [f"  ✗ {line}" for line in expected]
    assert {"configuration", "machine", "disk", "state"} <= set(lines)
    assert "broker" not in lines
    assert (err, PASSWORD in out) == ("", False)
    assert main(["doctor", "--json", "-c", str(path)]) == 78
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "-c", str(tmp_path / "none.toml")]) == 78
    assert "there is no such file" in capsys.readouterr().out


def test_offline_nothing_is_sent_and_nothing_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        message = "a connection was opened"
        raise AssertionError(message)

    path = written(
        tmp_path,
        EVERYTHING,
        broker="mqtt://broker.example.org",
        home="http://homeassistant.example.org",
        radio="tcp://192.0.2.1",
        public_url="https://bus.example.org",
    )
    with ExitStack() as patched:
        context = patched.enter_context(monkeypatch.context())
        context.setattr(socket.socket, "connect", refuse)
        context.setattr(socket.socket, "connect_ex", refuse)
        assert main(["doctor", "--offline", "-c", str(path)]) == 0
    assert "was not tried: --offline" in capsys.readouterr().out


def test_the_process_ends_with_a_verdict_and_no_traceback(tmp_path: Path) -> None:
    path = written(tmp_path, '[bus]\nstate_dir = "{state}"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n[http]\nlisten = ""\n')
    command = [sys.executable, "-m", "jitney.daemon.cli", "doctor", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env=dict(os.environ))  # noqa: S603 - our own
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("Something does not work: 1 problem")
