"""Putting a changed file of the configuration in the place of the old one, of which a copy stays beside it."""

import errno
import os
import pwd
from contextlib import suppress
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Final

from jitney.topics import JitneyError

_ACL: Final = "system.posix_acl_access"
"""The extended attribute in which Linux keeps who else may read and write a file (acl(5))."""


class SaveError(JitneyError):
    """The file could not be written, and is as it was."""


def save(path: Path, content: bytes, *, old: bytes, backup: str) -> Path:
    """Write a file in one step and return its copy, which is called like it with ``backup`` after a dot.

    ``old`` is what the file held when it was read. Symbolic links are followed; mode, owner and access list are kept.
    Raises SaveError.
    """
    real = path.resolve()
    part = real.with_name(f".{real.name}.{token_hex(4)}")
    try:
        copy = _backup(real, old, backup)
        try:
            _create(part, content, like=real)
            _check(real, old)
            part.replace(real)
        except BaseException:
            part.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SaveError(f"{path} is left as it is: {_why(real, error)}") from error
    with suppress(OSError):
        _sync(real.parent)
    return copy


def create(path: Path, content: bytes, *, like: Path) -> None:
    """Write a new file in one step, with the owner, mode and access list of another; its folder is made if need be.

    Raises SaveError, also where there is such a file.
    """
    real, model = path.resolve(), like.resolve()
    part = real.with_name(f".{real.name}.{token_hex(4)}")
    try:
        _make_folder(real.parent, like=model.parent)
        if real.exists():
            raise SaveError(f"{path} is there already, and is left as it is: look into it")
        try:
            _create(part, content, like=model)
            part.rename(real)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SaveError(f"{path} was not written: {_why(model, error)}") from error
    with suppress(OSError):
        _sync(real.parent)


def _make_folder(folder: Path, *, like: Path) -> None:
    """Make a folder with the owner and mode of another; raises OSError."""
    if folder.is_dir():
        return
    folder.mkdir()
    status, own = like.stat(), folder.stat()
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        os.chown(folder, status.st_uid, status.st_gid)
    folder.chmod(status.st_mode & 0o7777)


def _check(real: Path, old: bytes) -> None:
    if real.read_bytes() != old:
        raise SaveError(f"{real} was changed meanwhile, and is left as it is: try again")


def _backup(real: Path, content: bytes, name: str) -> Path:
    """Write a copy under a name that nothing has yet; raises OSError."""
    for number in count(1):
        copy = real.with_name(f"{real.name}.{name}" + (f"-{number}" if number > 1 else ""))
        try:
            _create(copy, content, like=real)
        except FileExistsError:
            continue
        return copy
    raise AssertionError


def _create(path: Path, content: bytes, *, like: Path) -> None:
    """Write a new file with the owner, mode and access list of another; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            status, own = like.stat(), os.fstat(descriptor)
            if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            _share(descriptor, like)
            os.fchmod(descriptor, status.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _share(descriptor: int, like: Path) -> None:
    """Give a file the access list of another, or none where the other has none; raises OSError."""
    own, others = _acl(descriptor), _acl(like)
    if others is not None:
        os.setxattr(descriptor, _ACL, others)
    elif own is not None:
        os.removexattr(descriptor, _ACL)


def _acl(file: int | Path) -> bytes | None:
    try:
        return os.getxattr(file, _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise


def _why(real: Path, error: OSError) -> str:
    """Return why a file could not be written, and what helps."""
    if error.errno == errno.EROFS:
        return "its disk is read-only: make it writable (mount -o remount,rw) and try again"
    here = os.geteuid()
    if error.errno not in (errno.EACCES, errno.EPERM) or here == 0:
        return f"{error.strerror}: check the disk, and what lsattr says of the file"
    stranger = next((owner for one in (real, real.parent) if (owner := one.stat().st_uid) != here), None)
    if stranger is None:
        return f"{real.parent} cannot be written: chmod u+w {real.parent}"
    return f"it or its folder belongs to {_name(stranger)}: run this with sudo, or as {_name(stranger)}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _sync(folder: Path) -> None:
    """Let what was renamed in a folder survive a power cut; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
