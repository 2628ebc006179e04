"""The measuring programs must notice every kind of violation: a measurement that cannot fail proves nothing."""

from bench.verdict import Arrival, delivery, tree_differences

LANE = ("alice", "ticker")


def arrivals(*numbers: int) -> list[Arrival]:
    return [Arrival(number, f"id{number}", number) for number in numbers]


def test_everything_once_and_in_order_is_no_violation() -> None:
    found = delivery({LANE: [1, 2, 3]}, {LANE: arrivals(1, 2, 3)})
    assert found.violations() == []
    assert (found.accepted, found.arrived, found.duplicates) == (3, 3, 0)


def test_an_accepted_event_that_never_arrived_is_named() -> None:
    assert delivery({LANE: [1, 2, 3]}, {LANE: arrivals(1, 3)}).violations() == [
        "1 accepted events never arrived: alice/ticker 2"
    ]


def test_a_lane_of_which_nothing_arrived_is_lost() -> None:
    found = delivery({LANE: [1], ("bob", "ticker"): [1, 2]}, {LANE: arrivals(1)})
    assert found.lost == [(("bob", "ticker"), 1), (("bob", "ticker"), 2)]


def test_duplicates_are_counted_but_allowed() -> None:
    found = delivery({LANE: [1, 2]}, {LANE: arrivals(1, 2, 1, 2)})
    assert (found.violations(), found.duplicates, found.misordered) == ([], 2, 0)


def test_a_first_delivery_after_a_later_one_is_out_of_order() -> None:
    assert delivery({LANE: [1, 2, 3]}, {LANE: arrivals(1, 3, 2)}).violations() == ["1 first deliveries out of order"]


def test_the_order_of_different_lanes_does_not_matter() -> None:
    lanes = {LANE: arrivals(5, 6), ("bob", "ticker"): arrivals(1, 2)}
    assert delivery({LANE: [5, 6], ("bob", "ticker"): [1, 2]}, lanes).violations() == []


def test_an_event_that_arrived_without_being_acknowledged_to_its_source_is_no_violation() -> None:
    assert delivery({LANE: [1]}, {LANE: arrivals(1, 2)}).violations() == []


def test_two_events_with_one_sequence_number_clash() -> None:
    both = [Arrival(1, "first", 7), Arrival(2, "second", 7)]
    assert delivery({LANE: [1, 2]}, {LANE: both}).violations() == [
        "1 events share their sequence number with another one"
    ]


def test_having_measured_nothing_is_a_violation() -> None:
    assert delivery({}, {}).violations() == ["nothing was accepted, so nothing was measured"]


def test_equal_trees_have_no_differences() -> None:
    assert tree_differences({"a": b"1", "b": None}, {"a": b"1", "b": b"anything"}) == []


def test_missing_orphaned_and_stale_topics_are_named() -> None:
    assert tree_differences({"a": b"1", "b": None}, {"a": b"0", "c": b"2"}) == [
        "missing at the broker: b",
        "orphan at the broker: c",
        "stale at the broker: a is b'0', should be b'1'",
    ]
