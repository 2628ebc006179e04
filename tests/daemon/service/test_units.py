"""The units as files: what systemd-analyze says of them, which needs no systemd that runs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.daemon.service.at_systemd import exposure
from tests.documents import Snippet, snippets

REPOSITORY = Path(__file__).parent.parent.parent.parent
UNITS = REPOSITORY / "systemd"
ANALYZE = shutil.which("systemd-analyze")
analyzed = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze is installed")


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - systemd's own program
        [str(ANALYZE), *arguments], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Return a folder with the units and no drop-ins, whose program is there."""
    text = (UNITS / "jitney.service").read_text().replace("/opt/jitney/bin/jitney", "/bin/true")
    (tmp_path / "jitney.service").write_text(text)
    shutil.copy(UNITS / "jitney.socket", tmp_path)
    return tmp_path


@analyzed
def test_the_service_is_as_closed_as_promised(alone: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=16", str(alone / "jitney.service"))
    assert done.returncode == 0, done.stdout
    assert exposure(done.stdout) <= 1.6


@analyzed
def test_without_serial_radios_it_is_closed_further(alone: Path) -> None:
    folder = alone / "jitney.service.d"
    folder.mkdir()
    shutil.copy(UNITS / "jitney.service.d" / "20-no-serial.conf", folder)
    done = analyze("security", "--offline=true", "--threshold=12", str(alone / "jitney.service"))
    assert done.returncode == 0, done.stdout


@analyzed
@pytest.mark.parametrize("snippet", snippets("ini"))
def test_a_drop_in_in_a_document_has_no_mistakes(snippet: Snippet, alone: Path) -> None:
    unit = "jitney.socket" if snippet.text.startswith("[Socket]") else "jitney.service"
    folder = alone / f"{unit}.d"
    folder.mkdir()
    (folder / "mine.conf").write_text(snippet.text)
    done = analyze("verify", "--recursive-errors=no", str(alone / unit))
    assert (done.returncode, done.stderr) == (0, "")


@analyzed
def test_the_units_have_no_mistakes(alone: Path) -> None:
    done = analyze("verify", "--recursive-errors=no", str(alone / "jitney.service"), str(alone / "jitney.socket"))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_unit_stops_for_a_wrong_configuration_and_lets_a_frozen_daemon_say_where() -> None:
    for unit in (UNITS / "jitney.service", UNITS / "user" / "jitney.service"):
        text = unit.read_text()
        for line in ("RestartPreventExitStatus=78", "Restart=always", "WatchdogSec=60", "PYTHONFAULTHANDLER=1"):
            assert re.search(rf"^(?:Environment=)?{re.escape(line)}$", text, re.MULTILINE), (unit, line)


def test_the_port_of_the_socket_is_the_default_of_the_configuration() -> None:
    assert "ListenStream=127.0.0.1:8077\n" in (UNITS / "jitney.socket").read_text()
