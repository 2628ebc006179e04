"""The chain of the audit log: whatever is done to its rows is found, and what has to be done to them holds."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from jitney.daemon.store import audit, audit_proof, tables
from jitney.daemon.store.audit import Note, Point, Row
from jitney.daemon.store.audit_proof import Verdict

KEY = b"k" * 32
EVERY_COLUMN = ("time", "what", "adapter", "outcome", "owner", "who", "detail")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NOTES = st.builds(
    Note,
    time=st.datetimes().map(lambda at: at.isoformat()),
    what=st.sampled_from(["command", "refused", "sign_in"]),
    owner=st.sampled_from(["", "alice", "bob"]),
    who=TEXTS,
    adapter=TEXTS,
    outcome=TEXTS,
    detail=TEXTS,
    times=st.integers(1, 1000),
)


@contextmanager
def log(notes: list[Note], *, sealed: bool = False) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        tables.prepare(db, synchronous="normal")
        for note in notes:
            append(db, note)
        if sealed:
            audit_proof.seal(db, key_id="k", key=KEY)
        yield db


def append(db: sqlite3.Connection, note: Note) -> Point:
    row = audit.row(audit.newest(db), note)
    db.execute(audit.PUT, audit.values(row))
    db.execute(audit.PUT_META, (audit.HEAD, str(row.point)))
    return row.point


def note(number: int, owner: str = "alice") -> Note:
    return Note(time=f"2026-11-{number:02}T00:00:00.000Z", what="command", owner=owner, detail=f"echo {number}")


def proved(db: sqlite3.Connection, *known: Point) -> Verdict:
    return audit_proof.proved(db, {"k": KEY}.get, known=known)


def defenceless(db: sqlite3.Connection) -> None:
    """Take the triggers away, as whoever can write the file can."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")


def rewritten(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Put other rows in the place of those there are, and let the head be theirs, each hash as it stands in its row."""
    defenceless(db)
    db.execute("DELETE FROM audit")
    columns = ", ".join("?" * len(Row.__struct_fields__))
    db.executemany(f"INSERT INTO audit VALUES ({columns})", map(astuple, rows))  # noqa: S608
    if rows:
        db.execute(audit.PUT_META, (audit.HEAD, str(rows[-1].point)))


@given(st.lists(NOTES, max_size=12))
def test_a_log_that_nobody_touched_is_whole(notes: list[Note]) -> None:
    with log(notes) as db:
        verdict = proved(db)
        assert (verdict.broken, verdict.rows, verdict.first) == (0, len(notes), 1)
        assert Point.parse(verdict.head) == audit.newest(db)


@given(st.lists(NOTES, min_size=1, max_size=8), st.data())
def test_any_change_of_a_row_is_found_at_that_row(notes: list[Note], data: st.DataObject) -> None:
    with log(notes) as db:
        rows = audit.after(db, 0, 100)
        at = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.sampled_from([*EVERY_COLUMN, "times", "salt", "personal", "hash"]))
        before = getattr(rows[at], column)
        kinds = {str: TEXTS, int: st.integers(-(1 << 62), 1 << 62), bytes: st.binary(max_size=40)}
        rows[at] = replace(rows[at], **{column: data.draw(kinds[type(before)].filter(lambda new: new != before))})
        rewritten(db, rows)
        assert proved(db).broken == at + 1


@given(st.lists(NOTES, min_size=1, max_size=8), st.data())
def test_a_row_that_was_left_out_is_found(notes: list[Note], data: st.DataObject) -> None:
    with log(notes) as db:
        head = audit.newest(db)
        rows = audit.after(db, 0, 100)
        at = data.draw(st.integers(0, len(rows) - 1))
        renumbered = data.draw(st.booleans())
        rest = [*rows[:at], *(replace(row, number=row.number - renumbered) for row in rows[at + 1 :])]
        rewritten(db, rest)
        if at == len(rows) - 1 and rest:
            assert proved(db).broken == 0  # the file alone does not know; who has an older head does
            assert proved(db, head).broken == at + 1
        else:
            assert proved(db).broken == at + 1


@given(st.lists(NOTES, min_size=2, max_size=8), st.data())
def test_rows_that_changed_places_are_found(notes: list[Note], data: st.DataObject) -> None:
    with log(notes) as db:
        rows = audit.after(db, 0, 100)
        one, other = sorted(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)))
        first, second = rows[one], rows[other]
        rows[one], rows[other] = replace(second, number=first.number), replace(first, number=second.number)
        rewritten(db, rows)
        assert proved(db).broken == one + 1


def test_newest_rows_that_are_gone_are_found_by_the_head_that_the_file_keeps() -> None:
    with log([note(number) for number in range(1, 6)]) as db:
        defenceless(db)
        db.execute("DELETE FROM audit WHERE number > 3")
        verdict = proved(db)
        assert (verdict.broken, verdict.why) == (4, "the newest rows are missing: there were 5")


def test_a_log_that_was_written_anew_is_found_by_whoever_has_an_older_head_or_by_the_seal() -> None:
    notes = [note(number) for number in range(1, 6)]
    with log(notes, sealed=True) as db, log([replace(one, detail="harmless") for one in notes]) as forged:
        head = audit.newest(db)
        seal = db.execute("SELECT value FROM meta WHERE key = ?", (audit_proof.SEAL,)).fetchone()
        assert proved(forged).broken == 0
        assert proved(forged, head).broken == 5
        forged.execute(audit.PUT_META, (audit_proof.SEAL, *seal))
        assert proved(forged).broken == 5


def test_a_seal_that_somebody_without_the_key_made_is_found() -> None:
    with log([note(1)]) as db:
        audit_proof.seal(db, key_id="k", key=b"another key")
        assert proved(db).why == "the seal was not made with the vault's key"
        assert audit_proof.proved(db, {}.get).sealed == "unknown"
        audit_proof.seal(db, key_id="k", key=KEY)
        assert (proved(db).sealed, proved(db).sealed_to) == ("yes", 1)


def test_what_is_too_old_or_too_much_goes_and_the_rest_is_still_proved() -> None:
    with log([note(number) for number in range(1, 11)]) as db:
        middle = audit.after(db, 6, 1)[0].point
        assert audit.prune(db, oldest="2026-11-04T00:00:00.000Z", most=100) == 3
        assert audit.prune(db, oldest="2026-11-04T00:00:00.000Z", most=5) == 2
        assert audit.prune(db, oldest="2026-11-04T00:00:00.000Z", most=5) == 0
        assert proved(db, Point(5, b"x" * 32)).broken == 6
        verdict = proved(db, middle)
        assert (verdict.broken, verdict.first, verdict.rows) == (0, 6, 5)
        append(db, note(11))
        assert proved(db).broken == 0
        assert audit.prune(db, oldest="2027", most=100) == 6
        append(db, note(12))
        assert (proved(db).broken, proved(db).first, proved(db).rows) == (0, 12, 1)


def test_older_rows_that_somebody_without_the_key_removed_are_found_by_the_seal() -> None:
    with log([note(number) for number in range(1, 6)], sealed=True) as db:
        audit.prune(db, oldest="", most=2)
        assert proved(db).why == "older rows were removed by somebody without the vault's key"
        audit_proof.seal(db, key_id="k", key=KEY)
        assert proved(db).broken == 0


def test_of_somebody_who_is_erased_only_that_is_left_and_the_chain_holds() -> None:
    notes = [note(1), note(2, "bob"), note(3), note(4)]
    with log(notes) as db:
        head, number = audit.erase(db, audit.newest(db), Note(time="2026-11-05", what="erase", owner="alice"))
        assert (head.number, number) == (5, 3)
        append(db, note(6))
        verdict = proved(db)
        assert (verdict.broken, verdict.rows) == (0, 6)
        told = [(row.owner, row.who, row.detail, row.salt, row.erased) for row in audit.after(db, 0, 10)]
        assert [one for one in told if one[4]] == [(None, None, None, None, 5)] * 3
        assert [one[0] for one in told if not one[4]] == ["bob", "alice", "alice"]
        assert [row.number for row in audit.search(db, before=99, owner="alice", what="", since="", most=9)] == [6, 5]
        audit.erase(db, audit.newest(db), Note(time="2026-11-07", what="erase", owner="alice"))
        assert proved(db).broken == 0
        assert audit.prune(db, oldest="", most=2) == 5
        assert proved(db).broken == 0


@pytest.mark.parametrize("erasure", ["none", "claimed", "of another", "listed"])
def test_a_row_that_somebody_emptied_without_an_erasure_is_found(erasure: str) -> None:
    with log([note(1), note(2, "bob"), note(3)]) as db:
        audit.erase(db, audit.newest(db), Note(time="2026-11-05", what="erase", owner="alice"))
        defenceless(db)
        by = {"none": 0, "claimed": 4, "of another": 3, "listed": 4}[erasure]
        db.execute(
            "UPDATE audit SET owner = NULL, who = NULL, detail = NULL, salt = NULL, erased = ? WHERE number = 2", (by,)
        )
        if erasure == "listed":
            db.execute(audit.PUT_META, (f"{audit.LIST}4", "1-3"))
        assert proved(db).broken == (1 if erasure == "listed" else 2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET what = 'start' WHERE number = 2",
        "UPDATE audit SET detail = 'nothing' WHERE number = 2",
        "UPDATE audit SET owner = NULL, who = NULL, detail = NULL, salt = NULL, erased = 1 WHERE number = 2",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit",
    ],
)
def test_the_file_refuses_what_is_done_by_mistake(statement: str) -> None:
    with log([note(number) for number in range(1, 4)]) as db:
        with pytest.raises(sqlite3.IntegrityError, match="audit log is not"):
            db.execute(statement)
        assert proved(db).rows == 3


def test_a_row_whose_number_is_taken_is_left_out_and_what_is_committed_with_it_is_kept() -> None:
    with log([note(1), note(2)]) as db:
        db.execute("BEGIN")
        db.execute(audit.PUT, audit.values(audit.row(Point(), note(9))))
        db.execute("INSERT INTO meta VALUES ('with', 'it')")
        db.execute("COMMIT")
        assert proved(db).broken == 0
        assert db.execute("SELECT value FROM meta WHERE key = 'with'").fetchone() == ("it",)


@pytest.mark.parametrize("text", ["", "1", "x:y", "-1:" + "0" * 64, "1:00", "1:" + "g" * 64])
def test_what_is_no_head_is_not_taken_for_one(text: str, tmp_path: Path) -> None:
    del tmp_path
    with pytest.raises(ValueError):  # noqa: PT011 - any
        Point.parse(text)


def test_a_spoilt_seal_or_list_is_no_crash() -> None:
    spoil: list[tuple[str, Callable[[Verdict], bool]]] = [
        (audit_proof.SEAL, lambda verdict: verdict.sealed == "no"),
        (audit.HEAD, lambda verdict: verdict.broken == 2),
    ]
    for key, holds in spoil:
        with log([note(1), note(2)], sealed=True) as db:
            db.execute(audit.PUT_META, (key, "spoilt"))
            assert holds(proved(db)), key
