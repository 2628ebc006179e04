"""Installing the service of the machine: user, folders, units, and a configuration to begin with."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jitney.daemon.config.draft import Draft, secret, text
from jitney.daemon.config.paths import SYSTEM
from jitney.daemon.service.hand import Hand, Step
from jitney.daemon.service.machine import (
    RELOAD_SINCE,
    CannotInstallError,
    Machine,
    check_program,
    check_reach,
    check_root,
    check_systemd,
)
from jitney.share import share

USER: Final = "jitney"
SERVICE: Final = "jitney.service"
SOCKET: Final = "jitney.socket"
RELOAD: Final = "jitney.service.d/10-reload.conf"
NO_SERIAL: Final = "jitney.service.d/20-no-serial.conf"
SHIPPED: Final = "/opt/jitney/bin/jitney"
"""The program that the units of the sources name."""

FOLDER: Final = SYSTEM.parent
SECRETS: Final = FOLDER / "secrets"
RECEIPT: Final = FOLDER / ".installed.json"
UNITS: Final = Path("/etc/systemd/system")
SYSUSERS: Final = Path("/etc/sysusers.d/jitney.conf")
COMMAND: Final = Path("/usr/local/bin/jitney")
STATE: Final = Path("/var/lib/jitney")

_HEAD: Final = "version = 1\n"
_BUS: Final = """
[bus]
# Where the service keeps what must survive a restart; said here so that commands by hand find it too.
state_dir = "{state_dir}"
"""


class Installation:
    """The service of the machine. ``root`` is / or, for an image and for tests, the root of another system."""

    def __init__(self, machine: Machine, *, root: Path, dry: bool, tell: Callable[[Step], None]) -> None:
        self._machine = machine
        self._live = root == Path("/")
        self._root = root
        self._dry = dry
        self._tell = tell

    def install(self, *, serial: bool) -> None:
        """Install or bring up to date; raises CannotInstallError."""
        self._check()
        hand = self._hand()
        hand.file(SYSUSERS, share("systemd/sysusers.d/jitney.conf").read_text("utf-8"))
        if os.geteuid() == 0 or self._live:
            hand.run("systemd-sysusers", *([] if self._live else [f"--root={self._root}"]), str(SYSUSERS))
        group = self._group()
        hand.folder(FOLDER, mode=0o750, group=group)
        hand.folder(SECRETS, mode=0o700)
        hand.once(SYSTEM, first_configuration(), mode=0o640, group=group)
        for unit in (SERVICE, SOCKET):
            hand.file(UNITS / unit, self._unit(unit))
        if self._machine.systemd >= RELOAD_SINCE:
            hand.file(UNITS / RELOAD, self._unit(RELOAD))
        else:
            hand.remove(UNITS / RELOAD)
        if not serial or hand.owns(UNITS / NO_SERIAL):
            hand.file(UNITS / NO_SERIAL, self._unit(NO_SERIAL))
        hand.link(COMMAND, self._machine.program)
        hand.finish()
        if self._live:
            hand.run("systemctl", "daemon-reload")

    def uninstall(self) -> bool:
        """Stop it and remove what was installed, but no configuration and no state; tells whether there was anything.

        Raises CannotInstallError.
        """
        if self._live and not self._dry:
            check_root(self._machine)
        hand = self._hand()
        if self._live and hand.owns(UNITS / SERVICE):
            hand.run("systemctl", "disable", "--now", SERVICE, SOCKET, may_fail=True)
        found = hand.remove_all()
        hand.finish()
        if self._live and found:
            hand.run("systemctl", "daemon-reload", may_fail=True)
        return found

    def _check(self) -> None:
        check_program(self._machine)
        check_reach(self._machine)
        if self._live:
            check_systemd(self._machine)
            if not self._dry:
                check_root(self._machine)

    def _hand(self) -> Hand:
        return Hand(RECEIPT, root=self._root, dry=self._dry, tell=self._tell)

    def _unit(self, name: str) -> str:
        return share(f"systemd/{name}").read_text("utf-8").replace(SHIPPED, str(self._machine.program))

    def _group(self) -> int | None:
        """Return the number of the group of the service, None where nobody can be given anything."""
        if os.geteuid() != 0:
            return None
        groups = Path(self._root, "etc/group").read_text("utf-8").splitlines()
        found = next((line.split(":")[2] for line in groups if line.startswith(f"{USER}:")), None)
        if found is None and not self._dry:
            raise CannotInstallError(f"systemd-sysusers has made no group {USER}: look at {SYSUSERS}")
        return None if found is None else int(found)


def first_configuration(*, state_dir: str = str(STATE)) -> str:
    """Return a configuration to fill in, which takes its secrets from credentials; without a ``state_dir`` if empty."""
    draft = Draft(password=secret("credential:mqtt"), home_token=secret("credential:home-token"))
    bus = _BUS.format(state_dir=state_dir) if state_dir else ""
    return text(draft, example=share("config.example.toml")).replace(_HEAD, _HEAD + bus, 1)
