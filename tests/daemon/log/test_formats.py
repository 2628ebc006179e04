import asyncio
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from io import StringIO, TextIOWrapper
from pathlib import Path

import msgspec
import pytest

from jitney.daemon import log
from jitney.daemon.log import journal
from jitney.daemon.log.libraries import Libraries
from tests.daemon.log.conftest import Lines


def on_a_terminal(write: Callable[[], None], monkeypatch: pytest.MonkeyPatch, **environ: str) -> str:
    for name in ("NO_COLOR", "TERM", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        log.configure("auto", "debug", stream=stream)
        write()
        text = os.read(master, 65_536).decode()
    os.close(master)
    return text


def test_every_line_of_json_has_time_level_event_part_owner_adapter_and_event_id(
    lines: Callable[..., Lines],
) -> None:
    written = lines()
    with log.bound(owner="alice", adapter="home", event_id="01J"):
        log.get("bus").warning("dropped an event", reason="full", number=3)
    (line,) = written()
    assert list(line) == ["time", "level", "event", "part", "owner", "adapter", "event_id", "reason", "number"]
    assert line["level"] == "warning"
    assert (line["part"], line["owner"], line["adapter"], line["event_id"]) == ("bus", "alice", "home", "01J")
    assert str(line["time"]).endswith("Z")


async def test_what_is_bound_ends_with_its_block_and_reaches_the_tasks_started_in_it(
    lines: Callable[..., Lines],
) -> None:
    written = lines()

    async def inner() -> None:
        log.get("test").info("inside")

    with log.bound(owner="alice"):
        with log.bound(owner="bob", adapter="home"):
            await asyncio.create_task(inner(), name="inner")
        log.get("test").info("after")
    log.get("test").info("outside")
    seen = [(line.get("owner"), line.get("adapter")) for line in written()]
    assert seen == [("bob", "home"), ("alice", None), (None, None)]


def test_a_field_of_the_line_itself_wins_over_what_is_bound(lines: Callable[..., Lines]) -> None:
    written = lines()
    with log.bound(owner="alice"):
        log.get("test").info("granted", owner="bob")
    assert written()[0]["owner"] == "bob"


def test_a_level_is_filtered_and_can_be_changed_for_loggers_that_exist(lines: Callable[..., Lines]) -> None:
    logger = log.get("test")
    written = lines("warning")
    logger.info("unheard")
    logger.warning("heard")
    assert [line["event"] for line in written()] == ["heard"]
    written = lines("debug")
    logger.debug("heard now")
    assert [line["event"] for line in written()] == ["heard now"]


def test_an_exception_is_told_with_its_traceback(lines: Callable[..., Lines]) -> None:
    written = lines()
    try:
        int("seven")
    except ValueError:
        log.get("test").exception("crashed")
    (line,) = written()
    assert line["level"] == "error"
    assert "Traceback (most recent call last)" in str(line["exception"])
    assert str(line["exception"]).endswith("invalid literal for int() with base 10: 'seven'")


def test_arguments_that_do_not_fit_the_text_fail_where_they_are_written(lines: Callable[..., Lines]) -> None:
    lines()
    warning: Callable[..., None] = log.get("test").warning
    with pytest.raises(TypeError):
        warning("%d events", "many")


def test_a_terminal_gets_columns_in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_a_terminal(lambda: log.get("test").info("started", port=8077), monkeypatch, TERM="xterm")
    assert "\x1b[" in text
    assert "started" in text
    assert not text.startswith("{")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_a_terminal_whose_owner_wants_no_colours_gets_none(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_a_terminal(lambda: log.get("test").info("started", port=8077), monkeypatch, **environ)
    assert "\x1b" not in text
    assert "started" in text
    assert "port=8077" in text


def test_what_is_neither_journal_nor_terminal_gets_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    file = tmp_path / "log"
    with file.open("w") as stream:
        log.configure("auto", "info", stream=stream)
        log.get("test").info("started")
    assert msgspec.json.decode(file.read_bytes())["event"] == "started"


def test_a_journal_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SOCKET", "/nowhere/at/all")
    with pytest.raises(log.LogFormatError, match='use "auto" or "json"'):
        log.configure("journal", "info", stream=StringIO())


def test_a_reader_that_has_gone_does_not_stop_who_writes() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with TextIOWrapper(os.fdopen(writer, "wb", buffering=0), write_through=True) as stream:
        log.configure("json", "info", stream=stream)
        log.get("test").warning("into nothing")


def test_the_warnings_of_libraries_go_the_same_way_and_their_chatter_does_not(lines: Callable[..., Lines]) -> None:
    written = lines("debug")
    library = logging.getLogger("amqtt.broker")
    library.info("chatter")
    library.warning("client %s: %d of %s", "x", 3, "Bearer 0a1b2c3d4e5f60718293")
    try:
        int("cut")
    except ValueError:
        library.exception("lost")
    first, second = written()
    assert first["event"] == "client x: 3 of Bearer ••••8293"
    assert (first["part"], first["level"]) == ("amqtt.broker", "warning")
    assert second["level"] == "error"
    assert str(second["exception"]).endswith("base 10: 'cut'")


def test_a_library_whose_arguments_do_not_fit_is_heard_nevertheless(lines: Callable[..., Lines]) -> None:
    written = lines()
    record = logging.LogRecord("careless", logging.ERROR, __file__, 1, "%d events", ("many",), None)
    Libraries().handle(record)
    assert written()[0]["event"] == "%d events ('many',)"


def test_configuring_again_does_not_double_the_lines_of_libraries(lines: Callable[..., Lines]) -> None:
    lines()
    written = lines()
    logging.getLogger("library").warning("once")
    assert len(written()) == 1


def test_rich_is_not_imported_even_where_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise AssertionError('imported')\n", encoding="utf-8")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import jitney.daemon.log as log;"
        "log.configure('console', 'info'); log.get('x').info('fine'); assert 'rich' not in sys.modules"
    )
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, timeout=30
    )
    assert "fine" in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
