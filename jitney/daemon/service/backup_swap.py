"""Putting a folder in the place of another one, in one step."""

import ctypes
import errno
import os
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from jitney.daemon.service.backup_crypt import BackupError

_EXCHANGE: Final = 2
_HERE: Final = -100
"""RENAME_EXCHANGE and AT_FDCWD of renameat2(2)."""

_NO_EXCHANGE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def sync_all(new: Path) -> None:
    """Let a folder and all that is in it survive a power cut; raises OSError."""
    for path in (*new.rglob("*"), new):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def swap(new: Path, folder: Path) -> Path | None:
    """Put a folder in the place of another one; returns where the other one is now. Raises BackupError."""
    try:
        if not folder.exists():
            new.rename(folder)
            return None
        before = folder.with_name(f"{folder.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}")
        while before.exists():
            before = before.with_name(f"{before.name}-{token_hex(2)}")
        new.rename(before)  # under that name there is the old state in the next moment
        try:
            _exchange(before, folder)
        except OSError:
            before.rename(new)
            raise
    except OSError as error:
        what = "is where a disk is mounted" if error.errno == errno.EBUSY else f"cannot be replaced: {error.strerror}"
        message = f"{folder} {what}; nothing was changed: restore into another folder with --state-dir and move it"
        raise BackupError(message) from error
    with suppress(OSError):
        _sync(folder.parent)
    return before


def _exchange(one: Path, other: Path) -> None:
    """Let two folders have each other's name in one step; raises OSError.

    Where the file system knows no such step it takes two, between which nothing has the name of ``other``.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number not in _NO_EXCHANGE:
        raise OSError(number, os.strerror(number), str(other))
    aside = one.with_name(f".{other.name}.{token_hex(4)}")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
