"""Making a backup: a copy of everything in the state folder as it is at one moment, while the daemon goes on."""

import fnmatch
import os
import pwd
import socket
import sqlite3
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from jitney import __version__
from jitney.adapters.secret import Secret
from jitney.daemon.owners.audit_notes import NAME
from jitney.daemon.owners.house_secrets import LOCK, alone
from jitney.daemon.owners.key_sources import FILE, NEXT
from jitney.daemon.service.backup_contents import CONFIG, STATE, Manifest, Packer
from jitney.daemon.service.backup_crypt import MAGIC, BackupError, Sealer
from jitney.daemon.store import holdings, secrets
from jitney.daemon.store.tables import DATABASE, VERSION, version_of
from jitney.topics import rfc3339

CONFIG_FOLDER: Final = "config.d"

SPARE: Final = 64 << 20
"""Bytes that are left free beside the copy of the state file: the daemon goes on writing."""

STEP: Final = 1024
PAUSE: Final = 0.01
"""Pages that are copied at once, and seconds between two such portions, in which the card is the daemon's."""

_COPY: Final = ".backup-*"
_NEVER: Final = (f"{NAME}*", f".{NAME}*", DATABASE, f"{DATABASE}-*", "jitney.lock", LOCK, f".{FILE}.*", _COPY)
"""What is copied in another way, or means nothing anywhere else."""

_KEYS: Final = (FILE, NEXT)


class Source(Struct, frozen=True, kw_only=True):
    """What to copy: the state folder, the configuration, None for none, and whether the vault's key file."""

    folder: Path
    config: Path | None
    key: bool = True


class _File(Struct, frozen=True):
    name: str
    path: Path
    size: int


def make(source: Source, out: BinaryIO, passphrase: Secret) -> Manifest:
    """Write a backup, and return what it holds. Raises BackupError, StoreError or OSError; then it is not whole."""
    if not (source.folder / DATABASE).exists():
        message = f"there is no state of Jitney in {source.folder}: name its folder with --state-dir"
        raise BackupError(message)
    with alone(source.folder), _copied(source.folder) as copied:
        files = [*_state_files(source, os.fstat(out.fileno())), *_config_files(source.config)]
        manifest = _manifest(source, copied, files)
        packer = Packer(Sealer(out, passphrase))
        packer.manifest(manifest)
        packer.add(f"{STATE}/{DATABASE}", copied.file, size=copied.size, changed=time.time())
        for one in files:
            with suppress(FileNotFoundError), one.path.open("rb") as file:  # an adapter has removed it meanwhile
                status = os.fstat(file.fileno())
                packer.add(one.name, file, size=status.st_size, changed=status.st_mtime)
        packer.close()
    return manifest


class _Copied(Struct, frozen=True):
    """A copy of the state file that has no name any more, and what is in it."""

    file: BinaryIO
    size: int
    version: int
    owners: Mapping[str, Mapping[str, holdings.Holding]]
    keys: tuple[str, ...]


@contextmanager
def _copied(folder: Path) -> Iterator[_Copied]:
    """Copy the state file as it is at one moment to where only this process finds it, on the same disk."""
    path = folder / DATABASE
    _check_room(folder, path)
    for left in folder.glob(_COPY):  # by a backup that was killed
        left.unlink(missing_ok=True)
    place = folder / f".backup-{os.getpid()}"
    try:
        with place.open("xb+") as file:
            place.chmod(0o600)
            with closing(_reading(path)) as db, closing(sqlite3.connect(place, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")
                copy.execute("PRAGMA user_version = 1")  # opens the file
                place.unlink()
                found = _examined(db, path)
                db.backup(copy, pages=STEP, progress=lambda *_: time.sleep(PAUSE))
            yield _Copied(file, os.fstat(file.fileno()).st_size, *found)
    except sqlite3.Error as error:
        raise BackupError(f"state file {path} cannot be copied: {error}") from error
    finally:
        place.unlink(missing_ok=True)


def _examined(
    db: sqlite3.Connection, path: Path
) -> tuple[int, Mapping[str, Mapping[str, holdings.Holding]], tuple[str, ...]]:
    """Begin the moment that is copied, and return what the file holds then."""
    db.execute("BEGIN")
    version = version_of(db)
    if version != VERSION:
        message = f"state file {path}: of version {version}, this Jitney makes backups of {VERSION}: start it once"
        raise BackupError(message)
    (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        message = f"state file {path} is damaged ({state}): a copy of it is no backup; restore the last good one"
        raise BackupError(message)
    owners = {owner: holdings.usage(db, owner) for owner in holdings.owners(db)}
    return version, owners, tuple(sorted(secrets.key_ids(db)))


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _check_room(folder: Path, path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    needed = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0) + SPARE
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < needed:
        message = (
            f"{folder} has {free >> 20} MB free, and a copy of the state file needs {needed >> 20}: free some space"
        )
        raise BackupError(message)


def _state_files(source: Source, out: os.stat_result) -> Iterator[_File]:
    never = _NEVER if source.key else (*_NEVER, *_KEYS)
    for folder, folders, names in os.walk(source.folder):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            top = folder == str(source.folder)
            if path.is_symlink() or not path.is_file() or (top and any(fnmatch.fnmatch(name, one) for one in never)):
                continue
            with suppress(FileNotFoundError):
                status = path.stat()
                if not (os.path.samestat(status, out) or (top and _is_backup(path))):
                    yield _File(f"{STATE}/{path.relative_to(source.folder).as_posix()}", path, status.st_size)


def _is_backup(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _config_files(config: Path | None) -> Iterator[_File]:
    """Return the configuration, its parts, and the Python routes that lie with it."""
    if config is None:
        return
    folder = config.parent
    scripts = {folder / name for name in _scripts(config)}
    parts = set(folder.joinpath(CONFIG_FOLDER).glob("*.toml"))
    for path in (config, *sorted(parts | scripts)):
        if path.is_relative_to(folder) and ".." not in path.parts and path.is_file():
            yield _File(f"{CONFIG}/{path.relative_to(folder).as_posix()}", path, path.stat().st_size)


def _scripts(config: Path) -> list[str]:
    try:
        routing = tomllib.loads(config.read_text(encoding="utf-8")).get("routing", {})
    except (ValueError, UnicodeDecodeError):
        return []  # a backup of a broken configuration is one all the same
    names = routing.get("python", []) if isinstance(routing, dict) else []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _manifest(source: Source, copied: _Copied, files: list[_File]) -> Manifest:
    try:
        user = pwd.getpwuid(source.folder.stat().st_uid).pw_name
    except KeyError:
        user = ""
    return Manifest(
        made=rfc3339(datetime.now(UTC)),
        version=__version__,
        host=socket.gethostname(),
        state_version=copied.version,
        state_dir=str(source.folder.absolute()),
        state_bytes=copied.size,
        user=user,
        config="" if source.config is None else str(source.config.absolute()),
        files=len(files),
        files_bytes=sum(file.size for file in files),
        owners=copied.owners,
        keys=copied.keys,
        key=any(file.name == f"{STATE}/{FILE}" for file in files),
    )
