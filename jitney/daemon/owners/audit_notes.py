"""What commands have done, left in the state folder for the audit log: the bus alone writes that, when it runs."""

import os
import pwd
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from jitney.daemon.owners.key_sources import give_to_owner_of_folder
from jitney.daemon.store.audit import Note
from jitney.topics import new_id, utc_now

NAME: Final = "audit.note-"
"""How the name of a note begins."""

MOST: Final = 1000
"""Notes that are kept until the bus runs."""

LARGEST: Final = 8192
"""Bytes of a note."""


def leave(folder: Path, what: str, *, owner: str = "", outcome: str = "ok", detail: str = "") -> bool:
    """Leave a note in a state folder; tells whether there is one that could be written."""
    note = Note(time=utc_now(), what=what, owner=owner, who=who(), outcome=outcome, detail=detail)
    name = f"{NAME}{new_id()}"
    try:
        if not folder.is_dir() or len(list(folder.glob(f"{NAME}*"))) >= MOST:
            return False
        part = folder / f".{name}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(note))
        give_to_owner_of_folder(part)
        part.rename(folder / name)
    except OSError:
        return False
    return True


def left(folder: Path) -> list[tuple[Path, Note | None]]:
    """Return the notes that were left, in order; None for what is none."""
    return [(path, _read(path)) for path in sorted(folder.glob(f"{NAME}*"))[:MOST]]


def remove(paths: Iterable[Path]) -> None:
    """Remove notes that are in the log."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def who() -> str:
    """Return which user of this machine runs a command, and as whom."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    asked = os.environ.get("SUDO_USER", "")
    return f"{name} on this machine, asked by {asked}" if asked else f"{name} on this machine"


def _read(path: Path) -> Note | None:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return msgspec.json.decode(file.read(LARGEST), type=Note)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
