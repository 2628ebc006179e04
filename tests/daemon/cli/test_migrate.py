"""`jitney migrate`: shown as a diff, written only when asked to, and the old file is never lost."""

import errno
import os
import pwd
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomlkit

from jitney.daemon.cli import main
from jitney.daemon.cli.common import UsageError
from jitney.daemon.cli.migrate import run
from jitney.daemon.config.load import examine
from jitney.daemon.config.migrations import Step
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.rewriting import Change, Rename
from jitney.daemon.config.saving import SaveError, save

Shown = pytest.CaptureFixture[str]
NOBODY = 65534
WHY = "as everywhere"


def emptied(document: tomlkit.TOMLDocument) -> Iterator[Change]:
    if "clock" in document:
        del document["clock"]
        yield Change(("clock",), (), "nobody looked at it")


STEPS = (Step((Rename(("people",), "owners", WHY), Rename(("mqtt", "address"), "url", WHY))), Step(edit=emptied))

OLD = """\
version = 1  # so far
[mqtt]
# Where it is.
address = "mqtt://broker.example.org"
password = "canary-canary-canary"
[people.alice] # her
[clock]
"""
NEW = """\
version = 3  # so far
[mqtt]
# Where it is.
url = "mqtt://broker.example.org"
password = "canary-canary-canary"
[owners.alice] # her
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path) -> Path:
    (folder / "config.d").mkdir()
    (folder / "config.d" / "bob.toml").write_bytes(b"\xef\xbb\xbf[people.bob]\r\nname = 'Bob'\r\n")
    (folder / "config.d" / "carol.toml").write_text("version = 3\n[owners.carol]\n")
    path = folder / "config.toml"
    path.write_text(OLD)
    path.chmod(0o640)
    return path


def migrate(path: Path, *, write: bool = False, to: int | None = None, steps: Sequence[Step] = STEPS) -> int:
    return run(Namespace(config=path, write=write, to=to), steps=steps)


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def copies(folder: Path) -> list[Path]:
    return sorted(folder.glob("config.toml.v1-*"))


def test_there_is_nothing_to_do_for_files_of_this_version(path: Path, capsys: Shown) -> None:
    path.write_text("[people.alice]\n")
    assert main(["migrate", "-c", str(path), "--write"]) == 0
    assert capsys.readouterr().out == f"Nothing to do: no file of {path} is older than version 1.\n"


def test_it_is_shown_as_a_diff_with_the_reasons_and_nothing_is_written(path: Path, capsys: Shown) -> None:
    before = files(path.parent)
    assert migrate(path) == 0
    out, err = capsys.readouterr()
    assert (
        out
        == f"""\
--- {path}\tversion 1
+++ {path}\tversion 3
@@ -1,7 +1,6 @@
-version = 1  # so far
+version = 3  # so far
 [mqtt]
 # Where it is.
-address = "mqtt://broker.example.org"
+url = "mqtt://broker.example.org"
 password = "••••nary"
-[people.alice] # her
-[clock]
+[owners.alice] # her
--- {path.parent}/config.d/bob.toml\tversion 1
+++ {path.parent}/config.d/bob.toml\tversion 3
@@ -1,2 +1,3 @@
-[people.bob]
+version = 3
+[owners.bob]
 name = 'Bob'
"""
    )
    assert err.splitlines() == [
        f"{path}:4: mqtt.address is now mqtt.url: as everywhere",
        f"{path}:6: people is now owners: as everywhere",
        f"{path}:7: clock is gone: nobody looked at it",
        f"{path.parent}/config.d/bob.toml:1: people is now owners: as everywhere",
        "Nothing was written: with --write it is, and a copy of each old file stays beside it.",
    ]
    assert files(path.parent) == before


@pytest.mark.parametrize(
    "secret",
    [
        "'1234'",
        '"1234"',
        '"12\\u00334"',
        '"1234\\u0031234567890"',
        '"""12345\n67"""',
        "'1\t2\"3\\4' # don't",
        '"1234#"',
    ],
)
def test_no_secret_is_shown_however_it_is_written(path: Path, capsys: Shown, secret: str) -> None:
    path.write_text(OLD.replace('"canary-canary-canary"', secret))
    assert migrate(path) == 0
    head, password, rest = capsys.readouterr().out.partition(' password = "••••')
    assert password
    assert not any(part in head + rest for part in ("12", "u003", "34", "67", "1\t2"))


def test_on_a_terminal_it_has_colours(path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitney.daemon.cli.diffs.has_colours", lambda *_: True)
    assert migrate(path) == 0
    out = capsys.readouterr().out
    assert '\x1b[31m-address = "mqtt://broker.example.org"\x1b[0m\n' in out
    assert '\x1b[32m+url = "mqtt://broker.example.org"\x1b[0m\n' in out
    assert f"\x1b[1m+++ {path}" in out


def test_what_is_written_loads_and_the_old_files_stay_beside(path: Path, capsys: Shown) -> None:
    before = examine(path, environ={}, steps=STEPS)
    assert len(before.warnings) == 3
    assert migrate(path, write=True) == 0
    assert path.read_text() == NEW
    bob = path.parent / "config.d" / "bob.toml"
    assert bob.read_bytes() == b"\xef\xbb\xbfversion = 3\r\n[owners.bob]\r\nname = 'Bob'\r\n"
    (copy,) = copies(path.parent)
    (of_bob,) = bob.parent.glob("bob.toml.v1-????-??-??")
    assert copy.read_text() == OLD
    assert of_bob.read_bytes() == b"\xef\xbb\xbf[people.bob]\r\nname = 'Bob'\r\n"
    assert {stat.S_IMODE(one.stat().st_mode) for one in (path, copy)} == {0o640}
    assert len(files(path.parent)) == 5
    assert f"Wrote {path}; as it was it is in {copy}." in capsys.readouterr().err
    after = examine(path, environ={}, steps=STEPS)
    assert after.config == before.config
    assert [warning.key for warning in after.warnings] == ["mqtt.password"]
    assert migrate(path, write=True) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_it_can_go_only_a_part_of_the_way(path: Path, capsys: Shown) -> None:
    assert migrate(path, write=True, to=2) == 0
    assert "version = 2  # so far" in path.read_text()
    assert "[clock]" in path.read_text()
    assert migrate(path, to=2) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert migrate(path, write=True) == 0
    assert path.read_text() == NEW
    assert [one.name[:14] for one in sorted(path.parent.glob("config.toml.*"))] == ["config.toml.v1", "config.toml.v2"]


@pytest.mark.parametrize("to", [0, 4])
def test_a_version_that_is_not_known_is_wrong_usage(path: Path, to: int) -> None:
    with pytest.raises(UsageError, match=f"--to {to}: the versions that this Jitney knows are 1 to 3"):
        migrate(path, to=to)


def test_a_copy_is_never_overwritten(path: Path) -> None:
    for number in range(3):
        path.write_text(f"{OLD}# {number}\n")
        assert migrate(path, write=True) == 0
    assert sorted(one.read_text()[-2] for one in copies(path.parent)) == ["0", "1", "2"]


def test_what_would_not_load_is_neither_shown_nor_written(path: Path, capsys: Shown) -> None:
    path.write_text(f'{OLD}[adapters.sim]\nkey = "secret"\n')
    before = files(path.parent)
    with pytest.raises(ConfigError, match=r"config\.toml:8: adapters\.sim\.type: missing"):
        migrate(path, write=True)
    assert files(path.parent) == before
    assert capsys.readouterr().out == ""


def test_a_secret_that_only_the_service_has_does_not_stand_in_the_way(path: Path) -> None:
    path.write_text(OLD.replace('"canary-canary-canary"', '{ credential = "mqtt" }'))
    assert migrate(path, write=True) == 0
    assert "version = 3" in path.read_text()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = written(tmp_path / "elsewhere")
    link = tmp_path / "config.toml"
    link.symlink_to("elsewhere/config.toml")
    assert migrate(link, write=True) == 0
    assert link.is_symlink()
    assert real.read_text() == NEW
    assert len(copies(real.parent)) == 1


def test_a_file_that_somebody_saves_meanwhile_is_left_alone(path: Path) -> None:
    with pytest.raises(SaveError, match="was changed meanwhile"):
        save(path, b"new", old=b"another one", backup="v1")
    assert path.read_text() == OLD
    assert len(files(path.parent)) == 3


def test_a_disk_that_is_full_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = files(path.parent)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match=r"config.toml is left as it is: No space left on device: check the disk"):
        migrate(path, write=True)
    assert files(path.parent) == before


KILLED = """
import os, signal, sys
from argparse import Namespace
from pathlib import Path
from jitney.daemon.cli.migrate import run
from tests.daemon.cli.test_migrate import STEPS

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

Path.replace = killed
run(Namespace(config=Path(sys.argv[1]), write=True, to=None), steps=STEPS)
"""


def test_killed_between_the_copy_and_the_end_the_old_file_is_whole_and_it_can_be_done_again(path: Path) -> None:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", KILLED, str(path)], check=False, timeout=30, capture_output=True, cwd=root
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_text() == OLD
    assert [one.read_text() for one in copies(path.parent)] == [OLD]
    examine(path, environ={}, steps=STEPS)
    assert migrate(path, write=True) == 0
    assert path.read_text() == NEW
    assert [one.read_text() for one in copies(path.parent)] == [OLD, OLD]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do without the rights of root, where the tests have them."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that another user can reach; those of pytest are for one user alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_told_with_what_helps(open_folder: Path) -> None:
    path = written(open_folder)
    path.chmod(0o644)
    open_folder.chmod(0o555)
    owner = pwd.getpwuid(os.geteuid()).pw_name
    remedy = f"run this with sudo, or as {owner}" if os.geteuid() == 0 else f"chmod u\\+w {open_folder}"
    before = files(open_folder)
    with as_nobody(), pytest.raises(SaveError, match=f"config.toml is left as it is: .*{remedy}"):
        migrate(path, write=True)
    assert files(open_folder) == before


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@needs_root
def test_a_file_of_another_user_stays_theirs_and_is_not_replaced_by_somebody_who_could_not_keep_that(
    open_folder: Path,
) -> None:
    path = written(open_folder)
    path.chmod(0o644)
    open_folder.chmod(0o777)
    before = files(open_folder)
    with as_nobody(), pytest.raises(SaveError, match="belongs to root: run this with sudo, or as root"):
        migrate(path, write=True)
    assert files(open_folder) == before
    os.chown(path, 1234, 5678)
    assert migrate(path, write=True) == 0
    (copy,) = copies(open_folder)
    assert {(one.stat().st_uid, one.stat().st_gid, one.stat().st_mode & 0o777) for one in (path, copy)} == {
        (1234, 5678, 0o644)
    }


def acl(*, user: int) -> bytes:
    """Return an access list by which one more user may read (acl(5)): version 2, tags, permissions, ids."""
    nobody = 0xFFFFFFFF
    entries = [(0x01, 6, nobody), (0x02, 4, user), (0x04, 0, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def share(path: Path) -> Callable[[Path, str], None]:
    def share(one: Path, name: str) -> None:
        try:
            os.setxattr(one, name, acl(user=1234))
        except OSError as error:
            pytest.skip(f"no access lists here: {error.strerror}")

    share(path, "system.posix_acl_access")
    return share


@pytest.mark.usefixtures("share")
def test_the_access_list_is_kept(path: Path) -> None:
    assert migrate(path, write=True) == 0
    for one in (path, *copies(path.parent)):
        assert os.getxattr(one, "system.posix_acl_access") == acl(user=1234)


def test_who_may_read_new_files_of_the_folder_may_not_read_one_that_was_not_theirs(
    path: Path, share: Callable[[Path, str], None]
) -> None:
    os.removexattr(path, "system.posix_acl_access")
    path.chmod(0o640)
    share(path.parent, "system.posix_acl_default")
    assert migrate(path, write=True) == 0
    for one in (path, *copies(path.parent)):
        assert "system.posix_acl_access" not in os.listxattr(one)
        assert stat.S_IMODE(one.stat().st_mode) == 0o640
