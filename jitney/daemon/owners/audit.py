"""The audit log: who did what, in rows that nobody can change, leave out or cut off unnoticed.

What it proves, and what not, is in docs/audit.md. Whoever adds to it neither waits nor fails: a disk that takes
nothing makes notes wait, as many as there is room for, and what was lost then is told in the log itself.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from jitney.adapters.base import Clock
from jitney.adapters.errors import RefusedError
from jitney.daemon.config.plan import Plan
from jitney.daemon.config.schema import AuditSettings
from jitney.daemon.counters import Counters
from jitney.daemon.log import get, mask
from jitney.daemon.owners import audit_notes
from jitney.daemon.owners.audit_rate import Rate
from jitney.daemon.store import audit as rows
from jitney.daemon.store import audit_proof as proof
from jitney.daemon.store.audit import Note, Point
from jitney.daemon.store.store import Store, StoreError, told
from jitney.topics import rfc3339, utc_now

LONGEST: Final = 500
"""Characters of a detail."""

LONGEST_WORD: Final = 100
"""Characters of everything else."""

MOST_WAITING: Final = 2000
"""Notes that wait for the disk; what comes beyond is lost, counted, and told in the log when it goes on."""

AT_ONCE: Final = 500
RETRY_SECONDS: Final = 5.0

EVERY: Final = 60.0
"""Seconds between two looks at what was counted and at what commands have left."""

RARELY: Final = 60
"""In so many looks, old rows are removed, and the log is sealed and told of once."""

PATIENCE: Final = 5.0
"""Seconds that a stop waits for the last rows, and an erasure for those before it."""

REFUSALS: Final = frozenset(
    (
        "foreign_owner",
        "foreign_publication",
        "foreign_response_topic",
        "foreign_source",
        "foreign_type",
        "over_quota",
        "owner_disabled",
        "rate_limited",
        "retained",
        "taken_over",
        "unknown_owner",
        "unknown_request",
    )
)
"""Outcomes of what was asked that are told as ``refused``, whatever was asked: somebody went where they may not."""

_LOOKED_AT: Final = 8192
_DAY: Final = 86_400.0
_log = get("audit")

KeyOfSeals = Callable[[], Awaitable[tuple[str, bytes] | None]]
"""Returns the id of the vault's key and the key of seals, None where the vault has none."""


class Auditing(Protocol):
    """Where it is told what somebody did."""

    def add(
        self, what: str, *, owner: str = "", who: str = "", adapter: str = "", outcome: str = "ok", detail: str = ""
    ) -> None:
        """Tell it; never waits and never raises. No secrets, and nothing of what was sent or received."""

    def asked(self, what: str, code: str, *, owner: str, who: str = "", adapter: str = "", detail: str = "") -> None:
        """Tell what somebody asked for and which code came of it; some codes make a refusal of whatever it was."""


class Unheard:
    """Where it is told to nobody."""

    def asked(self, what: str, code: str, *, owner: str, who: str = "", adapter: str = "", detail: str = "") -> None:
        """Do nothing."""

    def add(
        self, what: str, *, owner: str = "", who: str = "", adapter: str = "", outcome: str = "ok", detail: str = ""
    ) -> None:
        """Do nothing."""


UNHEARD: Final = Unheard()


class Audit:
    """The log of a running bus. ``load`` it, ``run`` it, and ``close`` it before the store.

    ``key`` is asked for whenever the log is sealed; ``tell`` learns the newest head now and then. ``folder`` is that of
    the state, where commands leave what they did.
    """

    def __init__(
        self,
        store: Store,
        settings: AuditSettings,
        *,
        counters: Counters,
        key: KeyOfSeals,
        folder: Path,
        clock: Clock = time.monotonic,
    ) -> None:
        self.tell: Callable[[], None] = lambda: None
        self.head = Point()
        self._store = store
        self._settings = settings
        self._counters = counters
        self.key = key
        self._folder = folder
        self._rate = Rate(clock)
        self._waiting: deque[Note] = deque()
        self._lost = 0
        self._busy = True
        self._retry: asyncio.TimerHandle | None = None
        self._told = Point()
        self._erasing: asyncio.Task[int] | None = None

    def use(self, settings: AuditSettings) -> None:
        """Keep as much as another configuration wants, from now on."""
        self._settings = settings

    def add(
        self, what: str, *, owner: str = "", who: str = "", adapter: str = "", outcome: str = "ok", detail: str = ""
    ) -> None:
        """Add a row soon; never waits and never raises. The same again within a minute is counted, and told then."""
        note = Note(
            time=utc_now(),
            what=_clean(what, LONGEST_WORD),
            owner=_clean(owner, LONGEST_WORD),
            who=_clean(who, LONGEST_WORD),
            adapter=_clean(adapter, LONGEST_WORD),
            outcome=_clean(outcome, LONGEST_WORD),
            detail=_clean(detail, LONGEST),
        )
        if self._rate.admit(note):
            self._put(note)

    def asked(self, what: str, code: str, *, owner: str, who: str = "", adapter: str = "", detail: str = "") -> None:
        """Add what somebody asked for and which code came of it: some of them make a refusal of whatever it was."""
        refused = code in REFUSALS
        said = f"{what} {detail}".rstrip() if refused else detail
        self.add("refused" if refused else what, owner=owner, who=who, adapter=adapter, outcome=code, detail=said)

    def reloaded(self, found: Plan) -> None:
        """Add that another configuration is in force, and what it changes about people and access."""
        self.add("reload", detail="; ".join(map(str, found.changes)))
        for change in found.changes:
            section, _, name = change.what.partition(".")
            if section == "owners":
                self.add("owner", owner=name, outcome=change.how, detail=", ".join(change.keys))
            elif section in ("access", "grants"):
                self.add("acl", outcome=change.how, detail=str(change))

    async def load(self) -> bool:
        """Find the end of the log, and tell in it when it is not where it was; returns whether the last run ended well.

        Raises StoreError.
        """
        there, head, last = await self._store.read(_look)
        self.head = head if head is not None and head.number > there.number else there
        self._busy = False
        if head is not None and head != there:
            self._broken(f"the log ended at {head.number} and now does at {there.number}")
        elif head is None and there.number:
            self._broken("where the log ended is not known any more")
        elif why := await self._unsealed():
            self._broken(why)
        return last in ("", "stop")

    async def run(self) -> None:
        """Write what was counted, take what commands have left, remove what is too old; cancelled to stop it."""
        looks = 0
        while True:
            for note in self._rate.due():
                self._put(note)
            await self._take_notes()
            if looks % RARELY == 0:
                await self._tidy()
            looks += 1
            await asyncio.sleep(EVERY)

    async def erase(self, owner: str) -> int:
        """Empty what the log tells of an owner, and add that this was done; returns how many rows were emptied.

        Raises RefusedError not_erased.
        """
        await self._take_notes()
        for note in self._rate.due(everything=True):
            self._put(note)
        if not await self._settled():
            raise RefusedError("not_erased", f"what the audit log has of {owner} cannot be erased: the disk is full")
        self._busy = True
        self._erasing = asyncio.create_task(self._erase(owner), name=f"erase {owner} in the audit log")
        try:
            return await asyncio.shield(self._erasing)
        except StoreError as error:
            message = f"what the audit log has of {owner} cannot be erased: {error}"
            raise RefusedError("not_erased", message) from error

    async def close(self) -> None:
        """Write what still waits, as far as the disk takes it."""
        for note in self._rate.due(everything=True):
            self._put(note)
        if self._erasing is not None:
            await asyncio.wait([self._erasing], timeout=PATIENCE)
        settled = await self._settled()
        if self._retry is not None:
            self._retry.cancel()
        self._busy = True
        if not settled:
            _log.warning("the last rows of the audit log could not be written", lost=len(self._waiting) + self._lost)
        else:
            await self._seal()
            self._tell()

    def _put(self, note: Note) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            self._counters.add("dropped", owner=note.owner, adapter=note.adapter, reason="audit")
            return
        self._waiting.append(note)
        self._begin()

    def _begin(self) -> None:
        if not self._busy and self._retry is None and (self._waiting or self._lost):
            self._busy = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Let what waits be on disk with the next commit."""
        lost, taken = self._lost, [self._waiting[at] for at in range(min(AT_ONCE, len(self._waiting)))]
        notes = [_gap(lost), *taken] if lost else taken
        chain, head = [], self.head
        for note in notes:
            row = rows.row(head, note)
            chain.append(rows.values(row))
            head = row.point

        def done(kept: bool) -> None:  # noqa: FBT001 - the store's way of telling
            self._busy = False
            if kept:
                self.head = head
                self._lost -= lost
                for _ in taken:
                    self._waiting.popleft()
                self._begin()
            elif self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again)

        self._store.write(rows.PUT_META, [(rows.HEAD, str(head))], told)
        self._store.write(rows.PUT, chain, done)

    def _again(self) -> None:
        self._retry = None
        self._begin()

    async def _settled(self) -> bool:
        """Wait until nothing waits to be written; tells whether that is so."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (self._busy or self._waiting) and self._retry is None:
                    await asyncio.sleep(0)
                    await self._store.committed(quiet=True)
        except TimeoutError:
            return False
        return not self._waiting

    async def _erase(self, owner: str) -> int:
        note = Note(time=utc_now(), what=rows.ERASE, owner=owner)
        try:
            self.head, number = await self._store.read(lambda db: rows.erase(db, self.head, note))
        finally:
            self._busy = False
            self._begin()
        return number

    async def _take_notes(self) -> None:
        """Take what commands have left in the state folder, and remove it once it is in the log."""
        left = await asyncio.to_thread(audit_notes.left, self._folder)
        for _, note in left:
            if note is not None:
                owner, who, detail = (_clean(text, LONGEST) for text in (note.owner, note.who, note.detail))
                self._put(replace(note, owner=owner, who=who, detail=detail))
        if left and await self._settled():
            await asyncio.to_thread(audit_notes.remove, [path for path, _ in left])

    async def _tidy(self) -> None:
        """Remove what is too old, seal what there is, and tell the newest head."""
        oldest = rfc3339(datetime.fromtimestamp(time.time() - self._settings.days * _DAY, UTC))
        try:
            removed = await self._store.read(lambda db: rows.prune(db, oldest=oldest, most=self._settings.most))
        except StoreError as error:
            _log.warning("old rows of the audit log could not be removed", reason=str(error))
            return
        if removed:
            _log.info("removed old rows of the audit log", rows=removed)
        if removed or self.head != self._told:
            await self._seal()
            self._tell()

    async def _seal(self) -> None:
        try:
            found = await self.key()
            if found is not None:
                await self._store.read(lambda db: proof.seal(db, key_id=found[0], key=found[1]))
        except StoreError as error:
            _log.warning("the audit log could not be sealed", reason=str(error))

    async def _unsealed(self) -> str:
        """Return what is wrong with the seal of an earlier run, in words; empty when nothing is."""
        sealed = await self._store.read(proof.stored_seal)
        found = await self.key() if sealed is not None else None
        if sealed is None or found is None or sealed.key_id != found[0]:
            return ""
        if not proof.is_genuine(sealed, found[1]):
            return "its seal was not made with the vault's key"
        at, anchor = Point.parse(sealed.at), Point.parse(sealed.anchor)
        there = await self._store.read(lambda db: rows.after(db, at.number - 1, 1))
        now = await self._store.read(lambda db: rows.point(db, rows.ANCHOR)) or Point()
        same = now == anchor and (at.number == now.number or (bool(there) and there[0].point == at))
        return "" if same else "it is not the log that was sealed"

    def _broken(self, why: str) -> None:
        _log.error("the audit log was changed while the bus did not run: `jitney audit verify`", reason=why)
        self._put(Note(time=utc_now(), what="gap", outcome="broken", detail=why))

    def _tell(self) -> None:
        if self.head != self._told:
            self._told = self.head
            _log.info("the audit log", head=str(self.head))
            self.tell()


def _look(db: sqlite3.Connection) -> tuple[Point, Point | None, str]:
    found = db.execute("SELECT what FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return rows.newest(db), rows.point(db, rows.HEAD), "" if found is None else str(found[0])


def _gap(lost: int) -> Note:
    detail = "the disk took nothing for so long that these were lost"
    return Note(time=utc_now(), what="gap", outcome="lost", detail=detail, times=lost)


def _clean(text: str, most: int) -> str:
    """Return a text without secrets and control characters, and not longer than ``most``."""
    if not text:
        return text
    whole = mask(" ".join(text[:_LOOKED_AT].split()))
    if not (whole.isascii() and whole.isprintable()):
        whole = whole.encode("utf-8", "replace").decode()
        whole = "".join(character if character.isprintable() else " " for character in whole)
    return whole if len(whole) <= most else whole[: most - 1] + "…"
