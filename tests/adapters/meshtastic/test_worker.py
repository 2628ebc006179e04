"""Calls that block are made in a thread, in order, with a deadline."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.worker import DeadlineError, LibraryError, Worker
from tests.waiting import until

DEADLINE = 10.0


async def stopped(worker: Worker) -> bool:
    return await worker.stop(deadline=DEADLINE)


async def test_calls_are_made_one_after_the_other_in_one_thread() -> None:
    worker = Worker("it")
    made: list[tuple[int, str]] = []

    def call(number: int) -> Callable[[], int]:
        def note() -> int:
            made.append((number, threading.current_thread().name))
            return number

        return note

    results = await asyncio.gather(*(worker.call(call(number), "it", deadline=DEADLINE) for number in range(5)))
    assert results == [0, 1, 2, 3, 4]
    assert made == [(number, "it") for number in range(5)]
    assert await stopped(worker)
    await until(lambda: all(thread.name != "it" for thread in threading.enumerate()))


@pytest.mark.parametrize("error", [ValueError("why"), SystemExit(1), KeyboardInterrupt("why"), StopIteration("why")])
async def test_whatever_a_call_raises_is_one_error_that_tells_why(error: BaseException) -> None:
    worker = Worker("it")

    def fail() -> None:
        raise error

    with pytest.raises(LibraryError, match=r"why|1") as raised:
        await worker.call(fail, "it", deadline=DEADLINE)
    assert raised.value.__cause__ is error
    assert await worker.call(lambda: 5, "it", deadline=DEADLINE) == 5
    await stopped(worker)


async def test_our_own_errors_pass_as_they_are() -> None:
    worker = Worker("it")

    def refuse() -> None:
        raise RefusedError("invalid", "no")

    with pytest.raises(RefusedError, match="no"):
        await worker.call(refuse, "it", deadline=DEADLINE)
    await stopped(worker)


async def test_a_call_that_hangs_is_left_at_its_deadline_and_what_waits_behind_it_is_never_made() -> None:
    worker = Worker("it")
    go = threading.Event()
    made: list[str] = []
    with pytest.raises(DeadlineError, match=r"connecting has not come to an end within 0.05 s"):
        await worker.call(go.wait, "connecting", deadline=0.05)
    with pytest.raises(DeadlineError):
        await worker.call(lambda: made.append("late"), "sending", deadline=0.05)
    assert not await worker.stop(deadline=0.05)
    go.set()
    await until(lambda: all(thread.name != "it" for thread in threading.enumerate()))
    assert not made


async def test_a_call_that_is_cancelled_before_it_begins_is_never_made() -> None:
    worker = Worker("it")
    go = threading.Event()
    made: list[str] = []
    hanging = asyncio.create_task(worker.call(go.wait, "hanging", deadline=DEADLINE), name="hanging")
    waiting = asyncio.create_task(
        worker.call(lambda: made.append("late"), "waiting", deadline=DEADLINE), name="waiting"
    )
    await until(lambda: any(thread.name == "it" for thread in threading.enumerate()))
    waiting.cancel()
    await asyncio.wait([waiting])
    go.set()
    await hanging
    assert await stopped(worker)
    assert not made


async def test_a_worker_that_was_never_asked_has_no_thread_to_stop() -> None:
    assert await Worker("it").stop(deadline=0.0)


def test_a_thread_that_is_left_behind_keeps_no_process_alive() -> None:
    go = threading.Event()

    async def leave() -> None:
        worker = Worker("left behind")
        with pytest.raises(DeadlineError):
            await worker.call(go.wait, "hanging", deadline=0.01)
        assert not await worker.stop(deadline=0.01)

    asyncio.run(leave())
    (left,) = [thread for thread in threading.enumerate() if thread.name == "left behind"]
    assert left.daemon
    go.set()
    left.join(DEADLINE)
    assert not left.is_alive()
