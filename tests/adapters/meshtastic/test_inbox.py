"""What threads put in is taken out in the loop, in order and bounded."""

import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.meshtastic.heard import QueueStatus
from jitney.adapters.meshtastic.inbox import Inbox
from tests.waiting import until


def item(number: int) -> QueueStatus:
    return QueueStatus(number, 16, 0, 0)


def inbox(most: int = 10) -> Inbox:
    return Inbox(most, asyncio.get_running_loop())


async def test_everything_that_waits_is_taken_at_once_and_in_order() -> None:
    box = inbox()
    for number in range(3):
        box.put(item(number))
    assert await box.take() == [item(0), item(1), item(2)]


async def test_who_waits_is_woken_by_a_thread() -> None:
    box = inbox()
    waiting = asyncio.create_task(box.take(), name="waiting")
    threading.Thread(target=box.put, args=(item(1),)).start()
    assert await asyncio.wait_for(waiting, 10) == [item(1)]


async def test_nothing_is_lost_or_out_of_order_between_a_busy_thread_and_the_loop() -> None:
    box = inbox(100_000)

    def fill() -> None:
        for number in range(20_000):
            box.put(item(number))
        box.end()

    threading.Thread(target=fill).start()
    taken: list[int] = []
    while items := await asyncio.wait_for(box.take(), 10):
        taken += [found.free for found in items]
    assert taken == list(range(20_000))
    assert box.dropped == 0


async def test_the_oldest_goes_first_and_is_counted() -> None:
    box = inbox(2)
    for number in range(5):
        box.put(item(number))
    assert await box.take() == [item(3), item(4)]
    assert box.dropped == 3


async def test_the_end_comes_after_everything_and_stays() -> None:
    box = inbox()
    box.put(item(1))
    box.end()
    box.end()
    assert await box.take() == [item(1)]
    assert await box.take() == []
    assert await box.take() == []


async def test_who_waits_is_woken_by_the_end() -> None:
    box = inbox()
    waiting = asyncio.create_task(box.take(), name="waiting")
    threading.Thread(target=box.end).start()
    assert await asyncio.wait_for(waiting, 10) == []


async def test_the_loop_is_told_once_however_much_arrives() -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    box = Inbox(1000, loop)
    real = loop.call_soon_threadsafe
    loop.call_soon_threadsafe = lambda *args: (told.append(args), real(*args))[1]
    try:
        for number in range(500):
            box.put(item(number))
    finally:
        del loop.call_soon_threadsafe
    assert len(told) == 1
    assert len(await box.take()) == 500


def test_a_thread_that_is_late_does_not_fail() -> None:
    async def make() -> Inbox:
        return inbox()

    box = asyncio.run(make())
    box.put(item(1))
    box.end()


@given(st.lists(st.sampled_from(["put", "take"]), max_size=40))
def test_what_is_taken_and_dropped_is_what_was_put(steps: list[str]) -> None:
    async def go() -> None:
        box = inbox(3)
        put = 0
        taken: list[int] = []
        waiting = 0
        for step in steps:
            if step == "put":
                box.put(item(put))
                put += 1
                waiting = min(waiting + 1, 3)
            elif waiting:
                taken += [found.free for found in await box.take()]
                waiting = 0
        assert taken == sorted(taken)
        assert len(taken) + waiting + box.dropped == put

    asyncio.run(go())


async def test_waiting_can_be_cancelled() -> None:
    box = inbox()
    waiting = asyncio.create_task(box.take(), name="waiting")
    await until(lambda: not box._awake)
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=10)
    assert done
    box.put(item(1))
    assert await box.take() == [item(1)]
