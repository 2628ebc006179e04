"""What is in a backup: a tar stream that begins with a manifest, and how it is packed and unpacked."""

import json
import tarfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final, cast

import msgspec
from msgspec import Struct

from jitney.daemon.service.backup_crypt import BackupError, DamagedBackupError, Opener, Sealer
from jitney.daemon.store.holdings import Holding

MANIFEST: Final = "manifest.json"
STATE: Final = "state"
CONFIG: Final = "config"
"""The folders of the stream: what lies in the state folder, and what lies where the configuration does."""

_LARGEST_MANIFEST: Final = 4 << 20


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself.

    ``user`` is whose the state folder was, ``config`` where the configuration lay, empty when it is not in it.
    ``owners`` is what there was of everybody by table; ``keys`` are the ids of the keys that the vault needs, of which
    ``key`` tells whether it is in it.
    """

    made: str
    version: str
    host: str
    state_version: int
    state_dir: str
    state_bytes: int
    user: str
    config: str
    files: int
    files_bytes: int
    owners: Mapping[str, Mapping[str, Holding]]
    keys: tuple[str, ...]
    key: bool


class Packer:
    """Writes the stream; ``close`` it at the end."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", sealer), mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - close

    def manifest(self, manifest: Manifest) -> None:
        """Write the manifest, which comes first; it can be read by people too."""
        text = json.dumps(msgspec.to_builtins(manifest), indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        self._tar.addfile(info, BytesIO(text))

    def add(self, name: str, file: BinaryIO, *, size: int, changed: float) -> None:
        """Write a file, whose first ``size`` bytes count; raises BackupError when it has become shorter."""
        info = tarfile.TarInfo(name)
        info.size, info.mtime = size, int(changed)
        try:
            self._tar.addfile(info, file)
        except OSError as error:
            if error.errno is not None:
                raise
            raise BackupError(f"{name} was changed while it was read: try again") from error

    def close(self) -> None:
        """End the stream."""
        self._tar.close()
        self._sealer.close()


class Member(Struct, frozen=True):
    """A file of the stream: in which of its folders it is, its path there, and its content."""

    folder: str
    path: PurePosixPath
    size: int
    changed: float
    content: IO[bytes]


class Unpacker:
    """Reads the stream. Raises BackupError."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", opener), mode="r|")  # noqa: SIM115 - has nothing to close

    def manifest(self) -> Manifest:
        """Return the manifest, which comes first."""
        info = self._tar.next()
        content = None if info is None or info.name != MANIFEST else self._tar.extractfile(info)
        if content is None:
            message = "the backup has no manifest: it was made by something else"
            raise DamagedBackupError(message)
        try:
            return msgspec.json.decode(content.read(_LARGEST_MANIFEST), type=Manifest)
        except msgspec.MsgspecError as error:
            message = f"the manifest of the backup cannot be understood ({error}): was it made by a newer Jitney?"
            raise BackupError(message) from error

    def members(self) -> Iterator[Member]:
        """Return the files, each to be read before the next; then everything is known to be whole."""
        while (info := self._tar.next()) is not None:
            path = PurePosixPath(info.name)
            content = self._tar.extractfile(info) if info.isreg() else None
            if content is None or path.is_absolute() or ".." in path.parts or path.parts[0] not in (STATE, CONFIG):
                message = f"the backup has something in it that does not belong there: {info.name[:100]!r}"
                raise DamagedBackupError(message)
            yield Member(path.parts[0], path.relative_to(path.parts[0]), info.size, info.mtime, content)
        self._opener.finish()


def as_path(folder: Path, path: PurePosixPath) -> Path:
    """Return where a file of the stream lies below a folder."""
    return folder.joinpath(*path.parts)
