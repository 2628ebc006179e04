from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routing.pace import AT_ONCE, EVERY, Pace


def test_a_few_actions_begin_at_once_and_after_a_moment_as_many_more() -> None:
    pace = Pace()
    waits = [round(pace.wait(100.0) / EVERY, 6) for _ in range(2 * AT_ONCE + 1)]
    assert waits == [0] * AT_ONCE + [1] * AT_ONCE + [2]


def test_after_a_rest_a_few_begin_at_once_again() -> None:
    pace = Pace()
    for _ in range(10 * AT_ONCE):
        pace.wait(100.0)
    assert pace.wait(100.0 + 9 * EVERY) > 0
    assert [pace.wait(200.0) for _ in range(AT_ONCE)] == [0.0] * AT_ONCE


def test_those_of_one_moment_begin_in_the_same_instant() -> None:
    pace = Pace()
    begins = [now + pace.wait(now) for now in (100.0 + number / 1000 for number in range(2 * AT_ONCE))]
    assert len({round(begin, 6) for begin in begins[AT_ONCE:]}) == 1


@given(st.lists(st.floats(0, 0.05), max_size=200))
def test_however_they_come_no_more_begin_in_a_span_than_its_length_allows(gaps: list[float]) -> None:
    pace, now, begun = Pace(), 1000.0, []
    for gap in gaps:
        now += gap
        begun.append(now + pace.wait(now))
    assert begun == sorted(begun)
    for number, begin in enumerate(begun):
        for later, end in enumerate(begun[number:], 1):
            assert later <= AT_ONCE * (2 + (end - begin) / EVERY) + 1e-6
