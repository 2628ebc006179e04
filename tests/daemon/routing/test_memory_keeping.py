"""What routes remember is kept, taken back, forgotten and bounded."""

from pathlib import Path

from jitney.daemon.routing.memory import SETTLE
from jitney.daemon.routing.records import MOST_BYTES, MOST_KEYS, Row
from jitney.daemon.routing.schedule import Schedule
from jitney.daemon.routing.timing import Timing
from jitney.daemon.store import route_memory
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.topics import cloudevents
from tests.daemon.routing.remembering import NOW, House, event, told


def test_an_admission_can_be_taken_back() -> None:
    conditions = Timing(throttle=60, n=2, within=60)
    house = House(conditions)
    house.come(event())
    before = dict(house.disk)
    fired = house.come(event())
    assert fired.fire
    house.memory.undo(fired)
    house.write()
    assert house.disk == before
    assert house.come(event()).fire


def test_taking_back_a_debounced_event_leaves_the_one_before() -> None:
    house = House(Timing(debounce=10))
    house.come(event("first"))
    house.wait(5)
    house.memory.undo(house.come(event("second")))
    house.wait(10)
    assert told(house) == [(10, "first")]


def test_a_firing_that_is_taken_back_is_due_again() -> None:
    house = House(Timing(debounce=10))
    house.come(event("e"))
    house.now += 10
    [due] = house.memory.due(house.now)
    house.memory.undo(due.admission)
    assert house.memory.next() <= house.now
    house.wait(0)
    assert told(house) == [(10, "e")]


def test_nothing_is_taken_back_for_a_route_that_is_gone() -> None:
    house = House(Timing(debounce=10))
    house.come(event("e"))
    house.now += 10
    [due] = house.memory.due(house.now)
    house.reload({})
    house.memory.undo(due.admission)
    assert house.memory.rows() == []
    assert house.memory.next() == float("inf")


def test_what_has_moved_on_is_not_taken_back() -> None:
    house = House(Timing(throttle=10))
    first = house.come(event())
    house.wait(10)
    assert house.come(event()).fire
    house.memory.undo(first)
    assert not house.come(event()).fire


def test_a_route_that_is_gone_leaves_nothing() -> None:
    house = House({"a": Timing(throttle=60), "b": Timing(debounce=60), "c": Timing(throttle=60)})
    for route in "abc":
        house.come(event(route), route)
    house.reload({"c": Timing(throttle=60)})
    assert {route for _, route, _ in house.disk} == {"c"}
    house.wait(100)
    assert house.fired == [(0, "a", "a"), (0, "c", "c")]


def test_an_owner_whose_route_it_is_no_more_leaves_nothing() -> None:
    house = House(Timing(throttle=60))
    house.come(event())
    house.come(event(owner="bob"))
    house.memory.use(house.timings, owners={"route": ["bob"]}, now=house.now)
    house.write()
    assert [owner for owner, _, _ in house.disk] == ["bob"]


def test_variables_are_left_alone() -> None:
    house = House(Timing(throttle=60))
    house.memory.load([Row("alice", "", "mood", b"not ours")], NOW)
    assert house.memory.rows() == []


def test_a_reload_keeps_what_is_remembered() -> None:
    house = House(Timing(throttle=60))
    house.come(event())
    house.reload({"route": Timing(throttle=60), "new": Timing()})
    assert not house.come(event()).fire


def test_a_shorter_span_holds_for_what_waits_already() -> None:
    house = House(Timing(debounce=600))
    house.come(event("e"))
    house.reload({"route": Timing(debounce=10)})
    house.wait(100)
    assert told(house) == [(10, "e")]


def test_a_for_that_is_left_out_is_forgotten_when_it_was_told() -> None:
    house = House(Timing(hold=10))
    house.come(event("e"))
    house.wait(10 + SETTLE)
    assert house.disk
    house.reload({"route": Timing(throttle=10)})
    assert house.disk == {}


def test_nothing_of_a_forgotten_owner_stays() -> None:
    house = House(
        {"waiting": Timing(debounce=10), "timed": Timing(schedule=Schedule.parse(at=["13:00"], catch_up=True))}
    )
    house.memory.admit("waiting", event(), now=house.now)
    house.memory.forget("alice")
    assert house.memory.rows() == []
    house.wait(5000)
    assert [(when, route) for when, route, _ in house.fired] == [(3600, "timed")], "only bob's schedule came"


def test_what_cannot_be_read_is_counted_and_cleared_away() -> None:
    house = House(Timing(throttle=60))
    house.come(event())
    [place] = house.disk
    house.disk[place] = house.disk[place]._replace(value=b'{"fired":"yesterday"}')
    house.restart()
    assert house.counters.total("unreadable", owner="alice", reason="memory") == 1
    assert house.disk == {}
    assert house.come(event()).fire


def test_what_is_over_is_not_read_again() -> None:
    house = House(Timing(throttle=60))
    house.come(event())
    [row] = house.disk.values()
    assert row.until == NOW + 60
    house.now += 60
    house.restart()
    assert house.disk == {}


def test_the_route_with_most_keys_gives_up_its_oldest() -> None:
    house = House({"modest": Timing(once_per="week"), "greedy": Timing(once_per="week")})
    house.come(event(), "modest")
    house.come(event(owner="bob"), "modest")
    for number in range(MOST_KEYS + 100):
        house.come(event(), "greedy", key=str(number))
    assert not house.come(event(), "modest").fire
    assert not house.come(event(owner="bob"), "modest").fire
    assert not house.come(event(), "greedy", key="101").fire
    assert house.come(event(), "greedy", key="100").fire
    assert house.counters.total("dropped", owner="alice", reason="memory_full") == 102
    assert house.counters.total("dropped", owner="bob") == 0
    assert len(house.disk) == MOST_KEYS + 1


def test_large_events_that_wait_are_bounded_too() -> None:
    house = House({"modest": Timing(once_per="week"), "greedy": Timing(debounce=3600)})
    house.come(event(), "modest")
    for number in range(100):
        house.come(event(data=b'"' + b"x" * 100_000 + b'"'), "greedy", key=str(number))
    assert sum(len(row.value or b"") for row in house.disk.values()) < MOST_BYTES
    assert house.counters.total("dropped", owner="alice", reason="memory_full") > 50
    assert not house.come(event(), "modest").fire
    house.wait(3600)
    assert len(house.fired) > 30


ROWS = "SELECT owner, route, key, value, until FROM route_memory"


async def test_the_rows_go_through_the_state_file(tmp_path: Path) -> None:
    house = House({"waiting": Timing(debounce=10), "once": Timing(once_per="day"), "gone": Timing(throttle=60)})
    for route in house.timings:
        house.come(event(route), route)
    async with Store(tmp_path / DATABASE) as store:
        for sql, rows in route_memory.writes(house.disk.values()):
            store.write(sql, rows)
        house.reload({name: timing for name, timing in house.timings.items() if name != "gone"})
        for sql, rows in route_memory.writes([Row("alice", "gone", key, None) for _, _, key in list(house.disk)]):
            store.write(sql, rows)
        await store.committed()
        found = await store.read(lambda db: db.execute(ROWS).fetchall())
        house.disk = {row[:3]: row for row in (Row(*values) for values in found)}
    assert {route for _, route, _ in house.disk} == {"waiting", "once"}
    house.restart()
    assert house.come(event(), "once").held == "once_per"
    house.wait(10)
    assert house.fired[-1] == (10, "waiting", "waiting")


def test_the_message_that_an_event_came_in_does_not_stay_for_it() -> None:
    came = cloudevents.decode(cloudevents.encode(event()))
    assert came.data.copy() is not came.data, "it is a part of the message"
    house = House({"debounce": Timing(debounce=10), "for": Timing(hold=10)})
    house.come(came, "debounce")
    house.come(came, "for")
    house.now += SETTLE
    kept = [due.event for due in house.memory.due(house.now)]
    assert kept == [came, came]
    assert all(one.data.copy() is one.data for one in kept)


def test_a_flood_of_keys_does_not_fill_the_queue() -> None:
    house = House(Timing(debounce=3600))
    for number in range(20_000):
        house.memory.admit("route", event(subject=str(number)), now=NOW)
    assert len(house.memory._queue) < 4 * MOST_KEYS


def test_what_is_due_at_once_comes_in_portions() -> None:
    house = House(Timing(debounce=10))
    for number in range(10):
        house.come(event(subject=str(number)))
    assert [len(house.memory.due(NOW + 10, most=4)) for _ in range(4)] == [4, 4, 2, 0]


def test_schedules_are_part_of_the_portion() -> None:
    house = House(Timing(debounce=10, schedule=Schedule.parse(every=60)))
    for number in range(3):
        house.come(event(subject=str(number)))
    assert [len(house.memory.due(NOW + 60, most=4)) for _ in range(3)] == [4, 1, 0]


def test_after_a_restart_the_oldest_still_go_first() -> None:
    house = House(Timing(once_per="week"))
    for number in range(MOST_KEYS):
        house.come(event(), key=str(-number))
        house.now += 1
    house.restart()
    house.come(event(), key="one more")
    assert not house.come(event(), key="-1").fire
    assert house.come(event(), key="0").fire
