"""The passphrase of a backup: from a file, the environment or a person; never an argument, which `ps` shows."""

import os
import sys
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon.cli.common import UsageError
from jitney.daemon.config.secret_files import UnavailableError, read

VARIABLE: Final = "JITNEY_BACKUP_PASSPHRASE"

SHORTEST: Final = 8
"""Characters: whoever has the file can try as many as they like."""


def add_passphrase(parser: ArgumentParser) -> None:
    """Register where the passphrase is read from."""
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help=f"a file that holds nothing but the passphrase (default: ${VARIABLE}, else it is asked for)",
    )


def passphrase(args: Namespace, *, new: bool) -> Secret:
    """Return the passphrase, a ``new`` one asked for twice; raises UsageError."""
    text = _given(args.passphrase_file)
    if text is None:
        text = _typed(new=new)
    if new and len(text) < SHORTEST:
        message = f"the passphrase is too short: use at least {SHORTEST} characters, better five words"
        raise UsageError(message)
    return Secret(text)


def _given(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(VARIABLE) or None
    try:
        return read(path)
    except FileNotFoundError:
        message = f"--passphrase-file: there is no file {path}"
        raise UsageError(message) from None
    except UnavailableError as error:
        message = f"--passphrase-file {path}: {error}"
        raise UsageError(message) from None


def _typed(*, new: bool) -> str:
    if not sys.stdin.isatty():
        message = f"there is no terminal to ask for the passphrase: give --passphrase-file or ${VARIABLE}"
        raise UsageError(message)
    try:
        text = getpass("Passphrase of the backup (it is not shown): ")
        again = getpass("The same once more: ") if new else text
    except EOFError:
        text = again = ""
    if text != again:
        message = "these were two different passphrases: nothing was written"
        raise UsageError(message)
    if not text:
        message = "no passphrase was given"
        raise UsageError(message)
    return text
