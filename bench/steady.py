"""Is the memory flat? A busy house for as long as one likes, with routes, discovery, metrics, webhooks and reloads.

    python -m bench.steady                    one hour
    python -m bench.steady --minutes 15

A Home Assistant and a ticker send 250 events a second each, half of all durable; webhooks come to two adapters, a
Prometheus looks every other second, and every few seconds the configuration is another one: adapters, people, routes
and discovery come, change and go. The resident memory is noted each second. Its slope after the first fifth must stay
below the limit, no file or thread may be left over, and nothing may be lost. Exit status 1 when any of this does not
hold.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.busy import CYCLE, Busy, Census, slope
from bench.lab import LabError

WARM: Final = 0.2
"""The share of the time after which the memory counts."""

REPORT_SECONDS: Final = 60.0

OPEN: Final = 3
"""Connections that may be open by chance at the one look and not at the other."""

MOST_THREADS: Final = (os.cpu_count() or 1) + 4 + 3
"""What the pool of asyncio may have, and the loop, the disk and one to spare."""


class Seen(Struct, kw_only=True):
    """What was seen meanwhile: (second, MB) of the memory, and what there was when it was warm and at the end."""

    memory: list[tuple[float, float]] = []
    reloads: int = 0
    warm: Census | None = None
    last: Census | None = None


async def watch(busy: Busy, seconds: float, *, every: float) -> Seen:
    """Note the memory each second and change the configuration so often."""
    seen = Seen()
    begin, reported = time.monotonic(), 0.0
    while (now := time.monotonic() - begin) < seconds:
        census = busy.census()
        seen.memory.append((now, census.megabytes))
        if seen.reloads * every < now:
            seen.reloads += 1
            await busy.reload()
        if seen.warm is None and now > seconds * WARM and busy.step % CYCLE == 0:
            seen.warm = busy.census()
        if now - reported >= REPORT_SECONDS:
            reported = now
            done = f"{busy.recorder.count:9} events {seen.reloads:5} reloads"
            print(f"  {now / 60:5.1f} min {census.megabytes:7.1f} MB {census.files:4} files {done}", flush=True)
            busy.latencies.clear()
            busy.answers.clear()
        await asyncio.sleep(1.0)
    while busy.step % CYCLE:
        await busy.reload()
    seen.last = busy.census()
    return seen


async def measure(asked: argparse.Namespace) -> list[str]:
    """Let it run, print what was seen, and return the violations."""
    folder = Path(tempfile.mkdtemp(prefix="jitney-steady-"))
    async with Busy(folder, rate=asked.rate) as busy:
        async with asyncio.TaskGroup() as group:
            with busy.sources(group):
                seen = await watch(busy, 60 * asked.minutes, every=asked.every)
        found = await busy.settled()
        status = await busy.daemon.stop()
    counted = [point for point in seen.memory if point[0] >= 60 * asked.minutes * WARM]
    an_hour = slope(counted) * 3600
    warm, last = seen.warm, seen.last
    if warm is None or last is None:
        message = "it was too short to become warm"
        raise LabError(message)
    print(
        f"{asked.minutes:g} min at {asked.rate:g} events/s, {seen.reloads} reloads, {busy.scrapes} looks at metrics and"
        f" health, {sum(map(len, busy.posted.values()))} webhooks\n"
        f"memory: {seen.memory[0][1]:.1f} MB at first, {warm.megabytes:.1f} MB warm, {last.megabytes:.1f} MB at last,"
        f" {max(value for _, value in seen.memory):.1f} MB at most; slope {an_hour:+.2f} MB/h\n"
        f"files {warm.files} -> {last.files}, threads {warm.threads} -> {last.threads};"
        f" accepted {found.accepted}, lost {len(found.lost)}, misordered {found.misordered}"
    )
    violations = found.violations()
    if an_hour > asked.limit_mb:
        violations.append(f"the memory grows by {an_hour:.1f} MB an hour, the limit is {asked.limit_mb:g}")
    if last.files > warm.files + OPEN or last.threads > MOST_THREADS:
        violations.append("files or threads were left over")
    if busy.refused:
        violations.append(f"{len(busy.refused)} webhooks were refused: {busy.refused[:3]}")
    if status:
        violations.append(f"the daemon ended with exit status {status} on SIGTERM")
    if violations:
        violations.append(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return violations


def main() -> int:
    """Measure and tell the verdict; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--rate", type=float, default=500.0, help="events a second (default 500)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds from one reload to the next (default 5)")
    parser.add_argument("--limit-mb", type=float, default=3.0, help="slope allowed, in MB an hour (default 3)")
    violations = asyncio.run(measure(parser.parse_args()))
    for violation in violations:
        print(f"VIOLATION: {violation}")
    return int(bool(violations))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except* LabError as errors:
        sys.exit(f"bench.steady: {errors.exceptions[0]}")
