"""A real systemd as PID 1 of a container over a throw-away copy of this machine's root, or of another Debian's.

Network and loopback are this machine's, so a broker of a test is reached as usual. Nothing of what the machine itself
runs as a service is started in it.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

START_SECONDS: Final = 30.0
COMMAND_SECONDS: Final = 60.0
LOWER: Final = "JITNEY_SYSTEMD_ROOT"
"""Environment variable: the root of another distribution, made by debootstrap with systemd, dbus and Python."""

_BARE: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_MAY_MOUNT: Final = 21
"""The number of CAP_SYS_ADMIN."""

_CONTROLLERS: Final = ("devices", "memory", "pids")


class SystemdError(Exception):
    """The lab does not do what a test needs; the text ends with what was said."""


def unavailable() -> str:
    """Return why there can be no lab here, empty when there can."""
    if os.getuid() != 0:
        return "only root can boot a systemd"
    capable = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    if capable is None or not int(capable[1], 16) >> _MAY_MOUNT & 1:
        return "root may not mount anything here, so it cannot boot a systemd"
    missing = [name for name in ("systemd-nspawn", "nsenter", "systemctl") if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed: on Debian  apt install systemd-container" if missing else ""


class Systemd:
    """A booted systemd; ``root`` is where its files are seen from here. ``with`` it."""

    def __init__(self, folder: Path, *, binds: Mapping[Path, Path] | None = None) -> None:
        self.root = folder / "root"
        self._folder = folder
        self._binds = dict(binds or {})
        self._stack = ExitStack()
        self._leader = 0

    def __enter__(self) -> Self:
        try:
            self._boot()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, *command: str, check: bool = True, environ: Mapping[str, str] | None = None) -> str:
        """Run a command inside and return what it printed; raises SystemdError when it fails, unless told not to."""
        done = self.call(*command, environ=environ)
        if check and done.returncode != 0:
            message = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            raise SystemdError(message)
        return done.stdout

    def call(self, *command: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command inside and return how it went."""
        return subprocess.run(  # noqa: S603 - the test's own commands, in a container
            ["nsenter", "-t", str(self._leader), "-a", "--", *command],  # noqa: S607 - looked for above
            env={**_BARE, "TERM": "dumb", **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", unit, "--property", name, "--value").strip()

    def journal(self, *arguments: str) -> str:
        """Return what the journal has."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", *arguments)

    def version(self) -> int:
        """Return the version of this systemd."""
        return int(self.run("systemctl", "--version").split()[1])

    def _boot(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(self._folder))
        self._stack.callback(_umount, self._folder)
        upper, work = self._folder / "upper", self._folder / "work"
        for folder in (self.root, upper, work):
            folder.mkdir()
        layers = f"lowerdir={os.environ.get(LOWER, '/')},upperdir={upper},workdir={work}"
        _mount("-t", "overlay", "-o", layers, "overlay", str(self.root))
        self._stack.callback(_umount, self.root)
        self._make_quiet()
        console = self._stack.enter_context((self._folder / "console").open("w"))
        nspawn = subprocess.Popen(  # noqa: S603 - a container of our own
            [
                *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={self.root}", "--boot"),
                *("--console=pipe", "--kill-signal=SIGRTMIN+3", "--resolv-conf=off", "--timezone=off"),
                *(f"--bind-ro={outside}:{inside}" for outside, inside in self._binds.items()),
                *("--", "--unit=basic.target"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(self._shut_down, nspawn)
        self._leader = self._await_leader(nspawn)
        self._await_running()
        for controller in _CONTROLLERS:
            self.call("mount", "-o", "remount,rw,bind", f"/sys/fs/cgroup/{controller}")
        self.run("systemctl", "daemon-reexec")

    def _make_quiet(self) -> None:
        """Leave of this machine's services only what systemd itself brings.

        The machine id is a made-up one: without any, systemd would take this for a first boot and enable all it finds.
        """
        etc = self.root / "etc"
        for wants in (etc / "systemd" / "system").glob("*.wants"):
            shutil.rmtree(wants)
        for unit in ("systemd-networkd", "systemd-resolved", "systemd-timesyncd", "systemd-udevd"):
            (etc / "systemd" / "system" / f"{unit}.service").unlink(missing_ok=True)
            (etc / "systemd" / "system" / f"{unit}.service").symlink_to("/dev/null")
        (etc / "fstab").write_text("")
        (etc / "machine-id").write_text(f"{uuid4().hex}\n")
        (self.root / ".dockerenv").unlink(missing_ok=True)

    def _await_leader(self, nspawn: "subprocess.Popen[bytes]") -> int:
        deadline = time.monotonic() + START_SECONDS
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
        while time.monotonic() < deadline and nspawn.poll() is None:
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
            time.sleep(0.05)
        raise self._error("did not start")

    def _await_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = self.call("systemctl", "is-system-running").stdout.strip()
            if state in ("running", "degraded"):
                return
            time.sleep(0.1)
        raise self._error("did not come up")

    def _shut_down(self, nspawn: "subprocess.Popen[bytes]") -> None:
        """End it from inside: ended from outside, the systemd in it would live on."""
        if self._leader:
            os.kill(self._leader, signal.SIGRTMIN + 3)
        else:
            nspawn.terminate()
        nspawn.wait(START_SECONDS)

    def _error(self, what: str) -> SystemdError:
        console = (self._folder / "console").read_text(errors="replace")
        return SystemdError(f"systemd {what}:\n{console[-2000:]}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=COMMAND_SECONDS)  # noqa: S603, S607


def _umount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True, timeout=COMMAND_SECONDS)  # noqa: S603, S607
