"""The outbox: order and bounds of lanes, in memory and on disk, over restarts."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Entry
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.traces import begin
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.store.store import Store
from tests.daemon.running import tick
from tests.waiting import until


class Bench:
    """An outbox with a consumer that confirms what it takes."""

    def __init__(self, store: Store, limits: OutboxSettings) -> None:
        self.store = store
        self.counters = Counters()
        self.woken = asyncio.Event()
        self.turns = Turns(self.woken.set)
        self.outbox = Outbox(store, limits, turns=self.turns, counters=self.counters)
        self.sent: list[str] = []

    def put(self, owner: str, *names: str) -> bool:
        lane = self.outbox.lane(owner, "home")
        return self.outbox.put([Entry(lane, "topic", name.encode()) for name in names])

    async def put_durable(self, owner: str, *names: str) -> None:
        lane = self.outbox.lane(owner, "home")
        lane.durable = True
        self.outbox.put_durable([Entry(lane, "topic", name.encode()) for name in names], [])
        await self.store.committed()

    async def consume(self, number: int) -> list[str]:
        """Take and confirm until ``number`` came."""
        begun = len(self.sent)
        async with asyncio.timeout(10):
            while len(self.sent) < begun + number:
                self.woken.clear()
                taken = self.turns.take(begun + number - len(self.sent))
                for message in taken:
                    assert isinstance(message, Entry)
                    self.sent.append(message.payload.decode())
                    self.outbox.confirmed(message)
                if not taken:
                    await self.woken.wait()
        return self.sent[begun:]


@asynccontextmanager
async def bench(path: Path, limits: OutboxSettings | None = None) -> AsyncIterator[Bench]:
    async with Store(path / "jitney.db") as store:
        made = Bench(store, limits or OutboxSettings(memory_events=100, disk_events=1000))
        await made.outbox.load()
        refill = asyncio.create_task(made.outbox.run(), name="refill")
        try:
            yield made
        finally:
            refill.cancel()
            await asyncio.gather(refill, return_exceptions=True)


def numbered(number: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{index}" for index in range(number)]


async def test_beyond_its_memory_a_lane_goes_on_on_disk_and_comes_back_in_order(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        assert not it.put("alice", *numbered(100, "a"))
        assert it.put("alice", *numbered(400, "b"))
        await it.store.committed()
        assert it.outbox.waiting() == (100, 400)
        assert await it.consume(500) == numbered(100, "a") + numbered(400, "b")
        assert it.outbox.waiting() == (0, 0)
        assert not it.put("alice", "again in memory")


async def test_what_arrives_while_rows_wait_on_disk_does_not_overtake_them(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.put("alice", *numbered(150, "a"))
        first = await it.consume(120)
        it.put("alice", *numbered(50, "b"))
        assert first + await it.consume(80) == numbered(150, "a") + numbered(50, "b")


async def test_a_durable_event_is_on_disk_before_it_is_sent_and_gone_after_its_confirmation(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        lane = it.outbox.lane("alice", "home")
        it.outbox.put_durable([Entry(lane, "topic", b"a")], [])
        assert not it.turns
        await it.store.committed()
        assert await it.store.read(lambda db: db.execute("SELECT payload FROM outbox").fetchall()) == [(b"a",)]
        await it.consume(1)
        await it.outbox.close([])
        await it.store.committed()
        assert await it.store.read(lambda db: db.execute("SELECT count(*) FROM outbox").fetchone()) == (0,)


async def test_unconfirmed_durable_events_are_sent_again_by_the_next_run(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await it.put_durable("alice", *numbered(300))
        assert len(it.turns.take(20)) == 20
    async with bench(tmp_path) as it:
        assert await it.consume(300) == numbered(300)


async def test_a_clean_stop_keeps_what_was_only_in_memory_and_its_order(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.put("alice", *numbered(250))
        await it.store.committed()
        flying = it.turns.take(20)
        await it.outbox.close([message for message in flying if isinstance(message, Entry)])
    async with bench(tmp_path) as it:
        it.put("alice", "new")
        assert await it.consume(251) == [*numbered(250), "new"]


async def test_what_a_clean_stop_has_kept_is_sent_once_and_overtaken_by_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.put("alice", *numbered(3))
        await made.outbox.close([])
    async with bench(tmp_path) as made:
        made.put("alice", *numbered(3, "new "))
        assert await made.consume(6) == [*numbered(3), *numbered(3, "new ")]
        await made.outbox.close([])
    async with bench(tmp_path) as made:
        assert made.outbox.waiting() == (0, 0)


async def test_a_row_that_a_first_version_has_numbered_0_is_sent_in_its_place_and_removed(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await it.put_durable("alice", "after")
        for number, name in ((-2, b"first"), (-1, b"second"), (0, b"third")):
            it.store.write("INSERT INTO outbox (id, lane, topic, payload) VALUES (?, 1, 't', ?)", [(number, name)])
        await it.store.committed()
    async with bench(tmp_path) as it:
        assert await it.consume(4) == ["first", "second", "third", "after"]
        await it.outbox.close([])
    async with bench(tmp_path) as it:
        assert it.outbox.waiting() == (0, 0)


async def test_what_a_lane_has_lost_on_disk_is_traced_as_dropped_and_the_rest_as_waiting(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        lane = it.outbox.lane("alice", "home")
        traces = [begin(deque(), tick(number)) for number in range(1101)]
        lane.traces = deque(trace for trace in traces if trace is not None)
        entries = [Entry(lane, "topic", b"{}", trace=trace) for trace in traces]
        it.outbox.put(entries[:1000])
        it.outbox.put(entries[1000:])
        await it.store.committed()
        it.outbox.put([Entry(lane, "topic", b"{}")])
        await it.store.committed()
        await until(lambda: traces[100] is not None and traces[100].dropped == "outbox_full")
        dropped = [index for index, trace in enumerate(traces) if trace is not None and trace.dropped]
        assert dropped == list(range(100, 300))


async def test_at_its_limit_on_disk_a_lane_that_is_not_durable_loses_its_oldest_and_counts_them(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for start in range(0, 2000, 50):
            it.put("alice", *(str(number) for number in range(start, start + 50)))
            await it.store.committed()
        _, on_disk = it.outbox.waiting()
        dropped = it.counters.total("dropped", owner="alice", reason="outbox_full")
        assert 800 <= on_disk <= 1000
        assert on_disk + dropped == 1900
        sent = await it.consume(100 + on_disk)
        assert sent[:100] == numbered(100)
        assert sent[100:] == [str(number) for number in range(2000 - on_disk, 2000)]


async def test_a_durable_lane_at_its_limit_says_that_it_is_full(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await it.put_durable("alice", *numbered(1100))
        alice, bob = it.outbox.lane("alice", "home"), it.outbox.lane("bob", "home")
        assert it.outbox.full(alice, 1)
        assert not it.outbox.full(bob, 1)


async def test_a_full_disk_loses_spilled_events_counted_and_the_lane_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.put("alice", *numbered(100, "a"))
        await it.store.committed()
        await it.store.read(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
        it.put("alice", *("x" * 4000 for _ in range(50)))
        await it.store.committed(quiet=True)
        assert it.counters.total("dropped", owner="alice", reason="disk_failed") == 50
        await it.store.read(lambda db: db.execute("PRAGMA max_page_count = 10000").fetchall())
        assert await it.consume(100) == numbered(100, "a")
        it.put("alice", "b")
        assert await it.consume(1) == ["b"]


@contextmanager
def event_loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(1, 130)), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_mix_each_owners_order_holds_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool, int]]
) -> None:
    async def scenario() -> None:
        put: dict[str, list[str]] = {"a": [], "b": []}
        async with bench(tmp_path_factory.mktemp("mix"), OutboxSettings(memory_events=100)) as it:
            for owner, take, number in steps:
                names = [f"{owner}{len(put[owner]) + index}" for index in range(number)]
                put[owner] += names
                it.put(owner, *names)
                if take:
                    await it.consume(min(number, sum(map(len, put.values())) - len(it.sent)))
            await it.consume(sum(map(len, put.values())) - len(it.sent))
            for owner, names in put.items():
                assert [name for name in it.sent if name[0] == owner] == names

    with event_loop() as runner:
        runner.run(scenario())
