"""What the bus keeps of one owner: how much, and all of it, a page at a time. No secrets, and nothing of another."""

import asyncio
import os
import stat
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.config.schema import AdapterSettings
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.owners.audit import UNHEARD, Auditing
from jitney.daemon.owners.files import folder
from jitney.daemon.store import holdings
from jitney.daemon.store.holdings import FIRST, TABLES, Cursor, Holding
from jitney.daemon.store.store import Store
from jitney.topics import HOUSE, InvalidOwnerError, owners

MEMORY: Final = "memory"
FILES: Final = "files"
"""What is listed beside the tables: events that wait in memory only, and files."""

RETAINED: Final = "retained"
"""The table of which more is known in memory: the values of adapters that are not durable."""

LISTED: Final = (*(table.name for table in TABLES), MEMORY, FILES)

PAGE_ROWS: Final = 500
PAGE_BYTES: Final = 256_000
"""Of one page: what a broker takes in one message."""

CHUNK: Final = 128 * 1024
"""Bytes of a file that are read at once."""

_BY_NAME: Final = {table.name: table for table in TABLES}

T = TypeVar("T", bound=Struct)


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``owner_usage`` is asked: of whom, empty for everybody."""

    owner: str = ""


class AskedPage(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``owner_export`` is asked: the rows of a table that come after a cursor, None for the first."""

    owner: str
    table: str
    after: Cursor | None = None


class AskedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``owner_file`` is asked: a part of a file of an owner."""

    owner: str
    name: str
    offset: Annotated[int, Meta(ge=0)] = 0


class Usage(Struct, frozen=True):
    """What each owner takes, by table; files are among them."""

    owners: Mapping[str, Mapping[str, Holding]]


class Page(Struct, frozen=True):
    """Some records, and the cursor that the next page comes after, None at the end."""

    records: list[dict[str, object]]
    next: Cursor | None


class Part(Struct, frozen=True):
    """A part of a file as base64, and how long the whole is."""

    data: str
    size: int


class Holdings:
    """Answers what a running bus is asked about what it keeps of its owners."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        outbox: Outbox,
        *,
        adapters: Callable[[], Mapping[str, AdapterSettings]],
        state_dir: Path,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._outbox = outbox
        self._adapters = adapters
        self._state_dir = state_dir
        self.audit: Auditing = UNHEARD

    def handlers(self) -> Mapping[str, Callable[[Raw], Awaitable[object]]]:
        """Return what administration can be asked for, by name; each raises RefusedError."""
        return {"owner_usage": self._usage, "owner_export": self._export, "owner_file": self._file}

    async def _usage(self, data: Raw) -> Usage:
        asked = _decoded(data, Asked)
        if asked.owner:
            who = [_person(asked.owner)]
        else:
            kept = await self._store.read(holdings.owners)
            folders = await asyncio.to_thread(with_files, self._state_dir)
            who = sorted({*kept, *folders, *(line.owner for line in self._ledger.lines.values())} - {""})
        return Usage({owner: await self._of(owner) for owner in who})

    async def _of(self, owner: str) -> dict[str, Holding]:
        own = owned(self._adapters(), owner)
        found = await self._store.read(lambda db: holdings.usage(db, owner, own))
        values = [line.payload or b"" for line in self._ledger.lines.values() if line.owner == owner]
        waiting = self._in_memory(owner)
        found[RETAINED] = Holding(len(values), sum(map(len, values)))
        found[MEMORY] = Holding(len(waiting), sum(len(str(one["payload"])) for one in waiting))
        found[FILES] = await asyncio.to_thread(files_usage, self._state_dir, owner)
        return found

    async def _export(self, data: Raw) -> Page:
        asked = _decoded(data, AskedPage)
        owner = _person(asked.owner)
        self.audit.add("export", owner=owner)
        table = _BY_NAME.get(asked.table)
        if asked.table not in LISTED:
            raise RefusedError("invalid", f"there is no table {asked.table!r}: it is one of {', '.join(LISTED)}")
        kind = int if asked.table == MEMORY else str if table is None else table.kind
        if asked.after is not None and not isinstance(asked.after, kind):
            raise RefusedError("invalid", f"after: no row of {asked.table} has that cursor")
        if asked.table == MEMORY:
            return _cut([(number + 1, one) for number, one in enumerate(self._in_memory(owner))], asked.after)
        if asked.table == FILES:
            return _cut(await asyncio.to_thread(files, self._state_dir, owner), asked.after)
        if table is None or asked.table == RETAINED:
            return _cut(self._retained(owner), asked.after)
        own, after = owned(self._adapters(), owner), FIRST[table.kind] if asked.after is None else asked.after
        rows = await self._store.read(lambda db: holdings.page(db, table, owner, own=own, after=after, most=PAGE_ROWS))
        page = _cut(rows, None)
        more = page.next is None and len(rows) == PAGE_ROWS
        return Page(page.records, rows[-1][0]) if more else page

    async def _file(self, data: Raw) -> Part:
        asked = _decoded(data, AskedFile)
        try:
            return await asyncio.to_thread(_part, folder(self._state_dir, _person(asked.owner)), asked)
        except OSError as error:
            raise RefusedError("no_file", f"{asked.name}: {error.strerror}") from error

    def _in_memory(self, owner: str) -> list[dict[str, object]]:
        """Return the events that wait and are not on disk."""
        return [
            {"adapter": lane.adapter, "topic": entry.topic, "payload": entry.payload}
            for lane in self._outbox.lanes.values()
            if lane.owner == owner
            for entry in lane.head
            if not entry.row
        ]

    def _retained(self, owner: str) -> list[tuple[Cursor, dict[str, object]]]:
        lines = sorted((topic, line) for topic, line in self._ledger.lines.items() if line.owner == owner)
        return [
            (topic, {"topic": topic, "adapter": line.adapter, "payload": line.payload, "until": line.until})
            for topic, line in lines
        ]


def owned(adapters: Mapping[str, AdapterSettings], owner: str) -> list[str]:
    """Return the adapters that only one owner has: all that these keep is theirs."""
    return [name for name, adapter in adapters.items() if adapter.owner == owner != HOUSE]


def readable(record: Mapping[str, object]) -> dict[str, object]:
    """Return a row as JSON can say it: what is JSON as such, other text as text, and bytes as base64.

    The link of an alert is left out: with it somebody else could sign in for its owner.
    """
    said = {name: _readable(value) if isinstance(value, bytes) else value for name, value in record.items()}
    match said:
        case {"topic": str(topic), "payload": {"link": _, **rest}} if "/alert/" in topic:
            said["payload"] = rest
    return said


def with_files(state_dir: Path) -> list[str]:
    """Return the owners who have files."""
    parent = folder(state_dir, "x").parent
    return sorted(path.name for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def files(state_dir: Path, owner: str) -> list[tuple[Cursor, dict[str, object]]]:
    """Return the files of an owner by name, in order; links are none."""
    base = folder(state_dir, owner)
    found: list[tuple[Cursor, dict[str, object]]] = []
    for at, _, names in os.walk(base):
        for path in (Path(at, name) for name in names):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                name = path.relative_to(base).as_posix()
                found.append((name, {"name": name, "size": status.st_size}))
    return sorted(found, key=lambda one: str(one[0]))


def files_usage(state_dir: Path, owner: str) -> Holding:
    """Return how many files an owner has, and their bytes."""
    sizes = [int(str(one["size"])) for _, one in files(state_dir, owner)]
    return Holding(len(sizes), sum(sizes))


def _part(base: Path, asked: AskedFile) -> Part:
    path = (base / asked.name).resolve()
    if not path.is_relative_to(base.resolve()) or path == base:
        raise RefusedError("no_file", f"{asked.name!r} is no file of {asked.owner}")
    with path.open("rb") as file:
        file.seek(asked.offset)
        return Part(b64encode(file.read(CHUNK)).decode(), os.fstat(file.fileno()).st_size)


def _cut(rows: list[tuple[Cursor, dict[str, object]]], after: Cursor | None) -> Page:
    """Return as many of the rows after a cursor as fit into one page, at least one."""
    records: list[dict[str, object]] = []
    size, last = 0, after
    for cursor, row in rows:
        if after is not None and cursor <= after:  # type: ignore[operator] # both are of the table's kind
            continue
        record = readable(row)
        size += len(msgspec.json.encode(record))
        if records and size > PAGE_BYTES:
            return Page(records, last)
        records.append(record)
        last = cursor
    return Page(records, None)


def _readable(value: bytes) -> object:
    try:
        return msgspec.json.decode(value) if value else ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _decoded(data: Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedError("invalid", str(error)) from error


def _person(owner: str) -> str:
    try:
        return owners.owner(owner)
    except InvalidOwnerError as error:
        raise RefusedError("invalid", str(error)) from error
