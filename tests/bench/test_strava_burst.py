"""The figures, and the whole program, shortened: how fast it is on this machine is not asked here."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.lab import LabError
from bench.strava_burst import figures, middle

REPOSITORY = Path(__file__).parent.parent.parent


def test_ninety_nine_of_a_hundred_are_not_slower_than_p99() -> None:
    found = figures((number / 1000 for number in range(1, 101)), took=2.0)
    assert (found.p50, round(found.p99), found.most, found.rate) == (50.5, 99, 100.0, 50.0)
    assert round(figures(number / 1000 for number in range(1, 201)).p99) == 198
    assert figures([0.003]).p99 == 3.0


def test_nothing_is_no_figure() -> None:
    with pytest.raises(LabError):
        figures([])


def test_of_several_rounds_the_middle_counts_and_the_slowest_answer_of_all() -> None:
    found = middle([figures([seconds]) for seconds in (0.003, 0.001, 0.002)])
    assert (found.p50, found.p99, found.most) == (2.0, 2.0, 3.0)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("mosquitto")
def test_every_delivery_is_answered_and_every_event_arrives_also_in_a_flood(tmp_path: Path) -> None:
    short = ["--deliveries", "200", "--rounds", "1", "--events", "20", "--at-once", "16", "--synchronous", "full"]
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-m", "bench.strava_burst", *short],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 10, done.stdout + done.stderr
    assert [line.split()[-1] for line in lines if line.startswith(("full, 16", "full, answers"))] == ["0", "0"]
    assert "the strangers were answered" in lines[-2]
    assert lines[-1].startswith(("All 200", "A delivery"))
    assert done.returncode == int(lines[-1].startswith("A delivery"))
