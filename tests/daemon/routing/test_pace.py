from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routing.pace import AT_ONCE, EVERY, Pace


def test_a_few_actions_begin_at_once_and_the_others_one_after_the_other() -> None:
    pace = Pace()
    waits = [round(pace.wait(100.0) / EVERY) for _ in range(AT_ONCE + 3)]
    assert waits == [0] * AT_ONCE + [1, 2, 3]


def test_after_a_rest_a_few_begin_at_once_again() -> None:
    pace = Pace()
    for _ in range(100):
        pace.wait(100.0)
    assert pace.wait(100.0 + 91 * EVERY) > 0
    assert [pace.wait(200.0) for _ in range(AT_ONCE)] == [0.0] * AT_ONCE


@given(st.lists(st.floats(0, 0.05), max_size=200))
def test_however_they_come_no_more_begin_in_a_span_than_its_length_allows(gaps: list[float]) -> None:
    pace, now, begun = Pace(), 1000.0, []
    for gap in gaps:
        now += gap
        begun.append(now + pace.wait(now))
    assert begun == sorted(begun)
    for number, begin in enumerate(begun):
        for later, end in enumerate(begun[number:], 1):
            assert later <= AT_ONCE + (end - begin) / EVERY + 1e-6
