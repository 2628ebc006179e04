"""What the measuring programs start, break and stop: a mosquitto, the daemon, and the gate between the two."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

REPOSITORY: Final = Path(__file__).parent.parent
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 30.0


class LabError(Exception):
    """Something that the measurement needs is missing or does not start; the text says what."""


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    message = f"process {pid} has no memory: it has ended"
    raise LabError(message)


class _Process:
    """A child that is certainly gone when its ``async with`` ends."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def pid(self) -> int:
        """The process id of the running child."""
        if self._child is None:
            message = f"{type(self).__name__} is not running"
            raise LabError(message)
        return self._child.pid

    async def start(self) -> None:
        """Start the child; returns when it can be used."""
        raise NotImplementedError

    async def kill(self) -> None:
        """End the child with SIGKILL, as a power cut of that process; nothing if it does not run."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End the child with SIGTERM and return its exit status."""
        return await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop the child in its tracks: its sockets stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen child go on."""
        os.kill(self.pid, signal.SIGCONT)

    def ended(self) -> int | None:
        """Return the exit status of a child that has ended by itself, None while it runs."""
        return None if self._child is None else self._child.poll()

    def _spawn(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY, env=environment
            )

    async def _end(self, number: signal.Signals) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)
        try:
            return await asyncio.to_thread(child.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            message = f"{type(self).__name__} did not end within {STOP_SECONDS:.0f} s of {number.name}, see {self.log}"
            raise LabError(message) from None


class Mosquitto(_Process):
    """A mosquitto with persistence on a free port, which never drops what it has taken for want of room."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "mosquitto.log")
        self.port = free_port()
        self._data = folder / "mosquitto"
        self._settings = folder / "mosquitto.conf"

    async def start(self) -> None:
        """Start it on what it kept."""
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            message = "there is no mosquitto here: on Debian  sudo apt install mosquitto"
            raise LabError(message)
        self._data.mkdir(exist_ok=True)
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser {pwd.getpwuid(os.getuid()).pw_name}\n"
            f"max_inflight_messages 0\nmax_queued_messages 0\nlog_type error\nlog_type warning\n"
            f"persistence true\npersistence_location {self._data}/\nautosave_interval 1\n",
            encoding="ascii",
        )
        self._spawn([program, "-c", str(self._settings)])
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if self.ended() is not None or time.monotonic() > deadline:
                message = f"mosquitto did not start, see {self.log}"
                raise LabError(message)
            await asyncio.sleep(0.01)

    def wipe(self) -> None:
        """Remove what it kept: retained messages, sessions and queues."""
        shutil.rmtree(self._data)


class Daemon(_Process):
    """The daemon on a configuration of its own; ``import_path`` comes before the repository."""

    def __init__(self, folder: Path, config: str, *, import_path: Path | None = None) -> None:
        super().__init__(folder / "daemon.log")
        self.state_dir = folder / "state"
        self._file = folder / "config.toml"
        self._config = config
        self._path = [str(path) for path in (import_path, REPOSITORY) if path is not None]

    async def start(self) -> None:
        """Start it; that it works shows on the bus."""
        self._file.write_text(self._config, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(self._path)}
        self._spawn([sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(self._file)], environment)

    def configure(self, config: str) -> None:
        """Save another configuration, which a daemon that runs takes when it is asked to, or by itself."""
        self._config = config
        self._file.write_text(config, encoding="utf-8")

    def must_run(self) -> None:
        """Raise LabError with the end of its log when it has ended by itself."""
        status = self.ended()
        if status is not None:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            message = f"the daemon ended by itself with exit status {status}; the end of its log:\n{tail}"
            raise LabError(message)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
