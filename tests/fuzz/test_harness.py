"""The harness notices what it is there for: each fault is planted, and found with the input that shows it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz import jobs, results, with_atheris, work
from fuzz import targets as all_targets
from fuzz.__main__ import main
from fuzz.corpus import FOLDER, save
from fuzz.household import look_at
from fuzz.lasting import close_all
from fuzz.oracle import Guard, OracleError
from fuzz.reach import Reach
from fuzz.targets import command, requests, target
from jitney.daemon.broker.session import Message
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.reception import Reception
from jitney.daemon.delivery.replies import Replies
from jitney.topics import Command, Event, TopicTree, cloudevents
from jitney.topics.tree import EventTopic, ReplyTopic

One = Callable[[bytes], None]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


def run_of(monkeypatch: pytest.MonkeyPatch, one: One, folder: Path, *, inputs: int = 300) -> work.Run:
    """Run our own engine over a target in place of that of request bodies."""
    monkeypatch.setattr(requests, "one", one)
    run = work.Run("requests", inputs=inputs, seconds=60.0, found=folder)
    work.own(run, "requests", 1)
    return run


def test_a_target_that_raises_what_is_not_declared_is_found_with_its_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def raises(data: bytes) -> None:
        if b"client" in data:
            raise KeyError("client")

    run = run_of(monkeypatch, raises, tmp_path)
    assert run.failure == "KeyError: 'client'"
    assert b"client" in Path(run.saved).read_bytes()
    with pytest.raises(KeyError):
        work.repeat("requests", Path(run.saved))


def test_a_target_that_takes_much_memory_at_once_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def takes(data: bytes) -> None:
        if b"client" in data:
            assert len(os.urandom(1 << 10) * (300 << 10)) == 300 << 20

    run = run_of(monkeypatch, takes, tmp_path)
    assert "MB of memory" in run.failure
    assert b"client" in Path(run.saved).read_bytes()


def test_a_target_that_keeps_a_little_of_every_input_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(work, "MOST_GROWTH", 8 << 20)
    run = run_of(monkeypatch, lambda _: kept.append(os.urandom(1 << 17)), tmp_path, inputs=400)
    assert run.failure == ""
    run.end()
    assert "the process has grown by" in run.failure


def test_a_target_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "one", lambda data: sum(range(len(data) * 10_000_000)))
    guard = Guard(target("requests"), most_seconds=0.05)
    guard.one(b"")
    with pytest.raises(OracleError, match="of the processor"):
        guard.one(b"a")


def reply_to_bob(self: Replies, told: Command, reply: Any) -> None:  # noqa: ANN401 - a reply
    del reply
    topic = TopicTree().name(ReplyTopic("bob", told.client, told.transaction))
    self.publish(Message(topic, b'{"status":"ok"}'), owner="bob", adapter="replies")


def test_an_answer_that_goes_to_another_person_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Replies, "send", reply_to_bob)
    run = work.Run("command", inputs=50, seconds=60.0, found=tmp_path)
    work.own(run, "command", 1)
    assert "'alice' led to 'jitney/bob/reply/" in run.failure
    assert b"alice" in Path(run.saved).read_bytes()


def test_an_event_that_names_another_person_is_found() -> None:
    event = Event(id="1", source="/desk", type="inbox.bell", time="2026-11-21T05:41:00.120Z", owner="bob")
    topic = TopicTree().name(EventTopic("alice", "desk", "bell"))
    with pytest.raises(OracleError, match="an event of 'bob' was published to 'alice'"):
        look_at([Message(topic, cloudevents.encode(event))], "alice")


def test_a_command_that_is_not_answered_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Replies, "send", lambda *_: None)
    run = work.Run("command", inputs=20, seconds=60.0, found=tmp_path)
    work.own(run, "command", 1)
    assert run.failure == "OracleError: a command was answered 0 times"


def test_a_count_that_blames_another_person_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add = Counters.add

    def blame_bob(self: Counters, name: str, number: int = 1, *, owner: str = "", **more: str) -> None:
        add(self, name, number, owner="bob" if owner == "alice" else owner, **more)

    monkeypatch.setattr(Counters, "add", blame_bob)
    run = work.Run("command", inputs=20, seconds=60.0, found=tmp_path)
    work.own(run, "command", 1)
    assert "a message to 'alice' was counted as ('commands', 'bob'" in run.failure


def test_a_part_of_the_daemon_that_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Reception, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            command.one(next(iter(command.seeds())))


def test_the_watch_tells_whether_something_new_was_reached() -> None:
    reach = Reach()
    assert reach.watch(lambda: target("topics").one(b"jitney\x1ejitney/alice/event/a/b"))
    assert not reach.watch(lambda: target("topics").one(b"jitney\x1ejitney/alice/event/a/b"))
    assert reach.watch(lambda: target("topics").one(b"jitney\x1ejitney/alice/event/a/%2F"))


def test_the_jobs_make_at_least_as_many_inputs_as_were_asked_for() -> None:
    for engines in (["own"], ["own", "hypothesis"], ["atheris", "own", "hypothesis"]):
        work_to_do = jobs.jobs(list(all_targets.SHARES), engines, inputs=1_000_000, seconds=0, at_once=2, seed=1)
        assert sum(job.inputs for job in work_to_do) >= 1_000_000
        assert {(job.target, job.engine) for job in work_to_do} == {
            (name, engine) for name in all_targets.SHARES for engine in engines
        }


def test_a_run_prints_a_table_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["levels", "--inputs", "300", "--engine", "own", "--jobs", "1", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[-3:]] == [
        ["target", "engine", "inputs"],
        ["levels", "own", "300"],
        ["all", "300", "0"],
    ]


def test_a_run_that_finds_something_ends_badly_and_tells_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = save("inbox", b"broken", folder=tmp_path)
    row = results.Row(target="inbox", engine="own", inputs=5, seconds=1.0, failure="KeyError: 'x'", saved=str(saved))
    monkeypatch.setattr("fuzz.__main__.done", lambda _: row)
    assert main(["inbox", "--inputs", "5", "--engine", "own"]) == 1
    told = capsys.readouterr()
    assert f"-m fuzz inbox --repeat {saved}" in told.err
    assert told.out.splitlines()[-1].split() == ["all", "5", "1"]


def test_a_run_of_too_few_inputs_ends_badly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = results.Row(target="inbox", engine="own", inputs=5, seconds=1.0)
    monkeypatch.setattr("fuzz.__main__.done", lambda _: row)
    assert main(["inbox", "--inputs", "6", "--engine", "own"]) == 1
    assert "only 5 inputs of 6" in capsys.readouterr().err


SAID = """INFO: seed corpus: files: 2
#3\tINITED cov: 40 ft: 44 corp: 2/9b exec/s: 0 rss: 60Mb
#900\tNEW    cov: 45 ft: 60 corp: 3/12b lim: 16384 exec/s: 100 rss: 61Mb L: 3/4 MS: 1 Custom-
#1000\tDONE   cov: 47 ft: 61 corp: 3/12b lim: 16384 exec/s: 100 rss: 63Mb
"""


def test_what_libfuzzer_says_becomes_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = jobs.Job("inbox", "atheris", 1000, 60.0, 1)
    row = jobs._row(job, SAID, 0, took=2.0)
    assert (row.inputs, row.reached, row.new, row.grown >> 20, row.failure) == (1000, 47, 7, 3, "")
    crash = tmp_path / "crash-1"
    crash.write_bytes(b"broken")
    monkeypatch.setattr(jobs, "FOUND", tmp_path / "found")
    said = f"{SAID}\n === Uncaught Python exception: ===\nKeyError: 'x'\nTest unit written to {crash}\n"
    row = jobs._row(job, said, 77, took=2.0)
    assert row.failure == "KeyError: 'x'"
    assert Path(row.saved).read_bytes() == b"broken"


@pytest.mark.skipif(not with_atheris.available(), reason="no atheris for this Python")
def test_atheris_runs_a_target() -> None:
    row = jobs.done(jobs.Job("topics", "atheris", 500, 60.0, 1))
    assert (row.inputs, row.failure) == (500, "")


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(all_targets.SHARES)
    modules = {path.stem for path in Path(all_targets.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(all_targets.SHARES)
    assert sys.modules["fuzz.targets"] is all_targets
