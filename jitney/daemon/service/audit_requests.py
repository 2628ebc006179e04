"""What a running bus is asked about its audit log, and what commands elsewhere tell it."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.owners.audit import Audit
from jitney.daemon.store import audit as rows
from jitney.daemon.store import audit_proof as proof
from jitney.daemon.store.audit import Point, Row
from jitney.daemon.store.audit_proof import Verdict
from jitney.daemon.store.store import Store

MOST: Final = 200
"""Rows of one page: what a broker takes in one message."""

NEWEST: Final = 1 << 62
"""Greater than the number of every row."""

T = TypeVar("T", bound=Struct)


class AskedList(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``audit_list`` is asked: rows of an owner, of a kind, since an instant in UTC, older than a number."""

    owner: str = ""
    what: str = ""
    since: str = ""
    before: Annotated[int, Meta(ge=0)] = NEWEST
    most: Annotated[int, Meta(ge=1, le=MOST)] = MOST


class AskedProof(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``audit_verify`` is asked: whether heads that were written down before are still in it."""

    known: Annotated[tuple[str, ...], Meta(max_length=100)] = ()


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``audit_note`` tells: what a command has done at the broker, and who says so."""

    what: Literal["acl", "backup", "export", "owner"]
    owner: str = ""
    who: str = ""
    outcome: str = "ok"
    detail: str = ""


class Line(Struct, frozen=True, kw_only=True):
    """A row as it is shown. ``erased``: who and whose it was is gone, with the row of that number."""

    number: int
    time: str
    what: str
    owner: str
    who: str
    adapter: str
    outcome: str
    detail: str
    times: int
    erased: int


class Lines(Struct, frozen=True):
    """Rows, the newest first, and before which number the next page is, None at the end."""

    rows: tuple[Line, ...]
    before: int | None = None


class Done(Struct, frozen=True):
    """It was done."""


class AuditRequests:
    """Answers by name; each raises RefusedError."""

    def __init__(self, audit: Audit, store: Store) -> None:
        self._audit = audit
        self._store = store

    def handlers(self) -> Mapping[str, Callable[[Raw], Awaitable[object]]]:
        """Return what administration can be asked for."""
        return {"audit_list": self._list, "audit_verify": self._verify, "audit_note": self._note}

    async def _list(self, data: Raw) -> Lines:
        asked = _decoded(data, AskedList)
        return await self._store.read(lambda db: page(db, asked))

    async def _verify(self, data: Raw) -> Verdict:
        try:
            known = tuple(map(Point.parse, _decoded(data, AskedProof).known))
        except ValueError as error:
            raise RefusedError("invalid", f"known: expected NUMBER:HASH, {error}") from error
        found = await self._audit.key()
        keys = dict([found]) if found is not None else {}
        verdict = await self._proved(keys, known)
        # What was erased or removed while it was looked at is no harm.
        return await self._proved(keys, known) if verdict.broken else verdict

    async def _proved(self, keys: Mapping[str, bytes], known: Sequence[Point]) -> Verdict:
        about = await self._store.read(proof.standing)
        work = proof.prove(about, keys.get, known=known)
        after, newest = next(work), about.head.number if about.head is not None else 0
        while True:
            at = after
            some = await self._store.read(lambda db: rows.after(db, at, proof.STEP))  # noqa: B023 - awaited at once
            try:
                after = work.send([row for row in some if row.number <= newest])
            except StopIteration as end:
                verdict: Verdict = end.value
                return verdict

    async def _note(self, data: Raw) -> Done:
        told = _decoded(data, Told)
        who = f"somebody who says {told.who}" if told.who else "somebody"
        self._audit.add(told.what, owner=told.owner, who=who, outcome=told.outcome, detail=told.detail)
        return Done()


def page(db: sqlite3.Connection, asked: AskedList) -> Lines:
    """Return a page of rows from a file."""
    found = rows.search(db, before=asked.before, owner=asked.owner, what=asked.what, since=asked.since, most=asked.most)
    return Lines(tuple(map(_line, found)), found[-1].number if len(found) == asked.most else None)


def _line(row: Row) -> Line:
    return Line(
        number=row.number,
        time=row.time,
        what=row.what,
        owner=row.owner or "",
        who=row.who or "",
        adapter=row.adapter,
        outcome=row.outcome,
        detail=row.detail or "",
        times=row.times,
        erased=row.erased,
    )


def _decoded(data: Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedError("invalid", str(error)) from error
