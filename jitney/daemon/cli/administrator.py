"""The administrator of the broker's dynamic security: a name, and a password that is never an argument."""

import os
import sys
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon.access.visitor import Login
from jitney.daemon.cli.common import UsageError
from jitney.daemon.config.secret_files import UnavailableError, read

VARIABLE: Final = "JITNEY_ADMIN_PASSWORD"


def add_administrator(parser: ArgumentParser, *, summary: str) -> None:
    """Register who administers dynamic security."""
    group = parser.add_argument_group("dynamic security", summary)
    group.add_argument("--admin-username", default="", metavar="NAME", help="who administers it")
    group.add_argument(
        "--admin-password-file",
        type=Path,
        metavar="FILE",
        help=f"a file that holds nothing but the password (default: ${VARIABLE}, else it is asked for)",
    )


def administrator(args: Namespace) -> Login | None:
    """Return the administrator that the arguments name, None when they name none; raises UsageError."""
    if not args.admin_username:
        if args.admin_password_file is not None:
            raise UsageError("--admin-password-file: needs --admin-username")
        return None
    return Login(args.admin_username, Secret(_password(args)))


def password_in(path: Path, option: str) -> Secret:
    """Return the password in a file that an option names; raises UsageError."""
    try:
        return Secret(read(path))
    except FileNotFoundError:
        message = f"{option}: there is no file {path}"
        raise UsageError(message) from None
    except UnavailableError as error:
        message = f"{option} {path}: {error}"
        raise UsageError(message) from None


def _password(args: Namespace) -> str:
    if args.admin_password_file is not None:
        return password_in(args.admin_password_file, "--admin-password-file").reveal()
    if given := os.environ.get(VARIABLE):
        return given
    if not sys.stdin.isatty():
        message = f"there is no terminal to ask for the password: give --admin-password-file or ${VARIABLE}"
        raise UsageError(message)
    try:
        text = getpass(f"Password of {args.admin_username} at the broker (it is not shown): ")
    except EOFError:
        text = ""
    if not text:
        message = "no password was given"
        raise UsageError(message)
    return text
