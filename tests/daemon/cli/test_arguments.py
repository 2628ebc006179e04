"""How wide help is, and which commands it names."""

import os
import shutil
import subprocess
import sys

import pytest

from jitney.daemon.cli import COMMANDS, main
from jitney.daemon.cli.arguments import columns


@pytest.mark.parametrize("given", ["50", "132", "0", "-3", "wide", "", "٣٠"])
def test_the_width_is_the_one_that_shutil_finds(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("COLUMNS", given)
    if given not in {"-3", "٣٠"}:
        assert columns() == shutil.get_terminal_size().columns
    assert columns() > 0


def test_help_keeps_to_the_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["run", "-h"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines()[:4])) <= 60


@pytest.mark.parametrize("arguments", [["-h"], ["-h", "run"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n    {name}" not in shown] == []


def test_what_the_daemon_hardly_ever_needs_is_not_imported_when_it_starts() -> None:
    """Each of these costs memory for as long as the daemon runs."""
    program = (
        "import sys; from jitney.daemon.cli import _parsed; import jitney.daemon.cli.run;"
        "_parsed(['run'], 'run'); print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30, env={**os.environ}
    )
    loaded = set(done.stdout.split())
    rare = {"difflib", "shutil", "tomlkit", "jinja2", "segno", "prometheus_client", "aiohttp", "paho", "aiomqtt"}
    ours = {"jitney.daemon.config.rewriting", "jitney.adapters.entities"}
    assert loaded & {*rare, *ours, "opentelemetry", "requests"} == set()
    assert {name for name in loaded if name.startswith("jitney.daemon.discovery.")} == {
        "jitney.daemon.discovery.lifecycle",
        "jitney.daemon.discovery.names",
    }
