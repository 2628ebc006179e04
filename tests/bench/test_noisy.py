"""The measurement of a noisy owner: that it measures, and notices."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.flood import PAYLOAD, packet
from bench.noisy import Found, Latency, Ratio, compared, violations
from bench.packets import packets, publish

REPOSITORY = Path(__file__).parent.parent.parent
FINE = (0.010, 0.012, 1.2)


def test_a_flood_is_made_of_packets_of_mqtt() -> None:
    topic = "jitney/alice/inbox/" + "x" * 200 + "/y"
    both = packet(topic, 1) + packet(topic, 60_000)
    first, second = packets(both)
    assert publish(first) == (topic, b"\x00\x01", PAYLOAD)
    assert publish(second)[1] == (60_000).to_bytes(2)


def test_a_noisy_phase_is_compared_with_the_quiet_one_before_it() -> None:
    quiet, noisy = Latency([0.01] * 100, [0.02] * 100), Latency([0.03] * 100, [0.01] * 100)
    ratio = compared([(quiet, noisy)] * 3)
    assert ratio == Ratio((0.01, 0.03, pytest.approx(3)), (0.02, 0.01, pytest.approx(0.5)))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Found(Ratio(FINE, FINE), 0, 1), []),
        (Found(Ratio(FINE, FINE), 2, 1), ["inbox: 2 events of Bob never arrived"]),
        (Found(Ratio((0.01, 0.02, 2.0), FINE), 0, 1), ["p99 of his adapter is 2.00 times the quiet one"]),
        (Found(Ratio(FINE, (0.01, 0.02, 2.0)), 0, 1), ["p99 of his inbox is 2.00 times the quiet one"]),
        (Found(Ratio((0.0, 0.0, 0.0), FINE), 0, 1), ["nothing came of his adapter in quiet"]),
        (Found(Ratio(FINE, FINE), 0, 0), ["so there was no noise"]),
    ],
)
def test_what_was_promised_and_did_not_happen_is_said(found: Found, says: list[str]) -> None:
    said = list(violations({"inbox": found}, limit=1.5))
    assert len(said) == len(says)
    assert all(part in one for part, one in zip(says, said, strict=True))


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
@pytest.mark.parametrize(
    ("limit", "status", "says"), [("1000", 0, "No violation"), ("0.001", 1, "VIOLATION: all: p99")]
)
def test_all_noise_at_once_is_measured_and_loses_nothing_of_bob(
    tmp_path: Path, limit: str, status: int, says: str
) -> None:
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-m", "bench.noisy", "--only", "all", "--seconds", "2", "--pairs", "1", "--limit", limit],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    text = done.stdout + done.stderr
    assert done.returncode == status, text
    assert says in text
    (row,) = [line.split(" | ") for line in text.splitlines() if line.startswith("| all")]
    assert float(row[1]) > 0
    assert row[7] == "0"
    assert int(row[8].rstrip(" |")) > 2
