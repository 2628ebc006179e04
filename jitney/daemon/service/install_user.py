"""Installing the service of one user: a unit, and nothing else."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jitney.daemon.service.hand import Hand, Step
from jitney.daemon.service.install import RELOAD, SERVICE, SHIPPED
from jitney.daemon.service.machine import RELOAD_SINCE, Machine, check_program, check_systemd
from jitney.share import share

RECEIPT: Final = ".jitney-installed.json"


class UserInstallation:
    """The service of the user whose environment is ``environ``; ``root`` as with ``Installation``."""

    def __init__(
        self, machine: Machine, *, environ: Mapping[str, str], root: Path, dry: bool, tell: Callable[[Step], None]
    ) -> None:
        self._machine = machine
        self._live = root == Path("/")
        self._units = _units(environ)
        self._hand = Hand(self._units / RECEIPT, root=root, dry=dry, tell=tell)

    def install(self) -> None:
        """Install or bring up to date; raises CannotInstallError."""
        check_program(self._machine)
        if self._live:
            check_systemd(self._machine)
        unit = share(f"systemd/user/{SERVICE}").read_text("utf-8").replace(SHIPPED, str(self._machine.program))
        self._hand.file(self._units / SERVICE, unit)
        if self._machine.systemd >= RELOAD_SINCE:
            self._hand.file(self._units / RELOAD, share(f"systemd/{RELOAD}").read_text("utf-8"))
        else:
            self._hand.remove(self._units / RELOAD)
        self._hand.finish()
        self._reload()

    def uninstall(self) -> bool:
        """Stop it and remove what was installed; tells whether there was anything. Raises CannotInstallError."""
        if self._live and self._hand.owns(self._units / SERVICE):
            self._hand.run("systemctl", "--user", "disable", "--now", SERVICE, may_fail=True)
        found = self._hand.remove_all()
        self._hand.finish()
        if found:
            self._reload()
        return found

    def _reload(self) -> None:
        """Let the service manager of the user know, where one runs."""
        if self._live:
            self._hand.run("systemctl", "--user", "daemon-reload", may_fail=True)


def _units(environ: Mapping[str, str]) -> Path:
    """Return the folder of a user's units (systemd.unit(5), "User Unit Search Path")."""
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        base = Path(environ.get("HOME") or Path.home()) / ".config"
    return base / "systemd" / "user"
