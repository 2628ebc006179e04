from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.counters import BOUNDS, MOST_LABEL_SETS, Counters, Histogram


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_every_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed(durations: list[float]) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    expected = [0] * (len(BOUNDS) + 1)
    for seconds in durations:
        expected[next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1
    assert histogram.counts == expected
    assert histogram.total == sum(durations)


def test_a_histogram_of_a_name_and_label_is_always_the_same() -> None:
    counters = Counters()
    assert counters.histogram("sent", "home") is counters.histogram("sent", "home")
    assert counters.histogram("sent", "home") is not counters.histogram("sent", "base")


def test_labels_that_are_always_new_do_not_fill_the_memory() -> None:
    counters = Counters()
    for number in range(MOST_LABEL_SETS + 1000):
        counters.add("dropped", owner="alice", reason=f"reason {number}")
    counters.add("dropped", owner="alice", reason="reason 1")
    assert counters.total("dropped") == MOST_LABEL_SETS + 1001
    assert counters.total("dropped", reason="other") == 1000
    assert counters.total("dropped", reason="reason 1") == 2
    assert len(counters.items()) == MOST_LABEL_SETS + 1
