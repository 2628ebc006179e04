"""Disks of a few megabytes, to be filled to the brim or turned read-only under whoever writes on them; root only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_BLOCK: Final = 4096


class Disk:
    """A mounted disk at ``path``; ``device`` is its name in sysfs, empty for one in memory."""

    def __init__(self, path: Path, device: str = "") -> None:
        self.path = path
        self.device = device
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Use up every block that is free."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while file.write(b"x" * _BLOCK):
                    pass
            except OSError:
                os.fsync(file.fileno())

    def free(self) -> None:
        """Give back what was used up."""
        self._ballast.unlink()

    def fail(self) -> None:
        """Let the kernel find an error, after which it writes nothing more on it, also not for who has files open."""
        Path(f"/sys/fs/ext4/{self.device}/trigger_fs_error").write_text("1")


@contextmanager
def in_memory(path: Path, *, megabytes: int) -> Iterator[Disk]:
    """Mount an empty disk at a path; skips the test where that is not allowed."""
    _mount(path, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs")
    try:
        yield Disk(path)
    finally:
        _run("umount", "--lazy", str(path))


@contextmanager
def on_a_card(image: Path, path: Path, *, megabytes: int) -> Iterator[Disk]:
    """Mount a file as ext4 at a path, as a card is: an error turns it read-only. Made anew where there is none yet."""
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", str(image))
    _mount(path, "-o", "loop,errors=remount-ro", str(image))
    try:
        source = _run("findmnt", "--noheadings", "--output", "SOURCE", str(path)).strip()
        yield Disk(path, Path(source).name)
    finally:
        _run("umount", "--lazy", str(path))


def _mount(path: Path, *arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    path.mkdir(parents=True, exist_ok=True)
    try:
        _run("mount", *arguments, str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
