"""The configuration in a backup: what of it is there already, and putting the rest in its place."""

import os
import pwd
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Literal

from msgspec import Struct

from jitney.daemon.service.backup_contents import as_path


class Change(Struct, frozen=True):
    """What becomes of a file of the configuration: it is ``new``, the ``same`` as there is, or ``different``."""

    path: Path
    kind: Literal["new", "same", "different"]


def changes(configuration: Mapping[str, bytes], folder: Path) -> list[Change]:
    """Compare the configuration of a backup with what lies in a folder; raises OSError."""
    found = []
    for name, content in sorted(configuration.items()):
        path = as_path(folder, PurePosixPath(name))
        there = path.read_bytes() if path.exists() else None
        found.append(Change(path, "new" if there is None else "same" if there == content else "different"))
    return found


def put_configuration(configuration: Mapping[str, bytes], folder: Path, *, replace: bool, user: str) -> list[Change]:
    """Write what is new, and what is different where ``replace`` says so, of which a copy stays beside it.

    ``user`` is who has to read it. Returns what was written. Raises OSError.
    """
    written = []
    for change in changes(configuration, folder):
        if change.kind == "same" or (change.kind == "different" and not replace):
            continue
        path = change.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if change.kind == "different":
            shutil.copy2(path, path.with_name(f"{path.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}"))
        part = path.with_name(f".{path.name}.{token_hex(4)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(configuration[path.relative_to(folder).as_posix()])
            _give(out.fileno(), path, user)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
        written.append(change)
    return written


def _give(descriptor: int, path: Path, user: str) -> None:
    """Let whoever runs Jitney read a file: as the one that it replaces, else as the installation makes it."""
    if path.exists():
        status = path.stat()
        os.fchmod(descriptor, status.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(descriptor, status.st_uid, status.st_gid)
    elif os.geteuid() == 0:
        with suppress(KeyError):
            os.fchown(descriptor, 0, pwd.getpwnam(user).pw_gid)
            os.fchmod(descriptor, 0o640)
