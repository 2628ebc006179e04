import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.lab import LabError
from bench.mesh import Flow, Result, violations

REPOSITORY = Path(__file__).parent.parent.parent
GOOD = Result(p50=0.001, p99=0.005, worst=0.010, cpu=0.001, lost=0, misordered=0)


def mesh(*arguments: str, folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "bench.mesh", "--seconds", "1", "--rate", "100", *arguments]
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        command,
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
def test_packets_are_measured_from_a_socket_to_an_observer(tmp_path: Path) -> None:
    status, text = mesh("--limit", "5000", folder=tmp_path)
    assert status == 0, text
    assert "No violation: p99 " in text
    rows = [line for line in text.splitlines() if line.startswith(("jitney", "naive bridge"))]
    assert len(rows) == 3
    assert all(row.split()[-2:] == ["0", "0"] for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
def test_a_limit_that_is_not_kept_is_a_violation(tmp_path: Path) -> None:
    status, text = mesh("--limit", "0.001", folder=tmp_path)
    assert status == 1, text
    assert "VIOLATION: p99 was" in text


def flow(written: int, seen: list[int]) -> Flow:
    found = Flow()
    for number in range(written):
        found.write(number, 0.0)
    for number in seen:
        found.see(b'{"text":"packet %d of the mesh"}' % number)
    return found


def test_what_arrived_is_compared_with_what_was_written() -> None:
    assert flow(4, [0, 1, 2, 3]).is_complete()
    whole = flow(4, [0, 1, 2, 3]).result(0, cpu=0.004)
    assert (whole.lost, whole.misordered, whole.cpu) == (0, 0, 0.001)
    assert whole.p50 <= whole.p99 <= whole.worst


def test_what_is_missing_or_late_is_counted() -> None:
    assert not flow(4, [0, 2, 1]).is_complete()
    result = flow(4, [0, 2, 1]).result(0, cpu=0.0)
    assert (result.lost, result.misordered) == (1, 1)


def test_what_was_before_does_not_count() -> None:
    result = flow(6, [1, 0, 4, 5]).result(4, cpu=0.0)
    assert (result.lost, result.misordered) == (0, 0)


def test_nothing_is_no_result() -> None:
    with pytest.raises(LabError, match="nothing arrived"):
        flow(3, []).result(0, cpu=0.0)


def test_every_broken_promise_is_named() -> None:
    assert violations(GOOD, GOOD, limit=0.02) == []
    assert violations(replace(GOOD, lost=2), replace(GOOD, misordered=1, p99=0.030), limit=0.02) == [
        "2 packets were lost while attic was quiet",
        "1 packets were out of order while attic stalled",
        "p99 was 30.0 ms while attic stalled: the limit is 20 ms",
    ]
