"""Downloaded photos of one owner: the newest ones, as files that only the bus can read, within limits."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from jitney.adapters.strava.errors import NotFoundError, StravaError, UnavailableError
from jitney.adapters.strava.kinds import PhotoData
from jitney.adapters.strava.normalise import is_placeholder

LARGEST: Final = 10_000_000
"""Bytes of the largest photo that is taken."""

SECONDS: Final = 30.0
"""How long one download may take."""

_ENDINGS: Final[Mapping[str, str]] = {
    "image/avif": "avif",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}
_UNIQUE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME: Final = re.compile(rf"({_UNIQUE_ID.pattern})\.(?:{'|'.join(sorted(set(_ENDINGS.values())))})")
_UNFINISHED: Final = re.compile(rf"\.{_UNIQUE_ID.pattern}\.part")
_LATEST: Final = 2.0**31 - 1
"""Unix seconds that every file system can keep."""

_OK: Final = 200
_GONE: Final = frozenset({403, 404, 410})
_LATER: Final = frozenset({408, 425, 429, *range(500, 600)})

_Result = TypeVar("_Result")


class _File(NamedTuple):
    """A photo on disk; sorted by when it was taken, in Unix seconds. ``fetched``: when it was downloaded."""

    taken: float
    unique_id: str
    name: str
    size: int
    fetched: float


class PhotoFiles:
    """The photos of one owner in ``folder``: at most ``most``, together at most ``most_bytes``; the oldest go first.

    ``room`` returns how many bytes there is room for besides, and ``full`` learns that this was not enough. They are
    downloaded over https only, or from ``origin`` (a scheme, host and port), without redirects.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        *,
        most: int = 100,
        room: Callable[[], int] = lambda: sys.maxsize,
        full: Callable[[], None] = lambda: None,
        origin: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most = most
        self._room = room
        self._full = full
        self._origin = origin.rstrip("/").lower()
        self._clock = clock
        self._lock = asyncio.Lock()
        self._left_out = 0.0

    async def fetch(self, http: ClientSession, photo: PhotoData) -> Path | None:
        """Return the file of a photo, downloaded where it is not there yet; None for one that is not kept.

        Call it for the newest photo first: what is older than all that there is room for is not downloaded.
        Of ``http`` only the connections are used: no header, cookie or token of it is sent. Raises UnavailableError
        when it may work later, NotFoundError when the address is no longer right, StravaError when it cannot be kept.
        """
        if is_placeholder(photo.url):
            return None
        self._check(photo)
        async with self._lock:
            files = await self._disk(self._files)
            there = next((file for file in files if file.unique_id == photo.unique_id), None)
            if there is not None:
                return self._folder / there.name
            taken = _seconds(photo.created) or self._clock()
            if taken <= self._left_out or (len(files) >= self._most and taken <= files[0].taken):
                return None
            ending, body = await self._download(http, photo.url)
            name = f"{photo.unique_id}.{ending}"
            kept, enough = await self._disk(lambda: self._store(name, body, taken=taken))
            if not enough:
                self._full()
            return self._folder / name if kept else None

    async def names(self) -> dict[str, str]:
        """Return the name of each file by the photo's unique id, newest first."""
        return {file.unique_id: file.name for file in reversed(await self._disk(self._files))}

    async def size(self) -> int:
        """Return how many bytes the photos have together."""
        return sum(file.size for file in await self._disk(self._files))

    async def keep(self, unique_ids: Iterable[str]) -> int:
        """Remove every other photo; returns how many."""
        wanted = frozenset(unique_ids)
        return await self._remove(lambda file: file.unique_id not in wanted)

    async def expire(self, *, before: float) -> int:
        """Remove the photos that were downloaded before a time in Unix seconds; returns how many."""
        return await self._remove(lambda file: file.fetched < before)

    async def erase(self) -> None:
        """Remove all photos, what was left of a download that was cut off, and the folder."""
        async with self._lock:
            self._left_out = 0.0
            await self._disk(self._erase)

    def _check(self, photo: PhotoData) -> None:
        if _UNIQUE_ID.fullmatch(photo.unique_id) is None:
            message = f"photo {photo.unique_id[:80]!r}: not an id that can name a file"
            raise StravaError(message)
        try:
            parts = urlsplit(photo.url)
            usable = bool(parts.hostname) and parts.username is None
        except ValueError:
            usable = False
        else:
            origin = f"{parts.scheme}://{parts.netloc}".lower()
            usable = usable and (parts.scheme == "https" or origin == self._origin)
        if not usable:
            message = f"photo {photo.unique_id}: its address is none that begins with https://"
            raise StravaError(message)

    async def _download(self, http: ClientSession, url: str) -> tuple[str, bytes]:
        """Return the ending that the file of a picture gets, and the picture."""
        host = urlsplit(url).hostname
        if http.connector is None:
            message = f"photo from {host}: no connections are made any more"
            raise UnavailableError(message)
        try:
            async with (
                ClientSession(
                    connector=http.connector,
                    connector_owner=False,
                    cookie_jar=DummyCookieJar(),
                    timeout=ClientTimeout(total=SECONDS),
                ) as bare,
                bare.get(url, allow_redirects=False) as answer,
            ):
                return await self._read(answer, f"photo from {host}")
        except (ClientError, TimeoutError) as error:
            message = f"photo from {host}: {type(error).__name__}"
            raise UnavailableError(message) from None

    async def _read(self, answer: ClientResponse, what: str) -> tuple[str, bytes]:
        if answer.status != _OK:
            raise _refusal(answer.status, f"{what}: HTTP status {answer.status}")
        ending = _ENDINGS.get(answer.content_type.lower())
        if ending is None:
            message = f"{what}: {answer.content_type[:80]!r} is no picture"
            raise StravaError(message)
        most = min(LARGEST, self._most_bytes)
        body = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > most:
                message = f"{what}: more than {most} bytes"
                raise StravaError(message)
        if not body:
            message = f"{what}: it is empty"
            raise UnavailableError(message)
        return ending, bytes(body)

    async def _remove(self, unwanted: Callable[[_File], bool]) -> int:
        async with self._lock:
            files = [file for file in await self._disk(self._files) if unwanted(file)]
            await self._disk(lambda: self._unlink(file.name for file in files))
            if files:
                self._left_out = 0.0
            return len(files)

    async def _disk(self, work: Callable[[], _Result]) -> _Result:
        """Do ``work`` in a thread, to its end even when this is cancelled: nothing is written after an ``erase``."""
        task = asyncio.create_task(asyncio.to_thread(work), name="strava photo files")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            task.exception()
            raise
        except OSError as error:
            message = f"photos in {self._folder}: {error.strerror or error}"
            raise UnavailableError(message) from error

    def _files(self) -> list[_File]:
        """Return the photos on disk, oldest first."""
        found: list[_File] = []
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is not None and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append(_File(status.st_mtime, match[1], entry.name, status.st_size, status.st_ctime))
        return sorted(found)

    def _store(self, name: str, body: bytes, *, taken: float) -> tuple[bool, bool]:
        """Write a file and remove what is too much then; returns whether it was kept, and whether there was room."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unlink(self._unfinished())
        part = self._folder / f".{name.partition('.')[0]}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(part, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor with its own mode
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.utime(part, (taken, taken))
            part.rename(self._folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        files = self._files()
        total = sum(file.size for file in files)
        room = self._room()
        enough = min(total, self._most_bytes) <= room
        removed: list[str] = []
        while total > min(self._most_bytes, room) or len(files) > self._most:
            oldest = files.pop(0)
            total -= oldest.size
            self._left_out = max(self._left_out, oldest.taken)
            removed.append(oldest.name)
        self._unlink(removed)
        return name not in removed, enough

    def _erase(self) -> None:
        self._unlink(file.name for file in self._files())
        self._unlink(self._unfinished())
        with suppress(OSError):
            self._folder.rmdir()

    def _unfinished(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [name for name in os.listdir(self._folder) if _UNFINISHED.fullmatch(name)]  # noqa: PTH208
        return []

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def _refusal(status: int, message: str) -> StravaError:
    if status in _GONE:
        return NotFoundError(message)
    return UnavailableError(message) if status in _LATER else StravaError(message)


def _seconds(created: str | None) -> float:
    """Return when a photo was taken in Unix seconds, 0 where nobody knows."""
    try:
        return min(max(datetime.fromisoformat(created or "").timestamp(), 0.0), _LATEST)
    except (ValueError, OverflowError):
        return 0.0
