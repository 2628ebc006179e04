import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.owners.vault import Vault
from jitney.daemon.service.doctor import state
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from tests.daemon.service.doctor.examined import case, texts

SECRET = "canary-51c0ffee51"


async def kept(folder: Path, *, secret: bool = False) -> Path:
    """Make a state as a daemon leaves it."""
    async with Store(folder / DATABASE) as store:
        if secret:
            await Vault(store, folder, environ={}).put(Entry("strava", "alice", "token"), Secret(SECRET))
    return private(folder)


def private(folder: Path) -> Path:
    folder.chmod(0o700)
    return folder


async def test_a_state_that_is_well_is_told_so_and_nothing_is_made_or_changed(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state", secret=True)
    before = {one.name: one.stat().st_mtime_ns for one in folder.iterdir()}
    found = list(state.look(case(state=folder)))
    assert {one.level for one in found} == {"ok"}
    assert any("jitney.db is intact" in one.text for one in found)
    assert any("vault.key: keep a copy" in one.text for one in found)
    assert SECRET not in str(found)
    assert {one.name: one.stat().st_mtime_ns for one in folder.iterdir()} == before


async def test_a_state_can_be_looked_at_while_a_daemon_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    async with Store(folder / DATABASE) as store:
        private(folder)
        await store.read(lambda db: db.execute("INSERT INTO meta VALUES ('x', 'y')"))
        of = case(state=folder)
        assert of.runs_here()
        assert {one.level for one in state.look(of)} == {"ok"}
    assert not case(state=folder).runs_here()


def test_a_folder_that_is_not_there_yet_is_no_problem_where_it_can_be_made(tmp_path: Path) -> None:
    (found,) = state.look(case(state=tmp_path / "a/b"))
    assert (found.level, "Jitney makes it" in found.text) == ("note", True)


def test_a_folder_in_which_jitney_has_not_run_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert texts(list(state.look(case(state=tmp_path))), "note") == [
        f"there is no jitney.db in {tmp_path} yet: Jitney has not run with it"
    ]


async def test_a_folder_that_others_can_look_into_is_a_warning(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    folder.chmod(0o755)
    (found,) = (one for one in state.look(case(state=folder)) if one.level == "warning")
    assert found.remedy == f"chmod 700 {folder}"


def test_a_state_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch()
    assert texts(list(state.look(case(state=path))), "problem") == [f"{path} is not a folder"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_file_of_another_user_in_the_folder_is_a_problem_with_the_command_that_mends_it(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    os.chown(folder, 12345, 12345)
    (found,) = (one for one in state.look(case(state=folder)) if one.level == "problem")
    assert "a command was run as another user" in found.text
    assert found.remedy == f"sudo chown -R 12345: {folder}"


async def test_a_damaged_database_is_a_problem(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    path = folder / DATABASE
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.executemany("INSERT INTO kept VALUES ('a', ?, ?)", [(str(n), b"x" * 400) for n in range(300)])
        db.commit()
    raw = bytearray(path.read_bytes())
    for page in range(3 * 4096, len(raw) - 4096, 8192):
        raw[page : page + 256] = b"\xff" * 256
    path.write_bytes(raw)
    (found,) = (one for one in state.look(case(state=folder)) if one.level == "problem")
    assert "jitney.db is damaged" in found.text
    assert "restore a backup" in found.remedy


async def test_a_file_that_is_no_database_is_a_problem(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    (folder / DATABASE).write_bytes(b"not a database, and long enough to be read as one" * 100)
    assert any("is damaged" in text for text in texts(list(state.look(case(state=folder))), "problem"))


async def test_a_state_of_a_newer_jitney_is_a_problem(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("PRAGMA user_version = 99")
    (found,) = (one for one in state.look(case(state=folder)) if one.level == "problem")
    assert (found.remedy, "newer Jitney" in found.text) == ("upgrade Jitney", True)


async def test_what_waits_and_what_could_not_be_done_is_counted(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state")
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("INSERT INTO outbox (lane, topic, payload) VALUES (1, 't', x'00')")
        db.execute(
            "INSERT INTO dead (owner, adapter, topic, payload, reason, time) VALUES ('alice', 'a', 't', x'', 'r', '')"
        )
        db.commit()
    found = list(state.look(case(state=folder)))
    assert texts(found, "note") == ["1 events wait on disk for the broker"]
    assert [one.remedy for one in found if one.level == "warning"] == ["jitney dead list"]


async def test_a_key_of_the_vault_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    folder = await kept(tmp_path / "state", secret=True)
    (folder / "vault.key").unlink()
    assert any("the vault needs the key" in text for text in texts(list(state.look(case(state=folder))), "problem"))
