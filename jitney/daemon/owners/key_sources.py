"""Where the vault's key lies: a credential of systemd, else the environment, else a file beside the state."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.config.secret_files import UnavailableError, credential, read
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store.store import StoreError

CREDENTIAL: Final = "vault-key"
VARIABLE: Final = "JITNEY_VAULT_KEY"
FILE: Final = "vault.key"
NEXT: Final = "vault.key.new"
"""The key that a rotation is about to bring in: the right one as soon as the rows are of it."""

_MODE: Final = 0o600
_OTHERS: Final = 0o077

Source = Literal["credential", "environment", "file"]


class Found(Struct, frozen=True):
    """A key, what sort of place it lies in, and that place in words."""

    key: Key
    source: Source
    place: str


class KeySources:
    """Looks for the key of the vault whose state folder is ``folder``."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._file = folder / FILE
        self._next = folder / NEXT
        self._places: tuple[tuple[Source, str, Callable[[], Key | None]], ...] = (
            ("credential", f"the systemd credential {CREDENTIAL}", self._credential),
            ("environment", f"${VARIABLE}", self._variable),
            ("file", str(self._file), lambda: in_file(self._file)),
        )

    def find(self, needed: frozenset[str]) -> Found | None:
        """Return the key of the first place that has one; None when none has and ``needed`` key ids are none.

        Raises MisconfiguredError when it is not the one that is needed, or no key, or others can read its file.
        """
        # Before the others: in the moment in which a rotation ends, this is the file that goes.
        coming = self._coming()
        places = ((look(), source, place) for source, place, look in self._places)
        found = next((Found(key, source, place) for key, source, place in places if key is not None), None)
        if coming is not None and needed == {coming.id} and (found is None or found.source == "file"):
            return Found(coming, "file", str(self._next))
        if needed <= ({found.key.id} if found is not None else frozenset()):
            return found
        raise MisconfiguredError(self._wrong(needed))

    def make(self) -> Found:
        """Write a new key into the file, for a vault without rows, and return what the file holds.

        That is another new key where somebody else has made one meanwhile. Raises StoreError.
        """
        _write(self._file, Key.new(), arrive=os.link)
        key = in_file(self._file)
        if key is None:
            raise StoreError(f"{self._file} was removed as soon as it was made: try again", passing=True)
        return Found(key, "file", str(self._file))

    def prepare(self, key: Key) -> Found:
        """Write the key that a rotation of the file brings in beside the old one; raises StoreError."""
        _write(self._next, key, arrive=os.replace)
        for left in self._file.parent.glob(f".{FILE}.*"):  # by a crash while a key was written
            left.unlink(missing_ok=True)
        return Found(key, "file", str(self._next))

    def settle(self, found: Found) -> Found:
        """Put a key that a rotation has brought in into the place of the old one; raises StoreError."""
        if found.place != str(self._next):
            return found
        try:
            self._next.replace(self._file)
            _sync(self._file.parent)
        except OSError as error:
            message = f"{self._next} cannot be renamed to {FILE}: {error.strerror}"
            raise StoreError(message, passing=True) from error
        return Found(found.key, "file", str(self._file))

    def _credential(self) -> Key | None:
        try:
            text = credential(CREDENTIAL, environ=self._environ)
        except UnavailableError as error:
            raise MisconfiguredError(f"the vault's key, the systemd credential {CREDENTIAL}: {error}") from None
        return None if text is None else _parsed(text, f"the systemd credential {CREDENTIAL}")

    def _variable(self) -> Key | None:
        text = self._environ.get(VARIABLE, "").strip()
        return _parsed(text, f"${VARIABLE}") if text else None

    def _coming(self) -> Key | None:
        with suppress(MisconfiguredError):
            return in_file(self._next)
        return None

    def _wrong(self, needed: frozenset[str]) -> str:
        looked = ", ".join(f"{place} ({_id(look)})" for _, place, look in self._places)
        return (
            f"the vault needs the key with the id {' and the one with the id '.join(sorted(needed))}, and the first one"
            f" found is another or there is none. Looked at, in this order: {looked}. Nothing was changed: put the"
            " right key there again; if it is lost, `jitney vault remove --all` forgets what was kept with it"
        )


def in_file(path: Path) -> Key | None:
    """Return the key in a file, None when there is no file; raises MisconfiguredError, or StoreError for the disk."""
    try:
        if path.stat().st_mode & _OTHERS:
            message = (
                f"others on this machine can read the vault's key: chmod 600 {path}, and `jitney vault rotate` if"
                " somebody may have done so"
            )
            raise MisconfiguredError(message)
        return _parsed(read(path), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MisconfiguredError(f"the vault's key, {path}, cannot be read: {error.strerror}") from None
    except UnavailableError as error:
        message = f"the vault's key, {path}: {error}"
        raise StoreError(message, passing=True) if error.passing else MisconfiguredError(message) from None


def give_to_owner_of_folder(path: Path) -> None:
    """Let a file that root has made belong to whoever its folder belongs to, which is the user that Jitney runs as."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _parsed(text: str, place: str) -> Key:
    try:
        return Key.parse(text)
    except MisconfiguredError as error:
        raise MisconfiguredError(f"the vault's key, {place}: {error}") from None


def _id(look: Callable[[], Key | None]) -> str:
    try:
        key = look()
    except MisconfiguredError:
        return "cannot be used"
    return "none" if key is None else f"id {key.id}"


def _write(path: Path, key: Key, *, arrive: Callable[[Path, Path], None]) -> None:
    """Write a key so that a crash at any moment leaves a whole file or none; raises StoreError.

    ``arrive`` moves or links the written file to ``path``; that one is there already is no error.
    """
    written = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        try:
            with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as file:
                file.write(key.text() + "\n")
                file.flush()
                os.fsync(file.fileno())
            give_to_owner_of_folder(written)
            with suppress(FileExistsError):
                arrive(written, path)
        finally:
            written.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}; check the state folder and the disk"
        raise StoreError(message, passing=True) from error


def _sync(folder: Path) -> None:
    """Let what was renamed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
