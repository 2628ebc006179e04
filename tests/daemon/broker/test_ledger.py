"""The ledger: after every connect the broker's retained messages equal it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.store.store import Store


class Broker:
    """What a broker holds, fed by what the ledger publishes."""

    def __init__(self, ledger: Ledger, turns: Turns) -> None:
        self.held: dict[str, bytes] = {}
        self.published: list[str] = []
        self._ledger = ledger
        self._turns = turns

    def drain(self) -> list[str]:
        """Publish all that waits and return the topics."""
        topics = []
        while messages := self._turns.take(10):
            for message in messages:
                assert message.retain
                topics.append(message.topic)
                if message.payload:
                    self.held[message.topic] = message.payload
                else:
                    self.held.pop(message.topic, None)
                self._ledger.published(message.topic, message.payload)
        return topics

    def values(self) -> dict[str, bytes | None]:
        return {topic: line.payload for topic, line in self._ledger.lines.items()}

    def reconcile(self) -> tuple[int, int]:
        found = self._ledger.reconcile(self.held, ours=lambda topic: ("alice", "home") if "home" in topic else None)
        self.drain()
        return found


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Ledger, Broker, Store]]:
    async with Store(path / "jitney.db") as store:
        turns = Turns(lambda: None)
        ledger = Ledger(store, marked=turns.ready)
        await ledger.load()
        yield ledger, Broker(ledger, turns), store


def put(ledger: Ledger, topic: str, payload: bytes, *, durable: bool = False) -> None:
    ledger.put(topic, payload, owner="alice", adapter="home", durable=durable)


async def test_of_many_changes_while_nobody_takes_only_the_newest_value_is_published(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        for number in range(1000):
            put(ledger, "home/lamp", str(number).encode())
        assert ledger.waiting() == 1
        assert broker.drain() == ["home/lamp"]
        assert broker.held == {"home/lamp": b"999"}


async def test_the_same_value_again_is_not_published(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        put(ledger, "home/lamp", b"on")
        broker.drain()
        put(ledger, "home/lamp", b"on")
        assert broker.drain() == []


async def test_a_cleared_topic_leaves_the_broker_the_ledger_and_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, store):
        put(ledger, "home/lamp", b"on")
        broker.drain()
        put(ledger, "home/lamp", GONE)
        assert broker.drain() == ["home/lamp"]
        await store.committed()
        assert broker.held == {}
        assert ledger.lines == {}
        assert await store.read(lambda db: db.execute("SELECT * FROM retained").fetchall()) == []


async def test_a_topic_set_again_before_its_clearing_was_confirmed_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        put(ledger, "home/lamp", b"on")
        broker.drain()
        put(ledger, "home/lamp", GONE)
        put(ledger, "home/lamp", b"off")
        ledger.published("home/lamp", GONE)
        broker.drain()
        assert broker.held == {"home/lamp": b"off"}
        assert broker.values() == {"home/lamp": b"off"}


async def test_a_broker_that_forgot_everything_gets_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        put(ledger, "home/lamp", b"on")
        put(ledger, "home/door", b"open")
        broker.drain()
        broker.held.clear()
        assert broker.reconcile() == (2, 0)
        assert broker.held == broker.values()


async def test_orphans_of_our_adapters_are_cleared_and_foreign_topics_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        put(ledger, "home/lamp", b"on")
        broker.drain()
        broker.held |= {"home/old": b"x", "village/lamp": b"y", "home/lamp": b"tampered"}
        assert broker.reconcile() == (1, 1)
        assert broker.held == {"home/lamp": b"on", "village/lamp": b"y"}


async def test_what_an_earlier_run_published_is_known_and_removed_when_its_adapter_no_longer_has_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        put(ledger, "home/lamp", b"on")
        put(ledger, "home/door", b"open")
        broker.drain()
        held = broker.held
    async with opened(tmp_path) as (ledger, broker, _):
        broker.held = held
        assert broker.reconcile() == (0, 0)
        put(ledger, "home/lamp", b"on")
        ledger.keep("home", ["home/lamp"])
        assert broker.drain() == ["home/door"]
        assert broker.held == {"home/lamp": b"on"}


async def test_the_value_of_a_durable_adapter_is_there_again_after_a_crash_and_a_wiped_broker(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, _, store):
        put(ledger, "home/rides", b"1", durable=True)
        put(ledger, "home/rides", b"2", durable=True)
        await store.committed()
    async with opened(tmp_path) as (_, broker, _):
        assert broker.reconcile() == (1, 0)
        assert broker.held == {"home/rides": b"2"}


async def test_a_clearing_that_a_crash_interrupted_is_done_by_the_next_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, store):
        put(ledger, "home/lamp", b"on")
        broker.drain()
        put(ledger, "home/lamp", GONE)
        await store.committed()
        held = broker.held
    async with opened(tmp_path) as (ledger, broker, _):
        broker.held = held
        assert broker.drain() == ["home/lamp"]
        assert broker.held == {}
        assert ledger.lines == {}


steps = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([b"", b"1", b"2"]), st.booleans()), max_size=30)


@given(steps, st.dictionaries(st.sampled_from("abcdx"), st.sampled_from([b"1", b"2", b"9"])))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_after_a_reconcile_the_broker_equals_the_ledger_whatever_went_before(
    tmp_path: Path, changes: list[tuple[str, bytes, bool]], held: dict[str, bytes]
) -> None:
    (tmp_path / "jitney.db").unlink(missing_ok=True)
    async with opened(tmp_path) as (ledger, broker, _):
        for topic, payload, drained in changes:
            put(ledger, f"home/{topic}", payload)
            if drained:
                broker.drain()
        broker.held = {f"home/{topic}": payload for topic, payload in held.items()}
        broker.reconcile()
        assert broker.held == broker.values()


async def test_an_owner_has_so_many_topics_and_one_that_goes_makes_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, broker, _):
        for number in range(3):
            put(ledger, f"home/{number}", b"1")
        broker.drain()
        assert not ledger.has_room("alice", "home/3", most=3)
        assert ledger.has_room("alice", "home/2", most=3)
        assert ledger.has_room("bob", "home/3", most=3)
        put(ledger, "home/0", GONE)
        assert ledger.clearing("alice")
        broker.drain()
        assert not ledger.clearing("alice")
        assert ledger.has_room("alice", "home/3", most=3)
        put(ledger, "home/3", b"1")
    async with opened(tmp_path) as (ledger, _, _):
        assert not ledger.has_room("alice", "home/4", most=3)
