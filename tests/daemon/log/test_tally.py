import asyncio
from functools import partial

import pytest

from jitney.daemon.log import Tally
from tests.daemon.log.test_decay import Clock, Written


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def tally(written: Written, clock: Clock) -> Tally:
    return Tally(written, clock=clock)


def test_the_first_of_a_kind_is_told_and_the_next_are_counted(tally: Tally, written: Written, clock: Clock) -> None:
    for number in range(1000):
        tally.add("refused a message", key="json", topic=f"t{number}")
        clock.now += 0.05
    assert written.lines == [("warning", "refused a message", {"topic": "t0"})]


def test_a_kind_is_told_once_a_minute_with_how_many_more_there_were(
    tally: Tally, written: Written, clock: Clock
) -> None:
    for number in range(200):
        tally.add("refused a message", key="json", topic=f"t{number}")
        clock.now += 1
    assert len(written.lines) == 4
    assert written.lines[1] == ("warning", "refused a message", {"topic": "t59", "more_like_this": 59})
    assert [fields.get("more_like_this") for _, _, fields in written.lines] == [None, 59, 60, 60]


def test_kinds_are_counted_apart(tally: Tally, written: Written) -> None:
    tally.add("refused", key="a")
    tally.add("refused", key="b")
    tally.add("refused", key="b")
    tally.summarise()
    assert [fields for _, _, fields in written.lines] == [{}, {}, {"more_like_this": 1}]


def test_a_kind_that_was_quiet_for_a_minute_is_new_again(tally: Tally, written: Written, clock: Clock) -> None:
    tally.add("refused", key="a", number=1)
    clock.now += 61
    tally.add("refused", key="a", number=2)
    assert [fields for _, _, fields in written.lines] == [{"number": 1}, {"number": 2}]


def test_endless_kinds_are_bounded_in_memory_and_in_the_log(tally: Tally, written: Written) -> None:
    for number in range(10_000):
        tally.add("refused", key=f"kind {number}")
    assert len(written.lines) == 257
    tally.summarise()
    assert written.lines[-1] == ("warning", "refused", {"more_like_this": 9743})


async def test_the_last_summary_comes_by_itself_in_a_running_loop(written: Written) -> None:
    summarised = asyncio.Event()
    loop = asyncio.get_running_loop()
    tally = Tally(written, interval=0.01)
    tally.add("refused", key="a")
    tally.add("refused", key="a")
    loop.call_later(0.02, partial(loop.call_soon, summarised.set))
    async with asyncio.timeout(5):
        await summarised.wait()
    assert written.lines[-1] == ("warning", "refused", {"more_like_this": 1})
    tally.close()
