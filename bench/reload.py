"""Change the configuration 200 times under 500 events a second, and count what those whom it does not concern notice.

    python -m bench.reload
    python -m bench.reload --reloads 40 --quiet-seconds 5

A Home Assistant (in memory) and a ticker (durable) send 250 events a second each and are not concerned; webhooks come
to an adapter that is not concerned and to one that is begun anew each time. People, adapters, routes and discovery are
added, changed and removed. Nothing may be lost or out of order, no webhook refused, the house must see one connection,
and files and threads must be as many as before. Exit status 1 when any of this does not hold.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.busy import CYCLE, Busy, percentile, slope
from bench.lab import LabError
from bench.steady import MOST_THREADS, OPEN

PAUSE_SECONDS: Final = 0.25
"""From one reload to the next: there must be something that comes between them."""

ONE_CONNECTION: Final = 1


async def measure(asked: argparse.Namespace) -> list[str]:
    """Reload so often, print what was seen, and return the violations."""
    folder = Path(tempfile.mkdtemp(prefix="jitney-reload-"))
    took: list[float] = []
    memory: list[tuple[float, float]] = []
    windows: list[tuple[float, float]] = []
    async with Busy(folder, rate=asked.rate) as busy:
        async with asyncio.TaskGroup() as group:
            with busy.sources(group):
                for _ in range(CYCLE):
                    await busy.reload()
                await asyncio.sleep(1.0)
                busy.latencies.clear()
                busy.answers.clear()
                await asyncio.sleep(asked.quiet_seconds)
                quiet, quiet_answers = [late for _, late in busy.latencies], list(busy.answers)
                busy.latencies.clear()
                busy.answers.clear()
                first = busy.census()
                for number in range(asked.reloads + -asked.reloads % CYCLE):
                    began = time.monotonic()
                    took.append(await busy.reload())
                    windows.append((began, time.monotonic()))
                    memory.append((number, busy.census().megabytes))
                    await asyncio.sleep(PAUSE_SECONDS)
                last = busy.census()
        found = await busy.settled()
        connections = busy.home.connections
        status = await busy.daemon.stop()
    during = [late for _, late in busy.latencies]
    inside = [late for when, late in busy.latencies if any(begin <= when <= end for begin, end in windows)]
    later = [point for point in memory if point[0] >= len(memory) / 3]
    print(
        f"{len(took)} reloads: {percentile(took, 0.5):.0f} ms (p50), {percentile(took, 0.99):.0f} ms (p99),"
        f" {1000 * max(took):.0f} ms at most"
    )
    for name, values in (("quiet", quiet), ("with reloads", during), ("while one is done", inside)):
        print(
            f"  {name:18} {len(values):7} events  p50 {percentile(values, 0.5):6.1f} ms ({_ratio(values, quiet, 0.5)})"
            f"  p99 {percentile(values, 0.99):6.1f} ms ({_ratio(values, quiet, 0.99)})"
        )
    print(
        f"webhooks: {sum(map(len, busy.posted.values()))} answered 200, {len(busy.refused)} not;"
        f" p99 {percentile(quiet_answers, 0.99):.1f} ms quiet, {percentile(busy.answers, 0.99):.1f} ms with reloads\n"
        f"accepted {found.accepted}, lost {len(found.lost)}, misordered {found.misordered};"
        f" connections to the house: {connections}\n"
        f"files {first.files} -> {last.files}, threads {first.threads} -> {last.threads},"
        f" memory {first.megabytes:.1f} -> {last.megabytes:.1f} MB, {1000 * slope(later):+.1f} kB a reload"
    )
    violations = found.violations()
    if busy.refused:
        violations.append(f"{len(busy.refused)} webhooks were refused: {busy.refused[:3]}")
    if connections != ONE_CONNECTION:
        violations.append(f"an adapter that is not concerned has connected {connections} times")
    if last.files > first.files + OPEN or last.threads > MOST_THREADS:
        violations.append("files or threads were left over")
    if status:
        violations.append(f"the daemon ended with exit status {status} on SIGTERM")
    if violations:
        violations.append(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return violations


def _ratio(values: list[float], quiet: list[float], part: float) -> str:
    before = percentile(quiet, part)
    return f"{percentile(values, part) / before:.2f} to quiet" if before else "no quiet"


def main() -> int:
    """Measure and tell the verdict; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reloads", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--rate", type=float, default=500.0, help="events a second (default 500)")
    parser.add_argument("--quiet-seconds", type=float, default=20.0, help="without reloads, before (default 20)")
    violations = asyncio.run(measure(parser.parse_args()))
    for violation in violations:
        print(f"VIOLATION: {violation}")
    return int(bool(violations))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except* LabError as errors:
        sys.exit(f"bench.reload: {errors.exceptions[0]}")
