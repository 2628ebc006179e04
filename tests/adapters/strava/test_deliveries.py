"""The durable queue: nothing accepted is lost, nothing comes twice, one owner's queue is nobody else's."""

import asyncio
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.deliveries import MOST_WAITING, Deliveries, Delivery, delivery
from tests.fakes.context import DEADLINE, RecordingContext

TOLD: dict[str, Any] = {
    "app": "main",
    "owner": "alice",
    "subscription": 120_475,
    "object_type": "activity",
    "object_id": 16_500_000_001,
    "aspect": "create",
    "event_time": 1_795_239_000,
    "updates": {},
    "arrived": 1_795_239_002.5,
}


class Disk(RecordingContext):
    """A bus whose disk takes until ``gate`` is open, or refuses."""

    async def save_all(self, values: Mapping[str, bytes | None]) -> None:
        await self.gate.wait()
        await super().save_all(values)


class Turned:
    """A clock that the test turns."""

    def __init__(self, now: float = 1_795_240_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def told(**fields: Any) -> Delivery:  # noqa: ANN401
    return delivery(**{**TOLD, **fields})


async def opened(ctx: RecordingContext, **options: Any) -> Deliveries:  # noqa: ANN401
    queue = Deliveries(ctx, **options)
    await queue.load()
    return queue


async def test_what_was_added_waits_over_a_restart_until_it_is_done() -> None:
    ctx = RecordingContext()
    first = await opened(ctx)
    one = told(updates={"title": "Früh", "private": "true"})
    assert await first.add(one)
    again = await opened(RecordingContext(kept=ctx.kept))
    assert again.waiting("alice") == [one]
    assert again.owners() == ["alice"]
    assert again.news("alice").is_set()
    await again.done([one])
    assert again.waiting("alice") == (await opened(RecordingContext(kept=ctx.kept))).waiting("alice") == []


async def test_add_returns_only_when_it_is_on_disk_and_what_waits_is_not_seen_before() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    ctx.gate.clear()
    adding = asyncio.create_task(queue.add(told()), name="add")
    await asyncio.wait((adding,), timeout=0)
    assert not adding.done()
    assert queue.waiting("alice") == []
    assert not queue.news("alice").is_set()
    ctx.gate.set()
    assert await adding
    assert queue.news("alice").is_set()


async def test_the_same_is_taken_once_while_it_waits_when_it_is_done_and_after_a_restart() -> None:
    ctx = RecordingContext()
    queue = await opened(ctx)
    assert await queue.add(told())
    assert not await queue.add(told(arrived=TOLD["arrived"] + 120))
    await queue.done(queue.waiting("alice"))
    assert not await queue.add(told())
    restarted = await opened(RecordingContext(kept=ctx.kept))
    assert not await restarted.add(told())
    assert restarted.waiting("alice") == []


async def test_a_repetition_waits_for_the_disk_as_the_first_one_does() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    ctx.gate.clear()
    both = [asyncio.create_task(queue.add(told()), name="add") for _ in range(2)]
    await asyncio.wait(both, timeout=0)
    assert not any(one.done() for one in both)
    ctx.gate.set()
    assert [await one for one in both] == [True, False]


async def test_a_repetition_is_refused_when_the_first_one_was_not_kept() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    ctx.gate.clear()
    both = [asyncio.create_task(queue.add(told()), name="add") for _ in range(2)]
    await asyncio.wait(both, timeout=0)
    ctx.full = True
    ctx.gate.set()
    for one in both:
        with pytest.raises(RefusedError) as caught:
            await one
        assert caught.value.code == "not_kept"
    ctx.full = False
    assert await queue.add(told())


async def test_what_was_given_up_while_it_was_stored_is_taken_when_it_comes_again() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    ctx.gate.clear()
    adding = asyncio.create_task(queue.add(told()), name="add")
    await asyncio.wait((adding,), timeout=0)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    ctx.gate.set()
    assert queue.waiting("alice") == []
    assert await queue.add(told())
    assert queue.waiting("alice") == [told()]


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_it_waits_in_the_order_of_what_happened_and_at_one_instant_a_delete_comes_last(
    order: tuple[int, ...],
) -> None:
    happened = [
        told(object_id=9, aspect="update", event_time=99),
        told(aspect="create", event_time=100),
        told(aspect="update", event_time=100),
        told(aspect="delete", event_time=100),
    ]
    ctx = RecordingContext()
    queue = await opened(ctx)
    for place in order:
        await queue.add(happened[place])
    assert queue.waiting("alice") == happened
    assert (await opened(RecordingContext(kept=ctx.kept))).waiting("alice") == happened


async def test_what_an_owner_is_given_is_theirs_to_change() -> None:
    queue = await opened(RecordingContext())
    await queue.add(told())
    queue.waiting("alice").clear()
    assert queue.waiting("alice") == [told()]
    await queue.add(told(object_id=2))
    assert len(queue.waiting("alice")) == 2


async def test_too_many_for_one_owner_are_refused_and_another_owner_does_not_notice() -> None:
    ctx = RecordingContext()
    queue = await opened(ctx, most_waiting=3)
    for number in range(3):
        await queue.add(told(object_id=number + 1))
    with pytest.raises(RefusedError, match="3 deliveries of alice wait already") as caught:
        await queue.add(told(object_id=4))
    assert caught.value.code == "queue_full"
    assert not await queue.add(told(object_id=1))
    assert await queue.add(told(owner="bob", object_id=4))
    await queue.done(queue.waiting("alice")[:1])
    assert await queue.add(told(object_id=4))


async def test_the_limit_counts_what_is_on_its_way_to_the_disk() -> None:
    ctx = Disk()
    queue = await opened(ctx, most_waiting=1)
    ctx.gate.clear()
    adding = asyncio.create_task(queue.add(told()), name="add")
    await asyncio.wait((adding,), timeout=0)
    with pytest.raises(RefusedError, match="wait already"):
        await queue.add(told(object_id=2))
    ctx.gate.set()
    assert await adding


async def test_a_thousand_at_once_are_stored_together() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    ctx.gate.clear()
    adding = [asyncio.create_task(queue.add(told(object_id=number)), name="add") for number in range(1, 1001)]
    await asyncio.wait(adding, timeout=0)
    ctx.gate.set()
    async with asyncio.timeout(DEADLINE):
        assert all(await asyncio.gather(*adding))
    assert len(queue.waiting("alice")) == 1000 < MOST_WAITING
    restarted = await opened(RecordingContext(kept=ctx.kept))
    assert {one.object_id for one in restarted.waiting("alice")} == set(range(1, 1001))


async def test_what_cannot_be_marked_as_done_goes_on_waiting() -> None:
    ctx = RecordingContext()
    queue = await opened(ctx)
    await queue.add(told())
    ctx.full = True
    with pytest.raises(RefusedError):
        await queue.done([told()])
    assert queue.waiting("alice") == [told()]
    ctx.full = False
    await queue.done([told()])
    assert queue.waiting("alice") == []


async def test_the_memory_of_what_was_done_is_bounded_and_forgets_the_oldest() -> None:
    ctx = RecordingContext()
    queue = await opened(ctx, most_seen=10)
    for number in range(1, 31):
        await queue.add(told(object_id=number))
        await queue.done(queue.waiting("alice"))
    assert len([key for key in ctx.kept if key.startswith("seen/")]) == 10
    restarted = await opened(RecordingContext(kept=ctx.kept), most_seen=10)
    assert not await restarted.add(told(object_id=21))
    assert await restarted.add(told(object_id=20))


async def test_what_was_done_is_forgotten_after_some_days() -> None:
    ctx, clock = RecordingContext(), Turned()
    queue = await opened(ctx, remembered=1000.0, clock=clock)
    await queue.add(told())
    await queue.done([told()])
    clock.now += 999
    assert not await queue.add(told())
    clock.now += 2
    restarted = await opened(RecordingContext(kept=ctx.kept), remembered=1000.0, clock=clock)
    assert ctx.kept == {}
    assert await queue.add(told())
    assert await restarted.add(told())


async def test_what_has_expired_is_taken_from_the_disk_when_something_else_is_done() -> None:
    ctx, clock = RecordingContext(), Turned()
    queue = await opened(ctx, remembered=1000.0, clock=clock)
    await queue.add(told())
    await queue.done([told()])
    clock.now += 1000
    await queue.add(told(object_id=2))
    await queue.done([told(object_id=2)])
    assert list(ctx.kept) == [f"seen/alice/{told(object_id=2).key}"]


async def test_an_owner_who_is_gone_leaves_nothing_behind() -> None:
    ctx = Disk()
    queue = await opened(ctx)
    for owner in ("alice", "alice-2"):
        await queue.add(told(owner=owner))
        await queue.done([told(owner=owner)])
        await queue.add(told(owner=owner, object_id=2))
    ctx.gate.clear()
    adding = asyncio.create_task(queue.add(told(object_id=3)), name="add")
    dropping = asyncio.create_task(queue.drop("alice"), name="drop")
    await asyncio.wait((adding, dropping), timeout=0)
    ctx.gate.set()
    await adding
    await dropping
    assert queue.waiting("alice") == []
    assert queue.owners() == ["alice-2"]
    assert [key for key in ctx.kept if "/alice/" in key] == []
    assert len(ctx.kept) == 2


async def test_what_cannot_be_read_is_counted_and_removed() -> None:
    kept = {
        "delivery/alice/x": b"{",
        "delivery/alice/y": b'{"key":1}',
        "seen/alice/z": b"soon",
        "seen": b"1",
        "other/alice/x": b"{",
    }
    ctx = RecordingContext(kept=kept)
    queue = await opened(ctx)
    assert queue.owners() == []
    assert ctx.counts["unreadable"] == 2
    assert set(ctx.kept) == {"seen", "other/alice/x"}


async def test_what_was_done_and_still_lies_there_is_not_done_again() -> None:
    ctx = RecordingContext()
    queue = await opened(ctx)
    await queue.add(told())
    row = next(iter(ctx.kept.items()))
    await queue.done([told()])
    ctx.kept.update([row])
    assert (await opened(RecordingContext(kept=ctx.kept))).owners() == []
    assert row[0] not in ctx.kept


words = st.text(max_size=6)


@given(
    st.fixed_dictionaries(
        {
            "subscription": st.integers(1, 2**63 - 1),
            "object_type": st.sampled_from(["activity", "athlete"]),
            "object_id": st.integers(1, 2**63 - 1),
            "aspect": st.sampled_from(["create", "update", "delete"]),
            "event_time": st.integers(1, 2**32),
            "updates": st.dictionaries(words, words, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {
            "subscription": st.integers(1, 3),
            "object_type": st.sampled_from(["activity", "athlete"]),
            "object_id": st.integers(1, 3),
            "aspect": st.sampled_from(["create", "update", "delete"]),
            "event_time": st.integers(1, 3),
            "updates": st.dictionaries(words, words, max_size=3),
        }
    ),
)
def test_two_deliveries_have_the_same_key_only_if_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    turned = {**one, "updates": dict(reversed(one["updates"].items())), "arrived": 1.0}
    assert told(**one).key == told(**turned).key
    assert (told(**one).key == told(**other).key) == (one == other)


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_what_is_written_is_what_is_read(updates: dict[str, str]) -> None:
    one = told(updates=updates)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Delivery) == one
