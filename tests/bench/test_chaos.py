"""The whole program, shortened: it passes where nothing is lost, and it does not where something is."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
SHORT = ["--broker-kills", "1", "--wipes", "1", "--rate", "300", "--owners", "3"]


def chaos(*arguments: str, folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "bench.chaos", *arguments]
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        command,
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("mosquitto")
def test_nothing_accepted_is_lost_when_the_daemon_the_broker_or_the_link_is_killed(tmp_path: Path) -> None:
    status, text = chaos("--kills", "8", "--cuts", "2", *SHORT, folder=tmp_path)
    assert (status, text.strip().splitlines()[-1]) == (0, "No violation."), text


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("mosquitto")
def test_an_event_that_the_link_loses_is_noticed(tmp_path: Path) -> None:
    status, text = chaos(
        "--kills", "0", "--cuts", "1", *SHORT, "--wipes", "0", "--lie", "100", "--patience", "4", folder=tmp_path
    )
    assert status == 1, text
    assert "accepted events never arrived" in text
