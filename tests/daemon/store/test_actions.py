"""The rows of routes: actions in order, what is remembered, and an older file that gets their tables."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from jitney.daemon.store import actions, dead, route_memory, tables
from jitney.daemon.store.store import Store

SECOND: Final = """
DROP INDEX dead_owner;
ALTER TABLE dead DROP COLUMN kind;
DROP TABLE action;
DROP TABLE route_memory;
DROP TABLE audit;
INSERT INTO dead (owner, adapter, topic, payload, reason, time)
    VALUES ('alice', 'home', 'jitney/alice/event/home/x', x'7b7d', 'not_authorised', '2026-11-21T05:41:00.120Z');
PRAGMA user_version = 2;
"""
"""Makes of the tables of this version those of the second, with a dead letter in them."""


async def test_the_dead_letters_of_an_older_file_are_events(tmp_path: Path) -> None:
    path = tmp_path / tables.DATABASE
    with closing(sqlite3.connect(path)) as db:
        tables.prepare(db, synchronous="normal")
        db.executescript(SECOND)
    async with Store(path) as store:
        (letter,) = await store.read(lambda db: list(dead.newest(db, "", 10)))
        assert (letter.kind, letter.owner, letter.reason) == ("event", "alice", "not_authorised")
        assert await store.read(lambda db: list(actions.waiting(db))) == []
        assert await store.read(tables.version_of) == tables.VERSION


async def test_actions_come_as_they_are_due_and_those_of_one_moment_as_they_were_written(tmp_path: Path) -> None:
    async with Store(tmp_path / tables.DATABASE) as store:
        store.write(actions.PUT, [(f"z{9 - n}", "alice", "r", 5.0, 9.0, b"%d" % n) for n in range(5)])
        store.write(actions.PUT, [("early", "alice", "r", 4.0, 9.0, b"early"), ("gone", "bob", "r", 1.0, 9.0, b"")])
        store.write(actions.CHANGE, [(b"changed", "z9")])
        store.write(actions.DELETE, [("gone",)])
        await store.committed()
        bodies = [body for *_, body in await store.read(lambda db: list(actions.waiting(db)))]
        assert bodies == [b"early", b"changed", b"1", b"2", b"3", b"4"]
        assert await store.read(lambda db: actions.body(db, "z9")) == b"changed"
        assert await store.read(lambda db: actions.body(db, "gone")) is None
        store.write(actions.ERASE, [("alice",)])
        await store.committed()
        assert await store.read(lambda db: list(actions.waiting(db))) == []


async def test_what_routes_remember_is_replaced_and_removed_by_its_key(tmp_path: Path) -> None:
    async def kept(store: Store) -> list[tuple[object, ...]]:
        return await store.read(lambda db: db.execute("SELECT * FROM route_memory ORDER BY key").fetchall())

    async with Store(tmp_path / tables.DATABASE) as store:
        for sql, rows in route_memory.writes([("alice", "r", "a", b"1", 0.0), ("alice", "r", "b", b"1", 9.0)]):
            store.write(sql, rows)
        for sql, rows in route_memory.writes([("alice", "r", "a", b"2", 0.0), ("alice", "r", "b", None, 0.0)]):
            store.write(sql, rows)
        await store.committed()
        assert await kept(store) == [("alice", "r", "a", b"2", 0.0)]
        assert route_memory.writes([]) == []
