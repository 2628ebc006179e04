"""One piece of work: so many inputs of one engine for one target, in a process of its own, and the row that it tells.

`python -m fuzz.work TARGET ENGINE …` is what the parent starts; a person starts `python -m fuzz`.
"""

import argparse
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from fuzz.corpus import corpus, save
from fuzz.lasting import close_all
from fuzz.mutate import Mutator
from fuzz.oracle import Guard, check, resident
from fuzz.reach import Reach
from fuzz.results import Row
from fuzz.targets import Target, target
from jitney.daemon.log.configure import configure

MOST_GROWTH: Final = 96 << 20
"""Bytes by which the memory of a process may grow from its first hundred inputs to its last."""

MOST_ADDRESSES: Final = 4 << 30
"""Bytes of addresses that a process may ask for beyond what it has: one that asks for more gets a MemoryError."""

_WATCHED: Final = 16
"""Of so many inputs one is watched for new lines."""

_WARM: Final = 200
_BATCH: Final = 200
_MOST_KEPT: Final = 5000


class _EnoughError(BaseException):
    """Ends Hypothesis: no failure that it would look into."""


class Run:
    """Feeds inputs and counts them, until there are enough or time is over; stops at the first that breaks."""

    def __init__(self, name: str, *, inputs: int, seconds: float, found: Path | None = None) -> None:
        self.reach = Reach()
        self.inputs = 0
        self.new = 0
        self.failure = ""
        self.saved = ""
        self._name = name
        self._guard = Guard(target(name))
        self._most = inputs
        self._until = time.monotonic() + seconds
        self._began = 0
        self._found = found

    @property
    def over(self) -> bool:
        """Whether there were enough."""
        return bool(self.failure) or self.inputs >= self._most or time.monotonic() >= self._until

    @property
    def growth(self) -> int:
        """By how many bytes the process has grown since it was warm."""
        return max(0, resident() - self._began) if self._began else 0

    def feed(self, data: bytes, *, watched: bool = False) -> bool:
        """Feed one input and tell whether it reached something new, as far as that was watched."""
        self.inputs += 1
        fresh = False
        try:
            if watched:
                fresh = self.reach.watch(lambda: self._guard.one(data))
            else:
                self._guard.one(data)
        except BaseException as error:  # whatever comes out of a target is what is looked for
            if isinstance(error, KeyboardInterrupt):
                raise
            self.fail(error, data)
        if self.inputs == _WARM:
            self._began = resident()
        return fresh

    def end(self) -> None:
        """Close what the target has built, and look at the memory."""
        try:
            close_all()
            check(self.growth <= MOST_GROWTH, f"the process has grown by {self.growth >> 20} MB")
        except Exception as error:  # noqa: BLE001 - whatever comes out of a target is what is looked for
            self.fail(error, None)

    def fail(self, error: BaseException, data: bytes | None) -> None:
        """Note what is wrong, and keep the input."""
        self.failure = self.failure or f"{type(error).__name__}: {error}"[:500]
        traceback.print_exception(error)
        if data is not None and not self.saved:
            self.saved = str(
                save(self._name, data) if self._found is None else save(self._name, data, folder=self._found)
            )


def own(run: Run, name: str, seed: int) -> None:
    """Mutate the corpus, and keep what reaches further."""
    source = random.Random(seed)  # noqa: S311 - guards nothing
    known = corpus(name)
    for data in known:
        if run.over:
            return
        run.feed(data, watched=True)
    before = len(run.reach)
    mutator = Mutator(source, target(name).WORDS)
    while not run.over:
        data = mutator.mutated(source.choice(known), source.choice(known))
        if run.feed(data, watched=run.inputs % _WATCHED == 0) and len(known) < _MOST_KEPT:
            known.append(data)
    run.new = len(run.reach) - before


def structured(run: Run, name: str, seed: int) -> None:
    """Let Hypothesis make inputs of the target's strategy, in batches: it remembers all that it has made in one."""
    import hypothesis  # noqa: PLC0415 - only this engine needs it

    strategy = target(name).inputs()
    settings = hypothesis.settings(
        max_examples=_BATCH,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    def feed(data: bytes) -> None:
        if run.over:
            raise _EnoughError
        run.feed(data, watched=run.inputs % _WATCHED == 0)

    batch = seed
    while not run.over:
        batch += 1
        with suppress(_EnoughError):
            hypothesis.seed(batch)(settings(hypothesis.given(strategy)(feed)))()


ENGINES: Final[dict[str, Callable[[Run, str, int], None]]] = {"own": own, "hypothesis": structured}


def quiet() -> None:
    """Let the log be written, for that is part of it, but to nowhere; and bound what the process may ask for."""
    configure("json", "info", stream=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - till the end
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - as in the oracle
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_ADDRESSES, resource.RLIM_INFINITY))


def worked(name: str, engine: str, *, inputs: int, seconds: float, seed: int) -> Row:
    """Do one piece of work and return its row."""
    run = Run(name, inputs=inputs, seconds=seconds)
    began = time.monotonic()
    ENGINES[engine](run, name, seed)
    took = time.monotonic() - began
    grown = run.growth
    run.end()
    return Row(
        target=name,
        engine=engine,
        inputs=run.inputs,
        seconds=took,
        reached=len(run.reach),
        new=run.new,
        grown=grown,
        failure=run.failure,
        saved=run.saved,
    )


def repeat(name: str, path: Path) -> None:
    """Feed the input in a file once; raises what comes of it."""
    one: Target = target(name)
    try:
        one.one(path.read_bytes())
    finally:
        close_all()


def main(arguments: list[str] | None = None) -> int:
    """Work, and print the row as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    quiet()
    row = worked(given.target, given.engine, inputs=given.inputs, seconds=given.seconds, seed=given.seed)
    print(msgspec.json.encode(row).decode())
    return 1 if row.failure else 0


if __name__ == "__main__":
    sys.exit(main())
