"""How `jitney run` ends when it cannot begin: 78 where only a person can mend it, 1 where trying again may help."""

import json
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.store.tables import DATABASE

REPOSITORY = Path(__file__).parent.parent.parent.parent
PROGRAM = "import sys; sys.modules['amqtt'] = None; from jitney.daemon.cli import main; sys.exit(main())"
SECONDS = 30


def run(folder: Path, *sections: str) -> "subprocess.CompletedProcess[str]":
    """Run a daemon with a configuration where the extra `embedded` is not installed, until it ends by itself."""
    file = folder / "config.toml"
    state = json.dumps(str(folder / "state"))
    file.write_text("\n".join(["version = 1", "[bus]", f"state_dir = {state}", *sections]))
    return subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-c", PROGRAM, "run", "-c", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (("log_levle = 'info'",), "config.toml:4: bus.log_levle"),
        (("[http]", "listen = 'nonsense'"), "config.toml:5: http.listen"),
        (("[mqtt]", 'url = "embedded:"', "[http]", 'listen = ""'), "embedded"),
        (("[mqtt]", 'password = { credential = "mqtt" }'), "config.toml:5: mqtt.password"),
        (("[mqtt]", 'password = { vault = "mqtt/password" }'), "config.toml:5: mqtt.password"),
    ],
)
def test_what_only_a_person_can_mend_is_78(tmp_path: Path, sections: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, *sections)
    assert (done.returncode, done.stdout) == (78, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_tried_again(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, "[http]", f'listen = "127.0.0.1:{taken.getsockname()[1]}"')
    assert done.returncode == 1
    assert "choose another port" in done.stderr


def test_a_state_folder_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    done = run(tmp_path, "[http]", 'listen = ""')
    assert done.returncode == 1
    assert "check bus.state_dir" in done.stderr


def test_a_vault_that_cannot_be_read_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    HouseSecrets(tmp_path / "state", environ={}).put("mqtt", Secret("canary-7d1f3ab09e"))
    with closing(sqlite3.connect(tmp_path / "state" / DATABASE, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE").fetchall()
        db.execute("BEGIN EXCLUSIVE")
        done = run(tmp_path, "[mqtt]", 'password = { vault = "mqtt" }')
    assert (done.returncode, done.stdout) == (1, "")
    assert "config.toml:5: mqtt.password: state file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_vault_that_is_broken_is_78(tmp_path: Path) -> None:
    HouseSecrets(tmp_path / "state", environ={}).put("mqtt", Secret("canary-7d1f3ab09e"))
    (tmp_path / "state" / DATABASE).write_bytes(b"nonsense" * 1000)
    assert run(tmp_path, "[mqtt]", 'password = { vault = "mqtt" }').returncode == 78
