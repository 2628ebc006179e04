"""The pieces of work: how the inputs are shared out, and each piece done in a process of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from msgspec import Struct

from fuzz.corpus import FOLDER, FOUND, save
from fuzz.results import Row
from fuzz.targets import SHARES

PARTS: Final = {"atheris": 10, "own": 9, "hypothesis": 1}
"""How many parts of a target's inputs each engine makes: those of Hypothesis take long to make."""

MOST_STRUCTURED: Final = 4000
"""Inputs of one target that Hypothesis makes at most."""

_LONGEST: Final = 3600.0
_GRACE: Final = 120.0
_MOST_MEMORY: Final = 1500
_LONGEST_SAID: Final = 4000
_STATE: Final = re.compile(r"#(?P<inputs>\d+)\s+(?P<word>[A-Z_]+) +cov: (?P<reached>\d+).* rss: (?P<memory>\d+)Mb")
_UNCAUGHT: Final = re.compile(r"=== Uncaught Python exception: ===\n(?P<what>.*)")
_ARTIFACT: Final = re.compile(r"Test unit written to (?P<path>\S+)")


class Job(Struct, frozen=True):
    """So many inputs of one engine for one target, in so many seconds at most."""

    target: str
    engine: str
    inputs: int
    seconds: float
    seed: int


def jobs(
    targets: Sequence[str], engines: Sequence[str], *, inputs: int, seconds: float, at_once: int, seed: int
) -> list[Job]:
    """Return the pieces of work that make at least so many inputs, or with ``seconds`` end after about so long."""
    parts = sum(SHARES[name] for name in targets)
    every = [
        Job(name, engine, -(-inputs * SHARES[name] // parts), _LONGEST, seed) for name in targets for engine in engines
    ]
    if seconds:
        each = seconds * at_once / len(every)
        return [msgspec.structs.replace(job, inputs=10**9, seconds=each) for job in every]
    return [job for name in targets for job in _shared(name, engines, every)]


def _shared(name: str, engines: Sequence[str], every: Sequence[Job]) -> list[Job]:
    """Return the jobs of a target, its inputs shared out among the engines; what Hypothesis leaves another makes."""
    own = [job for job in every if job.target == name]
    whole = sum(PARTS[engine] for engine in engines)
    given = {job.engine: -(-job.inputs * PARTS[job.engine] // whole) for job in own}
    if len(engines) > 1 and given.get("hypothesis", 0) > MOST_STRUCTURED:
        given[engines[0]] += given["hypothesis"] - MOST_STRUCTURED
        given["hypothesis"] = MOST_STRUCTURED
    return [msgspec.structs.replace(job, inputs=given[job.engine]) for job in own]


def done(job: Job) -> Row:
    """Do a piece of work; a process that ends otherwise than it should is a failure too."""
    with TemporaryDirectory(prefix="jitney-fuzz-") as folder:
        began = time.monotonic()
        said = Path(folder, "said")
        with said.open("wb") as errors:
            process = subprocess.run(
                _command(job, folder),
                stdout=errors if job.engine == "atheris" else subprocess.PIPE,  # which tells exceptions there
                stderr=errors,
                env={**os.environ, "TMPDIR": folder, "RUST_BACKTRACE": "0", "PYTHONHASHSEED": "0"},
                timeout=job.seconds + _GRACE,
                check=False,
            )
        took = time.monotonic() - began
        told = said.read_text("utf-8", "replace")
        if job.engine == "atheris":
            return _row(job, told, process.returncode, took=took)
        try:
            return msgspec.json.decode(process.stdout.strip().rpartition(b"\n")[2], type=Row)
        except msgspec.MsgspecError:
            failure = f"ended with {process.returncode}: {told[-_LONGEST_SAID:]}"
            return Row(target=job.target, engine=job.engine, inputs=0, seconds=took, failure=failure)


def _command(job: Job, folder: str) -> list[str]:
    if job.engine != "atheris":
        limits = ["--inputs", str(job.inputs), "--seconds", str(job.seconds), "--seed", str(job.seed)]
        return [sys.executable, "-m", "fuzz.work", job.target, job.engine, *limits]
    corpus = Path(folder, "corpus")
    corpus.mkdir()
    return [
        *(sys.executable, "-m", "fuzz.with_atheris", job.target),
        *(f"-runs={job.inputs}", f"-max_total_time={int(job.seconds) or 1}", f"-seed={job.seed % 2**32 or 1}"),
        *(f"-rss_limit_mb={_MOST_MEMORY}", "-timeout=60", f"-artifact_prefix={folder}/", "-print_final_stats=1"),
        *(str(corpus), str(FOLDER / job.target)),
    ]


def _row(job: Job, told: str, code: int, *, took: float) -> Row:
    """Return the row of what libFuzzer says."""
    states = [match.groupdict() for match in _STATE.finditer(told)]
    begun = next((one for one in states if one["word"] == "INITED"), None)
    last = states[-1] if states else None
    failure, saved = "", ""
    if code or last is None or begun is None:
        uncaught = _UNCAUGHT.search(told)
        failure = uncaught["what"] if uncaught else f"ended with {code}: {told[-_LONGEST_SAID:]}"
        if (written := _ARTIFACT.search(told)) is not None:
            saved = str(save(job.target, Path(written["path"]).read_bytes(), folder=FOUND))
    return Row(
        target=job.target,
        engine=job.engine,
        inputs=int(last["inputs"]) if last else 0,
        seconds=took,
        reached=int(last["reached"]) if last else 0,
        new=int(last["reached"]) - int(begun["reached"]) if last and begun else 0,
        grown=(int(last["memory"]) - int(begun["memory"])) << 20 if last and begun else 0,
        failure=failure,
        saved=saved,
    )
