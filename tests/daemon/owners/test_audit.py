"""The audit log while the bus runs: it never waits or fails, stays small, and tells what it has lost."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.config.schema import AuditSettings
from jitney.daemon.counters import Counters
from jitney.daemon.owners import audit as audits
from jitney.daemon.owners import audit_notes, audit_rate
from jitney.daemon.owners.audit import Audit
from jitney.daemon.store import audit as rows
from jitney.daemon.store import audit_proof
from jitney.daemon.store import store as stores
from jitney.daemon.store.audit import Row
from jitney.daemon.store.audit_proof import Verdict
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from tests.waiting import until

KEY = ("k", b"k" * 32)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Log:
    """An audit log with its store, a clock that the test turns, and what was counted."""

    def __init__(self, store: Store, folder: Path, settings: AuditSettings) -> None:
        self.store = store
        self.clock = Clock()
        self.counters = Counters()
        self.audit = Audit(store, settings, counters=self.counters, key=self._key, folder=folder, clock=self.clock)

    async def rows(self) -> list[Row]:
        assert await self.audit._settled()
        return await self.store.read(lambda db: rows.after(db, 0, 100_000))

    async def verdict(self) -> Verdict:
        return await self.store.read(lambda db: audit_proof.proved(db, dict([KEY]).get))

    async def _key(self) -> tuple[str, bytes]:
        return KEY


def raw(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@asynccontextmanager
async def opened(folder: Path, settings: AuditSettings | None = None) -> AsyncIterator[Log]:
    async with Store(folder / DATABASE) as store:
        one = Log(store, folder, settings or AuditSettings())
        await one.audit.load()
        try:
            yield one
        finally:
            await one.audit.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(stores, "REFUSE_SECONDS", 0.02)
    monkeypatch.setattr(audits, "RETRY_SECONDS", 0.05)


async def test_what_is_added_is_on_disk_soon_and_goes_on_where_an_earlier_run_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        one.audit.add("command", owner="alice", who="phone", adapter="home", outcome="offline", detail="call_service")
        (row,) = await one.rows()
        assert (row.owner, row.who, row.adapter, row.outcome, row.detail) == (
            "alice",
            "phone",
            "home",
            "offline",
            "call_service",
        )
    async with opened(tmp_path) as one:
        one.audit.add("stop")
        assert [row.number for row in await one.rows()] == [1, 2]
        assert (await one.verdict()).broken == 0
        assert (await one.verdict()).sealed == "yes"


async def test_no_secret_and_no_control_character_gets_into_it_and_a_text_is_cut(tmp_path: Path) -> None:
    secret = Secret("canary-secret-4711")
    log.register(secret)
    try:
        async with opened(tmp_path) as one:
            reveal = secret.reveal()
            one.audit.add(
                "x", who=f"a {reveal}", outcome=reveal, detail=f"\x1b[31m{reveal}\n\x00\u202e\ud800{'x' * 900}"
            )
            one.audit.add("x", detail="y" * 495 + reveal)
            for row in await one.rows():
                assert "canary" not in repr(row)
                assert len(row.detail or "") == audits.LONGEST
                assert (row.detail or "").isprintable()
    finally:
        log.redact.forget()
    assert b"canary" not in raw(tmp_path)


async def test_the_same_a_thousand_times_a_second_is_two_rows(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        for _ in range(1000):
            one.audit.add("refused", owner="alice", who="phone", outcome="foreign_owner")
        one.audit.add("refused", owner="bob", who="phone", outcome="foreign_owner")
        one.clock.now += audit_rate.INTERVAL
        for note in one.audit._rate.due():
            one.audit._put(note)
        told = [(row.owner, row.times) for row in await one.rows()]
        assert told == [("alice", 1), ("bob", 1), ("alice", 999)]


async def test_whoever_varies_what_is_refused_fills_neither_the_log_nor_the_memory(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        for number in range(20_000):
            one.audit.add("refused", owner="alice", who=f"phone {number}", outcome=f"code {number}")
            one.clock.now += 0.001
            if number % 1000 == 0:
                await one.rows()
        one.audit.add("refused", owner="bob", outcome="foreign_owner")
        one.clock.now += audit_rate.CROWDED
        for note in one.audit._rate.due():
            one.audit._put(note)
        told = await one.rows()
        assert len(told) <= 2 * audit_rate.MOST_KINDS + 2
        assert sum(row.times for row in told) == 20_001
        assert [row.times for row in told if row.owner == "bob"] == [1]
        assert len(one.audit._rate) <= 2 * audit_rate.MOST_KINDS + 2


async def test_a_disk_that_takes_nothing_makes_it_wait_and_what_is_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "MOST_WAITING", 10)
    async with opened(tmp_path) as one:
        one.audit.add("start")
        await one.rows()
        await one.store.read(lambda db: db.execute("PRAGMA query_only = ON").fetchall())
        for number in range(25):
            one.audit.add("command", owner="alice", detail=f"echo {number}")
        await until(lambda: bool(one.store.failure))
        assert one.counters.total("dropped", owner="alice", reason="audit") == 15
        await one.store.read(lambda db: db.execute("PRAGMA query_only = OFF").fetchall())
        await until(lambda: one.audit.head.number == 12)
        told = [(row.what, row.outcome, row.times) for row in await one.rows()]
        assert told == [("start", "ok", 1), ("gap", "lost", 15), *[("command", "ok", 1)] * 10]
        assert (await one.verdict()).broken == 0


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM audit WHERE number = 3", "the log ended at 3 and now does at 2"),
        ("DELETE FROM meta WHERE key = 'audit_head'", "where the log ended is not known any more"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE number = 3", "the log ended at 3 and now does at 3"),
        (
            "UPDATE meta SET value = replace(value, '\"mac\":\"', '\"mac\":\"0') WHERE key = 'audit_seal'",
            "its seal was not made with the vault's key",
        ),
    ],
)
async def test_what_was_done_to_it_while_the_bus_did_not_run_is_told_in_it(
    tmp_path: Path, statement: str, why: str
) -> None:
    async with opened(tmp_path) as one:
        for _ in range(3):
            one.audit.add("command", owner="alice")
            one.clock.now += audit_rate.INTERVAL
            list(one.audit._rate.due())
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
    async with opened(tmp_path) as one:
        last = (await one.rows())[-1]
        assert (last.what, last.outcome, last.detail) == ("gap", "broken", why)
        assert last.number == 4


async def test_somebody_who_is_erased_is_in_nothing_of_it_but_that_it_was_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as one:
        assert audit_notes.leave(tmp_path, "acl", owner="alice", detail="device of alice")
        for _ in range(5):
            one.audit.add("command", owner="alice", who="alices-phone")
        one.audit.add("command", owner="bob", who="bobs-phone")
        assert await one.audit.erase("alice") == 3
        told = await one.rows()
        assert [row.owner for row in told if not row.erased] == ["bob", "alice"]
        assert "alices-phone" not in repr(told)
        assert (await one.verdict()).broken == 0
        assert audit_notes.left(tmp_path) == []


async def test_what_commands_have_left_is_taken_and_what_is_none_does_no_harm(tmp_path: Path) -> None:
    assert audit_notes.leave(tmp_path, "acl", owner="alice", detail="device phone\x1b added")
    (tmp_path / f"{audit_notes.NAME}1").write_text("not a note")
    (tmp_path / f"{audit_notes.NAME}2").write_bytes(b"\xff" * 100_000)
    (tmp_path / f"{audit_notes.NAME}3").symlink_to("/etc/passwd")
    async with opened(tmp_path) as one:
        await one.audit._take_notes()
        (row,) = await one.rows()
        assert (row.what, row.owner, row.detail) == ("acl", "alice", r"device phone\x1b added")
        assert "on this machine" in str(row.who)
        assert audit_notes.left(tmp_path) == []


def test_a_note_in_a_folder_that_is_not_there_is_not_left(tmp_path: Path) -> None:
    assert not audit_notes.leave(tmp_path / "nowhere", "acl")
    for number in range(audit_notes.MOST):
        (tmp_path / f"{audit_notes.NAME}{number}").touch()
    assert not audit_notes.leave(tmp_path, "acl")


async def test_old_rows_go_and_the_rest_stays_proved_and_sealed(tmp_path: Path) -> None:
    async with opened(tmp_path, AuditSettings(most=1000)) as one:
        for owner in range(12):
            for number in range(100):
                one.audit.add("command", owner=f"owner{owner}", detail=str(number))
            await one.rows()
        await one.audit._tidy()
        verdict = await one.verdict()
        assert (verdict.broken, verdict.first, verdict.rows, verdict.sealed) == (0, 201, 1000, "yes")


async def test_whoever_adds_before_it_is_loaded_or_after_its_end_is_not_disturbed(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        one = Log(store, tmp_path, AuditSettings())
        one.audit.add("start")
        await one.audit.load()
        one.audit.add("stop")
        assert [row.what for row in await one.rows()] == ["start", "stop"]
        await one.audit.close()
        one.audit.add("command")
    assert json.dumps(str(one.audit.head)).startswith('"2:')
