"""What systemd is told, as it arrives at its socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.service.notify import LONGEST_STATUS, Notifier


class Manager:
    """Plays systemd: a socket on which it is told."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0)

    def told(self) -> list[list[str]]:
        """Return the lines of each datagram that has come since."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"@jitney-{os.getpid()}-{tmp_path.name}" if request.param == "abstract" else str(tmp_path / "notify")
    playing = Manager(name)
    yield playing
    playing.close()


def notifier(manager: Manager, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.address, **more}, pid=42)


def test_who_is_started_by_somebody_else_tells_nobody_anything() -> None:
    silent = Notifier({}, pid=42)
    silent.ready("well")
    silent.alive()
    silent.stopping()
    with silent.reloading():
        pass
    assert (silent.wanted, silent.watchdog) == (False, 0.0)


def test_it_is_ready_with_words_in_one_datagram(manager: Manager) -> None:
    notifier(manager).ready("mqtt up")
    assert manager.told() == [["READY=1", "STATUS=mqtt up"]]


def test_the_same_words_are_told_once(manager: Manager) -> None:
    telling = notifier(manager)
    for words in ("a", "a", "b", "b", "a"):
        telling.status(words)
    assert manager.told() == [["STATUS=a"], ["STATUS=b"], ["STATUS=a"]]


def test_words_are_one_short_line_without_secrets(manager: Manager) -> None:
    log.register(Secret("very-secret-token"))
    notifier(manager).status("first\nREADY=1 very-secret-token " + "x" * 500)
    log.reset()
    ((line,),) = manager.told()
    assert "very-secret" not in line
    assert line.startswith("STATUS=first")
    assert len(line) == len("STATUS=") + LONGEST_STATUS


def test_a_reload_begins_with_the_time_in_the_same_datagram_and_always_ends(manager: Manager) -> None:
    telling = notifier(manager)
    telling.ready()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    with pytest.raises(ZeroDivisionError), telling.reloading():
        raise ZeroDivisionError
    ready, (reloading, moment), again = manager.told()
    assert (ready, reloading, again) == (["READY=1"], "RELOADING=1", ["READY=1"])
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_reload_before_it_is_ready_or_while_it_stops_tells_nothing(manager: Manager) -> None:
    telling = notifier(manager)
    with telling.reloading():
        pass
    telling.ready()
    telling.stopping()
    manager.told()
    with telling.reloading():
        pass
    assert manager.told() == []


def test_what_somebody_has_to_see_to_stands_before_every_status(manager: Manager) -> None:
    telling = notifier(manager)
    telling.remark("line 3 is wrong (kept the old one)")
    telling.status("mqtt up")
    telling.remark("")
    telling.status("mqtt up")
    assert manager.told() == [["STATUS=line 3 is wrong (kept the old one); mqtt up"], ["STATUS=mqtt up"]]


def test_while_it_stops_every_status_says_so(manager: Manager) -> None:
    telling = notifier(manager)
    telling.stopping()
    telling.status("12 queued")
    assert manager.told() == [["STOPPING=1", "STATUS=stopping"], ["STATUS=stopping, 12 queued"]]


@pytest.mark.parametrize(("pid", "seconds"), [("42", 30.0), ("", 30.0), ("43", 0.0)])
def test_a_watchdog_is_for_the_process_that_it_names(manager: Manager, pid: str, seconds: float) -> None:
    assert notifier(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=pid).watchdog == seconds


def test_no_child_can_speak_for_the_daemon(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "42", "HOME": "/"}
    Notifier(environ, pid=42)
    assert environ == {"HOME": "/"}


def test_a_manager_that_is_gone_or_does_not_read_holds_nobody_up(manager: Manager) -> None:
    telling = notifier(manager)
    for number in range(2000):
        telling.status(str(number))
    manager.close()
    telling.alive()
    telling.ready("well")
