"""The hand that installs: writes and removes files, remembers which are its own, or only says what it would do."""

import hashlib
import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from jitney.daemon.service.machine import CannotInstallError

SECONDS: Final = 60
"""How long a command of systemd may take."""

_LINK: Final = "link to "


class Step(Struct, frozen=True):
    """One thing that was done, or found done: ``verb`` like wrote, kept or removed."""

    verb: str
    what: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.verb:<8} {self.what}{f'  ({self.note})' if self.note else ''}"


class Hand:
    """Works below ``root``; with ``dry`` it changes nothing. Each step is told as it is done.

    The receipt is a file with a digest of everything it has written, by which it knows its own again: what somebody
    has changed or made is never overwritten and never removed. What cannot be done raises CannotInstallError.
    """

    def __init__(self, receipt: Path, *, root: Path, dry: bool, tell: Callable[[Step], None]) -> None:
        self.root = root
        self.dry = dry
        self._tell = tell
        self._receipt = self.place(receipt)
        self._own: dict[str, str] = _read(self._receipt)
        self._before = dict(self._own)

    def place(self, path: Path) -> Path:
        """Return where a path of the installed system is seen from here."""
        return self.root / path.relative_to("/") if self.root != Path("/") else path

    def owns(self, path: Path) -> bool:
        """Tell whether it has written a file, some time."""
        return str(path) in self._own

    def folder(self, path: Path, *, mode: int, group: int | None = None) -> None:
        """Make a folder, or give the one that is there its mode and group."""
        place = self.place(path)
        with _explained(path):
            status = place.stat() if place.is_dir() else None
        if status is not None and status.st_mode & 0o7777 == mode and group in (None, status.st_gid):
            self._tell(Step("kept", f"{path}/"))
            return
        self._say("made", f"{path}/", f"mode {mode:o}")
        if not self.dry:
            with _explained(path):
                place.mkdir(parents=True, exist_ok=True)
                if group is not None:
                    os.chown(place, -1, group)
                place.chmod(mode)

    def once(self, path: Path, text: str, *, mode: int, group: int | None = None) -> None:
        """Write a file that belongs to whoever edits it from then on."""
        if _digest(self.place(path)):
            self._tell(Step("kept", str(path), "never overwritten"))
            return
        self._say("wrote", str(path), "yours to edit")
        self._put(path, text, mode=mode, group=group)

    def file(self, path: Path, text: str) -> None:
        """Write a file, or bring it to this version unless somebody else has written or changed it."""
        there = _digest(self.place(path))
        wanted = hashlib.sha256(text.encode()).hexdigest()
        if there == wanted:
            self._tell(Step("kept", str(path)))
        elif there and there != self._own.get(str(path)):
            self._tell(Step("left", str(path), "changed by somebody: to have this version's, remove it and come again"))
            return
        else:
            self._say("wrote", str(path), "a new version" if there else "")
            self._put(path, text, mode=0o644)
        self._own[str(path)] = wanted

    def link(self, path: Path, target: Path) -> None:
        """Let a link lead to the target, unless somebody else has put something there."""
        there = _digest(self.place(path))
        wanted = f"{_LINK}{target}"
        if there == wanted:
            self._tell(Step("kept", str(path), wanted))
        elif there and there != self._own.get(str(path)):
            self._tell(Step("left", str(path), f"not ours: the command is {target}"))
            return
        else:
            self._say("wrote", str(path), wanted)
            if not self.dry:
                place = self.place(path)
                with _explained(path):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.unlink(missing_ok=True)
                    place.symlink_to(target)
        self._own[str(path)] = wanted

    def remove(self, path: Path) -> None:
        """Remove what it has written, unless somebody has changed it since; nothing for what it has not."""
        wrote = self._own.pop(str(path), None)
        there = _digest(self.place(path))
        if wrote is None or not there:
            return
        if there != wrote:
            self._tell(Step("left", str(path), "changed by somebody since it was installed"))
            return
        self._say("removed", str(path))
        if not self.dry:
            with _explained(path):
                self.place(path).unlink()
            with suppress(OSError):  # others have a file in it
                if path.parent.name.endswith(".d") and path.parent.suffixes:
                    self.place(path).parent.rmdir()

    def remove_all(self) -> bool:
        """Remove everything that it has written; tells whether there was anything."""
        for path in reversed(list(self._own)):
            self.remove(Path(path))
        return bool(self._before)

    def run(self, *command: str, may_fail: bool = False) -> None:
        """Run a command of systemd."""
        self._say("ran", shlex.join(command))
        if self.dry:
            return
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603 - ours
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{shlex.join(command)} cannot be run: {error}"
            raise CannotInstallError(message) from error
        if done.returncode != 0 and not may_fail:
            said = (done.stderr or done.stdout).strip()
            message = f"{shlex.join(command)} failed: {said}; set that right and come again"
            raise CannotInstallError(message)

    def finish(self) -> None:
        """Keep the receipt, or remove it where there is nothing left to remember."""
        if self.dry or self._own == self._before:
            return
        with _explained(self._receipt):
            if self._own:
                self._receipt.write_bytes(msgspec.json.format(msgspec.json.encode(self._own), indent=1) + b"\n")
            else:
                self._receipt.unlink(missing_ok=True)

    def _put(self, path: Path, text: str, *, mode: int, group: int | None = None) -> None:
        """Write a whole file in one step."""
        if self.dry:
            return
        place = self.place(path)
        new = place.with_name(f".{place.name}.new")
        with _explained(path):
            place.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            if group is not None:
                os.chown(new, -1, group)
            new.chmod(mode)
            new.replace(place)

    def _say(self, verb: str, what: str, note: str = "") -> None:
        self._tell(Step(f"would: {verb}" if self.dry else verb, what, note))


class _explained:  # noqa: N801 - reads like a verb where it is used
    """Turns an error of the system into one that says what could not be done."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            message = f"{self._path}: {error.strerror}; nothing after it was done, come again when that is mended"
            raise CannotInstallError(message) from error


def _digest(place: Path) -> str:
    """Return what is known by: a digest, or where a link leads; empty for nothing."""
    if place.is_symlink():
        return f"{_LINK}{place.readlink()}"
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        message = f"{place} cannot be read: {error.strerror}"
        raise CannotInstallError(message) from error


def _read(receipt: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(receipt.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise CannotInstallError(f"only root can see what is installed: run it with sudo ({receipt})") from error
    except (OSError, msgspec.MsgspecError) as error:
        message = (
            f"{receipt}, which says what was installed, cannot be read: {error}; remove it, then files stay as they are"
        )
        raise CannotInstallError(message) from error
