"""What the state file holds of one owner: how much, and the rows themselves. Reads only, and no secrets."""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from jitney.daemon.store.kept import OF_OWNER

Cursor = int | str

FIRST: Final[dict[type, Cursor]] = {int: -(1 << 62), str: ""}
"""What comes before every row of a table, by the type of what its rows are ordered by."""

_LANES: Final = "lane IN (SELECT id FROM lane WHERE owner = ?1)"
_KEPT: Final = f"({OF_OWNER} OR adapter IN (SELECT value FROM json_each(?2)))"  # noqa: S608 - ours
_AUDITED: Final = "owner = ?1 AND what <> 'erase'"
_COMMAND: Final = "json_extract(CAST(body AS TEXT), '$.owner') = ?1"


class Table(Struct, frozen=True):
    """How the rows of an owner are found: their ``columns``, in the order of ``cursor``, ``where`` they are theirs."""

    name: str
    columns: tuple[str, ...]
    cursor: str
    kind: type[Cursor]
    where: str = "owner = ?1"


TABLES: Final = (
    Table("lane", ("id", "adapter", "seq"), "id", int),
    Table("outbox", ("id", "lane", "topic", "payload"), "id", int, _LANES),
    Table("seen", ("lane", "seq", "id"), "rowid", int, _LANES),
    Table("retained", ("topic", "adapter", "payload", "until"), "topic", str),
    Table("dead", ("id", "kind", "adapter", "topic", "payload", "reason", "time"), "id", int),
    Table("command", ("id", "body"), "id", str, _COMMAND),
    Table("kept", ("adapter", "key", "value"), "adapter || char(9) || key", str, _KEPT),
    Table("vault", ("adapter", "name"), "adapter || char(9) || name", str),
    Table("action", ("id", "route", "due", "until", "body"), "rowid", int),
    Table("audit", ("number", "time", "what", "who", "adapter", "outcome", "times", "detail"), "number", int, _AUDITED),
    Table("route_memory", ("route", "key", "value", "until"), "route || char(9) || key", str),
)
"""Of ``vault`` only the names. Every table that has something of an owner is here."""

_SIZES: Final = {"vault": "length(ciphertext)", "seen": "length(id)", "lane": "0"}
"""What counts as bytes of a row where it is not the sum of the columns."""


class Holding(Struct, frozen=True):
    """Rows and their bytes."""

    rows: int
    bytes: int


def owners(db: sqlite3.Connection) -> list[str]:
    """Return everybody of whom something is in the tables that name their owner, sorted."""
    parts = (f"SELECT owner FROM {table.name}" for table in TABLES if table.where == "owner = ?1")  # noqa: S608 - ours
    return [owner for (owner,) in db.execute(" UNION ".join(parts) + " ORDER BY 1")]


def usage(db: sqlite3.Connection, owner: str, own: Collection[str] = ()) -> dict[str, Holding]:
    """Return what an owner takes by table; ``own`` are the adapters that only they have."""
    return {table.name: Holding(*db.execute(_usage(table), _values(owner, own)).fetchone()) for table in TABLES}


def page(
    db: sqlite3.Connection, table: Table, owner: str, *, own: Collection[str], after: Cursor, most: int
) -> list[tuple[Cursor, dict[str, object]]]:
    """Return up to ``most`` rows of an owner, each with its cursor, that come after one."""
    query = (
        f"SELECT {table.cursor} AS cursor, {', '.join(table.columns)} FROM {table.name} "  # noqa: S608 - ours
        f"WHERE {table.where} AND ({table.cursor}) > ?3 AND ?2 IS NOT NULL ORDER BY 1 LIMIT ?4"
    )
    found = db.execute(query, (*_values(owner, own), after, most))
    return [(cursor, dict(zip(table.columns, row, strict=True))) for cursor, *row in found]


def rows(
    db: sqlite3.Connection, table: Table, owner: str, own: Collection[str] = (), *, most: int = 500
) -> Iterator[dict[str, object]]:
    """Return every row of an owner, one after the other."""
    after = FIRST[table.kind]
    while found := page(db, table, owner, own=own, after=after, most=most):
        after = found[-1][0]
        yield from (row for _, row in found)


def _usage(table: Table) -> str:
    size = _SIZES.get(table.name) or " + ".join(f"ifnull(length({column}), 0)" for column in table.columns)
    return (
        f"SELECT count(*), ifnull(sum({size}), 0) FROM {table.name} "  # noqa: S608 - ours
        f"WHERE {table.where} AND ?2 IS NOT NULL"
    )


def _values(owner: str, own: Collection[str]) -> tuple[str, str]:
    return owner, msgspec.json.encode(sorted(own)).decode()
