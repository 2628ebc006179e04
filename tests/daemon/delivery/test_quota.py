"""Who may take how much of the disk."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Entry
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.quota import Quota
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.store.store import Store

PEOPLE = ("alice", "bob", "carol", "dave")
ROW = 10


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.booleans()), max_size=400))
def test_everybody_has_the_kept_part_and_together_they_never_have_more_than_there_is(
    wishes: list[tuple[str, bool]],
) -> None:
    quota = Quota(most_memory=0, most_disk=800)
    quota.serve(PEOPLE)
    for owner, takes in wishes:
        share = quota.share(owner)
        if not takes and share.rows:
            quota.remove(share, ROW)
        elif takes and not quota.exceeded(share):
            quota.add(share, ROW)
        elif takes:
            assert share.disk > 100
        assert quota.disk == sum(quota.share(one).disk for one in PEOPLE) <= 800 + len(PEOPLE) * ROW


def test_one_alone_may_take_all_but_what_is_kept_for_the_others() -> None:
    quota = Quota(most_memory=0, most_disk=800)
    quota.serve(PEOPLE)
    alice = quota.share("alice")
    while not quota.exceeded(alice):
        quota.add(alice, ROW)
    assert alice.disk == 800 - 3 * 100 + ROW
    assert not quota.exceeded(quota.share("bob"))


def test_a_limit_of_ones_own_counts_before_the_disk_is_used_up() -> None:
    quota = Quota(most_memory=0, most_disk=800)
    quota.serve(["alice"])
    quota.add(quota.share("alice"), 50)
    assert quota.exceeded(quota.share("alice"), 40)
    assert not quota.exceeded(quota.share("alice"), 50)


def test_bytes_that_were_estimated_are_right_again_when_nothing_is_left() -> None:
    quota = Quota(most_memory=0, most_disk=800)
    alice, bob = quota.share("alice"), quota.share("bob")
    quota.add(bob, 7)
    quota.add(alice, 100)
    quota.add(alice, 20)
    quota.remove(alice, 60)
    quota.remove(alice, 20)
    assert (alice.rows, alice.disk, quota.disk) == (0, 0, 7)


async def test_many_sources_of_one_owner_take_no_more_of_the_disk_than_one_and_leave_anothers_room(
    tmp_path: Path,
) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        limits = OutboxSettings(disk_mb=16, disk_events=1_000_000)
        outbox = Outbox(store, limits, turns=Turns(lambda: None), counters=Counters())
        for quota in outbox.quotas:
            quota.serve(("alice", "bob"))
        body = bytes(100_000)
        lanes = [outbox.lane("alice", f"source{number}") for number in range(40)]
        taken = 0
        while any(not outbox.full(lane, 1) for lane in lanes):
            lane = lanes[taken % len(lanes)]
            outbox.put_durable([Entry(lane, "topic", body)], [])
            await store.committed()
            taken += 1
        assert taken == 121  # of 160 that there is room for, a quarter is kept for bob
        bobs = outbox.lane("bob", "home")
        for _ in range(40):
            assert not outbox.full(bobs, 1)
            outbox.put_durable([Entry(bobs, "topic", body)], [])
            await store.committed()
        assert all(outbox.full(lane, 1) for lane in lanes)


async def test_a_spilling_owner_loses_its_own_oldest_events_not_those_of_another(tmp_path: Path) -> None:
    async with Store(tmp_path / "jitney.db") as store:
        limits = OutboxSettings(disk_mb=16, disk_events=1_000_000, memory_events=100)
        counters = Counters()
        outbox = Outbox(store, limits, turns=Turns(lambda: None), counters=counters)
        for quota in outbox.quotas:
            quota.serve(("alice", "bob"))
        body = bytes(10_000)
        for owner, number in (("bob", 400), ("alice", 1600)):
            lane = outbox.lane(owner, "home")
            for _ in range(number):
                outbox.put([Entry(lane, "topic", body)])
            await store.committed()
        await store.committed()
        assert counters.total("dropped", owner="alice", reason="outbox_full") > 0
        assert counters.total("dropped", owner="bob") == 0
        assert outbox.disk_bytes <= 16_000_000 + 1_000_000
