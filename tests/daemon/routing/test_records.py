"""The records of routes: their bounds and their rows."""

from jitney.daemon.counters import Counters
from jitney.daemon.routing.records import EMPTY, MOST_BYTES, Pending, Place, Record, Records
from tests.daemon.routing.remembering import event

HERE = Place("alice", "route", "=door")


def test_what_comes_and_goes_takes_no_room() -> None:
    counters = Counters()
    records = Records(counters)
    records.put(HERE._replace(key="=other"), Record(fired=1.0))
    long = HERE._replace(key="x" * 200)
    for _ in range(MOST_BYTES // 200):
        records.put(long, Record(fired=1.0))
        records.put(long, EMPTY)
    assert counters.items() == []
    assert [place.key for place, _ in records] == ["=other"]


def test_a_record_comes_back_from_its_row_as_it_was() -> None:
    records = Records(Counters())
    record = Record(Pending(event(), 5.0, "door"), (1.0, 2.0), 3.0, 4, 50.0)
    records.put(HERE, record)
    [row] = records.rows()
    again = Records(Counters())
    again.load([row], 10.0)
    assert again.get(HERE) == record
    assert again.rows() == []


def test_a_row_is_written_once_however_often_its_record_changed() -> None:
    records = Records(Counters())
    for number in range(5):
        records.put(HERE, Record(fired=float(number)))
    [row] = records.rows()
    assert row.value == b'{"fired":4.0}'
    records.put(HERE, EMPTY)
    assert [row.value for row in records.rows()] == [None]
    assert records.rows() == []


def test_more_than_the_bytes_of_an_owner_are_not_kept() -> None:
    counters = Counters()
    records = Records(counters, most_bytes=10_000)
    for number in range(20):
        records.put(HERE._replace(key=str(number)), Record(Pending(event(data=b'"' + b"x" * 2000 + b'"'), 0.0)))
    assert [place.key for place, _ in records] == ["17", "18", "19"]
    assert counters.total("dropped", owner="alice", adapter="route", reason="memory_full") == 17
