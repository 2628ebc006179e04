"""The disk that holds the state: room, how it is mounted, and what a card or a file system says of its health."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Found
from jitney.daemon.service.doctor.case import Case

MEGABYTE: Final = 1 << 20
LITTLE: Final = 100
"""Megabytes below which a disk counts as full."""

_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_VOLATILE: Final = ("tmpfs", "ramfs", "overlay")
_WORN: Final = {2: "warning", 3: "problem"}
"""``pre_eol_info`` of an eMMC: most, or nearly all of its spare blocks are used (JEDEC 84-B51, 7.4.43)."""
_CARD_REMEDY: Final = "make a backup of the state folder now, and put another card in"


class Mount(Struct, frozen=True):
    """Where a file system is mounted, of what sort it is, and the numbers of its device: ``179:2``."""

    place: str
    kind: str
    options: frozenset[str]
    device: str


def look(case: Case) -> Iterator[Found]:
    """Yield how the disk is."""
    folder = _existing(case.state)
    room = os.statvfs(folder)
    yield _room(room.f_bavail * room.f_frsize // MEGABYTE, wanted=case.config.outbox.disk_mb)
    if room.f_files and not room.f_favail:
        yield Found("problem", "the file system has no room for another file (inodes)", "remove files")
    mount = mount_of(folder, case.root / "proc/self/mountinfo")
    if mount is not None:
        yield from _mounted(mount)
        yield from _card(case.root, mount)


def mount_of(folder: Path, table: Path) -> Mount | None:
    """Return what is mounted where a folder is, by a table like /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    best: Mount | None = None
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if folder.is_relative_to(place) and (best is None or len(place) >= len(best.place)):
            best = Mount(place, rest[0], frozenset((*fields[5].split(","), *rest[-1].split(","))), fields[2])
    return best


def _existing(path: Path) -> Path:
    """Return the nearest folder that exists."""
    path = Path(os.path.realpath(path))
    return next(one for one in (path, *path.parents) if one.is_dir())


def _room(free: int, *, wanted: int) -> Found:
    text = f"{free} MB are free where the state is"
    if free < LITTLE:
        return Found("problem", text, "free some space: events of durable adapters are refused when it is full")
    if free < wanted + LITTLE:
        remedy = f"free some space, or lower outbox.disk_mb, which lets events that wait take {wanted} MB"
        return Found("warning", text, remedy)
    return Found("ok", text)


def _mounted(mount: Mount) -> Iterator[Found]:
    if "ro" in mount.options:
        remedy = f"find out why (dmesg), then: sudo mount -o remount,rw {mount.place}"
        yield Found("problem", f"{mount.place} is mounted read-only: nothing can be kept", remedy)
    if mount.kind in _VOLATILE:
        remedy = "set bus.state_dir to a folder on a disk"
        yield Found("warning", f"the state is on a {mount.kind}, which forgets it when the machine restarts", remedy)
    if not mount.options & {"noatime", "relatime"} and mount.device.partition(":")[0] != "0":
        yield Found(
            "note", f"{mount.place} is mounted without noatime: every reading writes too", "add it in /etc/fstab"
        )


def _card(root: Path, mount: Mount) -> Iterator[Found]:
    """Yield what the kernel knows of the disk and its file system."""
    part = Path(os.path.realpath(root / "sys/dev/block" / mount.device))
    faults = _number(root / "sys/fs/ext4" / part.name / "errors_count", base=10)
    if faults:
        remedy = f"make a backup, then check it at the next start: sudo touch {mount.place.rstrip('/')}/forcefsck"
        yield Found("problem", f"the file system at {mount.place} has had {faults} errors", remedy)
    disk = part.parent if (part / "partition").exists() else part
    sort = _text(disk / "device/type")
    if sort not in {"SD", "MMC"}:
        return
    name = _text(disk / "device/name")
    what = f"{'an SD card' if sort == 'SD' else 'an eMMC'}{f' ({name})' if name else ''}"
    if sort == "SD":
        remedy = "keep backups; a USB disk or an eMMC lasts longer. Adapters with durable = true write most"
        yield Found("note", f"the state is on {what}, which wears out by writing and does not say how far", remedy)
        return
    level = _WORN.get(_number(disk / "device/pre_eol_info", base=16))
    if level == "problem":
        yield Found("problem", f"the state is on {what} that is nearly worn out", _CARD_REMEDY)
    elif level == "warning":
        yield Found("warning", f"the state is on {what} that has used most of its spare blocks", _CARD_REMEDY)
    else:
        yield Found("ok", f"the state is on {what} that is not worn out")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path, *, base: int) -> int:
    try:
        return int(_text(path).split()[0], base)
    except (ValueError, IndexError):
        return 0
