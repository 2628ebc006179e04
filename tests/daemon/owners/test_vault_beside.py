"""The secrets of the configuration, from beside a daemon that may be running."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.house_secrets import LOCK, HouseSecrets
from jitney.daemon.owners.key_sources import FILE
from jitney.daemon.owners.sealing import Key
from jitney.daemon.owners.vault import Vault
from jitney.daemon.store import secrets as rows
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store, StoreError
from jitney.daemon.store.tables import DATABASE
from tests.daemon.store.test_tables import FIRST

MAIN = Secret("canary-7d1f3ab09e")


def vault(folder: Path, **environ: str) -> HouseSecrets:
    return HouseSecrets(folder, environ=environ)


def test_the_first_secret_makes_the_state_file_and_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = vault(folder).put("strava/main", MAIN)
    assert (first.replaced, first.made, first.found.place) == (False, True, str(folder / FILE))
    again = vault(folder).put("strava/main", Secret("newer"))
    assert (again.replaced, again.made) == (True, False)
    assert vault(folder).get("strava/main") == Secret("newer")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} >= {DATABASE, "jitney.lock", FILE, LOCK}


def test_looking_into_a_vault_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert vault(tmp_path / "nowhere").get("strava/main") is None
    assert vault(tmp_path / "nowhere").entries() == []
    assert not vault(tmp_path / "nowhere").remove("strava/main")
    assert vault(tmp_path / "nowhere").clear() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_removed_once(tmp_path: Path) -> None:
    vault(tmp_path).put("strava/main", MAIN)
    vault(tmp_path).put("mqtt", MAIN)
    assert vault(tmp_path).remove("strava/main")
    assert not vault(tmp_path).remove("strava/main")
    assert vault(tmp_path).get("strava/main") is None
    assert vault(tmp_path).entries() == [Entry("", "_house", "mqtt")]


async def test_it_works_beside_a_running_daemon_which_loses_nothing(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        strava = Vault(store, tmp_path, environ={}).for_adapter("strava")
        await strava.put("alice", "token", Secret("hers"))
        house = vault(tmp_path)

        async def commits() -> None:
            for number in range(200):
                store.write("INSERT INTO meta (key, value) VALUES (?, ?)", [(str(number), "x")])
                await store.committed()

        async with asyncio.TaskGroup() as group:
            group.create_task(commits(), name="commits")
            for number in range(20):
                await asyncio.to_thread(house.put, f"name/{number}", MAIN)
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM meta").fetchone()) == (200,)
        assert len(house.entries()) == 21
        assert house.get("name/19") == MAIN
        assert await strava.get("alice", "token") == Secret("hers")
        assert house.remove("name/0")
        assert house.clear() == 20
        assert await strava.get("alice", "token") is None


async def test_the_daemon_and_a_command_that_begin_together_have_one_key(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        strava = Vault(store, tmp_path, environ={}).for_adapter("strava")
        async with asyncio.TaskGroup() as group:
            group.create_task(strava.put("alice", "token", Secret("hers")), name="daemon")
            group.create_task(asyncio.to_thread(vault(tmp_path).put, "strava/main", MAIN), name="command")
        assert await strava.get("alice", "token") == Secret("hers")
        assert vault(tmp_path).get("strava/main") == MAIN


def test_an_older_state_file_is_brought_up_to_date_when_something_is_kept(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.executescript(FIRST)
    assert vault(tmp_path).get("strava/main") is None
    vault(tmp_path).put("strava/main", MAIN)
    assert vault(tmp_path).get("strava/main") == MAIN
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("SELECT value FROM meta").fetchall() == [("jitney-main-1",)]


def test_a_state_file_of_a_newer_jitney_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("PRAGMA user_version = 99")
    for use in (lambda: vault(tmp_path).get("x"), lambda: vault(tmp_path).put("x", MAIN), vault(tmp_path).entries):
        with pytest.raises(StoreError, match="made by a newer Jitney: upgrade this one"):
            use()


def test_a_file_that_is_no_state_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"precious" * 1000)
    for use in (lambda: vault(tmp_path).get("x"), lambda: vault(tmp_path).put("x", MAIN)):
        with pytest.raises(StoreError, match="it is not a state file of Jitney"):
            use()
    assert (tmp_path / DATABASE).read_bytes() == b"precious" * 1000


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be looked into \(Not a directory\): run this as the user"):
        vault(tmp_path / "file").get("x")


def test_with_another_key_nothing_is_written_and_what_is_there_is_not_read(tmp_path: Path) -> None:
    vault(tmp_path).put("strava/main", MAIN)
    other = vault(tmp_path, JITNEY_VAULT_KEY=Key.new().text())
    with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
        other.get("strava/main")
    with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
        other.put("mqtt", MAIN)
    assert vault(tmp_path).entries() == [Entry("", "_house", "strava/main")]


def test_a_lost_key_can_be_begun_anew(tmp_path: Path) -> None:
    vault(tmp_path).put("strava/main", MAIN)
    (tmp_path / FILE).unlink()
    with pytest.raises(MisconfiguredError, match="`jitney vault remove --all`"):
        vault(tmp_path).get("strava/main")
    assert vault(tmp_path).clear() == 1
    assert vault(tmp_path).put("strava/main", MAIN).made
    assert vault(tmp_path).get("strava/main") == MAIN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_what_root_makes_belongs_to_whoever_the_state_folder_belongs_to(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12346)
    vault(folder).put("strava/main", MAIN)
    vault(folder).rotate()
    assert vault(folder).get("strava/main") == MAIN
    assert {(path.name, path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {
        (name, 12345, 12346) for name in {path.name for path in folder.iterdir()}
    }
    assert {path.name for path in folder.iterdir()} >= {DATABASE, "jitney.lock", FILE, LOCK}


def test_a_state_file_that_cannot_be_read_for_a_moment_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    vault(tmp_path).put("mqtt", MAIN)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE").fetchall()
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="it is being written just now: try again") as caught:
            vault(tmp_path).get("mqtt")
        assert caught.value.passing
    (tmp_path / DATABASE).write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreError, match="not a state file") as caught:
        vault(tmp_path).get("mqtt")
    assert not caught.value.passing


def test_what_is_kept_and_erased_shows_in_the_mark_and_what_adapters_keep_does_not(tmp_path: Path) -> None:
    house = vault(tmp_path)
    house.put("mqtt", MAIN)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        marks = [rows.mark(db)]
        for change in (
            lambda: house.put("mqtt", MAIN),
            lambda: house.put("home", MAIN),
            lambda: house.remove("mqtt"),
        ):
            change()
            marks.append(rows.mark(db))
        assert len(set(marks)) == 4
        db.execute("INSERT INTO vault SELECT 'strava', 'alice', name, key_id, nonce, ciphertext FROM vault")
        assert rows.mark(db) == marks[-1]
