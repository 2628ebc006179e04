"""`jitney vault`: secrets of the configuration, encrypted in the state file."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins

from jitney.adapters.secret import Secret
from jitney.daemon.cli.colours import padded, width
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.config.load import state_folder
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import BusSettings
from jitney.daemon.config.secret_files import LONGEST
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.owners.key_sources import in_file
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store.secrets import Entry
from jitney.topics import JitneyError

_NAME: Final = re.compile(r"[a-z0-9_-]{1,32}(?:/[a-z0-9_-]{1,32}){0,3}")

_DESCRIPTION: Final = """\
Keep secrets encrypted in the state file. The configuration names one as { vault = "NAME" }; adapters keep there
what owners have granted them. The key is, in this order: the systemd credential vault-key, $JITNEY_VAULT_KEY, or the
file vault.key in the state folder, which is made when the first secret is kept. Keep a copy of the key away from the
state file: each is worthless without the other.
"""

_EPILOG: Final = """examples:
  jitney vault set strava/main                 asks for the secret, without showing it
  jitney vault set strava/main <secret.txt     or reads it
  jitney vault list                            names, never secrets
  sudo -u jitney jitney vault rotate           a new key, while the service is stopped
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "vault",
        help="keep secrets of the configuration, encrypted",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    keep = _action(actions, "set", _set, "keep a secret, which is asked for or read from standard input")
    keep.add_argument("name", metavar="NAME", help="what the configuration calls it, like strava/main")
    show = _action(actions, "list", _list, "show the names of what is kept")
    show.add_argument("--json", action="store_true", help="print one JSON list instead")
    remove = _action(actions, "remove", _remove, "erase a secret")
    remove.add_argument("name", metavar="NAME", nargs="?", default="", help="what the configuration calls it")
    remove.add_argument(
        "--all",
        action="store_true",
        help="erase everything, also what adapters keep; needs no key: for when it is lost",
    )
    rotate = _action(actions, "rotate", _rotate, "encrypt everything with a new key, while Jitney is stopped")
    rotate.add_argument(
        "--new-key-file",
        type=Path,
        metavar="FILE",
        help="a file with the new key: 32 bytes as base64 or hex; needed where the key is a credential or in the"
        " environment, else one is made",
    )


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary.capitalize() + ".")
    where = parser.add_argument_group("where the vault is")
    where.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration, which names the folder")
    where.add_argument("--state-dir", type=Path, metavar="FOLDER", help="the state folder itself")
    parser.set_defaults(run=run)
    return parser


def _set(args: argparse.Namespace) -> int:
    name, folder = _name(args.name), _folder(args)
    kept = HouseSecrets(folder, environ=os.environ).put(name, _secret(name))
    print(f"{'Replaced' if kept.replaced else 'Kept'} {name} in the vault in {folder}.")
    if kept.made:
        print(f"Made the key, {kept.found.place}: keep a copy away from this machine, nothing opens without it.")
    print(f'In the configuration: {{ vault = "{name}" }}. A running Jitney reads it at `jitney reload`.')
    return 0


def _list(args: argparse.Namespace) -> int:
    folder = _folder(args)
    entries = HouseSecrets(folder, environ=os.environ).entries()
    if args.json:
        print(json.dumps(to_builtins(entries)))
        return 0
    if not entries:
        note(f"the vault in {folder} is empty")
    columns = max((width(one_line(entry.name)) for entry in entries), default=0)
    for entry in entries:
        print(f"{padded(one_line(entry.name), columns)}  {_whose(entry)}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    if bool(args.name) == args.all:
        message = "name one secret, or give --all"
        raise UsageError(message)
    folder = _folder(args)
    house = HouseSecrets(folder, environ=os.environ)
    if args.all:
        print(f"Erased everything in the vault in {folder}: {_counted(house.clear())}.")
        return 0
    name = _name(args.name)
    if not house.remove(name):
        message = f'there is no "{name}" of the configuration in the vault in {folder}: see `jitney vault list`'
        raise JitneyError(message)
    print(f"Erased {name} from the vault in {folder}.")
    return 0


def _rotate(args: argparse.Namespace) -> int:
    folder = _folder(args)
    rotated = HouseSecrets(folder, environ=os.environ).rotate(_new_key(args.new_key_file))
    found = rotated.found
    print(f"Encrypted {_counted(rotated.secrets)} in {folder} with a new key (id {found.key.id}).")
    if found.source == "file":
        print(f"It is in {found.place}: keep a copy away from this machine. The old key opens nothing any more.")
    else:
        print(f"Before Jitney starts: put it where the old one is, {found.place}; then remove {args.new_key_file}.")
    return 0


def _folder(args: argparse.Namespace) -> Path:
    """Return the state folder that the arguments mean; raises ConfigError."""
    if args.state_dir is not None:
        return Path(args.state_dir)
    path = args.config or default_path(os.environ)
    if args.config is None and not path.exists():
        return state_dir(BusSettings(), os.environ)
    return state_folder(path, environ=os.environ)


def _name(text: str) -> str:
    """Return a name; raises UsageError without a word of it, because it could be the secret."""
    if _NAME.fullmatch(text) is None:
        message = "NAME: expected words of a-z, 0-9, - and _ with a / between them, like strava/main"
        raise UsageError(message)
    return text


def _secret(name: str) -> Secret:
    """Return the secret that somebody types or a program writes; raises UsageError."""
    if sys.stdin.isatty():
        try:
            text = getpass(f"The secret for {name} (it is not shown): ")
        except EOFError:
            text = ""
    else:
        try:
            text = sys.stdin.buffer.read(LONGEST + 1).decode()
        except UnicodeDecodeError:
            message = "the secret on standard input is not UTF-8 text"
            raise UsageError(message) from None
    if not text.strip() or len(text.encode()) > LONGEST:
        message = f"no secret of 1 to {LONGEST} bytes was given: nothing was kept"
        raise UsageError(message)
    return Secret(text.strip())


def _new_key(path: Path | None) -> Key | None:
    key = None if path is None else in_file(path)
    if path is not None and key is None:
        message = f"--new-key-file: there is no file {path}"
        raise UsageError(message)
    return key


def _counted(secrets: int) -> str:
    return "1 secret" if secrets == 1 else f"{secrets} secrets"


def _whose(entry: Entry) -> str:
    return f"of {entry.owner}, kept by adapter {one_line(entry.adapter)}" if entry.adapter else "of the configuration"
