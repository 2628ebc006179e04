"""Jitney installed in a lab with a real systemd, as its users install it."""

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
from msgspec import Struct

from tests.fakes.systemd import Systemd, SystemdError, unavailable
from tests.waiting import until

REPOSITORY: Final = Path(__file__).parent.parent.parent.parent
DEPENDENCIES: Final = "JITNEY_SYSTEMD_SITE"
"""Environment variable: the site-packages for the Python of the lab, where they are not those of this one."""

PROGRAM: Final = "/opt/jitney/bin/jitney"
SITE: Final = Path("/opt/jitney-dependencies")
CONFIG: Final = "/etc/jitney/config.toml"
JITNEY: Final = "jitney.service"

_LAB: Final = "jitney_lab"


class Bus:
    """The bus in the lab: its configuration, its unit and its port."""

    def __init__(self, lab: Systemd, broker: str, *, port: int) -> None:
        self.lab = lab
        self.broker = broker
        self.port = port

    def configure(self, *sections: str, **keys: str) -> None:
        """Write the configuration: a broker, alice, and an adapter that takes webhooks, with these keys in TOML."""
        lines = [f"{key} = {value}" for key, value in keys.items()]
        text = "\n".join(
            [
                "version = 1",
                '[bus]\nstate_dir = "/var/lib/jitney"',
                f'[mqtt]\nurl = "{self.broker}"',
                '[http]\nlisten = "127.0.0.1:8077"',
                "[owners.alice]",
                *sections,
                '[adapters.lab]\ntype = "lab"',
                *lines,
            ]
        )
        self.lab.write(CONFIG, text + "\n")

    def drop_in(self, name: str, *lines: str) -> None:
        """Change the service by a drop-in."""
        self.lab.write(f"/etc/systemd/system/jitney.service.d/{name}.conf", "\n".join(["[Service]", *lines, ""]))
        self.lab.run("systemctl", "daemon-reload")

    def start(self) -> None:
        """Start it; returns when it says that it is ready."""
        try:
            self.lab.run("systemctl", "start", JITNEY)
        except SystemdError as error:
            error.add_note(self.lab.journal("--unit", JITNEY, "--lines", "40"))
            raise

    def show(self, name: str, unit: str = JITNEY) -> str:
        """Return a property of a unit."""
        return self.lab.show(unit, name)

    @property
    def pid(self) -> int:
        """The number of its process inside, 0 for none."""
        return int(self.show("MainPID"))

    @property
    def starts_again(self) -> int:
        """How often systemd has started it again by itself."""
        return int(self.show("NRestarts"))

    async def until_active(self, *, after: int = 0) -> None:
        """Wait until it is active with another process than the one before."""
        await until(lambda: self.show("ActiveState") == "active" and self.pid not in (0, after), seconds=30)

    async def ask(self, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Call its adapter."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.port}/lab/{path}", data=body) as answer,
        ):
            return answer.status, await answer.read()

    def reset(self) -> None:
        """Stop it and forget what a test has changed."""
        self.lab.call("systemctl", "stop", JITNEY, "jitney.socket")
        self.lab.call("systemctl", "reset-failed")
        for drop_in in (self.lab.root / "etc/systemd/system/jitney.service.d").glob("test*.conf"):
            drop_in.unlink()
        for folder in ("var/lib/jitney", "etc/jitney/secrets"):
            shutil.rmtree(self.lab.root / folder, ignore_errors=True)
        (self.lab.root / "etc/jitney/secrets").mkdir(mode=0o700)
        self.lab.run("systemctl", "daemon-reload")


@contextmanager
def installed(folder: Path) -> Iterator[Systemd]:
    """Boot a lab and install this Jitney there with pip into a virtual environment, from a wheel."""
    site = Path(os.environ.get(DEPENDENCIES) or sysconfig.get_path("purelib"))
    with Systemd(folder / "lab", binds={site: SITE}) as lab:
        wheel = _wheel(folder)
        shutil.copy(wheel, lab.root / "opt")
        lab.run("/usr/bin/python3", "-m", "venv", "/opt/jitney")
        lab.run("/opt/jitney/bin/pip", "install", "--quiet", "--no-index", "--no-deps", f"/opt/{wheel.name}")
        (packages,) = (lab.root / "opt/jitney/lib").glob("python3*/site-packages")
        (packages / "dependencies.pth").write_text(f"{SITE}\n")
        _install_lab_adapter(packages)
        yield lab


def why_not() -> str:
    """Return why Jitney cannot be installed in a lab here, empty when it can."""
    if fault := unavailable():
        return fault
    if DEPENDENCIES in os.environ:
        return ""
    python = shutil.which("python3", path="/usr/bin")
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    found = python and subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - the Python of the system
    return (
        "" if found == wanted else f"the lab needs a /usr/bin/python3 {wanted} with venv, and finds {found or 'none'}"
    )


def exposure(said: str) -> float:
    """Return the score in what `systemd-analyze security` says."""
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert found, said
    return float(found[1])


async def until_said(lab: Systemd, text: str) -> None:
    """Wait for a text in the journal of the service."""
    await until(lambda: text in lab.journal("-u", JITNEY, "-o", "cat"), seconds=30)


def _wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(REPOSITORY)], check=True, timeout=50)  # noqa: S603 - this repository
    (wheel,) = folder.glob("jitney-*.whl")
    return wheel


def _install_lab_adapter(packages: Path) -> None:
    """Install the adapter of the tests as a third party would."""
    shutil.copy(REPOSITORY / "tests/fakes/lab_adapter.py", packages / f"{_LAB}.py")
    about = packages / f"{_LAB}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_LAB}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[jitney.adapters]\nlab = {_LAB}:Lab\n")


class Outcome(Struct, frozen=True):
    """What came of one webhook: the status of the answer or the error, and how many seconds that took."""

    number: int
    said: str
    seconds: float


async def hammer(bus: Bus, *, per_second: float, stop: asyncio.Event, keep_alive: bool = False) -> list[Outcome]:
    """Send webhooks at a rate until told to stop, by default each on a connection of its own; they are numbered."""
    results: list[Outcome] = []
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(force_close=not keep_alive, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:

        async def one(number: int) -> None:
            sent = loop.time()
            try:
                async with session.post(f"http://127.0.0.1:{bus.port}/lab/hook", data=str(number).encode()) as answer:
                    said = str(answer.status)
            except aiohttp.ClientError as error:
                said = f"{type(error).__name__}: {error}"
            results.append(Outcome(number, said, loop.time() - sent))

        begun = loop.time()
        for number in itertools.count(1):
            if stop.is_set():
                break
            group.create_task(one(number), name=f"webhook {number}")
            with suppress(TimeoutError):
                async with asyncio.timeout_at(begun + number / per_second):
                    await stop.wait()
    return results
