"""Proving that the audit log is whole: every row where it belongs, unchanged, and none left out."""

import hmac
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from jitney.daemon.store import audit
from jitney.daemon.store.audit import Point, Row

SEAL: Final = "audit_seal"
"""The key in ``meta`` of the seal."""

STEP: Final = 2000
"""Rows that are looked at in one piece: some milliseconds of the store's time."""

Sealed = Literal["yes", "no", "unknown"]

KeyOf = Callable[[str], bytes | None]
"""Returns the key of seals with an id, None where it is not known."""


class Seal(Struct, frozen=True):
    """That somebody who has the key ``key_id`` has seen the chain from ``anchor`` to ``at``."""

    at: str
    anchor: str
    key_id: str
    mac: str


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of a proof.

    ``broken`` is the number of the first row that is not as it should be, 0 for none, and ``why`` says what is wrong
    with it. ``first`` and ``head`` are where the chain begins and ends. ``sealed`` tells whether the rows up to
    ``sealed_to`` were seen by somebody with the vault's key: unknown where that key is not here.
    """

    rows: int
    first: int
    head: str
    broken: int = 0
    why: str = ""
    sealed: Sealed = "no"
    sealed_to: int = 0


class _BrokenError(Exception):
    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number


class Standing(Struct, frozen=True):
    """What is known of the log besides its rows, read at once: where it begins and ends, and what was erased."""

    anchor: Point
    head: Point | None
    lists: Mapping[int, str]
    seal: Seal | None


def standing(db: sqlite3.Connection) -> Standing:
    """Return what is known of the log besides its rows."""
    return Standing(
        audit.point(db, audit.ANCHOR) or Point(), audit.point(db, audit.HEAD), audit.erased(db), stored_seal(db)
    )


def stored_seal(db: sqlite3.Connection) -> Seal | None:
    """Return the seal, None where there is none that can be read."""
    found = db.execute("SELECT value FROM meta WHERE key = ?", (SEAL,)).fetchone()
    try:
        return None if found is None else msgspec.json.decode(str(found[0]), type=Seal)
    except msgspec.MsgspecError:
        return None


def seal(db: sqlite3.Connection, *, key_id: str, key: bytes) -> None:
    """Seal what there is now."""
    at, anchor = audit.newest(db), audit.point(db, audit.ANCHOR) or Point()
    new = Seal(str(at), str(anchor), key_id, _mac(key, str(at), str(anchor)))
    db.execute(audit.PUT_META, (SEAL, msgspec.json.encode(new).decode()))


def is_genuine(one: Seal, key: bytes) -> bool:
    """Tell whether a seal was made with a key."""
    return hmac.compare_digest(_mac(key, one.at, one.anchor), one.mac)


def proved(db: sqlite3.Connection, key_of: KeyOf, *, known: Sequence[Point] = ()) -> Verdict:
    """Prove the log in a file at once; ``known`` are heads that somebody wrote down before."""
    proof = prove(standing(db), key_of, known=known)
    after = next(proof)
    while True:
        try:
            after = proof.send(audit.after(db, after, STEP))
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict


def prove(about: Standing, key_of: KeyOf, *, known: Sequence[Point] = ()) -> Generator[int, list[Row], Verdict]:
    """Yield after which number rows are wanted, be sent them, none at the end, and return what came of it."""
    chain = _Chain(about, known)
    sealed: Sealed = "no"
    rows = yield chain.last.number
    try:
        sealed = _seal_of(about, key_of)
        while rows:
            for row in rows:
                chain.add(row)
            rows = yield chain.last.number
        chain.end()
    except _BrokenError as error:
        return chain.verdict(about, sealed, error.number, str(error))
    return chain.verdict(about, sealed)


class _Chain:
    """What of the chain has been looked at so far."""

    def __init__(self, about: Standing, known: Sequence[Point]) -> None:
        self.last = about.anchor
        self.rows = 0
        self._about = about
        sealed = [_point(about.seal.at)] if about.seal is not None else []
        self._seen: dict[int, set[bytes]] = {}
        for point in (*known, *sealed):
            self._seen.setdefault(point.number, set()).add(point.hash)
        self._numbers = {by: _numbers(text) for by, text in about.lists.items()}
        self._emptied: dict[int, int] = {}

    def add(self, row: Row) -> None:
        """Look at the next row; raises _BrokenError."""
        number = self.last.number + 1
        if row.number != number:
            gone = f"rows {number} to {row.number - 1} are" if row.number > number + 1 else f"row {number} is"
            raise _BrokenError(number, f"{gone} missing")
        if row.erased:
            if number not in self._numbers.get(row.erased, ()) or row.erased <= number:
                raise _BrokenError(number, "its personal part is gone, and no erasure tells of it")
            if (row.owner, row.who, row.detail, row.salt) != (None,) * 4:
                raise _BrokenError(number, "it was erased, and something was put in the place of what was")
            self._emptied.setdefault(row.erased, number)
        elif not audit.is_whole(row):
            raise _BrokenError(number, "who, whose or the detail was changed")
        if audit.digest(self.last.hash, row) != row.hash:
            raise _BrokenError(number, "it was changed, or does not follow the row before it")
        if self._seen.pop(number, set()) - {row.hash}:
            raise _BrokenError(number, "it is not the row that was seen there before: the log was written anew")
        if number in self._emptied:
            first = self._emptied.pop(number)
            if not audit.tells_of(row, self._about.lists[number]):
                raise _BrokenError(first, f"its personal part is gone, and row {number} is not an erasure of it")
        self.last = row.point
        self.rows += 1

    def end(self) -> None:
        """Know that there are no more rows; raises _BrokenError."""
        for first in self._emptied.values():
            raise _BrokenError(first, "its personal part is gone, and the erasure that tells of it is missing")
        anchor, head = self._about.anchor, self._about.head
        if self._seen.get(anchor.number, set()) - {anchor.hash}:
            raise _BrokenError(
                anchor.number + 1, "the rows before it, which are gone, were others: it was written anew"
            )
        beyond = [*self._seen, *([head.number] if head is not None else [])]
        if beyond and max(beyond) > self.last.number:
            raise _BrokenError(self.last.number + 1, f"the newest rows are missing: there were {max(beyond)}")
        if head is None and self.rows:
            raise _BrokenError(self.last.number, "where the log ends is not known any more")
        if head is not None and head != self.last:
            raise _BrokenError(self.last.number, "it was not the last row")

    def verdict(self, about: Standing, sealed: Sealed, broken: int = 0, why: str = "") -> Verdict:
        """Return what came of it."""
        to = _point(about.seal.at).number if about.seal is not None else 0
        return Verdict(
            rows=self.rows,
            first=about.anchor.number + 1,
            head=str(self.last),
            broken=broken,
            why=why,
            sealed=sealed,
            sealed_to=to,
        )


def _seal_of(about: Standing, key_of: KeyOf) -> Sealed:
    """Tell whether the seal is genuine; raises _BrokenError where it is not."""
    one = about.seal
    if one is None:
        return "no"
    key = key_of(one.key_id)
    if key is None:
        return "unknown"
    first = about.anchor.number + 1
    if not is_genuine(one, key):
        raise _BrokenError(first, "the seal was not made with the vault's key")
    if one.anchor != str(about.anchor):
        raise _BrokenError(first, "older rows were removed by somebody without the vault's key")
    return "yes"


def _numbers(text: str) -> frozenset[int]:
    try:
        return frozenset(audit.numbers_of(text))
    except ValueError:
        return frozenset()


def _point(text: str) -> Point:
    try:
        return Point.parse(text)
    except ValueError:
        return Point()


def _mac(key: bytes, at: str, anchor: str) -> str:
    return hmac.digest(key, f"jitney audit seal 1\n{at}\n{anchor}".encode(), "sha256").hex()
