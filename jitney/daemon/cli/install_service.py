"""`jitney install-service`: let systemd run the bus, and take that back."""

import argparse
import os
from pathlib import Path
from typing import Any

from jitney.daemon.config.paths import SYSTEM, default_path
from jitney.daemon.service.hand import Step
from jitney.daemon.service.install import SECRETS, STATE, USER, Installation
from jitney.daemon.service.install_user import UserInstallation
from jitney.daemon.service.machine import this_machine


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "install-service",
        help="let systemd run the bus",
        description="Install the bus as a service of systemd: its user, its folders, its units and, where there is"
        " none, a configuration to fill in. Every file is named. It can be repeated, which also brings the units up to"
        " date after an upgrade; what somebody has changed is left alone. Nothing is started or enabled.",
        epilog="Exit status: 0 done, 1 it cannot be done here, and why.  Example: sudo /opt/jitney/bin/jitney"
        " install-service",
    )
    parser.add_argument("--user", action="store_true", help="as a service of your own user, without hardening")
    parser.add_argument("--uninstall", action="store_true", help="stop it and remove it; configuration and state stay")
    parser.add_argument("-n", "--dry-run", action="store_true", help="change nothing, and tell what would be done")
    parser.add_argument(
        "--no-serial", action="store_true", help="without access to radios on a cable: it is shut off from all devices"
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="into the system below this folder, like an image"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Install or uninstall; returns 0. Raises CannotInstallError."""
    machine, root = this_machine(), args.root.absolute()
    if args.user:
        own = UserInstallation(machine, environ=os.environ, root=root, dry=args.dry_run, tell=_tell)
        if args.uninstall:
            _say_removed(own.uninstall(), dry=args.dry_run)
        else:
            own.install()
            _say_next_to_user(dry=args.dry_run)
        return 0
    installation = Installation(machine, root=root, dry=args.dry_run, tell=_tell)
    if args.uninstall:
        _say_removed(installation.uninstall(), dry=args.dry_run)
        print(
            f"Configuration and state stay. To remove them too, for good:\n"
            f"  sudo rm -r {SYSTEM.parent} {STATE} && sudo userdel {USER}"
        )
    else:
        installation.install(serial=not args.no_serial)
        _say_next(dry=args.dry_run)
    return 0


def _tell(step: Step) -> None:
    print(step, flush=True)


def _say_removed(found: bool, *, dry: bool) -> None:  # noqa: FBT001 - the answer that it tells
    if not found:
        print("Nothing was installed by this command, so nothing is removed.")
    elif not dry:
        print("The service is removed.")


def _say_next(*, dry: bool) -> None:
    if dry:
        print("Nothing was changed.")
        return
    print(
        f"\nNext:\n"
        f"  sudoedit {SYSTEM}          the broker, the people, the adapters\n"
        f'  sudoedit {SECRETS}/mqtt         a secret, for {{ credential = "mqtt" }}\n'
        f"  sudo systemctl enable --now jitney         start it, now and at every boot\n"
        f"Where it ran already:  sudo systemctl restart jitney"
    )


def _say_next_to_user(*, dry: bool) -> None:
    if dry:
        print("Nothing was changed.")
        return
    path = default_path(os.environ)
    first = "" if path.exists() else f"  jitney init -c {path}\n"
    print(
        f"\nNext:\n{first}"
        f"  systemctl --user enable --now jitney    start it, now and whenever you sign in\n"
        f"  sudo loginctl enable-linger $USER       … and at every boot"
    )
