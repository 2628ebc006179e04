"""A new key for the vault: whatever happens on the way, what was kept can be read."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.house_secrets import LOCK, HouseSecrets, alone
from jitney.daemon.owners.key_sources import FILE, NEXT
from jitney.daemon.owners.sealing import DamagedError, Key
from jitney.daemon.store.store import Store, StoreError
from jitney.daemon.store.tables import DATABASE

MAIN = Secret("canary-7d1f3ab09e")
OTHER = Secret("another")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state folder whose vault has two secrets and whose key is in its file."""
    folder = tmp_path / "state"
    keep(vault(folder))
    return folder


def vault(folder: Path, **environ: str) -> HouseSecrets:
    return HouseSecrets(folder, environ=environ)


def keep(house: HouseSecrets) -> None:
    house.put("strava/main", MAIN)
    house.put("mqtt", OTHER)


def readable(house: HouseSecrets) -> bool:
    return (house.get("strava/main"), house.get("mqtt")) == (MAIN, OTHER)


def ids(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return {key_id for (key_id,) in db.execute("SELECT key_id FROM vault")}


def test_every_secret_has_a_new_key_and_the_old_one_is_gone(state: Path) -> None:
    old = (state / FILE).read_text()
    ciphertexts = stored(state)
    rotated = vault(state).rotate()
    assert (rotated.secrets, rotated.found.place) == (2, str(state / FILE))
    assert ids(state) == {rotated.found.key.id} == {Key.parse((state / FILE).read_text()).id}
    assert readable(vault(state))
    (state / FILE).write_text(old)
    with pytest.raises(MisconfiguredError):
        vault(state).get("mqtt")
    assert not any(old_one in path.read_bytes() for old_one in ciphertexts for path in state.iterdir())
    assert {path.name for path in state.iterdir()} >= {FILE, LOCK, DATABASE}
    assert not (state / NEXT).exists()


def stored(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return [bytes(ciphertext) for (ciphertext,) in db.execute("SELECT ciphertext FROM vault")]


def test_the_new_key_can_be_given(state: Path) -> None:
    new = Key.new()
    assert vault(state).rotate(new).found.key.id == new.id
    assert Key.parse((state / FILE).read_text()).id == new.id
    assert readable(vault(state))


def test_an_empty_vault_changes_its_key_too(state: Path) -> None:
    before = (state / FILE).read_text()
    assert vault(state).clear() == 2
    assert vault(state).rotate().secrets == 0
    assert (state / FILE).read_text() != before
    keep(vault(state))
    assert readable(vault(state))


def test_a_key_from_elsewhere_needs_a_new_one_from_there(tmp_path: Path) -> None:
    old, new = Key.new(), Key.new()
    keep(vault(tmp_path, JITNEY_VAULT_KEY=old.text()))
    with pytest.raises(MisconfiguredError, match=r"\$JITNEY_VAULT_KEY, which cannot be changed .* --new-key-file FILE"):
        vault(tmp_path, JITNEY_VAULT_KEY=old.text()).rotate()
    assert ids(tmp_path) == {old.id}
    rotated = vault(tmp_path, JITNEY_VAULT_KEY=old.text()).rotate(new)
    assert (rotated.secrets, rotated.found.source, rotated.found.place) == (2, "environment", "$JITNEY_VAULT_KEY")
    assert readable(vault(tmp_path, JITNEY_VAULT_KEY=new.text()))
    assert not (tmp_path / FILE).exists()
    with pytest.raises(MisconfiguredError, match=f"has the key with the id {new.id} already"):
        vault(tmp_path, JITNEY_VAULT_KEY=old.text()).rotate(new)


def test_nothing_is_rotated_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="there is no vault in"):
        vault(tmp_path / "nowhere").rotate()
    assert not (tmp_path / "nowhere").exists()
    keep(vault(tmp_path, JITNEY_VAULT_KEY=Key.new().text()))
    vault(tmp_path).clear()
    with pytest.raises(MisconfiguredError, match="the vault is empty and has no key"):
        vault(tmp_path).rotate()


def test_with_the_wrong_key_nothing_is_rotated(state: Path) -> None:
    before = ids(state)
    (state / FILE).write_text(Key.new().text())
    with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
        vault(state).rotate()
    assert ids(state) == before


def test_damage_of_one_secret_stops_the_rotation_and_is_named(state: Path) -> None:
    before = ids(state)
    with closing(sqlite3.connect(state / DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE vault SET ciphertext = zeroblob(40) WHERE name = 'mqtt'")
    with pytest.raises(DamagedError, match='"mqtt" of the configuration'):
        vault(state).rotate()
    assert ids(state) == before
    assert vault(state).get("strava/main") == MAIN
    vault(state).remove("mqtt")
    assert vault(state).rotate().secrets == 1
    assert vault(state).get("strava/main") == MAIN


async def test_a_running_daemon_has_to_be_stopped_first(state: Path) -> None:
    async with Store(state / DATABASE):
        with pytest.raises(StoreError, match=r"Jitney is running on .*: stop it .* rotate the key, and start it again"):
            vault(state).rotate()
    assert readable(vault(state))


@pytest.mark.parametrize("change", [lambda house: house.rotate(), lambda house: house.put("x", OTHER)])
def test_two_commands_do_not_change_the_vault_at_once(state: Path, change: Callable[[HouseSecrets], object]) -> None:
    with alone(state), pytest.raises(StoreError, match="another `jitney vault` is changing"):
        change(vault(state))
    change(vault(state))
    assert readable(vault(state))


AT_EVERY_MOMENT = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from jitney.daemon.owners.key_sources import KeySources
from jitney.daemon.owners.rotation import rotate
from jitney.daemon.store import tables

FILE_OPERATIONS = {"open", "os.rename", "os.link", "os.remove", "os.chown"}
state, copies = Path(sys.argv[1]), Path(sys.argv[2])

def rotate_and_die(folder, moment):
    left = moment
    def step(*_):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    db = sqlite3.connect(folder / tables.DATABASE, isolation_level=None)
    tables.prepare(db, synchronous="normal")
    sources = KeySources(folder, environ={})
    db.set_trace_callback(step)
    sys.addaudithook(lambda name, _: step() if name in FILE_OPERATIONS else None)
    rotate(db, sources=sources)
    os._exit(0)

moment, status = 0, 1
while status:
    folder = copies / str(moment)
    shutil.copytree(state, folder)
    child = os.fork()
    if not child:
        try:
            rotate_and_die(folder, moment)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a rotation failed")
    moment += 1
print(moment)
"""
"""Rotates copies of a state folder and is killed, in each a step later: at a file operation or an SQL statement."""


def test_a_kill_at_any_moment_leaves_a_vault_that_can_be_read_and_rotated(state: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", AT_EVERY_MOMENT, str(state), str(tmp_path / "copies")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)  # noqa: S603 - this Python
    moments = int(done.stdout)
    assert moments > 20
    found = [tmp_path / "copies" / str(moment) for moment in range(moments)]
    coming = [folder for folder in found if (folder / NEXT).exists() and ids(folder) != ids(state)]
    assert coming, "no kill came between the commit and the renaming"
    assert ids(found[0]) == ids(state)
    assert ids(found[-1]) != ids(state)
    for folder in found:
        assert readable(vault(folder)), folder.name
        vault(folder).rotate()
        assert readable(vault(folder)), folder.name
        assert [path.name for path in folder.iterdir() if "key" in path.name] == [FILE]
        shutil.rmtree(folder)
