"""The measurements of routes in the whole daemon: that they measure, and notice."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import routes_cost, routes_noise
from bench.routes_cost import CASES, WITHOUT, Cost
from bench.routes_feed import ASKS
from bench.routes_noise import Latency, compared, p99

REPOSITORY = Path(__file__).parent.parent.parent


def run(module: str, *arguments: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, "-m", f"bench.{module}", *arguments],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
@pytest.mark.parametrize(("limit", "status", "says"), [("1000", 0, "No violation"), ("0.001", 1, "VIOLATION: others'")])
def test_the_cost_of_routes_is_measured_beside_none(tmp_path: Path, limit: str, status: int, says: str) -> None:
    found, text = run("routes_cost", "--rounds", "1", "--events", "500", "--limit", limit, folder=tmp_path)
    assert found == status, text
    assert says in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(CASES)
    assert all(float(row[1]) > 0 and float(row[2]) > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
@pytest.mark.parametrize(("limit", "status", "says"), [("1000", 0, "No violation"), ("0.001", 1, "VIOLATION: throw")])
def test_the_noise_of_routes_is_measured_at_the_others(tmp_path: Path, limit: str, status: int, says: str) -> None:
    arguments = ("--only", "throw", "--pairs", "1", "--seconds", "1", "--limit", limit)
    found, text = run("routes_noise", *arguments, folder=tmp_path)
    assert found == status, text
    assert says in text
    row = next(line for line in text.splitlines() if line.startswith("| throw")).split(" | ")
    assert all(float(one.strip("*|")) > 0 for one in row[1:])


def costs(**changed: Cost) -> dict[str, list[Cost]]:
    return {case.title: [changed.get(case.root, Cost(2.0, 4.0))] * 3 for case in CASES}


def test_a_case_with_a_limit_must_keep_it_in_cpu_and_in_time() -> None:
    assert routes_cost.violations(costs(), limit=1.3) == []
    assert routes_cost.violations(costs(types=Cost(2.6, 5.2)), limit=1.3) == []
    (cpu,) = routes_cost.violations(costs(types=Cost(2.8, 4.0)), limit=1.3)
    assert "others' types" in cpu
    assert "1.40 times the CPU" in cpu
    (wall,) = routes_cost.violations(costs(one=Cost(2.0, 6.0)), limit=1.3)
    assert "one looks" in wall
    assert "1.50 times the time" in wall
    assert routes_cost.violations(costs(twenty=Cost(20.0, 40.0)), limit=1.3) == []


def test_ratios_are_those_of_a_round_and_their_median() -> None:
    without = [Cost(1.0, 1.0), Cost(2.0, 1.0), Cost(10.0, 1.0)]
    found = [Cost(2.0, 1.0), Cost(3.0, 5.0), Cost(10.0, 2.0)]
    assert routes_cost.ratios(found, without) == Cost(1.5, 2.0)
    assert not WITHOUT.limited


def latency(*events: float, answers: tuple[float, ...] = (0.01,)) -> Latency:
    return Latency(list(events), list(answers))


def test_p99_is_what_one_of_a_hundred_exceeds() -> None:
    assert p99([]) == 0.0
    assert p99([*[1.0] * 98, 5.0, 9.0]) == 9.0
    assert p99([*[1.0] * 199, 9.0]) == 1.0


def test_noise_is_compared_with_the_quiet_before_it_and_what_is_missing_is_counted() -> None:
    pairs = [
        (latency(0.002, 0.002), latency(0.003, 0.003)),
        (latency(0.004, 0.004), latency(0.008, 0.008)),
        (latency(0.001, 0.001), latency(0.001)),
    ]
    found = compared(pairs, wanted=2)
    assert (found.quiet, found.noisy, found.events, found.answers, found.missing) == (0.002, 0.003, 1.5, 1.0, 1)
    (missing,) = routes_noise.violations({"loop": found}, limit=1.5)
    assert missing == "loop: 1 events of the others never arrived"
    late, _ = routes_noise.violations({"loop": found}, limit=1.4)[::-1]
    assert "p99 of the others is 1.50 times the quiet one" in late


def test_one_in_five_events_asks_each_of_five_routes_in_turn() -> None:
    assert sorted(ask for ask in ASKS if ask >= 0) == [0, 1, 2, 3, 4]
    assert len(ASKS) == 25
