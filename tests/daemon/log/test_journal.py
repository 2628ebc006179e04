import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitney.daemon import log
from jitney.daemon.log import journal


class Daemon:
    """The journal's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(5)

    def entry(self) -> dict[str, str]:
        """Return the next entry, read as the protocol says."""
        left = self.socket.recv(1 << 20)
        fields = {}
        while left:
            line, _, left = left.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                size = int.from_bytes(left[:8], "little")
                value, end, left = left[8 : 8 + size], left[8 + size : 9 + size], left[9 + size :]
                assert end == b"\n"
            assert b"\n" not in value or not equals
            fields[name.decode()] = value.decode()
        return fields


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "journal")
    monkeypatch.setattr(journal, "SOCKET", str(daemon.path))
    monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (str(daemon.path),))
    yield daemon
    daemon.socket.close()


def test_a_stream_that_goes_to_the_journal_is_recognised_and_gets_fields(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log.configure("auto", "info", stream=stream)
        with log.bound(owner="alice", adapter="home", event_id="01J"):
            log.get("bus").warning("dropped an event", reason="queue is full", number=3)
    assert daemon.entry() == {
        "MESSAGE": "dropped an event part=bus owner=alice adapter=home event_id=01J reason='queue is full' number=3",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "jitney",
        "JITNEY_PART": "bus",
        "JITNEY_OWNER": "alice",
        "JITNEY_ADAPTER": "home",
        "JITNEY_EVENT_ID": "01J",
        "JITNEY_REASON": "queue is full",
        "JITNEY_NUMBER": "3",
    }


def test_several_lines_in_one_value_arrive_as_they_were(daemon: Daemon) -> None:
    log.configure("journal", "info")
    try:
        compile("first\n)", "file", "exec")
    except SyntaxError:
        log.get("test").exception("crashed", note="one\n\ntwo\n")
    entry = daemon.entry()
    assert entry["JITNEY_NOTE"] == "one\n\ntwo\n"
    assert entry["MESSAGE"].endswith("    )\n    ^\nSyntaxError: unmatched ')'")
    assert entry["PRIORITY"] == "3"
    assert "JITNEY_EXCEPTION" not in entry


@pytest.mark.parametrize(("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3")])
def test_each_level_has_its_priority(daemon: Daemon, level: str, priority: str) -> None:
    log.configure("journal", "debug")
    getattr(log.get("test"), level)("event")
    assert daemon.entry()["PRIORITY"] == priority


def test_an_entry_that_is_longer_than_a_datagram_is_cut_and_still_whole_utf8(daemon: Daemon) -> None:
    sender = journal.Journal(str(daemon.path))
    sender.msg(MESSAGE="short", JITNEY_BODY="é" * 1_000_000)
    sender.close()
    entry = daemon.entry()
    assert entry["MESSAGE"] == "short"
    assert entry["JITNEY_BODY"].rstrip("…").strip("é") == ""
    assert 1000 < len(entry["JITNEY_BODY"]) < 1_000_000


def test_lines_that_the_journal_did_not_take_are_counted_and_told_with_the_next(tmp_path: Path) -> None:
    sender = journal.Journal(str(tmp_path / "journal"))
    sender.msg(MESSAGE="before it runs")
    sender.msg(MESSAGE="before it runs")
    daemon = Daemon(tmp_path / "journal")
    sender.msg(MESSAGE="it runs")
    sender.msg(MESSAGE="all well")
    assert daemon.entry() == {"MESSAGE": "it runs", "JITNEY_LOST_LINES": "2"}
    assert daemon.entry() == {"MESSAGE": "all well"}
    sender.close()
    daemon.socket.close()


def test_a_journal_that_does_not_read_is_not_waited_for(daemon: Daemon) -> None:
    sender = journal.Journal(str(daemon.path))
    for _ in range(100_000):
        sender.msg(MESSAGE="x" * 1000)
        if sender.lost:
            break
    assert sender.lost == 1
    sender.close()


def test_the_name_of_a_field_is_one_that_the_journal_takes(daemon: Daemon) -> None:
    log.configure("journal", "info")
    log.get("test").info("event", **{"speed in km/h": 3, "x" * 80: 1})
    names = set(daemon.entry())
    assert "JITNEY_SPEED_IN_KM_H" in names
    assert max(map(len, names)) == 64
