"""A backup while events come in, and what it is worth: the state that comes back, whenever somebody pulls the plug."""

import asyncio
import itertools
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from msgspec import Raw

from jitney.adapters.secret import Secret
from jitney.daemon.owners.audit_notes import NAME
from jitney.daemon.owners.files import folder as files_of
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.owners.key_sources import FILE, KeySources
from jitney.daemon.store import secrets
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.topics import State, cloudevents
from tests.daemon.running import Daemon, Observer, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

PASSPHRASE: Final = "correct horse battery staple"
TOKEN: Final = Secret("token-of-alice")
BURST: Final = 20
"""Events that are emitted together; some twenty such bursts a second."""

Dump = dict[str, list[tuple[Any, ...]]]


async def jitney(*arguments: str, code: str = "", **environ: str) -> tuple[int, str]:
    """Run a command, after ``code`` if that is given; returns its exit status and everything that it printed."""
    call = ["-m", "jitney.daemon.cli"] if not code else ["-c", f"{code}\nimport sys\nsys.exit(main(sys.argv[1:]))"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *call,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "JITNEY_BACKUP_PASSPHRASE": PASSPHRASE, "JITNEY_CONFIG": "/nowhere/config.toml", **environ},
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


def dump(folder: Path) -> Dump:
    """Return every row of the state file, which is whole."""
    with closing(sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608 - ours


def files(folder: Path) -> dict[str, bytes]:
    """Return what lies in a state folder besides the state file, and means something."""
    names = ("jitney.", "vault.lock", NAME)  # the last ones tell the audit log of the backup
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(names)
    }


def token(folder: Path) -> Secret:
    """Return alice's secret in the vault of a folder."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        sealed = secrets.get(db, Entry("played", "alice", "token"))
        assert sealed is not None
        found = KeySources(folder, environ={}).find(frozenset({sealed.key_id}))
        assert found is not None
        return found.key.open(sealed)


class Load:
    """Events that come in all the time; ``accepted`` are the ids of those that are safe."""

    def __init__(self, daemon: Daemon) -> None:
        self.accepted: list[str] = []
        self._daemon = daemon

    async def run(self) -> None:
        context = self._daemon.context()
        loop = asyncio.get_running_loop()
        for burst in itertools.count():
            events = [tick(burst * BURST + number, owner=("alice", "bob")[number % 2]) for number in range(BURST)]
            await context.emit(*events)
            self.accepted += [event.id for event in events]
            await context.save(f"cursor/{burst % 50}", str(burst).encode())
            context.set_state(State("alice", f"light-{burst % 50}", Raw(b"%d" % burst)))
            pause = loop.create_future()
            loop.call_later(0.05, pause.set_result, None)
            await pause


@asynccontextmanager
async def under_load(broker: Broker, folder: Path) -> AsyncIterator[tuple[Daemon, Load]]:
    async with running(config(broker.url, durable=True), folder) as daemon:
        await daemon.connected()
        await daemon.context().vault.put("alice", "token", TOKEN)
        photo = files_of(folder, "alice") / "played" / "photo.jpg"
        photo.parent.mkdir(parents=True)
        photo.write_bytes(os.urandom(200_000))
        load = Load(daemon)
        task = asyncio.create_task(load.run(), name="load")
        try:
            yield daemon, load
        finally:
            task.cancel()
            await asyncio.wait([task])


async def backed_up(folder: Path, target: Path, *options: str) -> None:
    status, out = await jitney("backup", str(target), "--state-dir", str(folder), *options)
    assert status == 0, out


async def put_back(backup: Path, folder: Path, *options: str) -> str:
    status, out = await jitney("restore", str(backup), "--state-dir", str(folder), "--yes", *options)
    assert status == 0, out
    return out


class Published:
    """The ids of the events that an observer has got, each read once."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._read = 0
        self._ids: set[str] = set()

    def has(self, ids: set[str]) -> bool:
        news = self._observer.messages[self._read :]
        self._read += len(news)
        self._ids |= {cloudevents.decode(payload(one)).id for one in news if "/event/" in str(one.topic)}
        return self._ids >= ids


async def test_what_was_accepted_before_a_backup_under_load_is_in_it(broker: Broker, tmp_path: Path) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    async with under_load(broker, state) as (_, load):
        for round_ in range(3):
            await until(lambda: len(load.accepted) > 200 * (round_ + 1))  # noqa: B023 - used at once
            if round_ == 1:
                await asyncio.to_thread(broker.kill)
            before = list(load.accepted)
            await backed_up(state, backup, "--replace")
            assert len(load.accepted) > len(before)
            restored = tmp_path / f"restored-{round_}"
            await put_back(backup, restored)
            found = dump(restored)
            assert {row[2] for row in found["seen"]} >= set(before)
            assert files(restored) == files(state)
            assert token(restored) == TOKEN
            bursts = min(50, len(before) // BURST - 1)
            assert len(found["kept"]) >= bursts
            assert len([row for row in found["retained"] if "light" in row[0]]) >= bursts
        waiting = {cloudevents.decode(row[3]).id for row in found["outbox"]}
        assert len(waiting) > 100
    await asyncio.to_thread(broker.start)
    async with observing(broker.port) as observer, running(config(broker.url, durable=True), restored) as daemon:
        await daemon.connected()
        published = Published(observer)
        await observer.until(lambda: published.has(waiting))


async def test_a_state_that_rests_comes_back_equal_in_every_row(broker: Broker, tmp_path: Path) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    async with under_load(broker, state) as (_, load):
        await until(lambda: len(load.accepted) > 300)
    before = dump(state)
    await backed_up(state, backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert not {b"alice", b"token"} & set(backup.read_bytes().split())
    assert TOKEN.reveal().encode() not in backup.read_bytes()
    await put_back(backup, tmp_path / "restored")
    assert dump(tmp_path / "restored") == before
    assert files(tmp_path / "restored") == files(state)
    assert names(tmp_path) == ["backup", "restored", "state"]
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "restored").rglob("*") if path.is_file()}
    assert modes == {0o600}


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """Return a state folder with a little in it, and where a backup is to be made."""
    state = tmp_path / "state"
    HouseSecrets(state, environ={}).put("mqtt", Secret("password-of-mqtt"))
    return state, tmp_path / "backup"


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


async def add_row(folder: Path, key: str) -> None:
    async with Store(folder / DATABASE) as store:
        store.write("INSERT INTO kept VALUES ('a', ?, ?)", [(key, b"x" * 100_000)])


async def test_what_was_there_before_stays_beside_it(tmp_path: Path, small: tuple[Path, Path]) -> None:
    state, backup = small
    await backed_up(state, backup)
    old = dump(state)
    await add_row(state, "later")
    status, out = await jitney("restore", str(backup), "--state-dir", str(state))
    assert status == 0
    assert "Nothing was changed" in out
    assert f"It would replace {state}" in out
    later = dump(state)
    assert later != old
    await put_back(backup, state)
    assert dump(state) == old
    (before,) = names(tmp_path, "state.before-restore-*")
    assert dump(tmp_path / before) == later
    await put_back(backup, state)
    assert len(names(tmp_path, "state.before-restore-*")) == 2


async def test_neither_a_wrong_passphrase_nor_damage_changes_anything(tmp_path: Path, small: tuple[Path, Path]) -> None:
    state, backup = small
    await backed_up(state, backup)
    before = {path.name: path.stat().st_mtime_ns for path in state.iterdir()}
    arguments = ("restore", str(backup), "--state-dir", str(state), "--yes")
    status, out = await jitney(*arguments, JITNEY_BACKUP_PASSPHRASE="another one")
    assert (status, "the passphrase is not the one of this backup" in out) == (1, True)
    whole = backup.read_bytes()
    backup.write_bytes(whole[:-1])
    status, out = await jitney(*arguments)
    assert (status, "the backup is damaged in its end: it is not complete" in out) == (1, True)
    backup.write_bytes(whole[:-50] + b"\0" + whole[-49:])
    status, out = await jitney(*arguments[:-1])
    assert (status, "the backup is damaged" in out) == (1, True)
    assert {path.name: path.stat().st_mtime_ns for path in state.iterdir()} == before
    assert names(tmp_path) == ["backup", "state"]


async def test_nothing_is_restored_under_a_running_daemon(tmp_path: Path, small: tuple[Path, Path]) -> None:
    state, backup = small
    await backed_up(state, backup)
    async with Store(state / DATABASE):
        status, out = await jitney("restore", str(backup), "--state-dir", str(state), "--yes")
    assert status == 1
    assert f"Jitney is running on {state}: stop it" in out
    assert names(tmp_path) == ["backup", "state"]


async def test_a_backup_without_the_key_says_so_and_is_useful_where_the_key_still_is(
    tmp_path: Path, small: tuple[Path, Path]
) -> None:
    state, backup = small
    status, out = await jitney("backup", str(backup), "--state-dir", str(state), "--without-key")
    assert status == 0
    assert "The vault's key (id " in out
    assert "is not in it" in out
    await put_back(backup, state)
    assert HouseSecrets(state, environ={}).get("mqtt") == Secret("password-of-mqtt")
    out = await put_back(backup, tmp_path / "elsewhere")
    assert "The secrets cannot be opened yet: the vault needs the key with the id " in out
    assert not (tmp_path / "elsewhere" / FILE).exists()


async def test_the_configuration_comes_along_and_replaces_none_unasked(
    tmp_path: Path, small: tuple[Path, Path]
) -> None:
    home = tmp_path / "etc"
    (home / "config.d").mkdir(parents=True)
    texts = {
        "config.toml": f'version = 1\n[bus]\nstate_dir = "{tmp_path / "state"}"\n[routing]\npython = ["routes.py"]\n',
        "config.d/alice.toml": "[owners.alice]\n",
        "routes.py": "# routes of alice\n",
    }
    for name, text in texts.items():
        (home / name).write_text(text)
    home.joinpath("password.txt").write_text("not in it")
    there = {"JITNEY_CONFIG": str(home / "config.toml")}
    _, backup = small
    assert (await jitney("backup", str(backup), **there))[0] == 0
    (home / "config.d" / "alice.toml").unlink()
    (home / "config.toml").write_text(texts["config.toml"] + "# changed\n")
    status, out = await jitney("restore", str(backup), **there)
    assert status == 0
    assert f"{home}/config.toml: is another one and stays (--with-config)" in out
    assert f"{home}/config.d/alice.toml: would be written" in out
    assert f"{home}/routes.py: is the same" in out
    assert (await jitney("restore", str(backup), "--yes", **there))[0] == 0
    assert (home / "config.toml").read_text().endswith("# changed\n")
    assert (home / "config.d" / "alice.toml").read_text() == texts["config.d/alice.toml"]
    assert (await jitney("restore", str(backup), "--yes", "--with-config", **there))[0] == 0
    assert {name: (home / name).read_text() for name in texts} == texts
    (kept,) = names(home, "config.toml.before-restore-*")
    assert (home / kept).read_text().endswith("# changed\n")


async def test_a_backup_goes_to_standard_output_and_comes_from_standard_input(
    tmp_path: Path, small: tuple[Path, Path]
) -> None:
    state, _ = small
    script = (
        'set -e -o pipefail; "$0" -m jitney.daemon.cli backup - --state-dir "$1"'
        ' | "$0" -m jitney.daemon.cli restore - --state-dir "$2" --yes'
    )
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        sys.executable,
        str(state),
        str(tmp_path / "copy"),
        env={**os.environ, "JITNEY_BACKUP_PASSPHRASE": PASSPHRASE},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"Restored the state" in out
    assert dump(tmp_path / "copy") == dump(state)


PATCH: Final = """
import os
from jitney.daemon.cli import main
from jitney.daemon.service import {module} as module
real = module.{name}
def killed(*args, **more):
    {before}
    result = real(*args, **more)
    os._exit(9)
module.{name} = killed
"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        pytest.param("backup_restore", "_write", marks=pytest.mark.slow),
        pytest.param("backup_restore", "_checked", marks=pytest.mark.slow),
        pytest.param("backup_restore", "sync_all", marks=pytest.mark.slow),
        ("backup_swap", "_exchange"),
        ("backup_restore", "swap"),
    ],
)
async def test_a_restoration_that_is_killed_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, small: tuple[Path, Path], *, module: str, name: str, before: bool
) -> None:
    state, backup = small
    await backed_up(state, backup)
    new = dump(state)
    await add_row(state, "later")
    old = dump(state)
    code = PATCH.format(module=module, name=name, before="os._exit(9)" if before else "")
    status, out = await jitney("restore", str(backup), "--state-dir", str(state), "--yes", code=code)
    assert status == 9, out
    over = name in ("swap", "_exchange") and not before
    assert dump(state) == (new if over else old)
    await put_back(backup, state)
    assert dump(state) == new
    assert not names(tmp_path, ".*")


@pytest.mark.parametrize("kills", [pytest.param(2, id="twice"), pytest.param(20, id="often", marks=pytest.mark.slow)])
async def test_a_backup_that_is_killed_leaves_nothing_that_looks_like_one(
    broker: Broker, tmp_path: Path, kills: int
) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    random = Random(7)  # noqa: S311 - the same moments each time
    loop = asyncio.get_running_loop()
    environ = {**os.environ, "JITNEY_BACKUP_PASSPHRASE": PASSPHRASE}
    async with under_load(broker, state) as (_, load):
        await until(lambda: len(load.accepted) > 200)
        for _ in range(kills):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jitney.daemon.cli", "backup", str(backup), "--state-dir", str(state)),
                env=environ,
                stderr=asyncio.subprocess.DEVNULL,
            )
            timer = loop.call_later(random.uniform(0.2, 1.0), lambda: process.returncode is None and process.kill())  # noqa: B023
            await process.wait()
            timer.cancel()
            if backup.exists():
                assert (await jitney("restore", str(backup), "--state-dir", str(tmp_path / "nowhere")))[0] == 0
                backup.unlink()
        before = len(load.accepted)
        await until(lambda: len(load.accepted) > before)
        await backed_up(state, backup)
        assert not names(state, ".backup-*")
