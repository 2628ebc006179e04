"""`jitney doctor`: looks at everything that the bus needs, and says what to do."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from jitney.adapters.base import Level
from jitney.daemon import log
from jitney.daemon.cli.certificates import look_up_lazily
from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import examine, state_folder
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.schema import BusSettings, Config
from jitney.daemon.log.stream import has_colours
from jitney.daemon.service.doctor.case import Case
from jitney.daemon.service.doctor.checks import diagnose
from jitney.daemon.service.doctor.findings import Finding, counts, is_well, verdict

_MARKS: Final[Mapping[Level, tuple[str, str]]] = {
    "ok": ("✓", GREEN),
    "note": ("·", FAINT),
    "warning": ("!", YELLOW),
    "problem": ("✗", RED),
}

_DESCRIPTION: Final = """\
Look at everything that the bus needs: configuration, machine, disk, state, broker, adapters, public address, and who
can see what. Every connection is tried, side by side and within half a minute, and a daemon that runs does not notice.
What is not well is told with what to do about it.
"""

_EPILOG: Final = """examples:
  sudo -u jitney jitney doctor        of the service, as the user that it runs as
  jitney doctor --offline             without sending anything over a network
  jitney doctor --json | jq '.findings[] | select(.level == "problem")'

Marks: ✓ well, · good to know, ! may become a problem, ✗ does not work.
Exit status: 0 nothing is broken, 1 something is, 78 the configuration is wrong.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="look at everything, try every connection, and say what to do",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration (default: see check -h)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output instead")
    parser.add_argument("--offline", action="store_true", help="send nothing over a network")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look and tell; returns 0, 1 when something does not work, or 78 for a wrong configuration."""
    look_up_lazily(os.environ)
    log.configure("auto", "error")
    path = args.config or default_path(os.environ)
    wrong, findings = asyncio.run(_diagnosis(path, offline=args.offline))
    if args.json:
        print(msgspec.json.encode(_summary(findings, path)).decode())
    else:
        for line in lines(findings, Paint(enabled=has_colours(sys.stdout, os.environ))):
            print(line)
    return os.EX_CONFIG if wrong else int(not is_well(findings))


def lines(findings: Sequence[Finding], paint: Paint) -> Iterator[str]:
    """Yield what a person reads: what was found under its headings, then the verdict."""
    for what, group in groupby(findings, lambda finding: finding.what):
        yield paint(what, BOLD)
        for finding in group:
            mark, colour = _MARKS[finding.level]
            yield f"  {paint(mark, colour)} {paint(finding.text, *((colour,) if colour == RED else ()))}"
            if finding.remedy:
                yield f"      {paint(finding.remedy, FAINT)}"
    yield ""
    worst = RED if not is_well(findings) else YELLOW if counts(findings)["warning"] else GREEN
    yield paint(verdict(findings), worst, BOLD)


async def _diagnosis(path: Path, *, offline: bool) -> tuple[bool, list[Finding]]:
    """Tell whether the configuration is wrong, and return what was found."""
    case = _case(path, offline=offline)
    return bool(case.problems), await diagnose(case)


def _case(path: Path, *, offline: bool) -> Case:
    try:
        loaded = examine(path, environ=os.environ, vault=from_vault, trials=True)
    except ConfigError as error:
        folder = _folder(path)
        return Case(Config(), file=path, state=folder, environ=os.environ, problems=error.problems, offline=offline)
    log.register(loaded.config)
    return Case(
        loaded.config,
        file=path,
        state=state_dir(loaded.config.bus, os.environ),
        environ=os.environ,
        warnings=loaded.warnings,
        offline=offline,
    )


def _folder(path: Path) -> Path:
    """Return the folder of the state by a file that is wrong, or else the one that it would be without a file."""
    try:
        return state_folder(path, environ=os.environ)
    except ConfigError:
        return state_dir(BusSettings(), os.environ)


def _summary(findings: Sequence[Finding], path: Path) -> Mapping[str, object]:
    return {
        "ok": is_well(findings),
        "file": str(path),
        "verdict": verdict(findings),
        "counts": counts(findings),
        "findings": findings,
    }
