"""What an installation needs to know of the machine, and why a service could not run from where Jitney is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

import jitney
from jitney.topics import JitneyError

RELOAD_SINCE: Final = 253
"""The version of systemd since which a reload can be waited for (``Type=notify-reload``)."""

_HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - where a service must not lie
_PLAIN: Final = re.compile(r"[\w./+@=-]+", re.ASCII)
_RUNNING: Final = Path("/run/systemd/system")
_MOVE: Final = (
    "install it where it can, with the Python of the system:\n"
    "  sudo python3 -m venv /opt/jitney\n"
    "  sudo /opt/jitney/bin/pip install jitney\n"
    "  sudo /opt/jitney/bin/jitney install-service"
)


class CannotInstallError(JitneyError):
    """Here the service cannot be installed; what to do about it."""


class Machine(Struct, frozen=True, kw_only=True):
    """Where this Jitney is installed, who runs it, and what starts services here. ``systemd`` 0: there is none."""

    prefix: Path
    interpreter: Path
    package: Path
    uid: int
    systemd: int
    booted: bool

    @property
    def program(self) -> Path:
        """The command `jitney` of this installation."""
        return self.prefix / "bin" / "jitney"


def this_machine() -> Machine:
    """Return what there is here."""
    return Machine(
        prefix=Path(sys.prefix),
        interpreter=Path(sys.executable).resolve(),
        package=Path(jitney.__file__).resolve().parent,
        uid=os.geteuid(),
        systemd=_version(),
        booted=_RUNNING.is_dir(),
    )


def check_program(machine: Machine) -> None:
    """Raise CannotInstallError where there is no program that a unit could name."""
    if not machine.program.exists():
        message = f"there is no {machine.program}: this Jitney is not installed but run from its sources; {_MOVE}"
        raise CannotInstallError(message)
    if _PLAIN.fullmatch(str(machine.program)) is None:
        message = f"a unit cannot name {machine.program}, because of the characters in it; {_MOVE}"
        raise CannotInstallError(message)


def check_systemd(machine: Machine) -> None:
    """Raise CannotInstallError where systemd does not start the services."""
    if not machine.systemd or not machine.booted:
        message = (
            "systemd does not run here, so there is nothing to install: in a container start `jitney run` itself, with"
            " another service manager let that start it; --root DIR prepares the files for an image"
        )
        raise CannotInstallError(message)


def check_reach(machine: Machine) -> None:
    """Raise CannotInstallError where the hardened service could not see its own program."""
    for what, path in (
        ("Jitney", machine.prefix),
        ("its Python", machine.interpreter),
        ("its package", machine.package),
    ):
        hidden = next((folder for folder in _HIDDEN if path.is_relative_to(folder)), None)
        if hidden:
            message = (
                f"{what} is {path}, and the service sees nothing below {hidden} (ProtectHome= and PrivateTmp= of its"
                f" unit): {_MOVE}\nor run it as a service of your own user: jitney install-service --user"
            )
            raise CannotInstallError(message)


def check_root(machine: Machine) -> None:
    """Raise CannotInstallError for anybody but root."""
    if machine.uid != 0:
        message = f"only root can install it for the machine: sudo {machine.program} install-service (or --user)"
        raise CannotInstallError(message)


def _version() -> int:
    """Return the version of systemd, 0 for none."""
    program = shutil.which("systemctl")
    if program is None:
        return 0
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - found on the PATH
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"systemd (\d+)", done.stdout)
    return int(found[1]) if found else 0
