"""`jitney backup`: a copy of everything that the bus keeps, encrypted, while it runs."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Final

import msgspec

from jitney.daemon.cli.amounts import counted, size
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.passphrase import VARIABLE, add_passphrase, passphrase
from jitney.daemon.cli.state_folder import add_state_arguments, configuration_file, state_folder
from jitney.daemon.owners.audit_notes import leave
from jitney.daemon.service.backup import Source, make
from jitney.daemon.service.backup_contents import Manifest
from jitney.daemon.service.backup_crypt import BackupError

STDOUT: Final = "-"

_DESCRIPTION: Final = """\
Copy everything that Jitney keeps into one encrypted file, while it runs or is stopped: the state file as it is at one
moment, the owners' files, the vault with its key where that is a file, the configuration with config.d and Python
routes. Not in it: secrets that lie elsewhere, which are systemd credentials, environment variables and the files that
the configuration names. Without the passphrase nobody can read it, and nothing of it can be found again.
"""

_EPILOG: Final = f"""examples:
  sudo -u jitney jitney backup /media/stick/          makes jitney-pi-2026-11-21.backup there
  jitney backup - | ssh nas 'cat >jitney.backup'      nothing is written here; the passphrase comes from ${VARIABLE}
  jitney restore jitney.backup                        shows what is in it

Exit status: 0 it is whole and on disk, 1 it was not made.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "backup",
        help="copy everything that is kept into one encrypted file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE", help="the file to make, a folder to make it in, or - for standard output"
    )
    parser.add_argument("--replace", action="store_true", help="replace the file if there is one")
    parser.add_argument("--without-config", action="store_true", help="leave the configuration out")
    parser.add_argument(
        "--without-key",
        action="store_true",
        help="leave the vault's key file out: without a copy of it elsewhere, no secret in the backup can be read",
    )
    parser.add_argument("--json", action="store_true", help="print what is in it as one line of JSON")
    add_passphrase(parser)
    add_state_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make a backup; returns 0. Raises JitneyError."""
    folder = state_folder(args)
    config = None if args.without_config else configuration_file(args)
    source = Source(folder=folder, config=config, key=not args.without_key)
    if args.file == STDOUT:
        if sys.stdout.isatty():
            message = "a backup is not for a terminal: give a file, or send standard output somewhere"
            raise UsageError(message)
        secret = passphrase(args, new=True)
        _told(args, make(source, sys.stdout.buffer, secret), "standard output")
        sys.stdout.buffer.flush()
        return 0
    target = _target(args.file)
    if target.exists() and not args.replace:
        message = f"{target} exists: name another file, or give --replace"
        raise UsageError(message)
    secret = passphrase(args, new=True)
    try:
        with _arriving(target) as file:
            manifest = make(source, file, secret)
    except OSError as error:
        raise BackupError(f"{error.filename or target} cannot be written or read: {error.strerror}") from error
    _told(args, manifest, str(target))
    return 0


def _target(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        return path / f"jitney-{os.uname().nodename}-{time.strftime('%Y-%m-%d')}.backup"
    return path


@contextmanager
def _arriving(target: Path) -> Iterator[BinaryIO]:
    """Open a file that only its owner can read, and that has its name once it is whole and on disk; raises OSError."""
    part = target.with_name(f".{target.name}.{token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(args: argparse.Namespace, manifest: Manifest, place: str) -> None:
    leave(state_folder(args), "backup", detail=f"made {place}")
    to_stdout = args.file == STDOUT
    if args.json and not to_stdout:
        print(msgspec.json.encode(manifest).decode())
        return
    note(
        f"Made {place}: the state ({size(manifest.state_bytes)}), {counted(manifest.files, 'file')}"
        f" ({size(manifest.files_bytes)}), {counted(len(manifest.owners), 'owner')}."
    )
    if manifest.keys and not manifest.key:
        note(f"The vault's key (id {', '.join(manifest.keys)}) is not in it: keep a copy of that elsewhere.")
    if not manifest.config:
        note("The configuration is not in it.")
