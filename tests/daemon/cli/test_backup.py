"""`jitney backup` and `restore`: what they ask for, what they refuse, and what they say."""

import getpass
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.cli import main
from jitney.daemon.cli import passphrase as asking
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.service import backup as backups
from jitney.daemon.service import backup_contents, backup_crypt, backup_restore
from jitney.daemon.store.tables import DATABASE, VERSION
from tests.fakes.disks import in_memory

Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_crypt, "LOG_N", 4)
    monkeypatch.setenv(asking.VARIABLE, "a passphrase")
    monkeypatch.setenv("JITNEY_CONFIG", "/nowhere/config.toml")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    HouseSecrets(folder, environ={}).put("mqtt", Secret("password-of-mqtt"))
    return folder


def backup(target: Path | str, state: Path, *options: str) -> int:
    return main(["backup", str(target), "--state-dir", str(state), *options])


def restore(source: Path, state: Path, *options: str) -> int:
    return main(["restore", str(source), "--state-dir", str(state), *options])


def test_a_folder_gets_a_file_with_a_name_of_today(tmp_path: Path, state: Path, capsys: Shown) -> None:
    (tmp_path / "stick").mkdir()
    assert backup(tmp_path / "stick", state) == 0
    (made,) = (tmp_path / "stick").iterdir()
    assert made.name.startswith(f"jitney-{os.uname().nodename}-")
    assert f"Made {made}: the state (" in capsys.readouterr().err
    assert backup(tmp_path / "stick", state) == 2
    assert "give --replace" in capsys.readouterr().err
    assert backup(tmp_path / "stick", state, "--replace", "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["state_version"], manifest["key"], len(manifest["keys"])) == (VERSION, True, 1)


def test_a_dry_run_is_what_is_done_unless_told_otherwise(tmp_path: Path, state: Path, capsys: Shown) -> None:
    assert backup(tmp_path / "b", state) == 0
    assert restore(tmp_path / "b", state) == 0
    out, err = capsys.readouterr()
    assert "vault          with its key" in out
    assert f"It would replace {state}, written last at " in out
    assert "_house         0 events waiting, 0 retained, 1 secret" in out
    assert err.endswith("Nothing was changed. To put it back, stop Jitney and give --yes.\n")
    assert restore(tmp_path / "b", tmp_path / "new", "--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["folder"], shown["present"]) == (str(tmp_path / "new"), False)
    assert restore(tmp_path / "b", tmp_path / "new", "--yes", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["folder"], done["before"], done["missing"]) == (str(tmp_path / "new"), "", "")


def test_without_a_terminal_the_passphrase_has_to_come_from_somewhere(
    tmp_path: Path, state: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(asking.VARIABLE)
    assert backup(tmp_path / "b", state) == 2
    assert "give --passphrase-file or $JITNEY_BACKUP_PASSPHRASE" in capsys.readouterr().err
    secret = tmp_path / "passphrase"
    assert backup(tmp_path / "b", state, "--passphrase-file", str(secret)) == 2
    secret.write_text("five\n")
    assert backup(tmp_path / "b", state, "--passphrase-file", str(secret)) == 2
    assert "too short: use at least 8 characters" in capsys.readouterr().err
    secret.write_text("five words are enough\n")
    assert backup(tmp_path / "b", state, "--passphrase-file", str(secret)) == 0
    monkeypatch.setenv(asking.VARIABLE, "five words are enough")
    assert restore(tmp_path / "b", state) == 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give what a person types, one after the other."""
    answers: list[str] = []
    monkeypatch.delenv(asking.VARIABLE)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(asking, "getpass", lambda _: answers.pop(0))
    assert asking.getpass is not getpass.getpass
    yield answers
    assert answers == []


def test_a_person_types_a_new_passphrase_twice_and_a_known_one_once(
    tmp_path: Path, state: Path, typed: list[str], capsys: Shown
) -> None:
    typed[:] = ["a passphrase", "a passphrasf"]
    assert backup(tmp_path / "b", state) == 2
    assert "two different passphrases" in capsys.readouterr().err
    typed[:] = ["a passphrase", "a passphrase"]
    assert backup(tmp_path / "b", state) == 0
    typed[:] = ["wrong"]
    assert restore(tmp_path / "b", state) == 1
    assert "the passphrase is not the one of this backup" in capsys.readouterr().err
    typed[:] = ["a passphrase"]
    assert restore(tmp_path / "b", state) == 0


def test_a_backup_of_a_newer_state_is_refused(
    tmp_path: Path, state: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backup(tmp_path / "b", state) == 0
    monkeypatch.setattr(backup_restore, "VERSION", VERSION - 1)
    for options in ([], ["--yes"]):
        assert restore(tmp_path / "b", state, *options) == 1
        assert f"whose state is of version {VERSION}; this one knows {VERSION - 1}: upgrade" in capsys.readouterr().err


def test_what_is_no_state_or_a_damaged_one_is_not_backed_up(tmp_path: Path, state: Path, capsys: Shown) -> None:
    assert backup(tmp_path / "b", tmp_path / "nothing") == 1
    assert "there is no state of Jitney in" in capsys.readouterr().err
    with closing(sqlite3.connect(state / DATABASE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((state / DATABASE).read_bytes())
    content[5000:9000] = os.urandom(4000)
    (state / DATABASE).write_bytes(content)
    assert backup(tmp_path / "b", state) == 1
    err = capsys.readouterr().err
    assert "is damaged" in err or "cannot be copied" in err
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_full_disk_leaves_no_half_backup_and_no_half_state(tmp_path: Path, state: Path, capsys: Shown) -> None:
    photo = state / "owners" / "alice" / "photo.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(os.urandom(3 << 20))
    with in_memory(tmp_path / "stick", megabytes=2) as disk:
        assert backup(disk.path / "b", state) == 1
        assert "No space left on device" in capsys.readouterr().err
        assert list(disk.path.iterdir()) == []
        assert backup(tmp_path / "b", state) == 0
        assert restore(tmp_path / "b", disk.path / "state", "--yes") == 1
        assert "free some space" in capsys.readouterr().err
        assert list(disk.path.iterdir()) == []


def test_a_backup_does_not_take_the_room_that_the_daemon_needs(
    tmp_path: Path, state: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "SPARE", 1 << 60)
    assert backup(tmp_path / "b", state) == 1
    assert "a copy of the state file needs" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "elsewhere/x", "state/../../x"])
def test_nothing_is_written_outside_of_the_folder(
    tmp_path: Path, state: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch, *, name: str
) -> None:
    real = backup_contents.Packer.add
    monkeypatch.setattr(
        backup_contents.Packer,
        "add",
        lambda self, given, *args, **more: real(self, name if given.endswith("vault.key") else given, *args, **more),
    )
    assert backup(tmp_path / "b", state) == 0
    assert restore(tmp_path / "b", tmp_path / "new", "--yes") == 1
    assert "something in it that does not belong there" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "state"]


def test_a_backup_in_the_state_folder_is_in_none(state: Path, capsys: Shown) -> None:
    assert backup(state / "one.backup", state, "--json") == 0
    first = json.loads(capsys.readouterr().out)["files"]
    assert first == 1
    assert backup(state / "two.backup", state, "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == 1
    assert not [path.name for path in state.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
def test_what_root_restores_belongs_to_whom_it_belonged(tmp_path: Path, state: Path) -> None:
    for path in (state, *state.iterdir()):
        os.chown(path, 12345, 12346)
    assert backup(tmp_path / "b", state) == 0
    assert restore(tmp_path / "b", state, "--yes") == 0
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (state, *state.iterdir())} == {(12345, 12346)}
    assert state.stat().st_mode & 0o777 == 0o700
