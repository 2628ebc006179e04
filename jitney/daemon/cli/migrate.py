"""`jitney migrate`: show what a newer version of the format changes in a configuration, and write it."""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from jitney.daemon import log
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.diffs import differences, show
from jitney.daemon.config.load import would_load
from jitney.daemon.config.migrations import FIRST, STEPS, Migrated, Steps, migrated, newest
from jitney.daemon.config.parts import Whole, together
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.reading import Part, decoded
from jitney.daemon.config.rewriting import encoded
from jitney.daemon.config.saving import save

_WHAT: Final = """\
Show as a diff what the newest version of the format changes in a configuration (config.toml and config.d/*.toml), and
why. Jitney reads older versions as they are, so this can wait. Comments and layout stay. With --write it is written,
each file in one step, after a look whether it can be used; a copy of the old one stays beside it.
"""

_EPILOG: Final = """examples:
  jitney migrate                                       shows it
  sudo jitney migrate -c /etc/jitney/config.toml --write

Exit status: 0 shown, written or nothing to do, 1 it cannot be written, 78 what comes out could not be used.
"""


class _File(Struct, frozen=True):
    """A file that is of an older version, its text, and what becomes of it."""

    part: Part
    text: str
    now: Migrated


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring a configuration to the newest version of its format",
        description=_WHAT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration (default: see check -h)")
    parser.add_argument("--write", action="store_true", help="write it, and keep a copy of each old file beside it")
    parser.add_argument("--to", type=int, metavar="N", help=f"the version to bring it to (default: {newest()})")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, *, steps: Steps = STEPS) -> int:
    """Show or write; returns 0. Raises ConfigError, SaveError or UsageError."""
    path = args.config or default_path(os.environ)
    to = newest(steps) if args.to is None else args.to
    if not FIRST <= to <= newest(steps):
        raise UsageError(f"--to {to}: the versions that this Jitney knows are {FIRST} to {newest(steps)}")
    whole = together(path, steps=steps)
    files = [*_files(whole, steps=steps, to=to)]
    if not files:
        print(f"Nothing to do: no file of {path} is older than version {to}.")
        return 0
    loaded = would_load(whole, environ=os.environ, steps=steps)
    log.register(loaded.config)
    for file in files:
        versions = f"version {file.part.older}", f"version {to}"
        show(differences(str(file.part.path), file.text, file.now.text, secrets=loaded.plain, about=versions))
    for file in files:
        for one in file.now.notes:
            place = f"{file.part.path}:{one.line}" if one.line else str(file.part.path)
            note(one_line(f"{place}: {one.text}"))
    if args.write:
        _write(files)
    else:
        note("Nothing was written: with --write it is, and a copy of each old file stays beside it.")
    return 0


def _files(whole: Whole, *, steps: Steps, to: int) -> Iterator[_File]:
    for part in whole.parts:
        if 0 < part.older < to:
            text = decoded(part.raw, part.path)
            now = migrated(text, part.path, since=part.older, steps=steps, to=to)
            if now.text != text:
                yield _File(part, text, now)


def _write(files: Sequence[_File]) -> None:
    today = time.strftime("%Y-%m-%d")
    for file in files:
        part = file.part
        content = encoded(file.now.text, part.raw)
        copy = save(part.path, content, old=part.raw, backup=f"v{part.older}-{today}")
        note(f"Wrote {part.path}; as it was it is in {copy}.")
    note("A bus that runs notices it by itself.")
