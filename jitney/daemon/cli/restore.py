"""`jitney restore`: what is in a backup, and putting it back."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.passphrase import add_passphrase, passphrase
from jitney.daemon.cli.restore_words import present, put_back, told
from jitney.daemon.cli.state_folder import add_state_arguments, configuration_file, state_folder
from jitney.daemon.config.paths import default_path
from jitney.daemon.owners.audit_notes import leave
from jitney.daemon.service.backup_config import Change, changes, put_configuration
from jitney.daemon.service.backup_contents import Manifest
from jitney.daemon.service.backup_crypt import BackupError
from jitney.daemon.service.backup_restore import look, restore

_DESCRIPTION: Final = """\
Show what is in a backup and what it would replace; with --yes, put it back, while Jitney is stopped. Everything is
read and checked before anything is changed. The state that was there stays beside it, as FOLDER.before-restore-TIME.
Files of the configuration that there are and that are others stay as they are, unless --with-config says otherwise.
"""

_EPILOG: Final = """examples:
  jitney restore /media/stick/jitney-pi-2026-11-21.backup             shows it, and changes nothing
  sudo systemctl stop jitney
  sudo jitney restore /media/stick/jitney-pi-2026-11-21.backup --yes
  sudo systemctl start jitney

What was published after the backup was made and waits in it is published again, with the same ids.
Exit status: 0 done or shown, 1 nothing was changed, 2 wrong usage.
"""


class Shown(Struct, frozen=True):
    """What a dry run tells programs; ``configuration`` is by path, and ``folder`` what would be replaced."""

    manifest: Manifest
    folder: str
    present: bool
    configuration: Mapping[str, str]


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "restore",
        help="show what is in a backup, and put it back",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the backup, or - for standard input")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="show what would be replaced (the default)")
    how.add_argument("-y", "--yes", action="store_true", help="put it back")
    parser.add_argument("--with-config", action="store_true", help="replace the configuration too; the old one is kept")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    add_passphrase(parser)
    add_state_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show or restore; returns 0. Raises JitneyError."""
    with _opened(args.file) as file:
        secret = passphrase(args, new=False)
        return _restore(args, file, secret) if args.yes else _show(args, file, secret)


def _show(args: argparse.Namespace, file: BinaryIO, secret: Secret) -> int:
    manifest, configuration = look(file, secret)
    folder = _folder(args, manifest)
    planned = changes(configuration, _config_folder(args, manifest))
    if args.json:
        by_path = {str(change.path): change.kind for change in planned}
        print(msgspec.json.encode(Shown(manifest, str(folder), folder.exists(), by_path)).decode())
        return 0
    print(*told(manifest), sep="\n")
    print(*present(folder), sep="\n")
    for change in planned:
        print(f"  {change.path}: {_fate(change, replace=args.with_config)}")
    note("Nothing was changed. To put it back, stop Jitney and give --yes.")
    return 0


def _restore(args: argparse.Namespace, file: BinaryIO, secret: Secret) -> int:
    try:
        done = restore(file, secret, folder=lambda manifest: _folder(args, manifest), environ=os.environ)
    except OSError as error:
        message = f"{error.filename or 'the state folder'}: {error.strerror}; nothing was changed"
        raise BackupError(message) from error
    leave(done.folder, "backup", outcome="restored", detail=f"of {done.manifest.made}")
    target = _config_folder(args, done.manifest)
    try:
        written = put_configuration(done.configuration, target, replace=args.with_config, user=done.manifest.user)
    except OSError as error:
        message = f"the state is restored, but {error.filename or target} cannot be written: {error.strerror}"
        raise BackupError(message) from error
    if args.json:
        print(msgspec.json.encode(put_back(done, written)).decode())
        return 0
    print(f"Restored the state of {done.manifest.made} into {done.folder}.")
    if done.before is not None:
        print(f"What was there before is in {done.before}: remove it when all is well.")
    for change in written:
        print(f"Wrote {change.path}.")
    if done.missing:
        note(f"The secrets cannot be opened yet: {done.missing}")
    return 0


def _folder(args: argparse.Namespace, manifest: Manifest) -> Path:
    """Return the folder to restore: the one that is meant here, else where the state was."""
    if args.state_dir is None and configuration_file(args) is None:
        return Path(manifest.state_dir)
    return state_folder(args)


def _config_folder(args: argparse.Namespace, manifest: Manifest) -> Path:
    path = configuration_file(args)
    return (Path(manifest.config) if path is None and manifest.config else path or default_path(os.environ)).parent


def _fate(change: Change, *, replace: bool) -> str:
    if change.kind == "new":
        return "would be written"
    if change.kind == "same":
        return "is the same"
    return (
        "would be replaced, and the old one kept beside it" if replace else "is another one and stays (--with-config)"
    )


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield file
    except FileNotFoundError as error:
        if error.filename != name:
            raise
        message = f"there is no file {name}"
        raise UsageError(message) from error
    except (IsADirectoryError, PermissionError) as error:
        if error.filename != name:
            raise
        message = f"{name} cannot be read: {error.strerror}"
        raise UsageError(message) from error
