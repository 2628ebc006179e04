"""A real mosquitto on a port of its own, to start, stop, kill and wipe."""

import shutil
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from tests.fakes.ports import free_port

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 20.0
_HOST: Final = "127.0.0.1"
_LOG_LINES: Final = 500
_ATTEMPTS: Final = 5
_CONNECT: Final = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x05\x00\x05ready"
_CONNACK: Final = b"\x20\x02\x00\x00"


class BrokerError(Exception):
    """The broker does not do what a test needs; the text ends with its log."""


def binary() -> str | None:
    """Return the path of mosquitto, also from the folders that only root has in its PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Broker:
    """One mosquitto; its port stays the same over restarts.

    Every method blocks for some milliseconds until it is done: where the event loop must go on meanwhile, call it
    through ``asyncio.to_thread``. With ``persistence`` it saves on ``stop`` and once a second, so that ``kill``
    loses what is younger, as a power cut does. ``extra`` are further lines of its configuration; with ``anonymous``
    False they must say who may connect.
    """

    def __init__(
        self, folder: Path, *, persistence: bool = False, anonymous: bool = True, extra: Iterable[str] = ()
    ) -> None:
        self.folder = folder
        self.port = 0
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self._persistence = persistence
        self._anonymous = anonymous
        self._extra = tuple(extra)
        self._child: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The address as ``[mqtt] url`` wants it."""
        return f"mqtt://{_HOST}:{self.port}"

    @property
    def running(self) -> bool:
        """Tell whether it was started and not stopped since."""
        return self._child is not None

    def start(self) -> None:
        """Start it, on a free port the first time, and wait until it answers a CONNECT; raises BrokerError."""
        if self._child is not None:
            raise self._error("runs already")
        for _ in range(1 if self.port else _ATTEMPTS):
            port = self.port or free_port()
            if self._launch(port):
                break
            self.kill()
        else:
            raise self._error("did not start")
        self.port = port
        if self._anonymous:
            self._greet()

    def stop(self) -> None:
        """End it in an orderly way: it closes its connections and saves, if it has persistence."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does; nothing if it does not run."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it in its tracks: its sockets stay open and nobody answers, until ``thaw``."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forget what was saved; raises BrokerError while it runs, for it would save again."""
        if self._child is not None:
            raise self._error("must be stopped before it is wiped")
        (self.folder / "mosquitto.db").unlink(missing_ok=True)

    def _launch(self, port: int) -> bool:
        program = binary()
        if program is None:
            raise self._error("is not installed: on Debian  sudo apt install mosquitto")
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text("".join(line + "\n" for line in self._config(port)), encoding="utf-8")
        self._child = subprocess.Popen(  # noqa: S603 - mosquitto with a file written here
            [program, "-c", str(config)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        settled, ready = Event(), Event()
        self._reader = Thread(target=self._read, args=(self._child, settled, ready), name=f"mosquitto {port} log")
        self._reader.start()
        settled.wait(START_SECONDS)
        return ready.is_set()

    def _config(self, port: int) -> list[str]:
        return [
            f"listener {port} {_HOST}",
            f"allow_anonymous {'true' if self._anonymous else 'false'}",
            "user root",  # only looked at when started by root: it must be able to write into the test's folder
            "log_dest stderr",
            "max_queued_messages 0",
            "set_tcp_nodelay true",  # else a small packet may wait 40 ms until the one before it is acknowledged
            *([f"persistence true\npersistence_location {self.folder}/\nautosave_interval 1"] * self._persistence),
            *self._extra,
        ]

    def _read(self, child: "subprocess.Popen[str]", settled: Event, ready: Event) -> None:
        """Keep the log until the process ends; ``settled``: it runs (``ready``) or has ended."""
        assert child.stderr is not None
        for line in child.stderr:
            self.log.append(line.rstrip("\n"))
            if line.rstrip().endswith(" running"):
                ready.set()
                settled.set()
        settled.set()

    def _greet(self) -> None:
        with socket.create_connection((_HOST, self.port), timeout=START_SECONDS) as connection:
            connection.sendall(_CONNECT)
            answer = connection.recv(len(_CONNACK), socket.MSG_WAITALL)
        if answer != _CONNACK:
            self.kill()
            raise self._error(f"answered a CONNECT with {answer.hex(' ') or 'nothing'}")

    def _signal(self, number: signal.Signals) -> None:
        if self._child is None:
            raise self._error("does not run")
        self._child.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        child, reader = self._child, self._reader
        if child is None or reader is None:
            return
        child.send_signal(number)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            child.kill()
            child.wait()
            raise self._error(f"did not end within {STOP_SECONDS:g} s of {number.name}") from error
        finally:
            reader.join()
            assert child.stderr is not None
            child.stderr.close()
            self._child = self._reader = None

    def _error(self, what: str) -> BrokerError:
        return BrokerError("\n".join([f"mosquitto on port {self.port or 'any'} {what}", *list(self.log)[-20:]]))
