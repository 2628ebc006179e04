import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from jitney.daemon.cli import main

pytest.importorskip("amqtt", reason="amqtt is the extra 'embedded'")

DEMO = [sys.executable, "-m", "jitney.daemon.cli", "demo"]
EVENT = r"\d\d:\d\d:\d\d (alice|bob) +demo/\w+ "


class Terminal:
    """A terminal on which a command runs."""

    def __init__(self, *arguments: str) -> None:
        self.text = ""
        self.began = time.monotonic()
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(  # noqa: S603 - this Python
            [*DEMO, *arguments], stdin=slave, stdout=slave, stderr=slave, env={**environ, "NO_COLOR": "1"}
        )
        os.close(slave)

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until the terminal shows something; the deadline of the test ends a wait in vain."""
        while (found := re.search(pattern, self.text)) is None:
            try:
                self.text += self._decode(os.read(self._master, 65_536))
            except OSError:
                raise AssertionError(self.text) from None
        return found

    def rest(self) -> str:
        """Return everything it ever showed, once the command has ended."""
        with suppress(OSError):  # the other end is closed
            while True:
                self.text += self._decode(os.read(self._master, 65_536))
        self.process.wait(20)
        return self.text

    def close(self) -> None:
        """End the command if it has not ended."""
        self.process.terminate()
        self.rest()
        os.close(self._master)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    shown = Terminal(*arguments)
    try:
        yield shown
    finally:
        shown.close()


def test_events_of_both_owners_are_there_within_five_seconds_under_a_header_that_says_what_one_sees() -> None:
    with terminal("--rate", "20") as demo:
        demo.until(r"\d\d alice +demo/")
        demo.until(r"\d\d bob +demo/")
        assert time.monotonic() - demo.began < 5
        header = demo.text.partition("online")[0]
    assert "alice and bob" in header
    assert "jitney/alice/event/demo/" in header
    assert "send alice demo switch subject=light.desk on=true" in header
    assert max(len(line) for line in header.splitlines()) <= 100


def test_what_the_header_tells_to_try_works_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal("--rate", "5") as demo:
        url = demo.until(r"JITNEY_MQTT=(mqtt://127\.0\.0\.1:\d+)")[1]
        demo.until(EVENT)
        assert main(["send", "alice", "demo", "say", "text=hello bob", "--mqtt", url]) == 0
        assert capsys.readouterr().out == 'ok {"heard_by": ["bob"]}\n'
        demo.until(r"alice +demo/message_sent +radio +“hello bob”")
        demo.until(r"bob +demo/message_received +radio +alice: “hello bob” \(by alice\)")


def test_ctrl_c_ends_it_at_once_without_a_traceback_and_leaves_nothing() -> None:
    with terminal() as demo:
        demo.until(EVENT)
        demo.process.send_signal(signal.SIGINT)
        text = demo.rest()
    assert demo.process.returncode == 130
    assert "Traceback" not in text
    assert "warning" not in text


def test_sigterm_ends_it_in_an_orderly_way() -> None:
    with terminal() as demo:
        demo.until(EVENT)
        demo.process.send_signal(signal.SIGTERM)
        text = demo.rest()
    assert demo.process.returncode == 0
    assert "Traceback" not in text


def test_it_ends_by_itself_after_the_given_seconds() -> None:
    done = subprocess.run(  # noqa: S603 - this Python
        [*DEMO, "--seconds", "2", "--rate", "50"], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(EVENT, done.stdout)) > 20
    assert "JITNEY_MQTT" not in done.stdout


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "100000"])
def test_a_rate_that_makes_no_sense_is_wrong_usage(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", f"--rate={rate}"]) == 2
    assert "--rate: expected more than 0" in capsys.readouterr().err


def test_without_the_embedded_broker_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("jitney.daemon.cli.demo.find_spec", lambda _: None)
    assert main(["demo"]) == 1
    assert "pip install 'jitney[embedded]'" in capsys.readouterr().err
