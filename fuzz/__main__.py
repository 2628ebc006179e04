"""Fuzz every entrance: `python -m fuzz`, or some: `python -m fuzz inbox radio`. What breaks is in fuzz/found/."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from fuzz.corpus import FOUND
from fuzz.jobs import Job, done, jobs
from fuzz.results import Row, table
from fuzz.targets import SHARES
from fuzz.with_atheris import available
from fuzz.work import repeat

INPUTS: Final = 1_000_000
ENGINES: Final = ("atheris", "own", "hypothesis")


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and print the table; 1 when something broke or too few inputs were fed, else 0."""
    given = _parser().parse_args(arguments)
    if given.repeat is not None:
        repeat(given.targets[0], given.repeat)
        print("nothing broke")
        return 0
    engines = given.engine or [engine for engine in ENGINES if engine != "atheris" or available()]
    if "atheris" in engines and not available():
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 2
    seed = given.seed if given.seed is not None else int(time.time())
    print(f"seed {seed}, engines {', '.join(engines)}, {given.jobs} at a time", flush=True)
    work = jobs(
        given.targets or list(SHARES),
        engines,
        inputs=given.inputs,
        seconds=given.seconds,
        at_once=given.jobs,
        seed=seed,
    )
    with ThreadPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(_told, work))
    print(table(rows))
    return _verdict(rows, wanted=0 if given.seconds else given.inputs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *SHARES], metavar="TARGET", help=", ".join(SHARES))
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of all targets and engines together (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so long instead, whatever was done")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be given several times")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (%(default)s)")
    parser.add_argument("--seed", type=int, help="the same one makes the same inputs, but for atheris")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="feed the input in a file to TARGET, once")
    return parser


def _told(job: Job) -> Row:
    row = done(job)
    rate = row.inputs / row.seconds if row.seconds else 0.0
    print(f"{row.target:14} {row.engine:10} {row.inputs:>9,} inputs, {rate:>8,.0f}/s {row.failure[:200]}", flush=True)
    return row


def _verdict(rows: Sequence[Row], *, wanted: int) -> int:
    failed = [row for row in rows if row.failure]
    for row in failed:
        print(f"\n{row.target} ({row.engine}): {row.failure}", file=sys.stderr)
        if row.saved:
            print(f"  again:  {Path(sys.executable).name} -m fuzz {row.target} --repeat {row.saved}", file=sys.stderr)
    total = sum(row.inputs for row in rows)
    if not failed and total < wanted:
        print(f"\nonly {total:,} inputs of {wanted:,}", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"{error}: what it said is in {FOUND}")
