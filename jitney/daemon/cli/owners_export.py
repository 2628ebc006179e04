"""`jitney owners export`: everything that is kept of one owner, for them to read."""

import argparse
import os
import shutil
import tarfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import msgspec

from jitney import __version__
from jitney.daemon import log
from jitney.daemon.cli.amounts import counted
from jitney.daemon.cli.asking import add_timeout
from jitney.daemon.cli.common import UsageError, add_broker_arguments
from jitney.daemon.cli.owners_source import InFiles, Source, source
from jitney.daemon.cli.owners_usage import WORDS
from jitney.daemon.owners.audit_notes import leave
from jitney.daemon.owners.files import make_folders
from jitney.daemon.service.holdings import FILES, LISTED
from jitney.topics import JitneyError, owners, rfc3339

_ARCHIVES: Final = (".tar.gz", ".tgz")

_DESCRIPTION: Final = """\
Write everything that the bus keeps of one owner: a file of JSON lines for each kind of thing, and their files as they
are. Nothing of anybody else is in it, and no secret: of those only the names. What only the configuration says of them
is not in it. The running bus is asked; where none runs on the configured state folder, its files are read.
"""

_EPILOG: Final = """examples:
  jitney owners export alice alice.tar.gz
  jitney owners export alice /media/stick/alice      a folder
"""


class ExportError(JitneyError):
    """What was to be written could not be; nothing is left of it."""


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    parser = actions.add_parser(
        "export",
        help="write everything that is kept of somebody, to read",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("owner", metavar="OWNER", help="whose")
    parser.add_argument("file", metavar="FILE", type=Path, help="a .tar.gz, else a folder; there must be none yet")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=30.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write; returns 0. Raises JitneyError."""
    log.configure("auto", "warning")
    owner, target = owners.owner(args.owner), Path(args.file)
    if target.exists():
        message = f"{target} exists: name another one"
        raise UsageError(message)
    part = target.with_name(f".{target.name}.{token_hex(4)}.part")
    try:
        part.mkdir(mode=0o700)
        place = source(args)
        counts = _write(place, owner, part)
        if isinstance(place, InFiles):
            leave(place.place, "export", owner=owner)
        if target.name.endswith(_ARCHIVES):
            _pack(part, target, owner)
        else:
            part.rename(target)
    except OSError as error:
        raise ExportError(f"{error.filename or target} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(part, ignore_errors=True)
    found = ", ".join(f"{number} {table}" for table, number in counts.items() if number)
    print(f"Wrote {target}: {found or f'nothing is kept of {owner}'}.")
    return 0


def _write(place: Source, owner: str, folder: Path) -> dict[str, int]:
    """Write every table into a folder; returns how many records each has. Raises JitneyError or OSError."""
    counts = {}
    for table in LISTED:
        with _new(folder / f"{table}.jsonl") as lines:
            number = 0
            for record in place.records(owner, table):
                lines.write(msgspec.json.encode(record) + b"\n")
                number += 1
                if table == FILES:
                    _fetch(place, owner, str(record["name"]), folder / FILES)
        counts[table] = number
        if not number:
            (folder / f"{table}.jsonl").unlink()
    about = {
        "owner": owner,
        "made": rfc3339(datetime.now(UTC)),
        "version": __version__,
        "files": {f"{table}.jsonl": counted(number, "record") for table, number in counts.items() if number},
        "meaning": {f"{table}.jsonl": f"each line: {WORDS[table]}" for table in LISTED if counts[table]},
    }
    with _new(folder / "about.json") as file:
        file.write(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
    return counts


def _fetch(place: Source, owner: str, name: str, folder: Path) -> None:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        message = f"the bus names a file {name!r}, which is none of {owner}"
        raise ExportError(message)
    make_folders(path.parent)
    with _new(path) as file:
        for part in place.file(owner, name):
            file.write(part)


def _new(path: Path) -> Any:  # noqa: ANN401 - a file
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _pack(folder: Path, target: Path, owner: str) -> None:
    packed = folder.with_name(f"{folder.name}.tar")
    try:
        with _new(packed) as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            tar.add(folder, arcname=f"jitney-{owner}")
            tar.close()
        packed.rename(target)
    finally:
        packed.unlink(missing_ok=True)
