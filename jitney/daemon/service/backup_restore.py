"""Putting a backup back: everything is read and checked beside the state that there is, and then takes its place."""

import os
import pwd
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.files import make_folders
from jitney.daemon.owners.house_secrets import alone
from jitney.daemon.owners.key_sources import FILE, KeySources, give_to_owner_of_folder, in_file
from jitney.daemon.service.backup_contents import STATE, Manifest, Member, Unpacker, as_path
from jitney.daemon.service.backup_crypt import BackupError, DamagedBackupError, Opener
from jitney.daemon.service.backup_swap import swap, sync_all
from jitney.daemon.store import secrets
from jitney.daemon.store.store import StoreError, lock
from jitney.daemon.store.tables import DATABASE, VERSION, version_of

_MOST_CONFIG: Final = 4 << 20
"""Bytes that a configuration has at most, all its files together."""

_CHUNK: Final = 1 << 20
_MARGIN: Final = 16 << 20


class Restored(Struct, frozen=True, kw_only=True):
    """What was restored into ``folder``: ``before`` is where the state lies that was there before, None for none.

    ``configuration`` is what the backup has of it, by path; ``missing`` says why the vault cannot be opened, if so.
    """

    manifest: Manifest
    folder: Path
    before: Path | None
    configuration: Mapping[str, bytes]
    missing: str


def look(file: BinaryIO, passphrase: Secret) -> tuple[Manifest, Mapping[str, bytes]]:
    """Return what a backup holds, and its configuration, once all of it was found whole; raises BackupError."""
    unpacker = Unpacker(Opener(file, passphrase))
    manifest = _known(unpacker.manifest())
    configuration = _Configuration()
    for member in unpacker.members():
        if member.folder != STATE:
            configuration.add(member)
    return manifest, configuration.files


def restore(
    file: BinaryIO, passphrase: Secret, *, folder: Callable[[Manifest], Path], environ: Mapping[str, str]
) -> Restored:
    """Put the state of a backup in the place of a folder, all or nothing; raises BackupError, StoreError or OSError.

    The old folder stays beside it under another name. Whoever is killed meanwhile leaves the old state or the new one.
    """
    unpacker = Unpacker(Opener(file, passphrase))
    manifest = _known(unpacker.manifest())
    place = folder(manifest).resolve()
    with _nobody_else(place), _beside(place, manifest) as new:
        configuration = _Configuration()
        for member in unpacker.members():
            if member.folder == STATE:
                _write(new, member)
            else:
                configuration.add(member)
        missing = _checked(new, place, manifest, environ=environ)
        _give(new, place, manifest.user)
        sync_all(new)
        before = swap(new, place)
    return Restored(manifest=manifest, folder=place, before=before, configuration=configuration.files, missing=missing)


def _known(manifest: Manifest) -> Manifest:
    if manifest.state_version > VERSION:
        message = (
            f"the backup was made by Jitney {manifest.version}, whose state is of version {manifest.state_version};"
            f" this one knows {VERSION}: upgrade it first"
        )
        raise BackupError(message)
    return manifest


class _Configuration:
    """The files of a configuration, in memory: they go somewhere else than the state, and are small."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._bytes = 0

    def add(self, member: Member) -> None:
        self._bytes += member.size
        if self._bytes > _MOST_CONFIG:
            message = f"the configuration in the backup is larger than {_MOST_CONFIG >> 20} MB"
            raise DamagedBackupError(message)
        self.files[str(member.path)] = member.content.read()


@contextmanager
def _nobody_else(folder: Path) -> Iterator[None]:
    """Keep a daemon and other commands off a state folder, if it is there; raises StoreError."""
    if not folder.exists():
        yield
        return
    with ExitStack() as stack:
        try:
            descriptor = lock(folder / DATABASE)
            give_to_owner_of_folder((folder / DATABASE).with_suffix(".lock"))
        except BlockingIOError:
            message = (
                f"Jitney is running on {folder}: stop it (sudo systemctl stop jitney), restore, and start it again"
            )
            raise StoreError(message) from None
        except OSError as error:
            message = f"{folder} cannot be used: {error.strerror}; run this as root: sudo jitney restore …"
            raise StoreError(message) from error
        stack.callback(os.close, descriptor)
        stack.enter_context(alone(folder))
        yield


@contextmanager
def _beside(folder: Path, manifest: Manifest) -> Iterator[Path]:
    """Make an empty folder beside another one, which goes again unless it has got another name meanwhile."""
    parent = folder.parent
    pattern = f".{folder.name}.restoring-"
    new = parent / f"{pattern}{token_hex(4)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # whoever else restores is kept off by its locks
            for left in parent.glob(f"{pattern}*"):
                shutil.rmtree(left, ignore_errors=True)
        _check_room(parent, manifest)
        new.mkdir(mode=0o700)
    except OSError as error:
        message = f"{parent} cannot be written: {error.strerror}; run this as root: sudo jitney restore …"
        raise BackupError(message) from error
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_room(parent: Path, manifest: Manifest) -> None:
    status = os.statvfs(parent)
    free = status.f_bavail * status.f_frsize
    needed = manifest.state_bytes + manifest.files_bytes + _MARGIN
    if free < needed:
        message = f"{parent} has {free >> 20} MB free, and {needed >> 20} are needed: free some space"
        raise BackupError(message)


def _write(new: Path, member: Member) -> None:
    path = as_path(new, member.path)
    make_folders(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
        shutil.copyfileobj(member.content, out, _CHUNK)
    os.utime(path, (member.changed, member.changed))


def _checked(new: Path, old: Path, manifest: Manifest, *, environ: Mapping[str, str]) -> str:
    """Make sure that the state can be used; returns why its secrets cannot be, if so. Raises DamagedBackupError."""
    path = new / DATABASE
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as db:
            (state,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            needed = secrets.key_ids(db)
            if state != "ok" or version_of(db) != manifest.state_version:
                raise DamagedBackupError(_unusable(state))
    except sqlite3.Error as error:
        raise DamagedBackupError(_unusable(str(error))) from error
    _keep_key(new, old, needed)
    try:
        KeySources(new, environ=environ).find(needed)
    except MisconfiguredError as error:
        return str(error)
    return ""


def _unusable(why: str) -> str:
    return f"the state file in the backup cannot be used ({why}); nothing was changed: take another backup"


def _keep_key(new: Path, old: Path, needed: frozenset[str]) -> None:
    """Take the key file of the state that there is along where the backup has none and it is the right one."""
    with suppress(MisconfiguredError):
        key = None if (new / FILE).exists() else in_file(old / FILE)
        if key is not None and key.id in needed:
            _copy(old / FILE, new / FILE)


def _copy(source: Path, target: Path) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(source.read_bytes())


def _give(new: Path, old: Path, user: str) -> None:
    """Let everything belong to whom the old state belongs to, else to the user that the backup names, if root asks."""
    if os.geteuid() != 0:
        return
    try:
        if old.exists():
            status = old.stat()
            uid, gid = status.st_uid, status.st_gid
            new.chmod(status.st_mode & 0o777)
        else:
            found = pwd.getpwnam(user)
            uid, gid = found.pw_uid, found.pw_gid
    except KeyError:
        return
    for path in (new, *new.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
